"""Plain NumPy, as one would write it by hand; in float64 it is the oracle of the losses."""

from __future__ import annotations

import numpy as np

from .tasks import MOMENTUM, Array, Data, Program, Task

VARIANTS = ("numpy",)
MODULES = ("numpy",)


def make(task: Task, data: Data, variant: str, lr: float, dtype: str = "float32") -> Program:
    """Forward and backward with `@`; no arrays are reused between steps."""
    Ws = [W.astype(dtype) for W in data.weights]
    bs = [b.astype(dtype) for b in data.biases]
    X = data.X.astype(dtype)
    last = len(Ws) - 1
    if task.kind == "predict":

        def forward() -> Array:
            Y = X
            for W, b in zip(Ws[:-1], bs[:-1], strict=True):
                Y = np.maximum(Y @ W + b, 0)
            return Y @ Ws[-1] + bs[-1]

        return Program(forward, forward)

    names = [task.activation] * last + [task.output_activation]
    parameters = [*Ws, *bs]
    velocities = [np.zeros_like(p) for p in parameters]
    N = len(X)

    def step() -> float:
        Ys = [X]
        for W, b, name in zip(Ws, bs, names, strict=True):
            Ys.append(_activate(name, Ys[-1] @ W + b))
        loss, dY = _loss(task.loss, Ys[-1], data.y)
        dWs, dbs = [], []
        for layer in range(last, -1, -1):
            dZ = dY * _derivative(names[layer], Ys[layer + 1])
            dWs.insert(0, Ys[layer].T @ dZ)
            dbs.insert(0, dZ.sum(axis=0))
            if layer:
                dY = dZ @ Ws[layer].T
        for p, v, g in zip(parameters, velocities, [*dWs, *dbs], strict=True):
            v *= MOMENTUM
            v += g
            p -= lr * v
        return loss

    def _loss(name: str, Y: Array, T: Array) -> tuple[float, Array]:
        if name == "squared_error":
            E = Y - T
            return float((E * E).sum() / N), E * (2 / N)
        Z = Y - Y.max(axis=1, keepdims=True)
        P = np.exp(Z)
        total = P.sum(axis=1, keepdims=True)
        picked = np.arange(N), T
        loss = float(np.log(total).sum() - Z[picked].sum()) / N
        P /= total
        P[picked] -= 1
        P /= N
        return loss, P

    return Program(step, step)


def _activate(name: str, Z: Array) -> Array:
    if name == "relu":
        return np.maximum(Z, 0, out=Z)
    return 1 / (1 + np.exp(-Z)) if name == "sigmoid" else Z


def _derivative(name: str, Y: Array) -> Array | int:
    if name == "relu":
        return Y > 0
    return Y * (1 - Y) if name == "sigmoid" else 1
