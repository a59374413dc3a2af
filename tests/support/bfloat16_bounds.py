"""How far apart two implementations of compute_dtype="bfloat16" may be, as the core and the twin.

Both round the same operands, so what they do differently is the order of float32 sums. But an
operand that differs by ever so little may fall to the other side of a border between two bfloat16,
which moves it by 2⁻⁸ of itself. Such errors of the terms of a sum have nothing to do with each
other, so that they add up in squares: K terms of one size are off by √K times as much as one, not
by K times. By Hoeffding's inequality a sum of independent errors of mean 0, each at most c_k, is
beyond t with a probability of at most 2 exp(-t² / 2 Σ c_k²): 3e-8 for t = 6 √(Σ c_k²).
"""

from types import SimpleNamespace

import numpy as np

from eigenmlp import reference

from .bounds import derivative_bound, value_bound

UNIT = 2.0**-8  # relative distance of neighbouring bfloat16
U = 2.0**-23  # of neighbouring float32
SIGMAS = 6


def bounds(twin, X, dY):
    """Of the outputs (N, K) of `twin`, of `vjp`'s gradient (P,) and of its input gradient (N, D).

    E… is √(Σ c_k²) of the number after it. Sums in float32 add n u Σ |a b|, as in float32's own
    bounds (`rounding_bounds`).
    """
    net = twin._network
    N = len(X)
    weights = [W.astype(np.float64) for W in net.weights]
    passes = [
        SimpleNamespace(**{x: getattr(p, x).astype(np.float64) for x in "XZY"})
        for p in net.forward_pass(X)
    ]
    EX, EXs, EZs, EYs = np.zeros(X.shape), [], [], []
    for name, W, p in zip(net.activations, weights, passes, strict=True):
        EXs.append(EX)
        terms = np.abs(p.X) @ np.abs(W) + np.abs(p.Z)
        EZs.append(_in_squares(EX, W) + (len(W) + 2) * U * terms)
        EYs.append(value_bound(name, p.Z, p.Y, EZs[-1], U))
        EX = _operands(p.Y, EYs[-1])
    parts, dY, EdY = [], dY.astype(np.float64), np.zeros(dY.shape)
    for layer in reversed(range(len(passes))):
        p, W, name = passes[layer], weights[layer], net.activations[layer]
        dZ, EdZ = dY, EdY
        if name != "identity":
            dZ = dY * reference.activation.find(name).derivative(p.Z, p.Y)
            EdZ = derivative_bound(name, p.Z, p.Y, dY, EZs[layer], EYs[layer], EdY, U)
        Edb = EdZ.sum(axis=0) + N * U * np.abs(dZ).sum(axis=0)
        EdZ = _operands(dZ, EdZ)
        EdW = np.hypot(_in_squares(EXs[layer].T, dZ), _in_squares(p.X.T, EdZ))
        EdW += (N + 2) * U * (np.abs(p.X).T @ np.abs(dZ))
        parts = [EdW.ravel(), Edb, *parts]
        EdY = _in_squares(EdZ, W.T) + (W.shape[1] + 2) * U * (np.abs(dZ) @ np.abs(W).T)
        dY = dZ @ W.T
    tiny = float(np.finfo(np.float32).tiny)
    return [SIGMAS * E + tiny for E in (EYs[-1], np.concatenate(parts), EdY)]


def _in_squares(E, W):
    return np.sqrt(E**2 @ W**2)


def _operands(A, E):
    """Errors of A once it is rounded; what is the same bits stays so."""
    return np.where(E > 0, E + UNIT * np.abs(A), 0.0)
