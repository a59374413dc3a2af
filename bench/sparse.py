"""Wide sparse rows, as of texts: `eigenmlp.sklearn` beside `sklearn.neural_network`, in one run.

    python -m bench.sparse [--rounds 5] [--json FILE]

Both fit the same CSR rows with Adam from the same seed, and then predict them, in turns that change
places; a ratio is the median over the rounds of theirs ÷ ours. The coefficients must be equal: to
1e-8 of the largest in float64, to 1e-3 in float32, or the row says so.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
import sklearn.neural_network
from sklearn.exceptions import ConvergenceWarning

import eigenmlp.sklearn

from .machine import description, summary
from .readme import save

_PAUSE = 0.2  # seconds before a turn: the other's threads spin for a while after their last work
_GOAL = 4
_EPOCHS = 3
_EQUAL = {"float64": 1e-8, "float32": 1e-3}


@dataclass(frozen=True)
class Task:
    """Rows (N, D) with so many numbers each, and so many hidden units."""

    N: int
    D: int
    numbers: int
    units: int
    dtype: str

    @property
    def title(self) -> str:
        """Of its row in the table."""
        size = f"{self.N:,} × {self.D:,} with {self.numbers} a row"
        return f"{size}, {self.units} units, {self.dtype}"

    def data(self) -> tuple[Any, Any]:
        """Columns without order of their own, numbers in [0, 1), ten classes."""
        rng = np.random.default_rng(0)
        columns = [np.sort(rng.choice(self.D, self.numbers, replace=False)) for _ in range(self.N)]
        places = np.concatenate(columns).astype(np.int32)
        starts = np.arange(self.N + 1, dtype=np.int32) * self.numbers
        values = rng.random(len(places)).astype(self.dtype)
        X = scipy.sparse.csr_matrix((values, places, starts), (self.N, self.D))
        return X, rng.integers(0, 10, self.N)


TASKS = (
    Task(2_000, 20_000, 80, 100, "float64"),
    Task(4_000, 50_000, 60, 64, "float32"),
    Task(6_000, 3_000, 40, 128, "float64"),
)


def measure(task: Task, rounds: int) -> dict[str, Any]:
    """Seconds of both, round by round, and how far their coefficients are apart."""
    X, y = task.data()
    modules = {"ours": eigenmlp.sklearn, "theirs": sklearn.neural_network}
    fit: dict[str, list[float]] = {name: [] for name in modules}
    predict: dict[str, list[float]] = {name: [] for name in modules}
    fitted: dict[str, Any] = {}
    for turn in range(-1, rounds):  # one before that is not counted: threads and pages are there
        for name in [*modules] if turn % 2 else [*modules][::-1]:
            time.sleep(_PAUSE)
            began = time.perf_counter()
            fitted[name] = _fit(modules[name], task, X, y)
            between = time.perf_counter()
            fitted[name].predict_proba(X)
            if turn >= 0:
                fit[name].append(between - began)
                predict[name].append(time.perf_counter() - between)
    pairs = zip(fitted["ours"].coefs_, fitted["theirs"].coefs_, strict=True)
    apart = max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)
    return {"fit": fit, "predict": predict, "apart": apart}


def _fit(module: Any, task: Task, X: Any, y: Any) -> Any:
    estimator = module.MLPClassifier((task.units,), max_iter=_EPOCHS, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(X, y)


def table(rounds: int) -> dict[str, Any]:
    """Measure, and print the table as it comes; its figures."""
    print("| rows | `fit`, ours | scikit-learn | ratio | goal | `predict_proba`, ratio | met |")
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    results = {}
    for task in TASKS:
        measured = results[task.title] = measure(task, rounds)
        times = [1e3 * statistics.median(x) for x in measured["fit"].values()]
        fit, predict = (_ratio(measured[name]) for name in ("fit", "predict"))
        equal = measured["apart"] <= _EQUAL[task.dtype]
        met = ("yes" if fit >= _GOAL else "no") if equal else f"{measured['apart']:.0e} apart"
        cells = [task.title, *(f"{x:,.0f} ms" for x in times), f"{fit:.1f}", f"≥ {_GOAL}",
                 f"{predict:.1f}", met]  # fmt: skip
        print("| " + " | ".join(cells) + " |", flush=True)
    return results


def _ratio(seconds: dict[str, list[float]]) -> float:
    pairs = zip(seconds["ours"], seconds["theirs"], strict=True)
    return statistics.median(theirs / ours for ours, theirs in pairs)


def main() -> None:
    """Print the table, and keep its figures where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    machine = description()
    print(summary(machine), end="\n\n")
    results = table(args.rounds)
    if args.json:
        save(args.json, {"machine": machine, "results": results})


if __name__ == "__main__":
    main()
