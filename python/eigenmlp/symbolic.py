"""Small networks as SymPy expressions: outputs, loss and gradient, in symbols or in numbers.

Needs ``pip install sympy``. The symbols, plain ones, so that strings name them:

- ``x0, x1, …``: the inputs of one row
- ``t0, t1, …``: its targets; for softmax_cross_entropy its probabilities (1 at the label, else 0)
- ``W0_0_0, …, b0_0, …``: the parameters, named as in ``W0[0, 0]``, in the order of `MLP.parameters`

The formulas are those of the twin's tables, so every activation and loss is there; of a network
with ``compute_dtype="bfloat16"`` they have the float32 parameters, and no rounding. Expressions
are SymPy's own from there on: ``diff``, ``subs``, ``series``, ``sympy.hessian``,
``sympy.lambdify(…, cse=True)``, ``sympy.latex``.

>>> import eigenmlp as em
>>> net = em.MLP([2, 1], output_activation="tanh", loss="squared_error", seed=0)
>>> em.symbolic.expression(net)[0]
tanh(W0_0_0*x0 + W0_1_0*x1 + b0_0)
>>> em.symbolic.gradient(net)[2]  # by b0[0]
(1 - tanh(W0_0_0*x0 + W0_1_0*x1 + b0_0)**2)*(-2*t0 + 2*tanh(W0_0_0*x0 + W0_1_0*x1 + b0_0))

One bias shared by all units is a substitution:

>>> shared = em.symbolic.expression(net).subs("b0_0", "b")
>>> float(shared.subs({"b": 0, "x0": 0, "x1": 0})[0])
0.0
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._inputs import checks
from .mlp import MLP
from .reference.activation import ACTIVATIONS, ROW_ACTIVATIONS
from .reference.choice import parse
from .reference.loss import LOSSES

try:
    import sympy
except ImportError as error:
    raise ImportError("expressions need SymPy: pip install sympy") from error

LIMIT = 500


def inputs(net: MLP) -> list[Any]:
    """The symbols x0, x1, … of one row's inputs (D)."""
    return _symbols(f"x{i}" for i in range(_network(net).layer_sizes[0]))


def targets(net: MLP) -> list[Any]:
    """The symbols t0, t1, … of one row's targets (K)."""
    return _symbols(f"t{k}" for k in range(_network(net).layer_sizes[-1]))


def parameters(net: MLP) -> list[Any]:
    """The symbols W0_0_0, …, b0_0, … in the order of `MLP.parameters` (P)."""
    return [symbol for layer in _layers(net) for part in layer for symbol in part.ravel()]


def values(net: MLP) -> dict[Any, Any]:
    """The network's numbers by symbol, exactly: for ``xreplace``, or ``subs``, which is slower.

    Examples
    --------
    >>> import eigenmlp as em
    >>> net = em.MLP([1, 1], init="zeros", loss="squared_error")
    >>> net.parameters = [2.0, 0.5]
    >>> em.symbolic.values(net)
    {W0_0_0: 2.00000000000000, b0_0: 0.500000000000000}
    >>> em.symbolic.expression(net).subs(em.symbolic.values(net))[0]
    2.0*x0 + 0.5
    """
    numbers = map(sympy.Float, _network(net).parameters.astype(np.float64).tolist())
    return dict(zip(parameters(net), numbers, strict=True))


def expression(net: MLP, numbers: bool = False, limit: int = LIMIT) -> Any:
    """The outputs of one row, as `MLP.forward` gives them: logits for the cross-entropies.

    Parameters
    ----------
    net : MLP
    numbers : bool
        With the network's numbers in place of symbols for its parameters.
    limit : int
        Networks with more paths from an input to an output than this are refused: the size of
        an expression grows with them, and SymPy's time with its size.

    Returns
    -------
    sympy.Matrix (K, 1)

    Raises
    ------
    ValueError
        If the network is too large.

    Examples
    --------
    >>> import eigenmlp as em
    >>> net = em.MLP([1, 2, 1], activation="relu", init="zeros", loss="squared_error", bias=False)
    >>> net.parameters = [1.0, -1.0, 2.0, 3.0]
    >>> em.symbolic.expression(net, numbers=True).subs("x0", 5)
    Matrix([[10.0]])
    """
    numbers = checks.checked_bool(numbers, "numbers")
    outputs = sympy.Matrix(_in_units(net, _passes(net, limit)[-1].Y))
    return outputs.xreplace(values(net)) if numbers else outputs


