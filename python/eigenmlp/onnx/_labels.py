"""The operators that come after the last layer: labels, and the names of classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._arguments import (
    Attributes,
    Inputs,
    axis_of,
    first,
    first_term,
    integer,
    real,
)
from ._terms import (
    Above,
    Constant,
    Tail,
    Term,
    Value,
)

if TYPE_CHECKING:
    from ._reading import Reader


def argmax(_: Reader, inputs: Inputs, attributes: Attributes) -> Value | None:
    """The likeliest class; the first of equals."""
    value = first(inputs)
    if axis_of(attributes, 0) not in (-1, 1) or integer(attributes, "select_last_index"):
        return None
    if isinstance(value, Tail) and value.kind == "two classes":
        return Tail("class", value.term)
    return Tail("classes", value) if isinstance(value, Term) else None


def concat(_: Reader, inputs: Inputs, attributes: Attributes) -> Value | None:
    """1 - p and p side by side."""
    if len(inputs) != 2 or axis_of(attributes, 0) not in (-1, 1):
        return None
    first, second = inputs
    if isinstance(second, Term) and first == Tail("complement", second):
        return Tail("two classes", second)
    return None


def zip_map(_: Reader, inputs: Inputs, __: Attributes) -> Value | None:
    """Probabilities by the names of classes."""
    value = first(inputs)
    return value if isinstance(value, (Term, Tail)) else None


def extract(_: Reader, inputs: Inputs, __: Attributes) -> Value | None:
    """The names of classes."""
    names, labels = inputs if len(inputs) == 2 else (None, None)
    return labels if isinstance(names, Constant) and isinstance(labels, Tail) else None


def gather(reader: Reader, inputs: Inputs, attributes: Attributes) -> Value | None:
    """The names of classes."""
    return extract(reader, inputs, attributes) if axis_of(attributes, 0) == 0 else None


def binarizer(_: Reader, inputs: Inputs, attributes: Attributes) -> Value | None:
    """Which probabilities are above 1/2."""
    term, threshold = first_term(inputs), real(attributes, "threshold", 0.0)
    return Tail("above", term) if term is not None and Above(term, threshold).is_label else None
