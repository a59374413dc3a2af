"""The operators that a file may have, each as a function of the values it is given.

A function gets the reader, the node's inputs (None for one left out) and its attributes by name;
it gives the value of the node's first output, or None if a network has no place for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from . import _functions
from ._package import onnx
from ._terms import (
    Above,
    Constant,
    Function,
    Tail,
    Term,
    Value,
    function,
    is_near,
    product,
    scaled,
)

if TYPE_CHECKING:
    from ._reading import Reader

Inputs: TypeAlias = list[Value | None]
Attributes: TypeAlias = dict[str, Any]
Read: TypeAlias = Callable[["Reader", Inputs, Attributes], Value | None]


def _one(inputs: Inputs) -> Value | None:
    return inputs[0] if inputs else None


def _term(inputs: Inputs) -> Term | None:
    value = _one(inputs)
    return value if isinstance(value, Term) else None


def _pair(inputs: Inputs) -> tuple[Term, Value] | None:
    """A term and what it is combined with, whichever comes first."""
    if len(inputs) != 2:
        return None
    a, b = inputs
    if a is None or b is None:
        return None
    if isinstance(a, Term):
        return a, b
    return (b, a) if isinstance(b, Term) else None


def _scalar(value: Value | None) -> float | None:
    return value.scalar if isinstance(value, Constant) else None


def _axis(attributes: Attributes, default: int) -> int:
    return int(attributes["axis"].i) if "axis" in attributes else default


# ---- layers


def gemm(reader: Reader, inputs: Inputs, attributes: Attributes) -> Value | None:
    """alpha X W + beta b."""
    X, W, b = [*inputs, None][:3] if len(inputs) in (2, 3) else (None, None, None)
    if not isinstance(W, Constant) or ("transA" in attributes and attributes["transA"].i):
        return None
    alpha, beta = (attributes[x].f if x in attributes else 1.0 for x in ("alpha", "beta"))
    weights = W.array.T if "transB" in attributes and attributes["transB"].i else W.array
    if b is not None and beta == 0:
        b = None
    term = reader.layer(X, weights, None)
    if alpha != 1:
        reader.layers[-1] = reader.layers[-1]._replace(W=weights * weights.dtype.type(alpha))
    if b is None:
        return term
    if not isinstance(b, Constant):
        return None
    if beta != 1 and b.array.dtype.kind == "f":
        b = Constant(b.array * b.array.dtype.type(beta))
    return reader.add_bias(term, b)


def matmul(reader: Reader, inputs: Inputs, _: Attributes) -> Value | None:
    """X W."""
    if len(inputs) != 2 or not isinstance(inputs[1], Constant):
        return None
    return reader.layer(inputs[0], inputs[1].array, None)


def add(reader: Reader, inputs: Inputs, _: Attributes) -> Value | None:
    """A bias, or the 1 of 1 + erf."""
    term, other = _pair(inputs) or (None, None)
    if term is None or not isinstance(other, Constant):
        return None
    factor = term.factors[0]
    if isinstance(factor, Function) and factor.name == "erf" and other.scalar == 1:
        return function("1+erf", factor.of) if term == Term(1.0, (factor,)) else None
    return reader.add_bias(term, other)


# ---- arithmetic of terms


def mul(_: Reader, inputs: Inputs, __: Attributes) -> Value | None:
    """A product of terms, or a term times a number."""
    pair = _pair(inputs)
    if pair is None:
        return None
    term, other = pair
    if isinstance(other, Term):
        return product(term, other)
    number = _scalar(other)
    return None if number is None else scaled(term, number)


def div(_: Reader, inputs: Inputs, __: Attributes) -> Value | None:
    """A term divided by a number."""
    number = _scalar(inputs[1]) if len(inputs) == 2 else None
    term = _term(inputs)
    return scaled(term, 1 / number) if number and term is not None else None


def sub(_: Reader, inputs: Inputs, __: Attributes) -> Value | None:
    """1 - p: the probability of the other class of two."""
    if len(inputs) != 2 or _scalar(inputs[0]) != 1 or not isinstance(inputs[1], Term):
        return None
    return Tail("complement", inputs[1])


def of_term(name: str, attribute: str = "", default: float = 0.0) -> Read:
    """A function of one term, whose parameter may be an attribute."""

    def read(_: Reader, inputs: Inputs, attributes: Attributes) -> Value | None:
        term = _term(inputs)
        parameter = attributes[attribute].f if attribute in attributes else default
        return None if term is None else function(name, term, parameter)

    return read


def with_parameter(name: str) -> Read:
    """A function of one term, whose parameter is the second input."""

    def read(_: Reader, inputs: Inputs, __: Attributes) -> Value | None:
        term, number = _term(inputs), _scalar(inputs[1]) if len(inputs) == 2 else None
        return None if term is None or number is None else function(name, term, number)

    return read


def gelu(_: Reader, inputs: Inputs, attributes: Attributes) -> Value | None:
    """Gelu, not its formula with tanh."""
    term = _term(inputs)
    if "approximate" in attributes and attributes["approximate"].s != b"none":
        return None
    return None if term is None else function("gelu", term)


def swish(_: Reader, inputs: Inputs, attributes: Attributes) -> Value | None:
    """Silu, if its factor is 1."""
    term = _term(inputs)
    if "alpha" in attributes and attributes["alpha"].f != 1:
        return None
    return None if term is None else function("silu", term)


def over_classes(name: str) -> Read:
    """Softmax or LogSoftmax over the outputs of each row."""

    def read(_: Reader, inputs: Inputs, attributes: Attributes) -> Value | None:
        term = _term(inputs)
        if term is None or _axis(attributes, -1) not in (-1, 1):
            return None
        return function(name, term)

    return read


def greater(_: Reader, inputs: Inputs, __: Attributes) -> Value | None:
    """A term above a number."""
    number, term = _scalar(inputs[1]) if len(inputs) == 2 else None, _term(inputs)
    return None if term is None or number is None else Above(term, number)


def where(_: Reader, inputs: Inputs, __: Attributes) -> Value | None:
    """PyTorch's softplus: z where that is so large that softplus(z) is z."""
    if len(inputs) != 3:
        return None
    above, z, rest = inputs
    if not (isinstance(above, Above) and isinstance(z, Term) and above.term == z):
        return None
    is_softplus = rest == function("softplus", z)
    return rest if is_softplus and above.number >= 20 else None


