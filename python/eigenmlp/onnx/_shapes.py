"""The operators that leave numbers as they are, but for their shape or type."""

from __future__ import annotations

import numpy as np

from ._arguments import (
    axis_of,
    first,
    first_term,
    integer,
    scalar_of,
)
from ._chain import Chain
from ._operators import Attributes, Inputs, operator
from ._package import onnx
from ._sizes import numbers_of
from ._terms import (
    Above,
    Constant,
    Sizes,
    Tail,
    Term,
    Value,
)


@operator("Identity")
def same(_: Chain, inputs: Inputs, __: Attributes) -> Value | None:
    """Identity."""
    return first(inputs)


@operator("Dropout")
def dropout(_: Chain, inputs: Inputs, __: Attributes) -> Value | None:
    """Dropout, which is for training."""
    if len(inputs) == 3 and scalar_of(inputs[2]) not in (None, 0.0):
        return None
    return first(inputs)


@operator("Cast")
def cast(_: Chain, inputs: Inputs, attributes: Attributes) -> Value | None:
    """Numbers to floats, labels to whatever."""
    value = first(inputs)
    proto = onnx().TensorProto
    to = attributes["to"].i if "to" in attributes else None
    if isinstance(value, Above):
        return Tail("above", value.term) if value.is_label else None
    if isinstance(value, Term) and to not in (proto.FLOAT, proto.DOUBLE):
        return None
    if isinstance(value, Sizes):
        return value if to == proto.INT64 else None
    if isinstance(value, Constant):
        types = {proto.FLOAT: np.float32, proto.DOUBLE: np.float64, proto.INT64: np.int64}
        if value.array.size > 1 or to not in types or value.array.dtype.kind not in "fiub":
            return None
        return Constant(value.array.astype(types[to]))
    return value


@operator("Transpose")
def transpose(_: Chain, inputs: Inputs, attributes: Attributes) -> Value | None:
    """Of a matrix of the file."""
    value = first(inputs)
    axes = [*attributes["perm"].ints] if "perm" in attributes else [1, 0]
    if not isinstance(value, Constant) or value.array.ndim != 2 or axes != [1, 0]:
        return None
    return Constant(value.array.T)


@operator("Flatten")
def flatten(_: Chain, inputs: Inputs, attributes: Attributes) -> Value | None:
    """Rows stay rows."""
    return first_term(inputs) if axis_of(attributes, 1) == 1 else None


@operator("Reshape")
def reshape(chain: Chain, inputs: Inputs, attributes: Attributes) -> Value | None:
    """Rows stay rows: to (N, D) or (N, K); outputs to one column or none, labels to whatever."""
    value, shape = inputs if len(inputs) == 2 else (None, None)
    if isinstance(value, Tail):
        return value
    sizes = numbers_of(shape)
    if not isinstance(value, Term) or sizes is None:
        return None
    if sizes == (-1,):
        return _column(chain, value)
    if len(sizes) != 2:
        return None
    rows, columns = sizes
    batch = chain.input_shape[0] if chain.input_shape else None
    copies = -1 if integer(attributes, "allowzero") else 0
    if rows not in (None, copies, -1, batch) or (rows == -1 and columns == -1):
        return None
    width = chain.layers[-1].W.shape[1] if chain.layers else chain.width()
    if columns == -1 or width in (None, columns):
        return value
    return Tail("column", value) if columns == 1 else None


@operator("Gather")
def column(chain: Chain, inputs: Inputs, attributes: Attributes) -> Value | None:
    """Outputs (N, 1) to (N,): the first of one."""
    value, place = inputs if len(inputs) == 2 else (None, None)
    is_first = scalar_of(place) in (0, -1) and axis_of(attributes, 0) in (1, -1)
    return _column(chain, value) if is_first else None


def _column(chain: Chain, value: Value | None) -> Value | None:
    """Outputs (N, 1) as (N,)."""
    is_column = bool(chain.layers) and chain.layers[-1].W.shape[1] == 1
    return Tail("column", value) if isinstance(value, Term) and is_column else None


@operator("Squeeze")
def squeeze(chain: Chain, inputs: Inputs, attributes: Attributes) -> Value | None:
    """Outputs (N, 1) to (N,); labels to whatever."""
    value = first(inputs)
    if isinstance(value, Tail):
        return value
    axes: list[int] = [*attributes["axes"].ints] if "axes" in attributes else []
    if len(inputs) == 2 and isinstance(inputs[1], Constant):
        axes = inputs[1].array.ravel().tolist()
    return _column(chain, value) if axes in ([], [1], [-1]) else None


@operator("Constant")
def constant(chain: Chain, _: Inputs, attributes: Attributes) -> Value | None:
    """A number, numbers, or an array."""
    if len(attributes) != 1:
        return None
    ((name, attribute),) = attributes.items()
    if name == "value":
        return Constant(chain.array(attribute.t))
    fields = {
        "value_float": ("f", np.float32),
        "value_floats": ("floats", np.float32),
        "value_int": ("i", np.int64),
        "value_ints": ("ints", np.int64),
    }
    if name not in fields:
        return None
    field, dtype = fields[name]
    return Constant(np.array(getattr(attribute, field), dtype))
