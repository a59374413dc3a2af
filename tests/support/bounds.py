"""How far two correct implementations may be apart."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import eigenmlp as em
from eigenmlp import reference
from eigenmlp.reference import activation as activations
from eigenmlp.reference import loss as losses

from .names import name_of

Array = npt.NDArray[Any]

ULPS = 8  # of an elementary function: Eigen's exp, log1p and tanh are good to 1 to 4, and a formula
# such as 1 / (1 + exp(-z)) rounds some more times


@dataclass
class Bounds:
    """Elementwise bounds on what rounding may do to each result of one pass."""

    Y: Array
    loss: float
    gradient: Array
    vjp_gradient: Array
    input_gradient: Array


def rounding_bounds(
    net: em.MLP, X: Array, T: Array, dY: Array | None = None, weights: Array | None = None
) -> Bounds:
    """How far `net`'s results in its dtype may lie from those of another correct implementation.

    A running error analysis (Higham, Accuracy and Stability of Numerical Algorithms, chapter 3)
    along the twin in float64. With u the unit in the last place of 1:
    - a sum of n products, added in any order, with or without fused multiply-adds, is off by at
      most n u Σ |a b|, and by what the errors of a and b bring: |A| @ E_B + E_A @ |B| + E_A @ E_B;
    - an elementwise function f is off by ULPS u |f| and by what f does within z ± E_z. It is
      evaluated there, so that where z may be on either side of a kink, f' may be either slope;
    - what is too small for a normal number may be 0 instead, and then be multiplied by z.
    Two implementations may each be off by that much to either side: hence the factor 2 at the end.
    """
    u, tiny = float(np.finfo(net.dtype).eps), float(np.finfo(net.dtype).tiny)
    twin = reference.Network(
        net.layer_sizes,
        net._all_activations,
        net._loss_object.core_text,
        net._bias,
        net.input_scale,
    )
    twin.set_parameters(net.parameters.astype(np.float64))
    T = T if T.ndim == 1 else T.astype(np.float64)
    passes = twin.forward_pass(X.astype(np.float64))
    N = len(X)

    EX, EZs, EYs = 2 * u * np.abs(passes[0].X), [], []
    for name, W, p in zip(twin.activations, twin.weights, passes, strict=True):
        terms = np.abs(p.X) @ np.abs(W) + np.abs(p.Z)  # |z| ≤ Σ |x w| + |b|
        EZs.append(EX @ np.abs(W) + (len(W) + 2) * u * (2 * terms) + tiny)
        EX = value_bound(name, p.Z, p.Y, EZs[-1], u) + tiny * (1 + np.abs(p.Z))
        EYs.append(EX)

    Y, EY = passes[-1].Y, EYs[-1]
    loss = losses.find(net._loss_object.core_text)
    w = np.ones(N) if weights is None else weights
    share = w if losses.is_sum(net._loss_object.core_text) else w / w.sum()
    row_loss, slope = loss.value(Y, T), loss.derivative(Y, T)
    # The slope may change by what it does within y ± E_y, or by E_y where ∂²l/∂y² is at most 1.
    if loss.formula is None:
        moved = 2 * EY.max(axis=1, keepdims=True)
    else:
        ends = [loss.derivative(Y + EY, T), loss.derivative(Y - EY, T)]
        moved = np.maximum(*[np.abs(end - slope) for end in ends])
    # The loss is a sum over K of terms no larger than l + Σ|y| + 1; the slope a difference of
    # numbers no larger than itself and t.
    size = np.abs(Y).sum(axis=1)
    K = Y.shape[1]
    Erow = ((np.abs(slope) + moved) * EY).sum(axis=1)
    Erow += (K + ULPS) * u * (np.abs(row_loss) + size + 1)
    Eloss = float(share @ (Erow + 2 * u * np.abs(row_loss)))
    terms = np.abs(slope) + 1 + (np.abs(T) if T.ndim == 2 else 0)
    Eslope = moved + (K + ULPS + size[:, None]) * u * terms

    def backward(g: Array, Eg: Array) -> tuple[Array, Array]:
        """Bounds of the gradient (P,) and of dX (N, D), from dY and its bounds."""
        parts: list[Array] = []
        for layer in reversed(range(len(passes))):
            p, W = passes[layer], twin.weights[layer]
            name = twin.activations[layer]
            EXl = EYs[layer - 1] if layer else 2 * u * np.abs(p.X)
            dZ = activations.backward(name, p.Z, p.Y, g)
            EdZ = derivative_bound(name, p.Z, p.Y, g, EZs[layer], EYs[layer], Eg, u) + tiny
            EdW = EXl.T @ (np.abs(dZ) + EdZ) + np.abs(p.X).T @ EdZ
            EdW += (N + 2) * u * (np.abs(p.X).T @ np.abs(dZ)) + tiny
            Edb = EdZ.sum(axis=0) + N * u * np.abs(dZ).sum(axis=0) + tiny
            parts = [EdW.ravel(), Edb, *parts] if net._bias else [EdW.ravel(), *parts]
            Eg = EdZ @ np.abs(W).T + (K + len(W.T) + 2) * u * (np.abs(dZ) @ np.abs(W).T) + tiny
            g = dZ @ W.T
        scale = abs(net.input_scale)
        return np.concatenate(parts), scale * (Eg + 2 * u * np.abs(g)) + tiny

    gradient, _ = backward(share[:, None] * slope, share[:, None] * (Eslope + 4 * u))
    dY = np.zeros_like(Y) if dY is None else dY.astype(np.float64)
    vjp_gradient, input_gradient = backward(dY, u * np.abs(dY))
    return Bounds(2 * EY, 2 * Eloss, 2 * gradient, 2 * vjp_gradient, 2 * input_gradient)


def probability_bounds(net: em.MLP, Y: Array, EY: Array) -> Array | None:
    """How far `predict_proba` of two implementations may be apart whose outputs Y are within EY.

    None where the network has no probabilities.
    """
    u, tiny = float(np.finfo(net.dtype).eps), float(np.finfo(net.dtype).tiny)
    loss, output = name_of(net._loss_object.core_text), name_of(net._all_activations[-1])
    if loss.endswith("cross_entropy"):
        link = loss.partition("_")[0]
        P = activations.forward(link, Y)
        return 2 * value_bound(link, Y, P, EY / 2, u) + tiny
    return EY if output in ("softmax", "sigmoid") else None


def value_bound(name: str, Z: Array, Y: Array, EZ: Array, u: float) -> Array:
    """Of Y = f(Z)."""
    if name in activations.ROW_ACTIVATIONS:  # softmax: p_j exp(e_j) / Σ p exp(e), with |e| ≤ E
        E = EZ.max(axis=1, keepdims=True) + u * np.ptp(Z, axis=1, keepdims=True)
        bound: Array = Y * (np.expm1(2 * E) + (Z.shape[1] + ULPS) * u)
        return bound
    f = activations.find(name).value
    moved = np.maximum(np.abs(f(Z + EZ) - Y), np.abs(f(Z - EZ) - Y))
    return moved + ULPS * u * np.abs(Y)


def derivative_bound(
    name: str, Z: Array, Y: Array, g: Array, EZ: Array, EY: Array, Eg: Array, u: float
) -> Array:
    """Of dZ = g f'(Z)."""
    if name in activations.ROW_ACTIVATIONS:  # p ⊙ (g - Σ g p)
        dot = np.abs(g) + (np.abs(g) * Y).sum(axis=1, keepdims=True)
        Edot = Eg + (Eg * Y + np.abs(g) * EY + Eg * EY).sum(axis=1, keepdims=True)
        Edot += (Z.shape[1] + ULPS) * u * dot
        bound: Array = EY * (dot + Edot) + Y * Edot
        return bound
    a = activations.find(name)
    slope = a.derivative(Z, Y)
    up, down = Z + EZ, Z - EZ
    moved = np.maximum(
        np.abs(a.derivative(up, a.value(up)) - slope),
        np.abs(a.derivative(down, a.value(down)) - slope),
    )
    # f' is computed as a difference of numbers up to 1, such as 1 - y², or up to a parameter; not
    # so where it is a slope or two.
    largest = max([1.0, *a.parameters.values()])
    is_linear = name_of(name) in ("identity", "relu", "leaky_relu")
    error = moved + (u * np.abs(slope) if is_linear else ULPS * u * largest)
    bound = Eg * (np.abs(slope) + error) + np.abs(g) * (error + u * np.abs(slope))
    return bound


def assert_within(actual: Any, expected: Any, bound: Any, what: str) -> None:
    """Every number is within its bound; the message names the worst."""
    difference = np.abs(np.asarray(actual, np.float64) - np.asarray(expected, np.float64))
    excess = np.atleast_1d(difference / bound)
    assert np.isfinite(excess).all(), f"{what}: not finite"
    worst = np.unravel_index(int(excess.argmax()), excess.shape)
    assert excess.max() <= 1, f"{what}{[int(i) for i in worst]}: {excess.max():.3g} of its bound"


def assert_same(found: list[Any], expected: list[Any], backend: str, what: str = "") -> None:
    """The same bits; NumPy's products add in an order that depends on strides."""
    for a, b in zip(found, expected, strict=True):
        if backend == "native":
            np.testing.assert_array_equal(a, b, what)
        else:  # some 20 terms a sum and four steps: 100 units in the last place of numbers near 1
            unit = 100 * float(np.finfo(np.float32).eps)
            np.testing.assert_allclose(a, b, rtol=unit, atol=unit, err_msg=what)
