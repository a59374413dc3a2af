"""Rows of a table for a model: features by name and the target, checked, with the file's places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._basics.shown import shown
from .commands import TableOptions
from .reading.frames import BOOLEANS, TEXTS, kind_of
from .reading.table import Table, framed
from .reading.words import truth
from .report import Report
from .targets import are_classes, whole

if TYPE_CHECKING:
    import polars as pl

Array = npt.NDArray[Any]
Kinds = dict[str, str | None]

_BY_CHANCE = 20  # rows: fewer may be the same without a reason


def chosen_columns(table: Table, options: TableOptions, report: Report) -> tuple[str, list[str]]:
    """The target's name and the features', by what the user says."""
    if len(table.names) < 2:
        raise ValueError(
            f"{table.name}: expected inputs and, last, a target; got one column (is it separated "
            "by something unusual? --sep tells)"
        )
    target = table.place(options.target if options.target is not None else "-1", "--target")
    left_out = {table.place(name, "--drop") for name in options.drop}
    if target in left_out:
        raise ValueError(f"--drop and --target: expected two columns, got {shown(target)} for both")
    if options.id is not None:
        identity = table.place(options.id, "--id")
        if identity == target:
            raise ValueError(
                f"--id and --target: expected two columns, got {shown(target)} for both"
            )
        left_out.add(identity)
    for index in table.indexes:
        if index not in {target, *left_out}:
            report.say(f"{table.where(index)} is the frame's index: left out, as no feature")
            left_out.add(index)
    counter = table.counter()
    if counter is not None and counter not in {target, *left_out}:
        report.say(f"{table.where(counter)} only tells the rows apart: left out, as no feature")
        left_out.add(counter)
    features = [name for name in table.names if name != target and name not in left_out]
    if not features:
        raise ValueError(f"{table.name}: expected a column beside the target {shown(target)}")
    last = ", the last column; --target takes another" if options.target is None else ""
    report.say(f"target: {shown(target)}{last}")
    return target, features


def features_of(
    table: Table, names: Sequence[str], kinds: Kinds, orders: dict[str, str] | None = None
) -> pl.DataFrame:
    """These columns, none of which is missing in all rows where it is to be learnt from."""
    frame = framed(table, names, kinds, orders)
    for name in names:
        if name not in kinds and frame[name].null_count() == table.rows:
            raise ValueError(
                f"{table.where(name)}: expected values to learn from, got none in {table.rows:,} "
                f"rows; --drop {name} leaves it out"
            )
    return frame


def refuse_copies(table: Table, frame: pl.DataFrame, y: Array, target: str) -> None:
    """Raise ValueError for a feature that is the target."""
    if len(y) < _BY_CHANCE:
        return
    for name in frame.columns:
        values = frame[name]
        if values.null_count() or values.dtype.is_numeric() != (y.dtype.kind in "if"):
            continue
        if kind_of(values.dtype) == TEXTS:
            values = table.raw(name)
        same = values.dtype.is_numeric() or kind_of(values.dtype) == TEXTS
        if same and np.array_equal(values.to_numpy(), y):
            raise ValueError(
                f"{table.where(name)}: expected features, got the target {shown(target)} again: "
                f"the same in every row; --drop {name} leaves it out"
            )


def target_of(table: Table, name: str, task: str | None) -> tuple[Array, str]:
    """Labels (N,) as int64 or texts, or values (N,) as float64; classify or regress."""
    values = table.column(name)
    _refuse_missing(table, name, values)
    if values.dtype.is_numeric():
        y = values.to_numpy()
        if task is None:
            task = "classify" if are_classes(y) else "regress"
        if task == "regress":
            return y.astype(np.float64), task
        labels = whole(y)
        return (_texts(table, name) if labels is None else labels), task
    if task == "regress":
        cells = _texts(table, name)
        raise ValueError(
            f"{table.where(name, 0)}: expected a target of numbers for --task regress, got "
            f"{shown(cells[0])}"
        )
    if values.dtype.is_temporal() and task is None:
        raise ValueError(
            f"{table.where(name)}: expected a target of classes or numbers, got dates: --target "
            "takes another column"
        )
    cells = _texts(table, name)
    return (_in_one_spelling(cells) if kind_of(values.dtype) == BOOLEANS else cells), "classify"


def _in_one_spelling(cells: Array) -> Array:
    """Words for false and true (N,), each as it is written most often."""
    counts = Counter(cells.tolist())
    often = {truth(word): word for word, _ in reversed(counts.most_common())}
    return np.array([often[truth(word)] for word in cells.tolist()], dtype=object)


def check_target(table: Table, name: str, y: Array, task: str) -> None:
    """Raise ValueError where there is nothing to tell apart, or nothing that comes again."""
    distinct = np.unique(y)
    if len(distinct) < 2:
        what = "two classes or more" if task == "classify" else "values that differ"
        came = shown(distinct.tolist()[0])
        raise ValueError(
            f"{table.where(name)}: expected a target of {what}, got {came} in all {len(y):,} rows"
        )
    if task == "classify" and len(distinct) > 50 and 2 * len(distinct) > len(y):
        hint = "; --task regress predicts numbers" if y.dtype.kind == "i" else ""
        raise ValueError(
            f"{table.where(name)}: expected a target whose classes come again, got "
            f"{len(distinct):,} different ones in {len(y):,} rows{hint}"
        )


def alike(table: Table, name: str, classes: Array) -> str:
    """What to say of classes that differ in case alone, if there are such."""
    written: dict[str, object] = {}
    for label in classes.tolist():
        key = str(label).lower()
        if key in written:
            return (
                f"{table.where(name)}: {shown(written[key])} and {shown(label)}, which differ in "
                "case alone, are two classes"
            )
        written[key] = label
    return ""


def codes_of(table: Table, name: str, classes: Array) -> Array:
    """The target's place among the classes of a model (N,)."""
    if classes.dtype.kind in "iuf":
        values = table.column(name)
        _refuse_missing(table, name, values)
        cells = values.to_numpy() if values.dtype.is_numeric() else _texts(table, name)
    else:
        _refuse_missing(table, name, table.column(name, TEXTS))
        cells = _texts(table, name)
        truths = {truth(label): label for label in classes.tolist()}
        if len(truths) == len(classes) == 2 and None not in truths:  # in any spelling
            cells = np.array([truths.get(truth(x), x) for x in cells.tolist()], dtype=object)
    places = {label: place for place, label in enumerate(classes.tolist())}
    codes = np.array([places.get(cell, -1) for cell in cells.tolist()], np.int64)
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        raise ValueError(
            f"{table.where(name, row)}: expected one of the classes {shown(classes.tolist())}, "
            f"got {shown(cells.tolist()[row])}"
        )
    return codes


