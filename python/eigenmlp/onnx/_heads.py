"""What comes after the last layer: the output activation, and the loss that it goes with."""

from __future__ import annotations

from typing import Any

from .._inputs.description import described
from .._interchange import travelling as travelling
from ..activations import Activation, Identity, Softmax
from ..losses import LOSSES, Loss
from ._terms import (
    Above,
    Constant,
    Function,
    Sizes,
    Tail,
    Term,
    Value,
    Z,
    activation,
)


def head(
    outputs: list[Value], last: Z, loss: Loss | None, given: dict[str, Any]
) -> travelling.Ending:
    """The end that a graph's outputs tell of, with `loss` if the user says one.

    `given` is what `export` noted, used if it fits.
    """
    terms = [_term_of(value) for value in outputs]
    labels = {value.kind for value in outputs if isinstance(value, Tail)}
    labels |= {"above" for value in outputs if isinstance(value, Above)}
    functions: dict[str, Activation] = {}
    for term in terms:
        name, end = _end(term, last)
        if name != "identity":
            functions[name] = end
    if {*functions} == {"softmax", "log_softmax"}:
        del functions["log_softmax"]
    if len(functions) > 1:
        raise ValueError(f"expected one function of the last layer, got {sorted(functions)}")
    name, end = next(iter(functions.items()), ("identity", Identity()))
    if "classes" in labels and name not in ("identity", "softmax", "log_softmax"):
        raise ValueError(f"expected ArgMax of the last layer or its Softmax, got it with {name}")
    if name == "identity" and "classes" in labels:
        name = "softmax"
    if name == "identity" and labels & {"above", "class"}:
        name = "sigmoid"
    return travelling.ending(name, end, loss or _noted(given, name, end))


def _noted(given: dict[str, Any], name: str, end: Activation) -> Loss | None:
    """The loss that `export` noted, if it goes with the graph."""
    try:
        return travelling.ending(name, end, described(given["loss"], LOSSES, "loss")).loss
    except (KeyError, TypeError, ValueError):
        return None


def _term_of(value: Value) -> Term:
    is_else = isinstance(value, Above) and not value.is_label
    if is_else or (isinstance(value, Tail) and value.kind == "complement"):
        raise ValueError("expected outputs that are a function of the last layer, got others")
    if isinstance(value, (Tail, Above)):
        return value.term
    if isinstance(value, (Constant, Sizes)):
        raise ValueError("expected outputs that depend on the input, got a constant or a shape")
    return value


def _end(term: Term, last: Z) -> tuple[str, Activation]:
    """The function of the last layer that a term is, and it as an activation."""
    factor = term.factors[0]
    if len(term.factors) == 1 and isinstance(factor, Function) and term.coefficient == 1:
        plain = factor.of == Term(1.0, (last,))
        if plain and factor.name in ("softmax", "log_softmax", "exp"):
            return factor.name, Softmax() if factor.name == "softmax" else Identity()
    found = activation(term)
    if found is None or found[0] != last:
        raise ValueError("expected outputs that are an activation of the last layer, got others")
    return found[1].name, found[1]