# ---- what leaves numbers as they are


def same(_: Reader, inputs: Inputs, __: Attributes) -> Value | None:
    """Identity."""
    return _one(inputs)


def dropout(_: Reader, inputs: Inputs, __: Attributes) -> Value | None:
    """Dropout, which is for training."""
    if len(inputs) == 3 and _scalar(inputs[2]) not in (None, 0.0):
        return None
    return _one(inputs)


def cast(_: Reader, inputs: Inputs, attributes: Attributes) -> Value | None:
    """Numbers to floats, labels to whatever."""
    value = _one(inputs)
    proto = onnx().TensorProto
    to = attributes["to"].i if "to" in attributes else None
    if isinstance(value, Above):
        return Tail("above", value.term) if value.number in (0.0, 0.5) else None
    if isinstance(value, Term) and to not in (proto.FLOAT, proto.DOUBLE):
        return None
    if isinstance(value, Constant):
        types = {proto.FLOAT: np.float32, proto.DOUBLE: np.float64, proto.INT64: np.int64}
        if value.array.size > 1 or to not in types or value.array.dtype.kind not in "fiub":
            return None
        return Constant(value.array.astype(types[to]))
    return value


def transpose(_: Reader, inputs: Inputs, attributes: Attributes) -> Value | None:
    """Of a matrix of the file."""
    value = _one(inputs)
    axes = [*attributes["perm"].ints] if "perm" in attributes else [1, 0]
    if not isinstance(value, Constant) or value.array.ndim != 2 or axes != [1, 0]:
        return None
    return Constant(value.array.T)


def flatten(_: Reader, inputs: Inputs, attributes: Attributes) -> Value | None:
    """Rows stay rows."""
    return _term(inputs) if _axis(attributes, 1) == 1 else None


def reshape(reader: Reader, inputs: Inputs, _: Attributes) -> Value | None:
    """Rows stay rows: to (N, D) or (N, K); outputs to one column, labels to whatever."""
    value, shape = inputs if len(inputs) == 2 else (None, None)
    if isinstance(value, Tail):
        return value
    if not (isinstance(value, Term) and isinstance(shape, Constant)):
        return None
    if shape.array.dtype.kind != "i" or shape.array.shape != (2,):
        return None
    rows, columns = shape.array.tolist()
    batch = reader.input_shape[0] if reader.input_shape else None
    if rows not in (0, -1, batch) or (rows == -1 and columns == -1):
        return None
    width = reader.layers[-1].W.shape[1] if reader.layers else reader.width()
    if columns == -1 or width in (None, columns):
        return value
    return Tail("column", value) if columns == 1 else None


