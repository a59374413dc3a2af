"""Two rows and their outputs in a model file, which `load` computes again and compares.

That tells a processor, a backend or a version of the library that computes something else than what
was saved. What rounding alone may do follows from the arithmetic: see `_bound`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._backends.protocols import Network
from .._inputs import checks
from .._network.network import DenseNetwork

Array = NDArray[Any]

X_NAME, Y_NAME = "sample.X", "sample.Y"
ROWS = 2
_ULPS = 8  # of an elementary function: Eigen's are good to 1 to 4, and a formula rounds some more
_DEVIATIONS = 8.0
_BFLOAT16 = 2.0**-7  # relative distance of its numbers
_BLOCK = 1 << 20  # weights at a time in float64


def sample(net: DenseNetwork, network: Network) -> dict[str, Array]:
    """Rows (2, D) of uint8, a quarter of float32's size, and the outputs (2, K) of net's `network`.

    Inputs are in 0 to about 2 for the layers, or around 0 where they have units. The second row is
    the first one's complement, so that units that one leaves at 0 may answer to the other.
    """
    scale, most = net._units.input_scale, 255
    if net._units.are_plain and isinstance(scale, float):
        most = int(min(255.0, max(1.0, 2 / max(abs(scale), 1 / 255))))
    first = np.random.default_rng(0).integers(0, most, net._sizes[0], np.uint8, endpoint=True)
    X = np.stack([first, np.uint8(most) - first])
    Y = network.forward(_rows(net, X))
    assert Y is not None  # X is what any network takes
    return {X_NAME: X, Y_NAME: Y}


def _rows(net: DenseNetwork, X: Array) -> Array:
    """The rows that bytes X stand for; where inputs have units, around their means."""
    if net._units.are_plain:
        return X
    m, s, _, _ = net._units.columns(net._sizes[0], net._sizes[-1])
    with np.errstate(over="ignore"):
        rows: Array = m + (X / 128 - 1) / np.where(s == 0, 1, s)
    return np.where(np.abs(rows) < checks.largest(net._dtype), rows, m)


def check(net: DenseNetwork, arrays: dict[str, Array]) -> None:
    """Refuse a network that does not give the outputs that a file says."""
    X = _rows(net, arrays[X_NAME])
    with np.errstate(all="ignore"):
        expected = arrays[Y_NAME].astype(np.float64)
        bound = _bound(net, X)
        difference = np.abs(net.forward(X).astype(np.float64) - expected)
        wrong = np.isfinite(bound) & ~(difference <= bound)
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"the stored sample: expected output [{row}, {column}] within "
            f"{bound[row, column]:.3g} of {expected[row, column]:.9g}, got a difference of "
            f"{difference[row, column]:.3g}: the file was altered, or this installation computes "
            "something else"
        )


def _bound(net: DenseNetwork, X: Array) -> Array:
    """How far the outputs (N, K) of two correct implementations may be apart; Inf or NaN: any.

    A probabilistic error analysis (Higham and Mary 2019, https://doi.org/10.1137/18M1226312) along
    a pass in float64: rounding errors count as independent, so that their squares add. The bounds
    of worst cases grow with D instead of √D, layer by layer, and would allow any output of a large
    network. With u the distance of 1 to the next number, E is 8 standard deviations:
    - a sum of D products and a bias, in any order, has D + 2 errors of at most u Σ |x w|, and
      those of all x, which f may have made 8 u too large each, of 8 u Σ |x w| together;
    - the errors of x bring √(E² @ W²);
    - where operands are rounded to bfloat16, an x may end at a neighbour, 2⁻⁷ away; two of those
      are allowed for each. The rounded weights are the same for all;
    - an elementwise function f is off by 8 u |f|, and by what f does within z ± E;
    - softmax, p exp(e) / Σ p exp(e) with |e| ≤ E, is off by the factor exp(2 E);
    - what is too small for a normal number may become 0;
    - where Σ |x w| comes near the largest number, anything may overflow.
    For sums of up to 64 terms all that is no less than the worst case. Both implementations may be
    off by that much, to either side: hence 2.
    """
    from ..reference import activation as activations

    info = np.finfo(net._dtype)
    u, tiny, most = float(info.eps), float(info.tiny), float(info.max) / 2
    m, s, b_out, a_out = net._units.columns(net._sizes[0], net._sizes[-1])
    Y: Array = (X.astype(np.float64) - m) * s
    E: Array = 2 * u * np.abs(Y) + tiny
    for name, (W, b) in zip(net._all_activations, net._layers(), strict=True):
        if net._rounds:
            E = np.hypot(E, 2 * _BFLOAT16 * np.abs(Y)) + tiny
        Z, size, E = _product(Y, E, W, net._rounds)
        if b is not None:
            Z, size = Z + b, size + np.abs(b)
        E = np.hypot(E, _DEVIATIONS * u * size * np.sqrt(len(W) + 2 + _ULPS**2)) + len(W) * tiny
        E = np.where(size + E < most, E, np.inf)
        if name in activations.ROW_ACTIVATIONS:
            Y = activations.forward(name, Z)
            widest = E.max(axis=1, keepdims=True) + u * np.ptp(Z, axis=1, keepdims=True)
            E = Y * (np.expm1(2 * widest) + (Z.shape[1] + _ULPS) * u) + tiny
            continue
        f = activations.find(name).value
        Y = f(Z)
        moved = np.maximum(np.abs(f(Z + E) - Y), np.abs(f(Z - E) - Y))
        moved[~np.isfinite(E)] = np.inf  # where NaN may come, also of a bounded f
        E = moved + _ULPS * u * np.abs(Y) + tiny * (1 + np.abs(Z))
    if not net._units.are_plain:  # two roundings, and those of a and b
        E = E * a_out + 2 * u * (np.abs(Y) * a_out + np.abs(b_out)) + tiny
    return 2 * E


def _product(X: Array, E: Array, W: Array, rounds: bool) -> tuple[Array, Array, Array]:
    """``X @ W``, ``|X| @ |W|`` and ``√(E² @ W²)`` in float64, by blocks of W's rows."""
    from ..reference.bfloat16 import rounded

    Z, size, squares = np.zeros((3, len(X), W.shape[1]))
    rows = max(1, _BLOCK // W.shape[1])
    for i in range(0, len(W), rows):
        part = W[i : i + rows]
        part = (rounded(part) if rounds else part).astype(np.float64)
        Z += X[:, i : i + rows] @ part
        np.abs(part, out=part)
        size += np.abs(X[:, i : i + rows]) @ part
        squares += E[:, i : i + rows] ** 2 @ np.square(part, out=part)
    return Z, size, np.sqrt(squares)
