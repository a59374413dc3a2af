"""How the readers of operators take what they get."""

from __future__ import annotations

from ._operators import Attributes, Inputs
from ._terms import Constant, Term, Value


def first(inputs: Inputs) -> Value | None:
    """The first input."""
    return inputs[0] if inputs else None


def first_term(inputs: Inputs) -> Term | None:
    """The first input, if it is a term."""
    value = first(inputs)
    return value if isinstance(value, Term) else None


def term_and_other(inputs: Inputs) -> tuple[Term, Value] | None:
    """A term and what it is combined with, whichever comes first."""
    if len(inputs) != 2:
        return None
    a, b = inputs
    if a is None or b is None:
        return None
    if isinstance(a, Term):
        return a, b
    return (b, a) if isinstance(b, Term) else None


def scalar_of(value: Value | None) -> float | None:
    """A constant's number, if it is a single one."""
    return value.scalar if isinstance(value, Constant) else None


def integer(attributes: Attributes, name: str, default: int = 0) -> int:
    """An attribute that is a whole number."""
    return int(attributes[name].i) if name in attributes else default


def real(attributes: Attributes, name: str, default: float) -> float:
    """An attribute that is a number."""
    return float(attributes[name].f) if name in attributes else default


def axis_of(attributes: Attributes, default: int) -> int:
    """The attribute axis."""
    return integer(attributes, "axis", default)
