"""The operators that compute: layers, activations, and what they may be made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ._arguments import (
    axis_of,
    first,
    first_term,
    integer,
    real,
    scalar_of,
    term_and_other,
)
from ._chain import Chain
from ._functions import DOMAIN
from ._operators import Attributes, Inputs, Read, operator
from ._terms import (
    Above,
    Constant,
    Function,
    Tail,
    Term,
    Value,
    function,
    is_chance,
    product,
    scaled,
)

# ---- layers


@operator("Gemm")
def gemm(chain: Chain, inputs: Inputs, attributes: Attributes) -> Value | None:
    """alpha X W + beta b."""
    X, W, b = [*inputs, None][:3] if len(inputs) in (2, 3) else (None, None, None)
    if not isinstance(W, Constant) or integer(attributes, "transA"):
        return None
    alpha, beta = (real(attributes, name, 1.0) for name in ("alpha", "beta"))
    weights = W.array.T if integer(attributes, "transB") else W.array
    if b is not None and beta == 0:
        b = None
    term = chain.layer(X, weights, None)
    if alpha != 1:
        chain.layers[-1] = chain.layers[-1]._replace(W=weights * weights.dtype.type(alpha))
    if b is None:
        return term
    if not isinstance(b, Constant):
        return None
    if beta != 1 and b.array.dtype.kind == "f":
        b = Constant(b.array * b.array.dtype.type(beta))
    return chain.add_bias(term, b)


@operator("MatMul")
def matmul(chain: Chain, inputs: Inputs, _: Attributes) -> Value | None:
    """X W."""
    if len(inputs) != 2 or not isinstance(inputs[1], Constant):
        return None
    return chain.layer(inputs[0], inputs[1].array, None)


@operator("Add")
def add(chain: Chain, inputs: Inputs, _: Attributes) -> Value | None:
    """A bias, the shift of outputs, or the 1 of 1 + erf."""
    scaled_outputs, shift = _tail_and_constant(inputs)
    if scaled_outputs is not None and shift is not None:
        return _shifted(chain, scaled_outputs.term, shift)
    term, other = term_and_other(inputs) or (None, None)
    if term is None or not isinstance(other, Constant):
        return None
    factor = term.factors[0]
    if isinstance(factor, Function) and factor.name == "erf" and other.scalar == 1:
        return function("1+erf", factor.of) if term == Term(1.0, (factor,)) else None
    added = chain.add_bias(term, other)
    if added is not None or term.coefficient <= 0 or "output_scale" in chain.units:
        return added
    plain = replace(term, coefficient=1.0)  # of one output, whose scale is a coefficient
    if not chain.is_output(plain) or chain.layers[-1].W.shape[1] != 1:
        return None
    chain.units["output_scale"] = np.array([term.coefficient])
    return _shifted(chain, plain, other)


def _tail_and_constant(inputs: Inputs) -> tuple[Tail | None, Constant | None]:
    """Outputs times their scale, and a constant, in either order."""
    tails = [x for x in inputs if isinstance(x, Tail) and x.kind == "scaled"]
    constants = [x for x in inputs if isinstance(x, Constant)]
    return (tails[0] if tails else None, constants[0] if constants else None)


def _shifted(chain: Chain, term: Term, shift: Constant) -> Value | None:
    found = chain.take_unit("output_shift", term, shift, int(chain.layers[-1].W.shape[1]))
    return Tail("units", term) if found else None


# ---- terms


@operator("Mul")
def mul(chain: Chain, inputs: Inputs, __: Attributes) -> Value | None:
    """A product of terms, a term times a number, or columns times one number each."""
    pair = term_and_other(inputs)
    if pair is None:
        return None
    term, other = pair
    if isinstance(other, Term):
        return product(term, other)
    number = scalar_of(other)
    if number is not None or not isinstance(other, Constant):
        return None if number is None else scaled(term, number)
    if chain.is_input(term):
        columns = other.array.shape[-1] if other.array.ndim else None
        return term if chain.take_unit("input_scale", term, other, columns) else None
    if not chain.is_output(term):
        return None
    found = chain.take_unit("output_scale", term, other, int(chain.layers[-1].W.shape[1]))
    return Tail("scaled", term) if found else None


@operator("Div")
def div(_: Chain, inputs: Inputs, __: Attributes) -> Value | None:
    """A term divided by a number."""
    number = scalar_of(inputs[1]) if len(inputs) == 2 else None
    term = first_term(inputs)
    return scaled(term, 1 / number) if number and term is not None else None


@operator("Sub")
def sub(chain: Chain, inputs: Inputs, __: Attributes) -> Value | None:
    """Inputs without their shift; or 1 - p: the probability of the other class of two."""
    if len(inputs) == 2 and isinstance(inputs[1], Constant):
        term, shift = first_term(inputs), inputs[1]
        if term is None or not chain.is_input(term):
            return None
        columns = shift.array.shape[-1] if shift.array.ndim else chain.width()
        return term if chain.take_unit("input_shift", term, shift, columns) else None
    if len(inputs) != 2 or scalar_of(inputs[0]) != 1:
        return None
    p = inputs[1]
    return Tail("complement", p) if isinstance(p, Term) and is_chance(p) else None


def of_term(name: str, attribute: str = "", default: float = 0.0) -> Read:
    """A function of one term, whose parameter may be an attribute; also of outputs as (N,)."""

    def read(_: Chain, inputs: Inputs, attributes: Attributes) -> Value | None:
        value = first(inputs)
        is_column = isinstance(value, Tail) and value.kind == "column"
        term = value.term if isinstance(value, Tail) and is_column else first_term(inputs)
        parameter = real(attributes, attribute, default)
        found = None if term is None else function(name, term, parameter)
        return Tail("column", found) if found is not None and is_column else found

    return read


def with_parameter(name: str) -> Read:
    """A function of one term, whose parameter is the second input."""

    def read(_: Chain, inputs: Inputs, __: Attributes) -> Value | None:
        term, number = first_term(inputs), scalar_of(inputs[1]) if len(inputs) == 2 else None
        return None if term is None or number is None else function(name, term, number)

    return read


@operator("Gelu")
def gelu(_: Chain, inputs: Inputs, attributes: Attributes) -> Value | None:
    """Gelu, not its formula with tanh."""
    term = first_term(inputs)
    if "approximate" in attributes and attributes["approximate"].s != b"none":
        return None
    return None if term is None else function("gelu", term)


@operator("Swish")
def swish(_: Chain, inputs: Inputs, attributes: Attributes) -> Value | None:
    """Silu, if its factor is 1."""
    term = first_term(inputs)
    if real(attributes, "alpha", 1.0) != 1:
        return None
    return None if term is None else function("silu", term)


def over_classes(name: str) -> Read:
    """Softmax or LogSoftmax over the outputs of each row."""

    def read(_: Chain, inputs: Inputs, attributes: Attributes) -> Value | None:
        term = first_term(inputs)
        if term is None or axis_of(attributes, -1) not in (-1, 1):
            return None
        return function(name, term)

    return read


@operator("Greater")
def greater(_: Chain, inputs: Inputs, __: Attributes) -> Value | None:
    """A term above a number."""
    number, term = scalar_of(inputs[1]) if len(inputs) == 2 else None, first_term(inputs)
    return None if term is None or number is None else Above(term, number)


@operator("Where")
def where(_: Chain, inputs: Inputs, __: Attributes) -> Value | None:
    """PyTorch's softplus: z where that is so large that softplus(z) is z."""
    if len(inputs) != 3:
        return None
    above, z, rest = inputs
    if not (isinstance(above, Above) and isinstance(z, Term) and above.term == z):
        return None
    is_softplus = rest == function("softplus", z)
    return rest if is_softplus and above.number >= 20 else None


# ---- functions, each of a term

operator("Elu")(of_term("elu", "alpha", 1.0))
operator("Erf")(of_term("erf"))
operator("Exp")(of_term("exp"))
operator("LeakyRelu")(of_term("leaky_relu", "alpha", 0.01))
operator("LogSoftmax")(over_classes("log_softmax"))
operator("PRelu")(with_parameter("leaky_relu"))
operator("Relu")(of_term("relu"))
operator("Sigmoid")(of_term("sigmoid"))
operator("Softmax")(over_classes("softmax"))
operator("Softplus")(of_term("softplus"))
operator("Tanh")(of_term("tanh"))
operator("Elu", DOMAIN)(with_parameter("elu"))
operator("Gelu", DOMAIN)(of_term("gelu"))
operator("LeakyRelu", DOMAIN)(with_parameter("leaky_relu"))
operator("Silu", DOMAIN)(of_term("silu"))
operator("Softplus", DOMAIN)(of_term("softplus"))
