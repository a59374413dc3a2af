"""Numeric tables for a plain network, with nothing installed but NumPy: columns in their order.

The network is trained on standardised columns (and values), and then takes and gives them as they
are: what was subtracted and divided by goes into its first and last layer.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import eigenmlp as em
from eigenmlp import datasets

from .commands import TrainCommand
from .data import Split, Table, as_values, read_table
from .report import Report
from .targets import HOLD_OUT, are_classes, whole

Array = npt.NDArray[Any]

INSTALL = "pip install polars scikit-learn narwhals"
_FAR = 100.0  # deviations from zero to a column's mean: float32 would lose digits in the bias


def load_plain(command: TrainCommand, of_values: bool, report: Report) -> Split:
    """Rows to train and to test on; targets are classes 0 to K - 1, or values (N, 1) float64."""
    options, name = command.table, command.source.name
    _refuse_names(command)
    table = read_table(Path(name), read=options.read)
    report.tell_of(*table.assumed)
    assert table.y is not None  # without `inputs` there is a target
    y = table.y.reshape(len(table.y))
    classify = options.task == "classify" or (
        options.task is None and not of_values and are_classes(y)
    )
    if classify:
        y = _classes(y, name)
    strata = y if classify else np.zeros(len(y), np.int64)
    if options.test is None:
        train, test = datasets.stratified_split(
            strata, HOLD_OUT, np.random.default_rng(command.seed)
        )
        if len(test) == 0:
            raise ValueError(f"{name}: too few rows to hold a fifth out: {len(y):,}")
        split = Split(table.X[train], y[train], table.X[test], y[test])
    else:
        held = read_table(Path(options.test), read=options.read)
        report.warn_of(*held.assumed)
        split = Split(table.X, y, held.X, _test_targets(held, table, y, options.test))
    return split if classify else replace(
        split, y=as_values(split.y), y_test=as_values(split.y_test)
    )  # fmt: skip


def standardized(split: Split, values: bool) -> tuple[Split, Units]:
    """The same with columns (and, if asked, targets) of mean 0 and deviation 1."""
    units = Units(split.X, split.y if values else None)
    X, X_test = ((X - units.mean) / units.scale for X in (split.X, split.X_test))
    if not values:
        return replace(split, X=X, X_test=X_test), units
    y, y_test = ((y - units.y_mean) / units.y_scale for y in (split.y, split.y_test))
    return replace(split, X=X, y=y, X_test=X_test, y_test=y_test), units


class Units:
    """Means and deviations of columns (D,), and of a target; deviations are 1 where all is one."""

    def __init__(self, X: Array, y: Array | None) -> None:
        self.mean, self.scale = _mean_and_scale(X)
        self.y_mean, self.y_scale = 0.0, 1.0
        if y is not None:
            self.y_mean, self.y_scale = (float(x[0]) for x in _mean_and_scale(y))

    @property
    def dtype(self) -> str:
        """What a network's parameters have to be, to take columns in these units."""
        far = float((np.abs(self.mean) / self.scale).max(initial=0.0)) > _FAR
        return "float64" if far else "float32"

    def restore(self, net: em.MLP) -> None:
        """Have a network that was trained on standardised rows take and give these units."""
        weights = [np.array(W, np.float64) for W in net.weights]
        biases = [np.array(b, np.float64) for b in net.biases]
        weights[0] /= self.scale[:, None]
        biases[0] -= self.mean @ weights[0]
        weights[-1] *= self.y_scale
        biases[-1] = biases[-1] * self.y_scale + self.y_mean
        layers = zip(weights, biases, strict=True)
        net.parameters = np.concatenate([part.ravel() for layer in layers for part in layer])


def _mean_and_scale(X: Array) -> tuple[Any, Any]:
    size = np.maximum(np.abs(X).max(axis=0), np.finfo(np.float64).tiny)
    scaled = X / size  # so that no square overflows
    mean, scale = scaled.mean(axis=0) * size, scaled.std(axis=0) * size
    constant = X.min(axis=0) == X.max(axis=0)
    scale = np.where(constant, 1.0, np.maximum(scale, np.finfo(np.float64).tiny))
    return mean, scale


def _refuse_names(command: TrainCommand) -> None:
    options = command.table
    for option, value in (
        ("--target", options.target),
        ("--drop", options.drop),
        ("--id", options.id),
        ("--valid", options.valid),
        ("--class-weight", options.class_weight),
        ("--text", options.read.texts),
    ):
        if value:
            raise ValueError(
                f"{option}: a plain network takes all columns in their order, the last one as the "
                f"target; the models of tables know more ({INSTALL}, and no --plain)"
            )


def _classes(y: Array, name: str) -> Array:
    labels = whole(y)
    expected = "a plain network's classes are 0 to K - 1"
    if labels is None:
        raise ValueError(
            f"{name}: {expected}, got {y[y != np.rint(y)][0]}; --task regress predicts values"
        )
    found = np.unique(labels)
    if len(found) < 2:
        raise ValueError(f"{name}: expected two classes or more, got {found[0]} in every row")
    if found[0] != 0 or found[-1] != len(found) - 1:
        shown = ", ".join(map(str, found[:5])) + (", …" if len(found) > 5 else "")
        raise ValueError(
            f"{name}: {expected}, got {shown}; --task regress predicts values, and the models of "
            f"tables take any classes ({INSTALL})"
        )
    return labels


def _test_targets(held: Table, table: Table, y: Array, name: str) -> Array:
    assert held.y is not None
    if held.X.shape[1] != table.X.shape[1]:
        raise ValueError(
            f"{name}: expected {table.X.shape[1] + 1:,} columns as those trained on, got "
            f"{held.X.shape[1] + 1:,}"
        )
    targets = held.y.reshape(len(held.y))
    if y.dtype.kind == "i":
        labels = whole(targets)
        if labels is None or labels.min() < 0 or labels.max() > y.max():
            raise ValueError(f"{name}: expected classes 0 to {y.max()}, as those trained on")
        return labels
    return targets
