"""What is measured: networks, batches and goals, and the data that every peer gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

MOMENTUM = 0.9
CHECK_LR = 0.01  # of the steps whose losses are compared
TIMED_LR = 1e-6  # keeps millions of steps on one batch away from saturation and denormals
CHECK_STEPS = 3


class Unsupported(Exception):
    """This library has no such task."""


@dataclass(frozen=True)
class Task:
    """A network, a batch, what is done with it, and the issue's goals."""

    name: str
    kind: str  # train or predict
    sizes: list[int]
    rows: int
    activation: str = "relu"
    output_activation: str = "identity"
    loss: str = "softmax_cross_entropy"
    isa: bool = False  # compares our own instruction sets
    bfloat16: bool = False  # compares bfloat16 with our own float32, and with PyTorch's both
    float32_goal: float | None = None  # times our own float32
    ratio_goal: float | None = None
    share_goal: float | None = None
    p50_goal: float | None = None  # microseconds
    calls_one_by_one: bool = False  # times every call, for p50 and p99
    yardsticks: tuple[str, ...] = ()  # peers that count besides the usual ones

    @property
    def operations(self) -> float:
        """Of one step: 4 · in · out · N for the first layer, which needs no input gradient."""
        return operations(self.kind, self.sizes, self.rows)

    @property
    def tolerance(self) -> float:
        """Of losses, relative."""
        return 2e-2 if self.bfloat16 else 1e-3

    @property
    def title(self) -> str:
        shape = "-".join(map(str, self.sizes))
        if self.kind == "train":
            return f"train {shape}, batch {self.rows}"
        return f"predict {self.rows:,} row{'s' * (self.rows > 1)}, {shape}"


def operations(kind: str, sizes: list[int], rows: int) -> float:
    """Of a training step or a prediction: the products' multiplications and additions."""
    products = [a * b for a, b in pairwise(sizes)]
    if kind == "predict":
        return 2.0 * rows * sum(products)
    return rows * (4.0 * products[0] + 6.0 * sum(products[1:]))


_B, _C, _D = [784, 128, 10], [784, 512, 512, 10], [1024, 2048, 2048, 1000]
_BF16 = {"bfloat16": True}

TASKS = {
    task.name: task
    for task in (
        Task("xor", "train", [2, 3, 1], 4, "sigmoid", "sigmoid", "squared_error", ratio_goal=60),
        Task("A", "train", [64, 50, 10], 100, ratio_goal=10, share_goal=0.40),
        Task("table-30", "train", [30, 100, 100, 2], 200, ratio_goal=4.5),
        Task("table-17", "train", [17, 64, 64, 6], 256, ratio_goal=5),
        Task("B", "train", _B, 64, ratio_goal=5.5, share_goal=0.70),
        Task("C", "train", _C, 128, ratio_goal=2.6, share_goal=0.80),
        Task("D", "train", _D, 1024, ratio_goal=1.25, share_goal=0.80),
        Task("row-B", "predict", _B, 1, ratio_goal=3.5, p50_goal=6, calls_one_by_one=True),
        Task(
            "row-small",
            "predict",
            [40, 100, 100, 10],
            1,
            ratio_goal=2.5,
            p50_goal=1.6,
            calls_one_by_one=True,
            yardsticks=("mlpfile",),
        ),
        Task("rows-B", "predict", _B, 10_000, ratio_goal=1.2, share_goal=0.75),
        Task("isa-B", "train", _B, 64, isa=True, ratio_goal=0.5),
        Task("isa-C", "train", _C, 128, isa=True, ratio_goal=0.5, share_goal=0.80),
        Task("isa-D", "train", _D, 1024, isa=True, ratio_goal=0.5, share_goal=0.80),
        Task("bf16-B", "train", _B, 64, ratio_goal=15, float32_goal=1.6, **_BF16),
        Task("bf16-C", "train", _C, 128, ratio_goal=6, float32_goal=2.8, **_BF16),
        Task("bf16-D", "train", _D, 1024, ratio_goal=2.2, float32_goal=4.5, **_BF16),
        Task("bf16-rows", "predict", _C, 10_000, ratio_goal=2, float32_goal=3, **_BF16),
    )
}


def task_of(name: str) -> Task:
    """One of the table, or any network: `train:784-128-10:64`."""
    if name in TASKS:
        return TASKS[name]
    kind, sizes, rows = name.split(":")
    return Task(name, kind, [int(size) for size in sizes.split("-")], int(rows))


@dataclass(frozen=True)
class Data:
    """The same for every peer: made from the task's name alone."""

    weights: list[Array]  # (in, out) each
    biases: list[Array]  # (out,)
    X: Array  # (N, D)
    y: Array  # (N,) labels, or (N, K) targets

    @classmethod
    def of(cls, task: Task) -> Data:
        rng = np.random.default_rng(sum(task.sizes) + task.rows)
        layers = list(pairwise(task.sizes))
        weights = [np.sqrt(2 / a) * rng.standard_normal((a, b), np.float32) for a, b in layers]
        biases = [np.float32(0.1) * rng.standard_normal(b, np.float32) for _, b in layers]
        if task.loss == "squared_error":
            X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
            y = np.array([[0], [1], [1], [0]], np.float32)
        else:
            # Around 0, so that no unit of the first layer is dead for a whole batch.
            X = rng.standard_normal((task.rows, task.sizes[0]), np.float32)
            y = rng.integers(0, task.sizes[-1], task.rows)
        return cls([W.astype(np.float32) for W in weights], biases, X, y)


@dataclass
class Program:
    """One library, ready to do one task: what a peer's `make` returns.

    `first` does one step and returns the loss before its update, or, to predict, returns the
    outputs (N, K) before any softmax. `call` does `steps` of them as fast as the library can, and
    may leave work behind that `finish` waits for.
    """

    first: Callable[[], Any]
    call: Callable[[], object]
    steps: int = 1
    finish: Callable[[], object] | None = None
    notes: dict[str, object] = field(default_factory=dict)


def output_loss(Y: Array, y: Array) -> float:
    """Softmax cross-entropy of logits (N, K) against labels (N,), in float64."""
    Z = np.asarray(Y, np.float64)
    Z = Z - Z.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(Z).sum(axis=1)) - Z[np.arange(len(Z)), y]))
