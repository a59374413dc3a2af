"""The operators that come after the last layer: labels, and the names of classes."""

from __future__ import annotations

from ._arguments import (
    axis_of,
    first,
    first_term,
    integer,
    real,
)
from ._chain import Chain
from ._operators import Attributes, Inputs, operator
from ._terms import (
    Above,
    Constant,
    Tail,
    Term,
    Value,
)


@operator("ArgMax")
def argmax(_: Chain, inputs: Inputs, attributes: Attributes) -> Value | None:
    """The likeliest class; the first of equals."""
    value = first(inputs)
    if axis_of(attributes, 0) not in (-1, 1) or integer(attributes, "select_last_index"):
        return None
    if isinstance(value, Tail) and value.kind == "two classes":
        return Tail("class", value.term)
    return Tail("classes", value) if isinstance(value, Term) else None


@operator("Concat")
def concat(_: Chain, inputs: Inputs, attributes: Attributes) -> Value | None:
    """1 - p and p side by side."""
    if len(inputs) != 2 or axis_of(attributes, 0) not in (-1, 1):
        return None
    first, second = inputs
    if isinstance(second, Term) and first == Tail("complement", second):
        return Tail("two classes", second)
    return None


@operator("ZipMap", "ai.onnx.ml")
def zip_map(_: Chain, inputs: Inputs, __: Attributes) -> Value | None:
    """Probabilities by the names of classes."""
    value = first(inputs)
    return value if isinstance(value, (Term, Tail)) else None


@operator("ArrayFeatureExtractor", "ai.onnx.ml")
def extract(_: Chain, inputs: Inputs, __: Attributes) -> Value | None:
    """The names of classes."""
    names, labels = inputs if len(inputs) == 2 else (None, None)
    return labels if isinstance(names, Constant) and isinstance(labels, Tail) else None


@operator("Gather")
def gather(chain: Chain, inputs: Inputs, attributes: Attributes) -> Value | None:
    """The names of classes."""
    return extract(chain, inputs, attributes) if axis_of(attributes, 0) == 0 else None


@operator("Binarizer", "ai.onnx.ml")
def binarizer(_: Chain, inputs: Inputs, attributes: Attributes) -> Value | None:
    """Which probabilities are above 1/2."""
    term, threshold = first_term(inputs), real(attributes, "threshold", 0.0)
    return Tail("above", term) if term is not None and Above(term, threshold).is_label else None