def constant(reader: Reader, _: Inputs, attributes: Attributes) -> Value | None:
    """A number, numbers, or an array."""
    if len(attributes) != 1:
        return None
    ((name, attribute),) = attributes.items()
    if name == "value":
        return Constant(reader.array(attribute.t))
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


# ---- after the last layer


def argmax(_: Reader, inputs: Inputs, attributes: Attributes) -> Value | None:
    """The likeliest class; the first of equals."""
    value, last = _one(inputs), attributes.get("select_last_index")
    if _axis(attributes, 0) not in (-1, 1) or (last is not None and last.i):
        return None
    if isinstance(value, Tail) and value.kind == "two classes":
        return Tail("class", value.term)
    return Tail("classes", value) if isinstance(value, Term) else None


def concat(_: Reader, inputs: Inputs, attributes: Attributes) -> Value | None:
    """1 - p and p side by side."""
    if len(inputs) != 2 or _axis(attributes, 0) not in (-1, 1):
        return None
    first, second = inputs
    if isinstance(second, Term) and first == Tail("complement", second):
        return Tail("two classes", second)
    return None


def zip_map(_: Reader, inputs: Inputs, __: Attributes) -> Value | None:
    """Probabilities by the names of classes."""
    value = _one(inputs)
    return value if isinstance(value, (Term, Tail)) else None


def extract(_: Reader, inputs: Inputs, __: Attributes) -> Value | None:
    """The names of classes."""
    is_labels = len(inputs) == 2 and isinstance(inputs[1], Tail)
    return inputs[1] if is_labels and isinstance(inputs[0], Constant) else None


def binarizer(_: Reader, inputs: Inputs, attributes: Attributes) -> Value | None:
    """Which probabilities are above 1/2."""
    term = _term(inputs)
    threshold = attributes["threshold"].f if "threshold" in attributes else 0.0
    return Tail("above", term) if term is not None and is_near(threshold, 0.5) else None


OPERATORS: dict[tuple[str, str], Read] = {
    ("", "Add"): add,
    ("", "ArgMax"): argmax,
    ("", "Cast"): cast,
    ("", "Concat"): concat,
    ("", "Constant"): constant,
    ("", "Div"): div,
    ("", "Dropout"): dropout,
    ("", "Elu"): of_term("elu", "alpha", 1.0),
    ("", "Erf"): of_term("erf"),
    ("", "Exp"): of_term("exp"),
    ("", "Flatten"): flatten,
    ("", "Gelu"): gelu,
    ("", "Gemm"): gemm,
    ("", "Greater"): greater,
    ("", "Identity"): same,
    ("", "LeakyRelu"): of_term("leaky_relu", "alpha", 0.01),
    ("", "LogSoftmax"): over_classes("log_softmax"),
    ("", "MatMul"): matmul,
    ("", "Mul"): mul,
    ("", "PRelu"): with_parameter("leaky_relu"),
    ("", "Relu"): of_term("relu"),
    ("", "Reshape"): reshape,
    ("", "Sigmoid"): of_term("sigmoid"),
    ("", "Softmax"): over_classes("softmax"),
    ("", "Softplus"): of_term("softplus"),
    ("", "Sub"): sub,
    ("", "Swish"): swish,
    ("", "Tanh"): of_term("tanh"),
    ("", "Transpose"): transpose,
    ("", "Where"): where,
    ("ai.onnx.ml", "ArrayFeatureExtractor"): extract,
    ("ai.onnx.ml", "Binarizer"): binarizer,
    ("ai.onnx.ml", "ZipMap"): zip_map,
    (_functions.DOMAIN, "Elu"): with_parameter("elu"),
    (_functions.DOMAIN, "Gelu"): of_term("gelu"),
    (_functions.DOMAIN, "LeakyRelu"): with_parameter("leaky_relu"),
    (_functions.DOMAIN, "Softplus"): of_term("softplus"),
}