def values_of(table: Table, name: str) -> Array:
    """The target (N,) as float64."""
    return target_of(table, name, "regress")[0]


def aligned(
    table: Table, names: Sequence[str], by_place: bool, target: str | None = None
) -> list[str]:
    """The table's columns that are a model's `names`; the target has to be there too, if given.

    A table without a header whose columns are as many as the names, but not called so, has them in
    their order, if the model was trained without names too, or if `by_place`.
    """
    if target is not None and target not in table.names:
        raise ValueError(
            f"{table.name}: expected the target {shown(target)}, found {shown(table.names)}; "
            "--target names another column"
        )
    missing = [name for name in names if name not in table.names]
    if not missing:
        return [*names]
    if not table.has_header and len(table.names) == len(names):
        if target is not None:
            raise ValueError(
                f"{table.name}: expected the {len(names)} columns of the model and the target, got "
                f"{len(names)} columns without names"
            )
        if by_place or all(name.startswith("column_") for name in names):
            return table.names
        raise ValueError(
            f"{table.name}: expected a header with the model's columns {shown([*names])}, got "
            "none; --no-header takes the columns in their order"
        )
    others = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
    raise ValueError(
        f"{table.name}: expected the model's columns, found no {shown(missing[0])}{others}; there "
        f"are {shown(table.names)}"
    )


@contextmanager
def located(
    table: Table, rows: Array | None = None, validates: Table | None = None
) -> Iterator[None]:
    """What a model says of a cell, said of the file; `rows` are those of the file it got.

    Of rows to validate with it is the file `validates`.
    """
    from ..tables._errors import CellError, ValidationCellError

    try:
        yield
    except CellError as error:
        if validates is not None and isinstance(error, ValidationCellError):
            table, rows = validates, None
        if error.column not in table.names:
            raise
        row = error.row
        if row is not None and rows is not None:
            row = int(rows[row])
        raise ValueError(f"{table.where(error.column, row)}: {error.problem}") from None


def _refuse_missing(table: Table, name: str, values: pl.Series) -> None:
    gone = values.is_null()
    if gone.any():
        row = gone.arg_max() or 0
        count = int(gone.sum())
        if count == table.rows > 1:
            raise ValueError(
                f"{table.where(name)}: expected a target, got nothing in all {count:,} rows: "
                "--target takes another column"
            )
        more = f", as in {count - 1:,} other rows" if count > 1 else ""
        cell = table.cell(name, row)
        came = f"{shown(cell)}, a missing value" if cell else "a missing value"
        remedy = "leave such rows out of the file"
        if cell:
            remedy += f"; --na NA or another word says that {shown(cell)} means something"
        raise ValueError(f"{table.where(name, row)}: expected a target, got {came}{more}: {remedy}")


def _texts(table: Table, name: str) -> Array:
    return np.array(table.raw(name).to_list(), dtype=object)
