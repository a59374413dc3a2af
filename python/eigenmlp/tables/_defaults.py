"""What "auto" stands for, by the size of a table; measured with ``python -m bench.tables``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .._basics.shown import shown
from .._inputs import checks
from .._inputs.description import described
from ..activations import ACTIVATIONS

TINY, SMALL = 50, 3000  # rows below which a table is so
_ENCODED = 1 << 30  # bytes of encoded rows: with more, bins are fewer
_OF_MEMBERS = 2 * _ENCODED  # of the rows for one of several networks, the most of which have more
MANY = 32  # columns above which those of small tables have no bins
_LARGEST = 1e38  # that float32 can hold
MOST_CATEGORIES = 10_000  # of a column that are remembered

TIME_LIMIT = 60.0  # seconds for members="auto"
TRAINING = 0.98  # of a time limit, until training ends

NAMES = {  # of settings that an estimator's parameter stands for
    "hidden": "hidden_layer_sizes",
    "bins": "bins",
    "lr": "learning_rate",
    "weight_decay": "weight_decay",
    "dropout": "dropout",
    "activation": "activation",
    "beta_1": "beta_1",
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
    activation: str = "relu"
    beta_1: float = 0.9  # of AdamW


def choices(rows: int, columns: int, asked: dict[str, Any]) -> list[Settings]:
    """The settings to try for a table of such a size, with what was asked for instead.

    There are several for small ones, which differ most in what they need.
    """
    return [
        *dict.fromkeys(replace(settings, **given(asked)) for settings in _automatic(rows, columns))
    ]


def given(asked: dict[str, Any]) -> dict[str, Any]:
    """What was asked for but "auto", checked."""
    return {name: _checked(name, value) for name, value in asked.items() if not _is_auto(value)}


def budget(members: Any, time_limit: Any) -> tuple[int | None, float | None] | None:
    """How many networks, and in how many seconds; None for one that takes its time."""
    if time_limit is not None:
        time_limit = checks.number(time_limit, "time_limit", 0.0)
    if members is None:
        return None if time_limit is None else (None, time_limit)
    if _is_auto(members):
        return None, TIME_LIMIT if time_limit is None else time_limit
    if isinstance(members, str):
        raise ValueError(f'members: expected "auto", a number or None, got {shown(members)}')
    count = checks.integer(members, "members", 1, 10_000)
    return None if count == 1 and time_limit is None else (count, time_limit)


def most_bins(rows: int, columns: int, several: bool) -> int:
    """With which the encoded rows are not too large, if all columns are numbers."""
    room = _OF_MEMBERS if several else _ENCODED
    return max(0, room // (4 * rows * columns) - 1)


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


def _automatic(rows: int, columns: int) -> list[Settings]:
    if rows < TINY:  # too few to spare any
        return [Settings((32,), 0, 1e-2, 1e-2, 0.0, rows, 200, 200, 0, False, "float64")]
    if rows < SMALL:
        line = Settings((), 0, 1e-2, 0.5, 0.0, 32, 60, 60, 5, True, "float32")
        calm = replace(line, hidden=(128, 64), bins=4, lr=2e-3, dropout=0.3)
        wide = replace(calm, hidden=(192, 192), lr=4e-3, weight_decay=0.3, dropout=0.1, patience=12)
        if columns > MANY:
            return [line, replace(calm, bins=0), replace(wide, bins=0)]
        return [line, calm, replace(wide, bins=0), replace(wide, bins=8)]
    batch = 128 if rows < 20_000 else 256
    epochs = min(40, max(8, round(1.2e6 / rows)))
    folds = 5 if rows < 20_000 else 10
    bins = min(32, most_bins(rows, columns, several=False))
    return [Settings((192, 192), bins, 4e-3, 0.3, 0.0, batch, epochs, 8, folds, False, "float32")]


def _checked(name: str, value: Any) -> Any:
    says = NAMES[name]
    if name == "hidden":
        sizes = checks.items(value, says) if checks.is_several(value) else [value]
        return tuple(checks.integer(size, says) for size in sizes)
    if name == "activation":
        return described(value, ACTIVATIONS, says).text
    if name in ("lr", "weight_decay", "dropout", "beta_1"):
        return checks.number(value, says, 0.0, 1.0 if name in ("dropout", "beta_1") else _LARGEST)
    return checks.integer(value, says, 0 if name == "bins" else 1, 10**6)
