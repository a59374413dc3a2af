"""Trajectories beside PyTorch's, in float64: a witness that shares no code with the library.

Runs where torch is installed (`pip install torch`, or the extra `bench`).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from eigenmlp.optimizers import OPTIMIZERS, Optimizer

torch: Any = pytest.importorskip("torch")
lr_scheduler: Any = torch.optim.lr_scheduler
torch.set_num_threads(1)

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
    *(kind(0.01, clip_norm=0.3, l1=1e-3) for kind in OPTIMIZERS.values()),
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
    for ours in ("lr_in_velocity", "raw_eps"):  # other definitions than PyTorch's
        assert not options.pop(ours, False)
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
        size = sum(p.abs().sum() for p in model.parameters() if p.ndim == 2)
        (loss + optimizer.l1 * size).backward()
        if optimizer.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), optimizer.clip_norm)
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


LR = 0.02
SCHEDULES: dict[str, tuple[em.schedules.Schedule, Callable[[Any], Any]]] = {
    "constant": (em.schedules.Constant(LR), lambda o: lr_scheduler.ConstantLR(o, 1.0)),
    "step": (em.schedules.Step(LR, 30, 0.7), lambda o: lr_scheduler.StepLR(o, 30, 0.7)),
    "exponential": (
        em.schedules.Exponential(LR, 0.99),
        lambda o: lr_scheduler.ExponentialLR(o, 0.99),
    ),
    "cosine": (
        em.schedules.Cosine(LR, STEPS, 1e-3),
        lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, 1e-3),
    ),
    "warm-up": (
        em.schedules.WarmUp(20, em.schedules.Exponential(LR, 0.99)),
        lambda o: lr_scheduler.SequentialLR(
            o,
            [lr_scheduler.LinearLR(o, total_iters=20), lr_scheduler.ExponentialLR(o, 0.99)],
            [20],
        ),
    ),
    "one-cycle": (
        em.schedules.OneCycle(LR, STEPS + 1),
        lambda o: lr_scheduler.OneCycleLR(o, LR, STEPS + 1, cycle_momentum=False),
    ),
}


@pytest.mark.filterwarnings("ignore:.*lr_scheduler.step.*:UserWarning")  # torch's, at SequentialLR
@pytest.mark.filterwarnings("ignore:.*epoch parameter.*:UserWarning")
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", OPTIMIZERS.values())
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name: str, kind: type[Optimizer], backend: str) -> None:
    schedule, theirs = SCHEDULES[name]
    assert_same(our_run(kind(schedule), backend), torch_run(kind(schedule), LR, theirs))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"factor": 0.5, "patience": 1, "cooldown": 2},
        {"patience": 0, "threshold": 0.3, "threshold_mode": "abs", "min_lr": 1e-3},
        {"factor": 0.9, "patience": 0, "threshold": 0.0, "eps": 1e-3},
    ],
    ids=str,
)
def test_reduce_on_plateau(options: dict[str, Any]) -> None:
    """The same rates after any losses."""
    losses = np.random.default_rng(0).normal(2, 1, 100) / np.arange(1, 101) ** 0.3
    parameter = torch.nn.Parameter(torch.zeros(1))
    rule = torch.optim.SGD([parameter], lr=0.1)
    theirs = lr_scheduler.ReduceLROnPlateau(rule, **{"factor": 0.1, **options})
    ours = em.schedules.ReduceOnPlateau(0.1, **options)
    plateau = ours.start()
    for loss in losses.tolist():
        theirs.step(loss)
        plateau = ours.after_epoch(plateau, loss)
        assert plateau.lr == rule.param_groups[0]["lr"]
    assert plateau.lr < 0.1
