"""Trajectories beside PyTorch's, in float64: a witness that shares no code with the library.

Runs where torch is installed (`pip install torch`, or the extra `bench`).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backend import BACKENDS
from eigenmlp.optimizers import OPTIMIZERS, Optimizer

torch: Any = pytest.importorskip("torch")

SIZES, N, BATCH, STEPS = [6, 9, 4], 60, 12, 200
RNG = np.random.default_rng(3)
X, Y = RNG.normal(0, 1, (N, SIZES[0])), RNG.integers(0, SIZES[-1], N)

EVERY_OPTIMIZER = [
    *(kind(0.01) for kind in OPTIMIZERS.values()),
    em.SGD(0.05, momentum=0.9, weight_decay=0.01),
    em.SGD(0.05, momentum=0.8, nesterov=True, weight_decay=0.01),
    em.Adam(0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.01),
    em.AdamW(0.01, betas=(0.7, 0.9), weight_decay=0.1),
    em.RMSprop(0.005, alpha=0.9, eps=1e-6, weight_decay=0.01, momentum=0.5),
    em.RMSprop(0.005, alpha=0.9, eps=1e-2, centered=True, momentum=0.9),
]


def start(backend: str = "native") -> em.MLP:
    return em.MLP(SIZES, activation="tanh", dtype="float64", seed=0, backend=backend)


def torch_network(net: em.MLP) -> Any:
    """The same network, with the same parameters."""
    layers: list[Any] = []
    for W, b in zip(net.weights, net.biases, strict=True):
        linear = torch.nn.Linear(*W.shape, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(W.T))
            linear.bias.copy_(torch.tensor(b))
        layers += [linear, torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1])


def torch_optimizer(optimizer: Optimizer, model: Any, lr: float) -> Any:
    """Its namesake there; weight decay on weights, not on biases."""
    options = optimizer.arguments(optimizer.hyper())
    decay = options.pop("weight_decay")
    weights = [p for p in model.parameters() if p.ndim == 2]
    biases = [p for p in model.parameters() if p.ndim == 1]
    groups = [
        {"params": weights, "weight_decay": decay},
        {"params": biases, "weight_decay": 0.0},
    ]
    return getattr(torch.optim, type(optimizer).__name__)(groups, lr=lr, **options)


def torch_run(
    optimizer: Optimizer, lr: float, schedule: Callable[[Any], Any] | None = None
) -> tuple[Any, list[float]]:
    """Parameters, in our order, and the loss of every step."""
    model = torch_network(start())
    rule = torch_optimizer(optimizer, model, lr)
    scheduler = schedule(rule) if schedule else None
    losses = []
    for step in range(STEPS):
        rows = slice(step * BATCH % N, step * BATCH % N + BATCH)
        rule.zero_grad()
        loss = torch.nn.functional.cross_entropy(
            model(torch.tensor(X[rows])), torch.tensor(Y[rows])
        )
        loss.backward()
        rule.step()
        if scheduler is not None:
            scheduler.step()
        losses.append(loss.item())
    flat = [p.detach().numpy().T.ravel() for p in model.parameters()]
    return np.concatenate(flat), losses


def our_run(optimizer: Optimizer, backend: str) -> tuple[Any, list[float]]:
    trainer = em.Trainer(start(backend), optimizer)
    losses = []
    for step in range(STEPS):
        rows = slice(step * BATCH % N, step * BATCH % N + BATCH)
        losses.append(trainer.step(X[rows], Y[rows]))
    return trainer.net.parameters, losses


def assert_same(ours: tuple[Any, list[float]], theirs: tuple[Any, list[float]]) -> None:
    """Equal to 1e-10, relative to the largest."""
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10 * np.abs(b).max())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("optimizer", EVERY_OPTIMIZER, ids=str)
def test_optimizers(optimizer: Optimizer, backend: str) -> None:
    assert isinstance(optimizer.lr, float)
    theirs = torch_run(optimizer, optimizer.lr)
    assert theirs[1][-1] < 0.9 * theirs[1][0]  # it learns
    assert_same(our_run(optimizer, backend), theirs)