def loss(net: MLP, numbers: bool = False, limit: int = LIMIT) -> Any:
    """The loss of one row, with targets t0, t1, …: what `MLP.loss` gives for that row alone.

    `MLP.loss` of several rows is the mean of theirs, in which each counts by the class weight of
    its label if there are any; with ``reduction="sum"`` the sum, and class weights are within.
    segment_cross_entropy, whose terms are of several rows, is refused.
    Parameters and errors are those of `expression`.

    Examples
    --------
    >>> import eigenmlp as em
    >>> net = em.MLP([1, 2], init="zeros")  # softmax_cross_entropy
    >>> em.symbolic.loss(net, numbers=True).subs({"t0": 1, "t1": 0})
    log(2)
    """
    numbers = checks.checked_bool(numbers, "numbers")
    outputs = _in_units(net, _passes(net, limit)[-1].Y)
    value = _loss(_loss_of_rows(net), outputs, targets(net))
    return value.xreplace(values(net)) if numbers else value


def gradient(net: MLP, numbers: bool = False, limit: int = LIMIT) -> Any:
    """The derivatives of `loss` by `parameters`, in their order.

    Parameters and errors are those of `expression`.

    Returns
    -------
    sympy.Matrix (P, 1)

    Examples
    --------
    >>> import eigenmlp as em
    >>> net = em.MLP([1, 1], loss="squared_error")
    >>> em.symbolic.gradient(net)
    Matrix([
    [x0*(2*W0_0_0*x0 + 2*b0_0 - 2*t0)],
    [     2*W0_0_0*x0 + 2*b0_0 - 2*t0]])
    """
    numbers = checks.checked_bool(numbers, "numbers")
    passes, T, name = _passes(net, limit), targets(net), _loss_of_rows(net)
    dY = _vjp(lambda Y: [_loss(name, _in_units(net, Y), T)], passes[-1].Y, [sympy.S.One])
    slopes: list[Any] = []  # dW0, db0, dW1, db1, …, filled from the end
    for (activation, X, Z, _), (W, *b) in zip(passes[::-1], _layers(net)[::-1], strict=True):
        dZ = _vjp(partial(_activated, activation), Z, dY)
        slopes = [*(x * dz for x in X for dz in dZ), *(dZ if b else []), *slopes]
        dY = [sympy.Add(*(w * dz for w, dz in zip(row, dZ, strict=True))) for row in W]
    result = sympy.Matrix(slopes)
    return result.xreplace(values(net)) if numbers else result


class _Pass(NamedTuple):
    """A layer's expressions: Z = X W + b, Y = f(Z)."""

    activation: str
    X: list[Any]
    Z: list[Any]
    Y: list[Any]


def _passes(net: MLP, limit: int) -> list[_Pass]:
    sizes, config = _network(net).layer_sizes, net.config
    limit = checks.integer(limit, "limit")
    if (paths := prod(sizes)) > limit:
        count = f"{paths:,}" if paths <= checks.INT64 else "more than 2⁶³"
        raise ValueError(
            f"symbolic: expected a network with at most {limit:,} paths from an input to an "
            f"output, got {' · '.join(map(str, sizes)):.80} = {count}; a larger limit= lets "
            "it pass, and takes SymPy long"
        )
    m, s, _, _ = _units(net)
    X = [scale * (x - shift) for x, shift, scale in zip(inputs(net), m, s, strict=True)]
    passes = []
    names = [*config["activation"], config["output_activation"]]
    for name, (W, *b) in zip(names, _layers(net), strict=True):
        Z = [
            sympy.Add(*(x * w for x, w in zip(X, W[:, k], strict=True)), *(c[k] for c in b))
            for k in range(W.shape[1])
        ]
        passes.append(_Pass(name, X, Z, _activated(name, Z)))
        X = passes[-1].Y
    return passes


def _units(net: MLP) -> list[list[Any]]:
    """Shift and scale of inputs, shift and scale of outputs, as numbers of SymPy."""
    D, K = net.layer_sizes[0], net.layer_sizes[-1]
    columns = _network(net)._units.columns(D, K)
    exact = {0.0: sympy.S.Zero, 1.0: sympy.S.One}
    return [[exact.get(x, sympy.Float(x)) for x in column.tolist()] for column in columns]


def _in_units(net: MLP, Y: list[Any]) -> list[Any]:
    """Outputs in the user's units, from the last layer's."""
    _, _, b, a = _units(net)
    return [scale * y + shift for y, scale, shift in zip(Y, a, b, strict=True)]


