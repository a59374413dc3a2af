"""What "auto" stands for, by the size of a table; measured with ``python -m bench.tables``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .._inputs import checks

TINY, SMALL = 50, 3000  # rows below which a table is so
MOST_CATEGORIES = 10_000  # of a column that are remembered

NAMES = {  # of settings that an estimator's parameter stands for
    "hidden": "hidden_layer_sizes",
    "bins": "bins",
    "lr": "learning_rate",
    "weight_decay": "weight_decay",
    "dropout": "dropout",
    "batch_size": "batch_size",
    "epochs": "max_epochs",
    "patience": "patience",
}


@dataclass(frozen=True)
class Settings:
    """How a network is made and trained."""

    hidden: tuple[int, ...]
    bins: int
    lr: float
    weight_decay: float
    dropout: float
    batch_size: int
    epochs: int
    patience: int
    folds: int  # of which one validates; each in its turn if `crosses`
    crosses: bool
    dtype: str


def chosen(rows: int, asked: dict[str, Any]) -> Settings:
    """The settings for a table of so many rows, with what was asked for instead."""
    settings = _automatic(rows)
    given = {name: _checked(name, value) for name, value in asked.items() if not _is_auto(value)}
    return replace(settings, **given)


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


def _automatic(rows: int) -> Settings:
    if rows < TINY:  # too few to spare any
        return Settings((32,), 0, 1e-2, 1e-2, 0.0, rows, 200, 200, 0, False, "float64")
    if rows < SMALL:
        return Settings((128, 64), 0, 2e-3, 0.1, 0.1, 32, 60, 60, 5, True, "float32")
    batch = 128 if rows < 20_000 else 256
    return Settings((192, 192), 32, 2e-3, 0.02, 0.0, batch, 24, 8, 5, False, "float32")


def _checked(name: str, value: Any) -> Any:
    says = NAMES[name]
    if name == "hidden":
        sizes = checks.items(value, says) if checks.is_several(value) else [value]
        return tuple(checks.integer(size, says) for size in sizes)
    if name in ("lr", "weight_decay", "dropout"):
        return checks.number(value, says, 0.0, 1.0 if name == "dropout" else float("inf"))
    return checks.integer(value, says, 0 if name == "bins" else 1, 10**6)
