"""scikit-learn: `partial_fit` on many batches, so that its checks cost little; `predict_proba`."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.neural_network import MLPClassifier

from .tasks import MOMENTUM, Array, Data, Program, Task, Unsupported

VARIANTS = ("sklearn",)
MODULES = ("sklearn",)


def make(task: Task, data: Data, variant: str, lr: float) -> Program:
    """An MLPClassifier with the task's weights."""
    if task.loss != "softmax_cross_entropy":
        raise Unsupported("no squared error with sigmoid outputs")
    warnings.filterwarnings("ignore")
    net = MLPClassifier(
        task.sizes[1:-1],
        activation=task.activation,
        solver="sgd",
        alpha=0.0,
        batch_size=task.rows,
        learning_rate_init=lr,
        momentum=MOMENTUM,
        nesterovs_momentum=False,
        shuffle=False,
    )
    X, y, classes = data.X, data.y, np.arange(task.sizes[-1])
    net.partial_fit(X, y, classes=classes)  # makes the arrays and the optimizer
    for mine, given in zip(net.coefs_, data.weights, strict=True):
        mine[...] = given
    for mine, given in zip(net.intercepts_, data.biases, strict=True):
        mine[...] = given
    for velocity in net._optimizer.velocities:
        velocity[...] = 0
    if net.coefs_[0].dtype != np.float32:
        raise RuntimeError(f"expected float32, got {net.coefs_[0].dtype}")
    if task.kind == "predict":

        def logits() -> Array:
            return np.log(net.predict_proba(X))  # up to a constant of the row

        return Program(logits, lambda: net.predict_proba(X))

    def first() -> float:
        net.partial_fit(X, y)
        return float(net.loss_)

    steps = int(min(50, max(1, 2e9 / task.operations)))
    Xs, ys = np.tile(X, (steps, 1)), np.tile(y, steps)
    return Program(first, lambda: net.partial_fit(Xs, ys), steps=steps)
