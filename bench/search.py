"""A grid search of 36 fits on the digits: `MLPSearchCV` beside scikit-learn's own, warm.

    python -m bench.search [--rounds 5] [--json FILE] [--write]

Twelve candidates on three splits, 30 epochs each, and the refit; of two grids: two widths, three
learning rates, and two penalties (all in batches of 200) or two batch sizes (32 and 200). In a
process each, in turns that change places: `MLPSearchCV`; `GridSearchCV` over this library's
estimator with joblib's processes; scikit-learn's `GridSearchCV` of its own `MLPClassifier` with
``n_jobs=2``, whose processes the turn before has started. A ratio is the median over the rounds.
Scores must agree to 0.01, or the row says so.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from .machine import description, environment, summary
from .readme import save, write
from .turns import take_turns

_BOTH = {"hidden_layer_sizes": [(50,), (100,)], "learning_rate_init": [1e-3, 3e-3, 1e-2]}
GRIDS: dict[str, dict[str, Any]] = {
    "penalties": {**_BOTH, "alpha": [1e-4, 1e-2]},
    "batch sizes": {**_BOTH, "batch_size": [32, 200]},
}
GOALS = {"float64": 5.5, "float32": 8.0}
WORKERS = ("MLPSearchCV", "GridSearchCV over ours", "scikit-learn")


def search(name: str, grid: dict[str, Any]) -> Any:
    """What a worker fits."""
    from sklearn.model_selection import GridSearchCV
    from sklearn.neural_network import MLPClassifier as Theirs

    from eigenmlp.sklearn import MLPClassifier, MLPSearchCV

    options: dict[str, Any] = {"max_iter": 30, "random_state": 0}
    if name == "MLPSearchCV":
        return MLPSearchCV(MLPClassifier(**options), grid, cv=3)
    kind = Theirs if name == "scikit-learn" else MLPClassifier
    return GridSearchCV(kind(**options), grid, cv=3, n_jobs=2)


def worker(name: str, grid: str, dtype: str) -> None:
    """A search for every line that comes."""
    import eigenmlp as em

    warnings.simplefilter("ignore")  # that 30 epochs are no convergence
    X, y = em.datasets.load_digits()
    X, found = X.astype(dtype), search(name, GRIDS[grid])
    found.fit(X, y)
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        found.fit(X, y)
        took = time.perf_counter() - began
        print(json.dumps({"seconds": took, "score": found.best_score_}), flush=True)


def measure(grid: str, dtype: str, rounds: int) -> dict[str, Any]:
    """Seconds and best scores of every worker, round by round."""
    running = {}
    for name in WORKERS:
        command = [sys.executable, "-m", "bench.search", "--worker", name, "--grid", grid]
        command += ["--dtype", dtype]
        running[name] = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment(), "PYTHONWARNINGS": "ignore"},
        )
        running[name].stdout.readline()  # type: ignore[union-attr]
    return take_turns(running, rounds)


def table(results: dict[str, dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| grid, X | MLPSearchCV | GridSearchCV over ours | scikit-learn "
        "| scikit-learn / MLPSearchCV | goal | scores agree | met |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for key, found in results.items():
        dtype = key.rpartition(", ")[2]
        own, theirs = found["MLPSearchCV"], found["scikit-learn"]
        pairs = zip(theirs["seconds"], own["seconds"], strict=True)
        ratio = statistics.median(a / b for a, b in pairs)
        seconds = " | ".join(
            f"{statistics.median(found[name]['seconds']):.3f} s" for name in WORKERS
        )
        agree = all(abs(one["score"][0] - theirs["score"][0]) < 0.01 for one in found.values())
        lines.append(
            f"| {key} | {seconds} | {ratio:.2f} × | ≥ {GOALS[dtype]} "
            f"| {'yes' if agree else 'NO'} | {'yes' if ratio >= GOALS[dtype] else 'no'} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", action="store_true", help="into bench/README.md")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--grid", help=argparse.SUPPRESS)
    parser.add_argument("--dtype", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.grid, options.dtype)
        return
    machine = description()
    results = {
        f"{grid}, {dtype}": measure(grid, dtype, options.rounds)
        for grid in GRIDS
        for dtype in GOALS
    }
    text = f"{summary(machine)}\n\n{table(results)}"
    print(text)
    if options.json:
        save(options.json, {"machine": machine, "results": results})
    if options.write:
        write("search", text, {"machine": machine, "results": results})


if __name__ == "__main__":
    main()
