"""The operators that compute what Reshape is given: `x.view(x.size(0), -1)` in PyTorch's words."""

from __future__ import annotations

import math

from ._arguments import (
    axis_of,
    first_term,
)
from ._chain import Chain
from ._operators import Attributes, Inputs, operator
from ._terms import (
    Constant,
    Sizes,
    Term,
    Value,
    Z,
)

UNKNOWN = -1  # a size that the file does not tell; as Reshape has it, too
_MOST = 8  # sizes of one array: what lies above is no shape, and could grow without end


@operator("Shape")
def shape(chain: Chain, inputs: Inputs, attributes: Attributes) -> Value | None:
    """Of rows: their number, and the sizes of one."""
    term = first_term(inputs)
    if term is None:
        return None
    layer = _layer_of(term)
    if layer:
        sizes = [None, int(chain.layers[layer - 1].W.shape[1])]
    elif chain.input_shape:
        sizes = [None, *(x if x and x > 0 else UNKNOWN for x in chain.input_shape[1:])]
    else:
        return None
    start = int(attributes["start"].i) if "start" in attributes else None
    end = int(attributes["end"].i) if "end" in attributes else None
    return _limited(tuple(sizes[start:end]))


@operator("Gather")
def gather(_: Chain, inputs: Inputs, attributes: Attributes) -> Value | None:
    """Some of the sizes."""
    value, which = inputs if len(inputs) == 2 else (None, None)
    places = numbers_of(which)
    if not isinstance(value, Sizes) or places is None or axis_of(attributes, 0) != 0:
        return None
    inside = range(-len(value.sizes), len(value.sizes))
    chosen = tuple(value.sizes[x] for x in places if x is not None and x in inside)
    return Sizes(chosen) if len(chosen) == len(places) else None


@operator("Slice")
def slice_(_: Chain, inputs: Inputs, __: Attributes) -> Value | None:
    """Sizes from a start to an end."""
    if not inputs or not isinstance(inputs[0], Sizes):
        return None
    given = [numbers_of(x) for x in inputs[1:]]
    if len(given) not in (2, 3) or any(x is None or len(x) != 1 for x in given):
        return None
    start, end, axis = [*(x[0] for x in given if x), 0][:3]
    return Sizes(inputs[0].sizes[start:end]) if axis == 0 else None


@operator("Concat")
def concat(_: Chain, inputs: Inputs, attributes: Attributes) -> Value | None:
    """Sizes one after the other."""
    parts = [numbers_of(x) for x in inputs]
    if None in parts or axis_of(attributes, 1) != 0:
        return None
    return _limited(tuple(x for part in parts for x in part or ()))


@operator("Mul")
def mul(_: Chain, inputs: Inputs, __: Attributes) -> Value | None:
    """A product of two sizes of a row."""
    parts = [numbers_of(x) or () for x in inputs]
    sizes = [x for part in parts for x in part if x is not None]
    if [len(part) for part in parts] != [1, 1] or len(sizes) != 2:
        return None
    return _limited((UNKNOWN if UNKNOWN in sizes else math.prod(sizes),))


@operator("Squeeze")
@operator("Unsqueeze")
def same(_: Chain, inputs: Inputs, __: Attributes) -> Value | None:
    """Sizes, whether they count as a number or as a vector."""
    return inputs[0] if inputs and isinstance(inputs[0], Sizes) else None


def numbers_of(value: Value | None) -> tuple[int | None, ...] | None:
    """Sizes, or a constant that can stand for some."""
    if isinstance(value, Sizes):
        return value.sizes
    if not isinstance(value, Constant):
        return None
    array = value.array
    is_shape = array.dtype.kind == "i" and array.ndim < 2 and array.size <= _MOST
    return tuple(array.ravel().tolist()) if is_shape else None


def _limited(sizes: tuple[int | None, ...]) -> Sizes | None:
    small = len(sizes) <= _MOST and all(x is None or abs(x) < 2**63 for x in sizes)
    return Sizes(sizes) if small else None


def _layer_of(term: Term) -> int:
    """The layer whose z a term is made of."""
    factor = term.factors[0]
    while not isinstance(factor, Z):
        factor = factor.of.factors[0]
    return factor.layer
