"""Two ranks of one thread beside one process of two threads, and PyTorch's DDP over Gloo.

    python -m bench.mpi [--rounds 3] [--tasks large,small] [--json FILE] [--write]

All train one network from the same weights on the same shuffled batches by SGD with momentum, each
in processes of its own, in turns that change places; a rank takes half of a batch, which is what
DDP calls a batch of 256. The losses after a turn must agree to 1e-3, or the row says so. A ratio
is the median over the rounds. `ranks4` has four ranks of one thread, more than this machine's
cores may be.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
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

LR, MOMENTUM = 0.01, 0.9


@dataclass(frozen=True)
class Task:
    """Layer sizes, rows of a batch and of the data, epochs of a turn, and the goals."""

    sizes: tuple[int, ...]
    batch: int
    rows: int
    epochs: int
    goal_two_threads: float | None  # at most so many times its time
    goal_peer: float  # at least so many times as fast

    @property
    def title(self) -> str:
        return f"{'-'.join(map(str, self.sizes))}, batch {self.batch}"

    @property
    def steps(self) -> int:
        return self.epochs * (self.rows // self.batch)

    def data(self) -> tuple[Any, Any]:
        rng = np.random.default_rng(0)
        X = rng.random((self.rows, self.sizes[0]), dtype=np.float32)
        return X, rng.integers(0, self.sizes[-1], self.rows)

    def orders(self) -> Any:
        rng = np.random.default_rng(0)
        return np.stack([rng.permutation(self.rows) for _ in range(self.epochs)])


TASKS = {
    "large": Task((784, 512, 512, 10), 512, 4096, 8, 1.3, 2.5),
    "small": Task((30, 100, 100, 2), 512, 8192, 40, None, 5.0),
}
# Ranks, threads.
WORKERS = {
    "threads": (1, 2),
    "ranks": (2, 1),
    "gloo": (2, 1),
    "alone": (1, 1),
    "ranks2": (2, 1),
    "ranks4": (4, 1),
}


# ---- workers: rank 0 prints microseconds a step and the loss


def ours(task: Task, ranks: int) -> None:
    import eigenmlp as em

    comm: Any = None
    if ranks > 1:
        from mpi4py import MPI

        comm = MPI.COMM_WORLD
    X, y = task.data()
    net = em.MLP(list(task.sizes), seed=0)
    start = net.parameters
    trainer = em.Trainer(net, em.SGD(LR, momentum=MOMENTUM), task.batch, 0, comm=comm)
    trainer.run(X, y, max(1, task.epochs // 4))
    net.parameters = start
    trainer = em.Trainer(net, em.SGD(LR, momentum=MOMENTUM), task.batch, 0, comm=comm)
    if comm is not None:
        comm.Barrier()
    began = time.perf_counter()
    trainer.run(X, y, task.epochs)
    took = time.perf_counter() - began
    if comm is None or comm.Get_rank() == 0:
        print(json.dumps([took / task.steps * 1e6, net.loss(X, y)]))


def gloo(task: Task) -> None:
    import torch
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    import eigenmlp as em

    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    X, y = task.data()
    rows, labels = torch.from_numpy(X), torch.from_numpy(y)
    net = em.MLP(list(task.sizes), seed=0)
    layers: list[Any] = []
    for W, b in zip(net.weights, net.biases, strict=True):
        layer = torch.nn.Linear(*W.shape)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(W.T.copy()))
            layer.bias.copy_(torch.from_numpy(b.copy()))
        layers += [layer, torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    start = {name: value.clone() for name, value in model.state_dict().items()}
    parallel = DistributedDataParallel(model)

    def epochs(count: int) -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM, foreach=True)
        rng = np.random.default_rng(0)
        for _ in range(count):
            order = torch.from_numpy(rng.permutation(task.rows))
            for batch in order.split(task.batch):
                own = batch[rank * len(batch) // size : (rank + 1) * len(batch) // size]
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(parallel(rows[own]), labels[own]).backward()
                optimizer.step()

    epochs(max(1, task.epochs // 4))
    model.load_state_dict(start)
    dist.barrier()
    began = time.perf_counter()
    epochs(task.epochs)
    took = time.perf_counter() - began
    if rank == 0:
        with torch.no_grad():
            loss = float(torch.nn.functional.cross_entropy(model(rows), labels))
        print(json.dumps([took / task.steps * 1e6, loss]))
    dist.destroy_process_group()


def worker(name: str, task: Task) -> None:
    ranks, _ = WORKERS[name]
    if name == "gloo":
        gloo(task)
    else:
        ours(task, ranks)


# ---- turns


def mpiexec() -> str:
    """Of the wheel `mpich`, which is beside the interpreter, or the system's."""
    beside = Path(sys.executable).with_name("mpiexec")
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if found is None:
        sys.exit("bench.mpi needs MPI: pip install mpi4py mpich")
    return found


