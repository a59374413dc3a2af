"""``eigenmlp evaluate`` and ``eigenmlp predict``: what a saved model makes of some rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import eigenmlp as em

from . import models, table_rows
from .commands import EvaluateCommand, PredictCommand
from .data import Table, as_values, load_test_rows, read_table
from .metrics import Judged, judge_classes, judge_values
from .output import check_apart, check_writable
from .predictions import Predictions, write
from .reading import table as tables
from .report import Report, judged_as_json

Array = npt.NDArray[Any]


def evaluate(command: EvaluateCommand) -> None:
    """Print how good the model is on rows whose targets are known."""
    report = Report(command.json)
    model = models.load(command.model, command.threads)
    if models.is_of_tables(model):
        _need_table(command.source.is_table, command.source.name, command.model)
        content = _evaluate_table(model, command, report)
    else:
        content = _evaluate_network(model, command, report)
    about = {"command": "evaluate", "data": command.source.name, "model": str(command.model)}
    report.finish({**about, **content})


def predict(command: PredictCommand) -> None:
    """Write one line for each row, to a file or to stdout."""
    if command.out is not None:
        endings = (".csv", ".txt", ".npy")
        if command.out.suffix.lower() not in endings:
            raise ValueError(f"--out: expected a .csv, .txt or .npy file, got {command.out}")
        if command.id is not None and command.out.suffix.lower() == ".npy":
            raise ValueError(f"--id: goes with .csv and .txt files, not with {command.out}")
        data = None if command.source.bundled else command.source.name
        check_apart(command.out, "--out", (data, command.model))
        check_writable(command.out, "--out")

    model = models.load(command.model, command.threads)
    if models.is_of_tables(model):
        _need_table(command.source.is_table, command.source.name, command.model)
        predictions = _predict_table(model, command)
    else:
        predictions = _predict_network(model, command)
    write(predictions, command.out)


# ---- models of tables


def _evaluate_table(model: Any, command: EvaluateCommand, report: Report) -> dict[str, Any]:
    table = tables.open_table(command.source.name, command.read, models.features(model))
    target = str(model.target_name_)
    if command.target is not None:
        target = table.place(command.target, "--target")
    frame = _frame(model, table, command.read, {target}, report, target)
    with report.python_warnings(), table_rows.located(table):
        if hasattr(model, "classes_"):
            codes = table_rows.codes_of(table, target, model.classes_)
            judged = _judged_classes(codes, model.predict_proba(frame), model.classes_)
        else:
            y = table_rows.values_of(table, target)
            judged = judge_values(y, model.predict(frame), float(y.mean()))
    report.say(f"rows            {judged.rows:,}")
    report.judge(judged)
    return {"target": target, **judged_as_json(judged)}


def _predict_table(model: Any, command: PredictCommand) -> Predictions:
    if command.proba and not hasattr(model, "classes_"):
        raise ValueError(f"--proba: goes with classes, {command.model} predicts values")
    report = Report(False)
    table = tables.open_table(command.source.name, command.read, models.features(model))
    identity = None
    if command.id is not None:
        identity = table.place(command.id, "--id")
    frame = _frame(model, table, command.read, {model.target_name_, identity}, report)
    ids = None if identity is None else (identity, table.raw(identity).to_list())
    with report.python_warnings(), table_rows.located(table):
        if command.proba:
            return Predictions(model.predict_proba(frame), [*map(str, model.classes_)], ids)
        return Predictions(model.predict(frame), [model.target_name_ or "prediction"], ids)


def _frame(
    model: Any,
    table: tables.Table,
    read: tables.ReadOptions,
    known: set[str | None],
    report: Report,
    target: str | None = None,
) -> Any:
    """The model's columns of the table; the others are told of, but those that are known."""
    report.warn_of(*table.assumed)
    kinds = models.kinds(model)
    names = table_rows.aligned(table, [*kinds], read.layout.header is False, target)
    ignored = [name for name in table.names if name not in {*names, *known}]
    counter = table.counter()
    ignored = [name for name in ignored if name not in {counter, *table.indexes}]
    if ignored and table.has_header:
        more = ", …" if len(ignored) > 5 else ""
        listed = ", ".join(map(repr, ignored[:5]))
        report.warn(f"{table.name}: columns that the model does not know, ignored: {listed}{more}")
    theirs = dict(zip(names, kinds.values(), strict=True))
    of_fit = models.orders(model)
    orders = {name: of_fit[one] for name, one in zip(names, kinds, strict=True) if one in of_fit}
    frame = table_rows.features_of(table, names, theirs, orders)
    frame.columns = [*kinds]
    return frame


