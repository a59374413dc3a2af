"""64 small networks at once: `em.fit_many` beside one after the other, PyTorch and JAX.

    python -m bench.many [--rounds 5] [--tasks table,narrow,tiny] [--json FILE] [--write]

All train the same 64 networks from the same weights on the same shuffled batches with Adam, in a
process each, in turns that change places. PyTorch has the members packed (`baddbmm` over 64, the
fused Adam), JAX vmapped, an epoch a jitted scan. The losses after the turn must agree to 1e-3, or
the row says so. A ratio is the median over the rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .machine import description, environment, summary
from .readme import save, write
from .turns import take_turns

MEMBERS, LR = 64, 1e-3


@dataclass(frozen=True)
class Task:
    """Layer sizes, rows of a batch and of the data, epochs of a turn, and the goals."""

    sizes: tuple[int, ...]
    batch: int
    rows: int
    epochs: int
    goal_alone: float | None
    goal_peer: float

    @property
    def title(self) -> str:
        return f"64 × {'-'.join(map(str, self.sizes))}, batch {self.batch}"

    @property
    def steps(self) -> int:
        """Of all members together, in a turn."""
        return MEMBERS * self.epochs * -(-self.rows // self.batch)

    def data(self) -> tuple[Any, Any]:
        rng = np.random.default_rng(0)
        X = rng.normal(size=(self.rows, self.sizes[0])).astype(np.float32)
        return X, (X[:, 0] + X[:, -1] * X[:, 0] > 0).astype(np.int64)

    def orders(self) -> Any:
        rng = np.random.default_rng(0)
        return np.stack([rng.permutation(self.rows) for _ in range(self.epochs)])


TASKS = {
    "table": Task((30, 100, 100, 2), 200, 2000, 10, 1.9, 2.2),
    "narrow": Task((20, 100, 2), 32, 2048, 30, None, 2.5),
    "tiny": Task((2, 3, 2), 32, 2048, 100, None, 3.0),
}


# ---- what a worker does: prepare once; then a turn is seconds and the members' mean loss


def networks(task: Task) -> list[Any]:
    import eigenmlp as em

    return [em.MLP(list(task.sizes), seed=i) for i in range(MEMBERS)]


def ours(task: Task, together: bool) -> Any:
    import eigenmlp as em

    X, y = task.data()
    start = [net.parameters for net in networks(task)]
    nets = networks(task)
    options: dict[str, Any] = {"epochs": task.epochs, "batch_size": task.batch, "progress": False}
    if not together:
        em.set_num_threads(1)

    def turn() -> tuple[float, float]:
        for net, parameters in zip(nets, start, strict=True):
            net.parameters = parameters
        began = time.perf_counter()
        if together:
            em.fit_many(nets, X, y, optimizer=em.Adam(LR), seed=0, **options)
        else:
            for net in nets:
                net.fit(X, y, optimizer=em.Adam(LR), seed=0, **options)
        took = time.perf_counter() - began
        return took, float(np.mean([net.loss(X, y) for net in nets]))

    return turn


def stacked(task: Task) -> list[tuple[Any, Any]]:
    """W (64, in, out) and b (64, 1, out) of each layer."""
    nets = networks(task)
    return [
        (
            np.stack([net.weights[i] for net in nets]),
            np.stack([net.biases[i][None] for net in nets]),
        )
        for i in range(len(task.sizes) - 1)
    ]


def with_torch(task: Task) -> Any:
    import torch

    X, y = task.data()
    rows, labels = torch.from_numpy(X), torch.from_numpy(y)
    orders = torch.from_numpy(task.orders())
    start = [torch.from_numpy(a.copy()) for pair in stacked(task) for a in pair]

    def outputs(parameters: list[Any], x: Any) -> Any:
        h = x.expand(MEMBERS, *x.shape)
        for i in range(0, len(parameters), 2):
            h = torch.baddbmm(parameters[i + 1], h, parameters[i])
            if i + 2 < len(parameters):
                h = h.relu_()
        return h

    def losses(z: Any, t: Any) -> Any:
        flat = torch.nn.functional.cross_entropy(
            z.reshape(-1, z.shape[-1]), t.expand(MEMBERS, -1).reshape(-1), reduction="none"
        )
        return flat.view(MEMBERS, -1).mean(dim=1)

    def turn() -> tuple[float, float]:
        parameters = [p.clone().requires_grad_() for p in start]
        optimizer = torch.optim.Adam(parameters, lr=LR, fused=True)
        began = time.perf_counter()
        for order in orders:
            for batch in order.split(task.batch):
                optimizer.zero_grad()
                losses(outputs(parameters, rows[batch]), labels[batch]).sum().backward()
                optimizer.step()
        took = time.perf_counter() - began
        with torch.no_grad():
            return took, float(losses(outputs(parameters, rows), labels).mean())

    return turn


def with_jax(task: Task) -> Any:
    import jax
    import jax.numpy as jnp

    X, y = task.data()
    rows, labels = jnp.asarray(X), jnp.asarray(y)
    start = [(jnp.asarray(W), jnp.asarray(b[:, 0])) for W, b in stacked(task)]
    whole = task.rows // task.batch * task.batch
    assert whole == task.rows, "an epoch is a scan over whole batches"
    orders = jnp.asarray(task.orders().reshape(task.epochs, -1, task.batch))

    def loss(parameters: Any, x: Any, t: Any) -> Any:
        h = x
        for i, (W, b) in enumerate(parameters):
            h = h @ W + b
            if i + 1 < len(parameters):
                h = jax.nn.relu(h)
        return -jnp.take_along_axis(jax.nn.log_softmax(h), t[:, None], axis=1).mean()

    def step(state: Any, batch: Any) -> Any:
        parameters, mean, square, count = state
        gradient = jax.grad(loss)(parameters, rows[batch], labels[batch])
        count = count + 1
        tree = jax.tree_util.tree_map
        mean = tree(lambda m, g: 0.9 * m + 0.1 * g, mean, gradient)
        square = tree(lambda v, g: 0.999 * v + 0.001 * g * g, square, gradient)
        parameters = tree(
            lambda p, m, v: p
            - LR * (m / (1 - 0.9**count)) / (jnp.sqrt(v / (1 - 0.999**count)) + 1e-8),
            parameters, mean, square,
        )  # fmt: skip
        return (parameters, mean, square, count), None

    @jax.jit
    def epoch(states: Any, order: Any) -> Any:
        return jax.vmap(lambda state: jax.lax.scan(step, state, order)[0])(states)

    zeros = jax.tree_util.tree_map(jnp.zeros_like, start)
    first = (start, zeros, zeros, jnp.zeros(MEMBERS))
    jax.block_until_ready(epoch(first, orders[0]))

    def turn() -> tuple[float, float]:
        states = first
        began = time.perf_counter()
        for order in orders:
            states = epoch(states, order)
        jax.block_until_ready(states)
        took = time.perf_counter() - began
        return took, float(jax.vmap(loss, (0, None, None))(states[0], rows, labels).mean())

    return turn


WORKERS = {
    "eigenmlp": lambda task: ours(task, True),
    "one after the other": lambda task: ours(task, False),
    "torch": with_torch,
    "jax": with_jax,
}


def worker(name: str, task: Task) -> None:
    """A turn for every line that comes."""
    try:
        turn = WORKERS[name](task)
        turn()
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), flush=True)
        return
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        seconds, loss = turn()
        print(json.dumps({"seconds": seconds, "loss": loss}), flush=True)


# ---- turns


def measure(key: str, rounds: int) -> dict[str, Any]:
    """Seconds and losses of every worker, round by round."""
    running = {}
    for name in WORKERS:
        command = [sys.executable, "-m", "bench.many", "--worker", name, "--tasks", key]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
        )
        if "ready" in json.loads(process.stdout.readline() or "{}"):  # type: ignore[union-attr]
            running[name] = process
    return take_turns(running, rounds)


def table(results: dict[str, dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| networks | steps/s of all | one after the other | goal | PyTorch packed | JAX vmapped "
        "| goal | losses agree | met |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for key, found in results.items():
        task, own = TASKS[key], found["eigenmlp"]

        def ratio(name: str, found: Any = found, own: Any = own) -> float | None:
            if name not in found:
                return None
            pairs = zip(found[name]["seconds"], own["seconds"], strict=True)
            return statistics.median(theirs / ours for theirs, ours in pairs)

        alone, peers = ratio("one after the other"), [ratio("torch"), ratio("jax")]
        rate = task.steps / statistics.median(own["seconds"])
        agree = all(
            abs(other["loss"][0] - own["loss"][0]) < 1e-3 * own["loss"][0]
            for other in found.values()
        )
        fast = [x for x in peers if x is not None]
        met = (alone or 0) >= (task.goal_alone or 0) and bool(fast) and min(fast) >= task.goal_peer
        texts = ["missing" if x is None else f"{x:.2f} ×" for x in (alone, *peers)]
        goal = f"≥ {task.goal_alone}" if task.goal_alone else "–"
        lines.append(
            f"| {task.title} | {rate:,.0f} | {texts[0]} | {goal} | {texts[1]} | {texts[2]} "
            f"| ≥ {task.goal_peer} | {'yes' if agree else 'NO'} | {'yes' if met else 'no'} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", action="store_true", help="into bench/README.md")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, TASKS[options.tasks])
        return
    machine = description()
    results = {key: measure(key, options.rounds) for key in options.tasks.split(",")}
    text = f"{summary(machine)}\n\n{table(results)}"
    print(text)
    if options.json:
        save(options.json, {"machine": machine, "results": results})
    if options.write:
        write("many", text, {"machine": machine, "results": results})


if __name__ == "__main__":
    main()
