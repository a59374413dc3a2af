"""What all schedules share, and how a file describes them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from .._inputs import checks


@dataclass(frozen=True)
class Schedule:
    """A learning rate by the update's number, from 0: a frozen description that can be called."""

    def __call__(self, step: int) -> float:
        """The learning rate of update `step`."""
        raise TypeError(f"expected one of the schedules, got {type(self).__name__}")

    def _check(self, name: str, least: float = 0.0) -> float:
        return checks.number(getattr(self, name), f"{type(self).__name__}: {name}", least)

    def _check_integer(self, name: str, least: int = 1) -> None:
        checks.integer(getattr(self, name), f"{type(self).__name__}: {name}", least)


def describe(lr: object) -> Any:
    """What JSON can hold of a number or a schedule; None if another function is in it."""
    if isinstance(lr, Schedule) and type(lr).__module__.startswith(f"{__package__}."):
        values = {field.name: getattr(lr, field.name) for field in fields(lr)}
        parts = {name: x if isinstance(x, str) else describe(x) for name, x in values.items()}
        return None if None in parts.values() else {"schedule": type(lr).__name__, **parts}
    if callable(lr):
        return None
    return lr if isinstance(lr, int) else float(lr)  # type: ignore[arg-type]
