"""What networks need to travel: their layers on the way out, their loss on the way in."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .._basics.shown import shown
from .._inputs.description import described
from .._inputs.foreign import has
from ..activations import (
    ACTIVATIONS,
    Activation,
    Identity,
    Sigmoid,
)
from ..losses import (
    Loss,
    Poisson,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SquaredError,
)
from ..mlp import MLP
from . import pipelines


class Layer(NamedTuple):
    """``Y = f(X @ W + b)``."""

    W: NDArray[Any]  # (in, out)
    b: NDArray[Any] | None  # (out,)
    activation: Activation


def is_ensemble(given: object) -> bool:
    """Whether it is a fitted ensemble of `eigenmlp.sklearn`."""
    found = vars(given) if hasattr(given, "__dict__") else {}
    return isinstance(found.get("members_"), list) and "weights_" in found


def parts(given: object, function: str) -> list[tuple[Any, float]] | None:
    """The estimators of one network each that are averaged, with their weights, of an ensemble or
    of a pack of a table; None of what is one network. Those of weight 0 are left out.
    """
    inner = pipelines.inner(given)
    if is_ensemble(inner):
        ensemble: Any = inner
        scalers = pipelines.parts(given, function)[1]
        pairs = zip(ensemble.members_, ensemble.weights_.tolist(), strict=True)
        return [(_after(scalers, member, function), weight) for member, weight in pairs if weight]
    found: list[tuple[Any, float]] | None = None
    if has(inner, "_parts"):
        found = inner._parts()  # type: ignore[attr-defined]
    if found is not None and pipelines.parts(given, function)[1]:
        raise _scalers_before(function)
    return found


def _after(scalers: list[Any], member: Any, function: str) -> Any:
    """A member that takes what a pipeline's scalers take."""
    if not scalers:
        return member
    found = copy.copy(member)
    found._net = pipelines.scaled(member._network(), scalers, function)
    return found


def _scalers_before(function: str) -> TypeError:
    return TypeError(f"{function}: expected a model of tables without scalers before it")


class Estimator(Protocol):
    """A fitted estimator of `eigenmlp.sklearn` or `eigenmlp.tables`, or what scikit-learn has
    around one: a pipeline of scalers and it, a search whose best one it is.
    """


class Columns(Protocol):
    """The columns of a table, before its network: those of `eigenmlp.tables`, by their places."""

    columns: list[Any]  # each has a kind, a name, a width and what it has learnt
    places: list[int]


class Table(NamedTuple):
    """What a model of `eigenmlp.tables` makes the network's inputs of."""

    encoder: Columns
    names: list[str]  # of all columns
    named: bool  # or they are x0, x1, …


def table(net: object) -> Table | None:
    """The table of a model; None for a network on its own."""
    inner = pipelines.inner(net)
    return Table(*inner._table()) if has(inner, "_table") else None  # type: ignore[attr-defined]


def network(given: object, function: str, tables: bool = False) -> MLP:
    """A copy of `given`, or of an estimator's network, if it is one of finite numbers; what scales
    its inputs in a pipeline is among its units.

    A copy, so that all that is read of it is of one moment, also where another thread trains.
    Models of tables are refused but by functions that write their columns too.
    """
    net, scalers = pipelines.parts(given, function)
    if has(net, "_table") and not tables:
        raise TypeError(
            f"{function}: expected a network, got a {type(net).__name__}, whose columns need more: "
            "use onnx.export, or to_c for numbers; its network alone is network_"
        )
    if has(net, "_table") and scalers:
        raise _scalers_before(function)
    if not isinstance(net, MLP) and has(net, "_network"):
        of_estimator = net._network  # type: ignore[attr-defined]
        if callable(of_estimator):
            net = of_estimator()  # which complains if it is not fitted
    if is_ensemble(net):
        raise TypeError(
            f"{function}: expected one network, got a {type(net).__name__} of several: use its "
            "`members_`, one by one, and average what they give by `weights_`"
        )
    if not isinstance(net, MLP):
        raise TypeError(
            f"{function}: expected an MLP or an estimator of eigenmlp.sklearn, got "
            f"{type(net).__name__}"
        )
    net = copy.copy(net) if not scalers else pipelines.scaled(net, scalers, function)
    if not np.isfinite(net.parameters).all():
        raise ValueError(f"{function}: expected finite parameters, got NaN or Inf")
    return net


