"""What two threads bring, and what they cost on a busy machine.

    python -m bench.threads [--rows small,busy,joblib] [--seconds 2] [--write]

- small: microseconds of a training step with one thread and with all, in turns; medians.
- busy: the same calls while other programs, started here, keep one processor or all of them busy;
  means and 99th percentiles. PyTorch's step stands beside ours where it is installed.
- joblib: a grid search of 36 fits of the digits by joblib's threads, with one job and with two.

Ratios are of times taken in turns in one run. Other programs that run meanwhile spoil the first
and the last table.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

import eigenmlp as em

from .machine import cores, description, summary
from .readme import write

SMALL = [  # layer sizes, batch size, dtype
    ([64, 50, 10], 100, "float32"),
    ([30, 100, 100, 2], 200, "float32"),
    ([17, 64, 64, 6], 256, "float32"),
    ([20, 100, 2], 200, "float32"),
    ([64, 50, 10], 100, "float64"),
    ([30, 100, 100, 2], 200, "float64"),
    ([17, 64, 64, 6], 256, "float64"),
    ([20, 100, 2], 200, "float64"),
    ([64, 100, 10], 200, "float64"),
]
TURN = 0.02  # seconds of an epoch that is timed


def _trainer(
    sizes: list[int], batch: int, dtype: str, seconds: float
) -> tuple[em.Trainer, np.ndarray, np.ndarray]:
    """A trainer with Adam, and data whose epoch takes about so long."""
    net = em.MLP(sizes, dtype=dtype, seed=0)
    trainer = em.Trainer(net, em.Adam(1e-3), batch_size=batch, seed=0)
    rng = np.random.default_rng(0)

    def data(rows: int) -> tuple[np.ndarray, np.ndarray]:
        X = rng.standard_normal((rows, sizes[0])).astype(dtype)
        return X, rng.integers(0, sizes[-1], rows)

    X, y = data(10 * batch)
    trainer.run(X, y, 1)
    (once,) = trainer.run(X, y, 1).seconds
    return trainer, *data(batch * max(10, round(10 * seconds / once)))


def small(seconds: float) -> list[dict[str, object]]:
    """Microseconds of a step with one thread and with all."""
    rows = []
    for sizes, batch, dtype in SMALL:
        trainer, X, y = _trainer(sizes, batch, dtype, TURN)
        times: dict[int, list[float]] = {1: [], cores(): []}
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(times[1]) < 5:
            for n, taken in times.items():
                em.set_num_threads(n)
                taken.append(1e6 * trainer.run(X, y, 1).seconds[0] * batch / len(X))
        one, all_ = (statistics.median(t[1:]) for t in times.values())
        rows.append(
            {"network": "-".join(map(str, sizes)), "batch": batch, "dtype": dtype}
            | {"one": one, "all": all_, "ratio": one / all_}
        )
    return rows


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many other programs that compute without end; a single one stays on one processor."""
    program = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(program) for _ in range(processes)]
    try:
        if processes == 1 and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(others[0].pid, {max(os.sched_getaffinity(0))})
        time.sleep(0.3)
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def _calls() -> dict[str, Callable[[], object]]:
    rng = np.random.default_rng(0)
    images = rng.standard_normal((2000, 784)).astype(np.float32)
    digits = rng.integers(0, 10, 2000)
    table, classes = rng.standard_normal((4000, 30)).astype(np.float32), rng.integers(0, 2, 4000)
    few = rng.standard_normal((256, 17)).astype(np.float32)
    narrow = em.MLP([17, 64, 64, 6], seed=0)
    wide = em.Trainer(em.MLP([784, 128, 10], seed=0), em.SGD(0.01), batch_size=64, seed=0)
    small_ = em.Trainer(em.MLP([30, 100, 100, 2], seed=0), em.Adam(), batch_size=200, seed=0)
    return {
        "forward, 256 rows of 17-64-64-6": lambda: narrow.forward(few),
        "forward, 2,000 rows of 784-128-10": lambda: wide.net.forward(images),
        "an epoch of 784-128-10": lambda: wide.run(images, digits, 1),
        "an epoch of 30-100-100-2": lambda: small_.run(table, classes, 1),
        "a step of 784-128-10": lambda: wide.step(images[:64], digits[:64]),
    }


