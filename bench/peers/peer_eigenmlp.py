"""Ours: called step by step as the peers are, by the epoch, with one thread, and per ISA level.

The host sets `EIGENMLP_ISA` for the variants `eigenmlp v3` and so on.
"""

from __future__ import annotations

import numpy as np

import eigenmlp as em

from .tasks import MOMENTUM, Data, Program, Task, Unsupported

VARIANTS = (
    "eigenmlp",
    "eigenmlp run",
    "eigenmlp 1 thread",
    "eigenmlp predict",
    "eigenmlp bfloat16",
)
ISA_VARIANTS = ("eigenmlp v4", "eigenmlp v3")
MODULES = ("eigenmlp",)


def make(task: Task, data: Data, variant: str, lr: float) -> Program:
    """The network with the task's weights, and what the variant does with it."""
    if variant.endswith("1 thread"):
        em.set_num_threads(1)
    net = em.MLP(
        task.sizes,
        activation=task.activation,
        output_activation=task.output_activation,
        loss=task.loss,
        compute_dtype="bfloat16" if variant.endswith("bfloat16") else None,
    )
    layers = zip(data.weights, data.biases, strict=True)
    net.parameters = np.concatenate([a.ravel() for layer in layers for a in layer])
    info = em.info()
    program = (_train if task.kind == "train" else _predict)(task, data, variant, lr, net)
    program.notes = {"isa": info["isa"], "threads": info["threads"]}
    return program


def _train(task: Task, data: Data, variant: str, lr: float, net: em.MLP) -> Program:
    if variant == "eigenmlp predict":
        raise Unsupported("predicts")
    trainer = em.Trainer(net, em.SGD(lr, momentum=MOMENTUM), batch_size=task.rows, seed=0)
    X, y = data.X, data.y

    def step() -> float:
        return trainer.step(X, y)

    if variant != "eigenmlp run" and variant not in ISA_VARIANTS:
        return Program(step, step)

    # Some 20 ms of shuffled epochs of 18 batches, as the digits have; XOR's batch is all its rows.
    wanted = int(min(1000, max(1, 2e9 / task.operations)))
    copies = 1 if task.name == "xor" else min(18, wanted)
    epochs = wanted // copies
    Xs = np.tile(X, (copies, 1))
    ys = np.tile(y, (copies,) + (1,) * (y.ndim - 1))
    return Program(
        first=lambda: trainer.run(X, y, 1).loss[0],
        call=lambda: trainer.run(Xs, ys, epochs),
        steps=copies * epochs,
    )


def _predict(task: Task, data: Data, variant: str, lr: float, net: em.MLP) -> Program:
    if variant in ("eigenmlp run", *ISA_VARIANTS):
        raise Unsupported("trains")
    if variant == "eigenmlp 1 thread" and task.rows == 1:
        raise Unsupported("one row takes one thread anyway")
    X = data.X
    out = np.empty((task.rows, task.sizes[-1]), np.float32)
    if variant == "eigenmlp predict":
        return Program(first=lambda: net.forward(X), call=lambda: net.predict(X))
    return Program(first=lambda: net.forward(X).copy(), call=lambda: net.forward(X, out))