def _need_table(is_table: bool, name: str, model: Path) -> None:
    if not is_table:
        raise ValueError(
            f"{name}: {model} is a model of tables, expected one (.csv, .parquet and others)"
        )


# ---- networks


def _evaluate_network(net: em.MLP, command: EvaluateCommand, report: Report) -> dict[str, Any]:
    name = command.source.name
    if command.target is not None:
        raise ValueError(
            f"--target: {command.model} knows no columns by name; its target is the last one"
        )
    table = load_test_rows(command.source, command.seed, command.read)
    if table.y is None:
        raise ValueError(f"{name}: expected arrays X and y, got X only")
    report.warn_of(*table.assumed)
    _check_inputs(net, table, name)

    loss = str(net.config["loss"])
    y = table.y
    kind = loss.partition("(")[0]
    if not kind.endswith("cross_entropy"):
        y = as_values(y)
    elif kind == "softmax_cross_entropy" and y.dtype.kind != "i" and y.shape[1] == 1:
        raise ValueError(
            f"{name}: {command.model} tells classes apart, expected integer labels, got {y.dtype} "
            "values"
        )
    result = net.evaluate(table.X, y)
    report.say(f"rows      {len(y):,}")
    if result.accuracy is not None:
        right = round(result.accuracy * len(y))
        report.say(f"accuracy  {result.accuracy:.4f} ({right:,} right)")
    report.say(f"loss      {result.loss:.6g} ({loss})")
    judged = judged_network(net, table.X, y, y)
    return {"loss": result.loss, **({} if judged is None else judged_as_json(judged))}


def _predict_network(net: em.MLP, command: PredictCommand) -> Predictions:
    if command.id is not None:
        raise ValueError(f"--id: {command.model} knows no columns by name")
    if command.source.bundled:
        table = load_test_rows(command.source, command.seed)
    else:
        path, inputs = Path(command.source.name), net.layer_sizes[0]
        table = read_table(path, inputs, command.read)
    Report(False).warn_of(*table.assumed)
    _check_inputs(net, table, command.source.name)
    if not command.proba:
        return Predictions(net.predict(table.X))
    if "cross_entropy" not in str(net.config["loss"]):
        raise ValueError(f"--proba: goes with classes, {command.model} predicts values")
    probabilities = net.predict_proba(table.X)
    return Predictions(probabilities, [*map(str, range(probabilities.shape[1]))])


def judged_network(net: em.MLP, X: Array, y: Array, y_train: Array) -> Judged | None:
    """Metrics of a network with classes or one value; None for others."""
    if y.dtype.kind == "i" and str(net.config["loss"]).startswith("softmax_cross_entropy"):
        K = net.layer_sizes[-1]
        shares = np.bincount(y_train, minlength=K) / len(y_train)
        return judge_classes(y, net.predict_proba(X), np.arange(K), shares)
    if y.dtype.kind == "f" and y.shape[1:] == (1,) and net.layer_sizes[-1] == 1:
        predicted = net.predict(X).astype(np.float64)
        return judge_values(y[:, 0], predicted, float(y_train.mean()))
    return None


def _judged_classes(codes: Array, probabilities: Array, classes: Array) -> Judged:
    shares = np.bincount(codes, minlength=len(classes)) / len(codes)
    return judge_classes(codes, probabilities, classes, shares)


def _check_inputs(net: em.MLP, table: Table, name: str) -> None:
    expected, got = net.layer_sizes[0], table.X.shape[1]
    if expected != got:
        raise ValueError(f"{name}: the model expects {expected:,} inputs, got {got:,} columns")