def class_names(net: object, function: str) -> NDArray[Any] | None:
    """What an estimator calls its classes; None for a network, several labels and regression.

    At least two, in int64, uint64 (if one is above int64's), bool, float32, float64, or as objects
    that are strings UTF-8 can hold.
    """
    names = getattr(net, "classes_", None)
    if isinstance(net, MLP) or names is None:
        return None
    inner = network(net, function, tables=True)
    if loss_of(inner).name == "sigmoid_cross_entropy" and inner.layer_sizes[-1] > 1:
        return None
    names = np.resize(names, max(2, len(names)))  # one class has two probabilities too
    if names.dtype.kind in "iu":
        return names.astype(np.int64 if names.max() <= np.iinfo(np.int64).max else np.uint64)
    if names.dtype.kind == "b":
        return names
    if names.dtype.kind == "f":
        return _as_floats(names, function)
    if names.dtype.kind in "OU" and all(isinstance(name, str) for name in names.tolist()):
        return _as_strings(names, function)
    raise ValueError(
        f"{function}: expected classes that are numbers or strings, got {names.dtype}: "
        f"{shown(names.tolist())}"
    )


def _as_floats(names: NDArray[Any], function: str) -> NDArray[Any]:
    """float32 for what is smaller; float64 for long doubles that have one."""
    if names.dtype.itemsize <= 8:
        return names.astype(np.result_type(names, np.float32))
    with np.errstate(over="ignore"):
        floats = names.astype(np.float64)
    if (lost := floats != names).any():
        raise ValueError(
            f"{function}: expected classes that are float64, got {shown(names[lost][0])}"
        )
    return floats


def _as_strings(names: NDArray[Any], function: str) -> NDArray[Any]:
    for name in names.tolist():
        try:
            name.encode()
        except UnicodeEncodeError:
            raise ValueError(
                f"{function}: expected classes that UTF-8 can hold, got {shown(name)}, with a "
                "surrogate"
            ) from None
    return names.astype(object)


def layers(net: MLP) -> list[Layer]:
    """The layers in their order."""
    texts = [*net.config["activation"], net.config["output_activation"]]
    return [
        Layer(W, b, described(text, ACTIVATIONS, "activation"))
        for (W, b), text in zip(net._layers(), texts, strict=True)
    ]


def loss_of(net: MLP) -> Loss:
    """The loss with its parameters."""
    return net._loss_object


class UnitsOf(NamedTuple):
    """``Y = f((X - m) * s) * a + b``, in float64.

    Each None if it does nothing, a float, or an array (columns,).
    """

    m: float | NDArray[Any] | None
    s: float | NDArray[Any] | None
    b: float | NDArray[Any] | None
    a: float | NDArray[Any] | None


def units(net: MLP) -> UnitsOf:
    """The units of a network."""
    own = net._units
    nothing = {"input_shift": 0.0, "input_scale": 1.0, "output_shift": 0.0, "output_scale": 1.0}
    return UnitsOf(*(None if np.all(own[name] == x) else own[name] for name, x in nothing.items()))


class Ending(NamedTuple):
    """How a network ends."""

    activation: Activation
    loss: Loss


# The losses that bring these functions of the last layer themselves.
_LINKS: dict[str, type[Loss]] = {
    "softmax": SoftmaxCrossEntropy,
    "log_softmax": SoftmaxCrossEntropy,
    "sigmoid": SigmoidCrossEntropy,
    "exp": Poisson,
}


def ending(name: str, end: Activation, loss: Loss | None) -> Ending:
    """The end of a network whose outputs are the function `name` of the last layer.

    `end` is that function as an activation (Identity if it is none); `loss` is what the user says.
    A loss that takes logits brings the function itself, if it is the right one.
    """
    link = _LINKS.get(name)
    if isinstance(end, Sigmoid) and end.slope != 1:
        link = None
    if loss is None:
        return Ending(end, SquaredError()) if link is None else Ending(Identity(), link())
    if loss.takes_logits:
        if name != "identity" and type(loss) is not link:
            raise ValueError(f"loss: expected one that goes with {name}, got {shown(loss.text)}")
        return Ending(Identity(), loss)
    if name in ("log_softmax", "exp"):
        expected = _LINKS[name].name
        raise ValueError(
            f"loss: expected {shown(expected)}, which {name} goes with, got {shown(loss.text)}"
        )
    return Ending(end, loss)