def _vjp(function: Callable[[list[Any]], list[Any]], Z: list[Any], dY: list[Any]) -> list[Any]:
    """dZ: the derivatives of Σ dY · function(Z), by the chain rule, which keeps them small."""
    at = [sympy.Dummy() for _ in Z]
    Y = function(at)
    back = dict(zip(at, Z, strict=True))
    return [
        sympy.Add(*(dy * y.diff(z).xreplace(back) for dy, y in zip(dY, Y, strict=True))) for z in at
    ]


def _network(net: object) -> MLP:
    if not isinstance(net, MLP):
        raise TypeError(f"symbolic: expected an MLP, got {type(net).__name__}")
    return net


def _loss_of_rows(net: MLP) -> str:
    """The loss, which must be a sum over rows."""
    if _network(net)._of_choices:
        raise ValueError(f"symbolic: expected a loss of single rows, got {net.config['loss']}")
    return str(net.config["loss"])


def _symbols(names: Any) -> list[Any]:
    return [sympy.Symbol(name) for name in names]


def _layers(net: MLP) -> list[list[NDArray[Any]]]:
    """The symbols W (in, out) and, with biases, b (out,) of each layer."""
    layers = []
    for layer, (D, K) in enumerate(pairwise(_network(net).layer_sizes)):
        W = _symbols(f"W{layer}_{i}_{j}" for i in range(D) for j in range(K))
        b = _symbols(f"b{layer}_{j}" for j in range(K))
        parts = [np.array(W, dtype=object).reshape(D, K), np.array(b, dtype=object)]
        layers.append(parts if net.config["bias"] else parts[:1])
    return layers


def _activated(text: str, Z: list[Any]) -> list[Any]:
    name, given = parse(text)
    if name in ROW_ACTIVATIONS:  # softmax
        E = [sympy.exp(z) for z in Z]
        return [e / sympy.Add(*E) for e in E]
    formula = _formula(ACTIVATIONS[name], given)
    return [formula.xreplace({sympy.Symbol("z"): z}) for z in Z]


def _loss(text: str, Y: list[Any], T: list[Any]) -> Any:
    """Of one row, of which a mean and a sum are the same."""
    name, given = parse(text)
    if name == "softmax_cross_entropy":
        return _softmax_cross_entropy(Y, T, **given)
    y, t = sympy.Symbol("y"), sympy.Symbol("t")
    return sympy.Add(
        *(
            _formula(LOSSES[name], given, k).xreplace({y: a, t: b})
            for k, (a, b) in enumerate(zip(Y, T, strict=True))
        )
    )


def _softmax_cross_entropy(
    Y: list[Any],
    T: list[Any],
    label_smoothing: float = 0.0,
    class_weight: list[float] | None = None,
    reduction: str = "mean",
) -> Any:
    """-Σ t log p, with log p = y - log Σ exp(y).

    A class weight w counts in a sum only: the mean over one row is w l / w.
    """
    smoothing = sympy.nsimplify(label_smoothing, rational=True)
    log_sum = sympy.log(sympy.Add(*map(sympy.exp, Y)))
    smoothed = [(1 - smoothing) * t + smoothing / len(T) for t in T]
    value = sympy.Add(*(t * (log_sum - y) for y, t in zip(Y, smoothed, strict=True)))
    if class_weight is None or reduction == "mean":
        return value
    weights = [sympy.nsimplify(w, rational=True) for w in class_weight]
    return value * sympy.Add(*(w * t for w, t in zip(weights, T, strict=True)))


def _formula(entry: Any, given: dict[str, Any], output: int = 0) -> Any:
    """What a file of the twin says in SymPy's syntax, with the values of its parameters.

    Of a parameter with a value for each output, the one for `output`.
    """
    real = {name: sympy.Symbol(name, real=True) for name in "zyt"}
    numbers = {}
    for name, value in {**getattr(entry, "parameters", {}), **given}.items():
        if isinstance(value, (list, tuple)):
            value = value[output if len(value) > 1 else 0]
        if not isinstance(value, str):  # such as "sum", which says nothing of one row
            numbers[name] = sympy.nsimplify(value, rational=True)
    formula = sympy.sympify(entry.formula, locals={**real, **numbers})
    if formula.has(sympy.Abs):  # whose derivative would be an expression in complex numbers
        formula = formula.rewrite(sympy.Piecewise)
    return formula.xreplace({symbol: sympy.Symbol(name) for name, symbol in real.items()})