def turn(name: str, key: str) -> tuple[float, float]:
    """Microseconds a step, and the loss."""
    ranks, threads = WORKERS[name]
    command = [sys.executable, "-m", "bench.mpi", "--worker", name, "--tasks", key]
    env = environment(threads)
    if name == "gloo":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(ranks)}
        peers = [
            subprocess.Popen(command, env={**env, "RANK": str(rank)}, stdout=subprocess.PIPE)
            for rank in range(ranks)
        ]
        out, *_ = [process.communicate(timeout=300)[0] for process in peers]
    else:
        if ranks > 1:
            command = [mpiexec(), "-n", str(ranks), *command]
        out = subprocess.run(command, env=env, stdout=subprocess.PIPE, timeout=300).stdout
    took, loss = json.loads(out.decode().splitlines()[-1])
    return took, loss


def measure(key: str, rounds: int, names: list[str]) -> dict[str, Any]:
    """Microseconds a step by worker, and ratios."""
    took: dict[str, list[float]] = {name: [] for name in names}
    losses: dict[str, float] = {}
    for i in range(rounds):
        for name in names if i % 2 == 0 else reversed(names):
            one, losses[name] = turn(name, key)
            took[name].append(one)
    agree = max(losses.values()) - min(losses.values()) < 1e-3
    row: dict[str, Any] = {"task": key, "losses agree": agree}
    row["us"] = {name: round(statistics.median(values), 1) for name, values in took.items()}
    base = took["ranks"]
    for name in names:
        ratios = [other / own for other, own in zip(took[name], base, strict=True)]
        row[f"{name} / ranks"] = round(statistics.median(ratios), 2)
    return row


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| work | 1 rank × 2 threads | 2 × 1 | 2 ranks beside 2 threads (goal) "
        "| DDP, Gloo, 2 × 1 | faster (goal) | 4 × 1 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        task, us = TASKS[row["task"]], row["us"]
        own = 1 / row["threads / ranks"] if "threads" in us else float("nan")
        goal = f"≤ {task.goal_two_threads:g}" if task.goal_two_threads else "none"
        peer = row.get("gloo / ranks")
        lines.append(
            f"| {task.title} | {us.get('threads', '')} µs | {us['ranks']} µs "
            f"| {own:.2f} × ({goal}) | {us.get('gloo', '')} µs | {peer} × (≥ {task.goal_peer:g}) "
            f"| {us.get('ranks4', '')} µs |{'' if row['losses agree'] else ' losses differ'}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tasks", default="large,small")
    parser.add_argument("--names", default="threads,ranks,gloo,ranks4")
    parser.add_argument("--worker", choices=WORKERS)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    keys = arguments.tasks.split(",")
    if arguments.worker:
        return worker(arguments.worker, TASKS[keys[0]])
    machine = description()
    rows = [measure(key, arguments.rounds, arguments.names.split(",")) for key in keys]
    text = f"{table(rows)}\n\n{summary(machine)}"
    print(text)
    if arguments.json:
        save(arguments.json, {"machine": machine, "rows": rows})
    if arguments.write:
        write("mpi", text, {"machine": machine, "rows": rows})
    return None


if __name__ == "__main__":
    main()