def _torch_step() -> tuple[Callable[[], object], Callable[[int], None]] | None:
    """PyTorch's step of 784-128-10, and how its threads are set; None where it is missing."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch
    from torch import nn

    net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    X, y = torch.randn(64, 784), torch.randint(0, 10, (64,))
    loss = nn.CrossEntropyLoss()

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss(net(X), y).backward()
        optimizer.step()

    return step, torch.set_num_threads


def _times(call: Callable[[], object], seconds: float) -> list[float]:
    taken, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        call()
        taken.append(1e6 * (time.perf_counter() - began))
    return taken


def under_load(seconds: float) -> list[dict[str, object]]:
    """Means and 99th percentiles with one thread and with all, beside busy programs."""
    calls = {name: (call, em.set_num_threads) for name, call in _calls().items()}
    if (peer := _torch_step()) is not None:
        calls["PyTorch: a step of 784-128-10"] = peer
    rows: list[dict[str, object]] = []
    for others in sorted({1, cores()}):
        with busy(others):
            for name, (call, set_threads) in calls.items():
                times: dict[int, list[float]] = {1: [], cores(): []}
                for _ in range(4):
                    for n, taken in times.items():
                        set_threads(n)
                        taken += _times(call, seconds / 4)
                one, all_ = (np.array(t) for t in times.values())
                rows.append(
                    {"busy": others, "call": name, "one": one.mean(), "all": all_.mean()}
                    | {"ratio": all_.mean() / one.mean()}
                    | {"p99 ratio": np.quantile(all_, 0.99) / np.quantile(one, 0.99)}
                )
    return rows


def under_joblib() -> list[dict[str, object]]:
    """A grid search of 36 fits by joblib's threads: seconds with one job and with two."""
    from joblib import parallel_backend
    from sklearn.datasets import load_digits
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import GridSearchCV

    from eigenmlp.sklearn import MLPClassifier

    X, y = load_digits(return_X_y=True)
    grid = {"hidden_layer_sizes": [(50,), (100,), (150,)], "alpha": [1e-4, 1e-3, 1e-2, 1e-1]}
    model = MLPClassifier(max_iter=50, random_state=0)
    times: dict[tuple[int, int], list[float]] = {(1, 1): [], (1, cores()): [], (2, cores()): []}
    for _ in range(3):
        for (jobs, threads), taken in times.items():
            em.set_num_threads(threads)
            search = GridSearchCV(model, grid, cv=3, n_jobs=jobs, refit=False)
            began = time.perf_counter()
            with parallel_backend("threading"), warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                search.fit(X / 16, y)
            taken.append(time.perf_counter() - began)
    alone, one, two = (statistics.median(t) for t in times.values())
    return [
        {"fits": 36, "one job, one thread": alone, "one job": one, "two jobs": two}
        | {"two jobs beside half of one thread's": 2 * two / alone}
    ]


TABLES = {"small": small, "busy": under_load, "joblib": lambda seconds: under_joblib()}


def table(rows: list[dict[str, object]]) -> str:
    """Rows as Markdown."""
    heads = list(rows[0])
    lines = ["| " + " | ".join(heads) + " |", "| --- " * len(heads) + "|"]
    for row in rows:
        cells = [f"{x:,.2f}" if isinstance(x, float) else str(x) for x in row.values()]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Parse the arguments, print the tables, write them into bench/README.md."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rows", default=",".join(TABLES), help="which tables")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each figure")
    parser.add_argument("--write", action="store_true", help="put them into bench/README.md")
    args = parser.parse_args()
    machine, results = description(), {}
    text = summary(machine)
    for name in args.rows.split(","):
        results[name] = TABLES[name](args.seconds)
        text += f"\n\n{table(results[name])}"
        print(table(results[name]) + "\n", flush=True)
    if args.write:
        write("threads", text, {"machine": machine, **results})


if __name__ == "__main__":
    main()
