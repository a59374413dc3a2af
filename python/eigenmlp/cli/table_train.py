"""``eigenmlp train`` on a table of any columns: read, hold out, fit, test, save."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eigenmlp import datasets

from . import table_rows
from .commands import TrainCommand
from .metrics import Judged, judge_classes, judge_values
from .output import LossCurve, check_writable
from .reading.frames import kind_of
from .reading.table import Table, open_table
from .report import Report, judged_as_json, lines_of
from .targets import HOLD_OUT

if TYPE_CHECKING:
    import polars as pl

Array = npt.NDArray[Any]

# The estimators' parameters, by the options that set them.
_PARAMETERS = {
    "hidden": "hidden_layer_sizes",
    "epochs": "max_epochs",
    "batch_size": "batch_size",
    "lr": "learning_rate",
    "activation": "activation",
    "momentum": "beta_1",
    "dropout": "dropout",
    "weight_decay": "weight_decay",
}
# What the models of tables are always trained with.
_FIXED = {
    "optimizer": "adamw",
    "schedule": "cosine",
    "compute_dtype": "float32",
}


@dataclass(frozen=True)
class Rows:
    """Features, and the target as places of classes or as values (N,)."""

    frame: pl.DataFrame
    y: Array
    table: Table
    places: Array | None = None  # the file's rows; all of them


def train_table(command: TrainCommand, curve: LossCurve | None, report: Report) -> None:
    """Train as the command says; whatever can be refused is refused before the training."""
    parameters = _parameters(command)
    options, name = command.table, command.source.name
    check_writable(command.save, "--save")

    table = open_table(name, options.read)
    report.tell_of(*table.assumed)
    target, features = table_rows.chosen_columns(table, options, report)
    y, task = table_rows.target_of(table, target, options.task)
    table_rows.check_target(table, target, y, task)
    if options.task is None and y.dtype.kind in "if":
        other = "regress" if task == "classify" else "classify"
        report.say(f"task: {task}, by the target's numbers; --task {other} does the other")
    frame = table_rows.features_of(table, features, {})
    for note in table.notes:
        report.warn(note)
    table_rows.refuse_copies(table, frame, y, target)
    kinds: table_rows.Kinds = {name: kind_of(frame[name].dtype) for name in features}
    classes = np.unique(y) if task == "classify" else None
    if classes is not None and (said := table_rows.alike(table, target, classes)):
        report.warn(said)

    train, test = _split(command, Rows(frame, y, table), task)
    valid = None
    if options.test is not None:
        test = _other_file(options.test, command, target, kinds, classes, table.orders, report)
    elif classes is not None:
        test = Rows(test.frame, np.searchsorted(classes, test.y), table, test.places)
    if options.valid is not None:
        valid = _other_file(options.valid, command, target, kinds, classes, table.orders, report)

    what = "values" if classes is None else f"{len(classes):,} classes"
    report.say(
        f"{table.name}: {len(train.y):,} rows to train on, {len(test.y):,} held out, "
        f"{len(features):,} inputs, {what}"
    )
    if valid is not None:
        report.say(f"{valid.table.name}: {len(valid.y):,} rows to validate with")
    counts = Counter(kinds.values())
    report.say(f"inputs: {', '.join(_counted(kind, n) for kind, n in counts.most_common())}")
    start = time.perf_counter()
    model = _fitted(parameters, command, train, valid, classes, target, report)
    seconds = time.perf_counter() - start
    model._keep_orders(table.orders)
    balanced = options.class_weight is not None
    judged = _judged(model, train, test, balanced, report)
    validated = None if valid is None else _judged(model, train, valid, balanced, report)
    model.save(command.save)

    net, history = model.network_, model.history_
    shape = "-".join(map(str, net.layer_sizes))
    epochs, best = len(history.loss), int(model.best_epoch_)
    kept = f", those of epoch {best} kept" if best != epochs else ""
    report.judge(judged, "test ")
    if validated is not None:
        for line in lines_of(validated, "valid "):
            report.say(line)
    activation = f" {net.config['activation'][0]}" if len(net.layer_sizes) > 2 else ""
    report.say(
        f"trained         {shape}{activation}, {epochs} epochs{kept}, seed {command.seed}, "
        f"in {seconds:.2f} s"
    )
    report.say(f"model saved to  {command.save}")
    if curve is not None:
        curve.save(history, f"{table.name}: {shape}")
        report.say(f"loss curve in   {curve.path}")
    report.finish(
        {
            "command": "train",
            "data": name,
            "task": task,
            "target": target,
            "columns": [{"name": name, "kind": kind} for name, kind in kinds.items()],
            "train_rows": len(train.y),
            **judged_as_json(judged),
            **({} if validated is None else {"validation": judged_as_json(validated)}),
            "network": {
                "layer_sizes": net.layer_sizes,
                "epochs": epochs,
                "best_epoch": best,
            },
            "seed": command.seed,
            "seconds": seconds,
            "model": str(command.save),
        }
    )


def _counted(kind: str | None, count: int) -> str:
    return f"{count:,} {str(kind).removesuffix('s') if count == 1 else kind}"


def _parameters(command: TrainCommand) -> dict[str, Any]:
    """What the estimators are given; options that mean nothing to them are refused."""
    recipe = command.recipe
    for option in sorted(command.given - _PARAMETERS.keys()):
        if getattr(recipe, option) != _FIXED.get(option):
            why = "AdamW along a cosine, and the loss of the task"
            raise ValueError(
                f"--{option.replace('_', '-')}: models of tables are trained with {why}; --plain "
                "trains the network of .npz files with it, on numbers alone"
            )
    if command.seed >= 2**32:
        raise ValueError(f"--seed: expected at most {2**32 - 1} for tables, got {command.seed}")
    if command.backend != "native":
        raise ValueError("--backend: models of tables are trained by the native one; or --plain")
    given = {
        _PARAMETERS[name]: getattr(recipe, name) for name in _PARAMETERS.keys() & command.given
    }
    return {**given, "random_state": command.seed, "n_threads": command.threads}


def _split(command: TrainCommand, rows: Rows, task: str) -> tuple[Rows, Rows]:
    """A fifth held out, stratified by class; the same rows for the same seed."""
    if command.table.test is not None:
        return rows, rows
    codes = np.zeros(len(rows.y), np.int64)
    if task == "classify":
        codes = np.unique(rows.y, return_inverse=True)[1]
    places = datasets.stratified_split(codes, HOLD_OUT, np.random.default_rng(command.seed))
    if len(places[1]) == 0:
        classes = f" in {codes.max() + 1:,} classes" if task == "classify" else ""
        raise ValueError(
            f"{rows.table.name}: too few rows to hold a fifth out: {len(rows.y):,}{classes}"
        )
    train, test = (Rows(rows.frame[at], rows.y[at], rows.table, at) for at in places)
    return train, test


def _other_file(
    name: str,
    command: TrainCommand,
    target: str,
    kinds: table_rows.Kinds,
    classes: Array | None,
    orders: dict[str, str],
    report: Report,
) -> Rows:
    """Rows of another file with the columns of the first."""
    table = open_table(name, command.table.read, [*kinds, target])
    report.warn_of(*table.assumed)
    by_place = command.table.read.layout.header is False
    names = table_rows.aligned(table, [*kinds], by_place, target)
    theirs = dict(zip(names, kinds.values(), strict=True))
    told = {name: orders[one] for name, one in zip(names, kinds, strict=True) if one in orders}
    frame = table_rows.features_of(table, names, theirs, told)
    frame.columns = [*kinds]
    if classes is not None:
        return Rows(frame, table_rows.codes_of(table, target, classes), table)
    return Rows(frame, table_rows.values_of(table, target), table)


def _fitted(
    parameters: dict[str, Any],
    command: TrainCommand,
    train: Rows,
    valid: Rows | None,
    classes: Array | None,
    target: str,
    report: Report,
) -> Any:
    import polars as pl

    from ..tables import TableClassifier, TableRegressor

    model: Any
    progress = False if command.quiet or command.json else "auto"
    if classes is not None:
        model = TableClassifier(
            class_weight=command.table.class_weight, progress=progress, **parameters
        )
    else:
        if command.table.class_weight is not None:
            raise ValueError("--class-weight: goes with classes, the task is to regress")
        model = TableRegressor(progress=progress, **parameters)
    others = None
    if valid is not None:
        y = valid.y if classes is None else classes[valid.y]
        others = valid.frame, pl.Series(target, y.tolist())
    validates = None if valid is None else valid.table
    with report.python_warnings(), table_rows.located(train.table, train.places, validates):
        targets = pl.Series(target, train.y.tolist())
        return model.fit(train.frame, targets, validation=others)


def _judged(model: Any, train: Rows, test: Rows, balanced: bool, report: Report) -> Judged:
    with report.python_warnings(), table_rows.located(test.table, test.places):
        if not hasattr(model, "classes_"):
            return judge_values(test.y, model.predict(test.frame), float(train.y.mean()))
        probabilities = model.predict_proba(test.frame)
    _, counts = np.unique(train.y, return_counts=True)
    return judge_classes(
        test.y, probabilities, model.classes_, counts / counts.sum(), balanced=balanced
    )
