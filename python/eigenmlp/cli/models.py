"""Saved models: a network alone, or the model of a table with its columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import eigenmlp as em
from eigenmlp._files import container

from .plain import INSTALL
from .reading.frames import BOOLEANS, NUMBERS, TEXTS, TIMES

_KINDS = {
    "number": NUMBERS,
    "boolean": BOOLEANS,
    "category": TEXTS,
    "code": NUMBERS,
    "time": TIMES,
}


def load(path: Path, threads: int | None) -> Any:
    """An `MLP`, or a `TableClassifier` or `TableRegressor`.

    Raises
    ------
    ValueError
        If it is neither, damaged, or a network that single rows mean nothing to.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: expected a saved model, found no such file")
    if not path.is_file():
        raise ValueError(f"{path}: expected a saved model, got something that is not a file")
    if threads is not None:
        em.set_num_threads(threads)
    if (kind := _kind(path)) is not None:
        return _table_model(path, kind)
    net = em.MLP.load(path)
    if str(net.config["loss"]).startswith("segment_cross_entropy"):
        raise ValueError(
            f"{path}: expected a model of single rows, got one of choices (segment_cross_entropy): "
            "no table tells which rows are a choice; use it from Python"
        )
    return net


def is_of_tables(model: Any) -> bool:
    return not isinstance(model, em.MLP)


def features(model: Any) -> list[str]:
    """All columns that the model of a table asks for, those that told it nothing too."""
    return [str(name) for name in model.feature_names_in_]


def kinds(model: Any) -> dict[str, str | None]:
    """What each column is read as."""
    used = {column.name: _KINDS[column.kind] for column in model.columns_}
    return {name: used.get(name, TEXTS) for name in features(model)}


def orders(model: Any) -> dict[str, str]:
    """Of day, month and year in columns of dates, where the training rows told it."""
    return {c.name: c.order for c in model.columns_ if c.kind == "time" and c.order}


def needs_tables(what: str) -> ImportError:
    return ImportError(f"{what} needs Polars, scikit-learn and narwhals: {INSTALL}")


def _table_model(path: Path, kind: str) -> Any:
    try:
        import polars  # noqa: F401

        from ..tables import TableClassifier, TableRegressor
    except ImportError:
        raise needs_tables(f"{path}: a model of tables") from None
    # Either refuses what the other wrote.
    model = TableRegressor.load(path) if kind == "TableRegressor" else TableClassifier.load(path)
    if not hasattr(model, "feature_names_in_"):
        raise ValueError(f"{path}: expected a model whose columns have names, got one of an array")
    return model


def _kind(path: Path) -> str | None:
    """What the model of a table says it is; None for others, which `MLP.load` judges."""
    try:
        with container.opened(path) as file:
            metadata = container.read_header(file).metadata
        return str(json.loads(metadata["table"])["kind"])
    except (ValueError, TypeError, LookupError, OSError, RecursionError):
        return None
