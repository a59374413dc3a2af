"""The chain of layers that a file is read into: the state that operators work on."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ..activations import Activation
from ._tensors import array_of
from ._terms import (
    Constant,
    Term,
    Value,
    Z,
    activation,
    as_row,
)


class Affine(NamedTuple):
    """A layer as the file has it."""

    W: NDArray[Any]  # (in, out)
    b: NDArray[Any] | None  # (out,)


class Chain:
    """The layers so far, with what is known of the inputs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder  # of the file, and of weights beside it
        self.layers: list[Affine] = []
        self.activations: list[Activation] = []  # of the layers but the last
        self.input_scale = 1.0
        self.units: dict[str, NDArray[Any]] = {}  # of columns, by the names of MLP's arguments
        self.input_shape: list[int | None] = []
        self.what = ""  # the node at hand
        self.numbers = 0  # in all arrays of the file
        self.used = 0  # as weights and biases

    def array(self, tensor: Any) -> NDArray[Any]:
        """An array of the file, counted."""
        array = array_of(tensor, self.folder)
        self.numbers += array.size
        return array

    def layer(self, value: Value | None, W: NDArray[Any], b: NDArray[Any] | None) -> Term:
        """``value @ W + b``, as the next layer."""
        if W.ndim != 2 or W.dtype.kind != "f" or 0 in W.shape:
            raise ValueError(f"{self.what}: expected weights (in, out), got {W.dtype} {W.shape}")
        D = self.take(value)
        if D not in (None, W.shape[0]):
            raise ValueError(f"{self.what}: expected weights ({D}, out), got {W.shape}")
        self.layers.append(Affine(W, b))
        self.used += W.size + (0 if b is None else b.size)
        if self.used > self.numbers:
            raise ValueError(
                f"{self.what}: expected at most {self.numbers} weights, as the file has, got "
                f"{self.used}: some are shared"
            )
        return Term(1.0, (Z(len(self.layers), b is not None),))

    def take(self, value: Value | None) -> int | None:
        """Make a value the next layer's input; its width if that is known."""
        if isinstance(value, Term) and value.z == Z(0):
            self.input_scale = value.coefficient
            if not self.layers:
                return self.width()
        found = activation(value) if isinstance(value, Term) else None
        if found is None or found[0] != self.last() or not self.layers:
            raise ValueError(f"{self.what}: expected a known activation of the layer before")
        self.activations.append(found[1])
        return int(self.layers[-1].W.shape[1])

    def last(self) -> Z:
        """The z of the last layer so far."""
        return Z(len(self.layers), not self.layers or self.layers[-1].b is not None)

    def width(self) -> int | None:
        """D as the graph's input says; None if it does not."""
        sizes = self.input_shape[1:]
        if not sizes or any(x is None or x <= 0 for x in sizes):
            return None
        return math.prod(int(x) for x in sizes if x is not None)

    def take_unit(self, name: str, of: Term, value: Constant, columns: int | None) -> bool:
        """Note that inputs or outputs are shifted or scaled by columns, if that is what it is."""
        given = as_row(value, columns) if columns else None
        if given is None or name in self.units or given.dtype.kind != "f":
            return False
        if name == "output_scale" and not (given > 0).all():
            return False
        self.units[name] = given.astype("float64")
        return True

    def is_input(self, term: Term | None) -> bool:
        """Whether a term is the inputs as they came, before any layer."""
        return term == Term(1.0, (Z(0),)) and not self.layers

    def is_output(self, term: Term) -> bool:
        """Whether a term is the last layer's output so far."""
        found = activation(term)
        return bool(self.layers) and (
            term == Term(1.0, (self.last(),)) or (found is not None and found[0] == self.last())
        )

    def add_bias(self, term: Term, value: Constant) -> Term | None:
        """term + value, if that is a bias for the last layer; None if it cannot be."""
        if not self.layers or term != Term(1.0, (self.last(),)) or self.last().has_bias:
            return None
        W = self.layers[-1].W
        b = as_row(value, W.shape[1])
        if b is None:
            return None
        self.used += b.size
        self.layers[-1] = Affine(W, b)
        return Term(1.0, (self.last(),))
