"""Frozen descriptions with a name and parameters, and their text form: `sigmoid(slope=2.0)`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

from .._basics.shown import shown
from . import checks
from .words import chosen

Bounds = dict[str, dict[str, float]]  # by parameter: what `_number` takes


@dataclass(frozen=True)
class Described:
    """What activations and losses have in common."""

    name: ClassVar[str]
    _bounds: ClassVar[Bounds] = {}  # of parameters that are numbers

    def __post_init__(self) -> None:
        for name, bounds in self._bounds.items():
            self._number(name, **bounds)

    @property
    def text(self) -> str:
        """The name, and after it the parameters that are not at their defaults."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        given = [
            f"{field.name}={_plain(values[field.name])!r}"
            for field in sorted(fields(self), key=lambda field: bool(field.kw_only))
            if values[field.name] != field.default
        ]
        return f"{self.name}({', '.join(given)})" if given else self.name

    def numbers(self) -> dict[str, float]:
        """The parameters that are single numbers, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, float)}

    def _number(
        self, name: str, least: float = -math.inf, below: float = math.inf, above: float = -math.inf
    ) -> None:
        """Check a parameter that is a number, and make it a float."""
        what = f"{type(self).__name__}: {name}"
        value = checks.number(getattr(self, name), what, least, below)
        if value <= above:
            raise ValueError(f"{what}: expected a number above {above:g}, got {shown(value)}")
        object.__setattr__(self, name, value)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


D = TypeVar("D", bound=Described)


def described(value: object, table: Mapping[str, type[D]], what: str) -> D:
    """The description that a name, a text form or an object means."""
    kinds = tuple(table.values())
    if isinstance(value, kinds):
        return value
    if isinstance(value, type) and issubclass(value, kinds):
        return value()
    if not (isinstance(value, str) and "(" in value):
        return table[chosen(value, table, what)]()

    from ..reference.choice import parse

    try:
        name, given = parse(value)
        kind = table[chosen(name, table, what)]
        names = [field.name for field in fields(kind)]
        for key in given:
            if key not in names:
                raise ValueError(f"expected parameters {names} of {name}, got {shown(key)}")
        return kind(**given)
    except (TypeError, ValueError) as error:
        text = str(error)
        raise type(error)(text if text.startswith(what) else f"{what}: {text}") from None
