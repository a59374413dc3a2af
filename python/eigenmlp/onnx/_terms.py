"""What the values of a graph are, as far as a chain of layers can have them.

Every number in the graph is a constant, or a term: a coefficient times at most two factors, each a
layer's z or a function of such a term. So silu is z · sigmoid(z), however a file puts it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..activations import (
    Activation,
    Elu,
    Gelu,
    Identity,
    LeakyRelu,
    Relu,
    Sigmoid,
    Silu,
    Softplus,
    Tanh,
)


@dataclass(frozen=True)
class Z:
    """What layer `layer` gives before its activation; layer 0 are the inputs."""

    layer: int
    has_bias: bool = True


@dataclass(frozen=True)
class Function:
    """A function of a term, with a parameter if it has one: elu, erf, softmax, …"""

    name: str
    of: Term
    parameter: float = 0.0


@dataclass(frozen=True)
class Term:
    """A coefficient times its factors."""

    coefficient: float
    factors: tuple[Z | Function, ...]

    @property
    def z(self) -> Z | None:
        """The z of ``coefficient · z``; None for another term."""
        first = self.factors[0]
        return first if len(self.factors) == 1 and isinstance(first, Z) else None


@dataclass(frozen=True)
class Constant:
    """An array of the file."""

    array: NDArray[Any]

    @property
    def scalar(self) -> float | None:
        """Its number, if it is a single one."""
        is_number = self.array.size == 1 and self.array.dtype.kind in "fiub"
        return float(self.array.ravel()[0]) if is_number else None


@dataclass(frozen=True)
class Above:
    """Where a term is above a number."""

    term: Term
    number: float

    @property
    def is_label(self) -> bool:
        """Whether that is where a probability, the sigmoid of a z, is above 1/2."""
        z = self.term.z is not None and self.term.coefficient > 0
        return (z and self.number == 0) or (is_chance(self.term) and self.number == 0.5)


@dataclass(frozen=True)
class Sizes:
    """Of an array; None stands for the number of rows."""

    sizes: tuple[int | None, ...]


@dataclass(frozen=True)
class Tail:
    """What may come after the last layer, made of a term: labels, names of classes, …"""

    kind: str
    term: Term


Value: TypeAlias = Term | Constant | Sizes | Above | Tail


def is_near(a: float, b: float) -> bool:
    """Whether a constant of the file, perhaps in float32, means b."""
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-12)


def is_chance(term: Term) -> bool:
    """Whether a term is the sigmoid of a z."""
    found = activation(term)
    return found is not None and isinstance(found[1], Sigmoid)


def activation(term: Term) -> tuple[Z, Activation] | None:
    """The z and the activation that a term is, if it is one."""
    return _of_one(term) if len(term.factors) == 1 else _of_two(term)


def _of_one(term: Term) -> tuple[Z, Activation] | None:
    (factor,) = term.factors
    if term.coefficient != 1:
        return None
    if isinstance(factor, Z):
        return factor, Identity()
    z, scale, parameter = factor.of.z, factor.of.coefficient, factor.parameter
    if z is None:
        return None
    if factor.name == "sigmoid":
        return (z, Sigmoid(scale)) if scale > 0 else None
    if scale != 1:
        return None
    if factor.name == "leaky_relu":
        return z, LeakyRelu(parameter)
    if factor.name == "elu":
        return z, Elu(parameter)
    plain = {"relu": Relu, "tanh": Tanh, "softplus": Softplus, "gelu": Gelu, "silu": Silu}
    return (z, plain[factor.name]()) if factor.name in plain else None


def _of_two(term: Term) -> tuple[Z, Activation] | None:
    """z · sigmoid(z), and z · (1 + erf(z / √2)) / 2."""
    for z, factor in (term.factors, term.factors[::-1]):
        if not (isinstance(z, Z) and isinstance(factor, Function) and factor.of.z == z):
            continue
        scale = factor.of.coefficient
        if factor.name == "sigmoid" and scale == 1 and term.coefficient == 1:
            return z, Silu()
        if factor.name == "1+erf" and is_near(scale, 0.5**0.5) and is_near(term.coefficient, 0.5):
            return z, Gelu()
    return None


def product(a: Term, b: Term) -> Term | None:
    """a · b, if that is a term."""
    if len(a.factors) + len(b.factors) > 2:
        return None
    return Term(a.coefficient * b.coefficient, (*a.factors, *b.factors))


def scaled(term: Term, factor: float) -> Term:
    """factor · term."""
    return Term(term.coefficient * factor, term.factors)


def function(name: str, of: Term, parameter: float = 0.0) -> Term | None:
    """A function of ``coefficient · z``; none of anything else."""
    return None if of.z is None else Term(1.0, (Function(name, of, parameter),))


def as_row(value: Constant, K: int) -> NDArray[Any] | None:
    """A constant as a vector (K,), if adding it to rows (N, K) adds such a vector."""
    array = value.array
    if array.dtype.kind != "f" or array.size not in (1, K) or array.shape[:-1] not in ((), (1,)):
        return None
    return np.broadcast_to(array.ravel(), (K,))
