"""Gathered batches: several are one large batch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from support.bounds import assert_within, rounding_bounds
from support.problems import make_data

backends = pytest.mark.parametrize("backend", BACKENDS)
SIZES, N = [6, 12, 3], 50
X, Y = make_data(SIZES, "softmax_cross_entropy", N, "float32")


def make(backend: str = "native", **options: Any) -> em.MLP:
    return em.MLP(**{"layer_sizes": SIZES, "seed": 0, **options}, backend=backend)


@backends
@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize("clip", [None, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_gathered_batches_are_one_large_batch(
    weighted: bool, clip: float | None, rate: float, backend: str
) -> None:
    """50 rows: batches of 7, three an update, and of 21: 3 updates, the last by 8 rows."""
    w = np.random.default_rng(1).uniform(0, 2, N) if weighted else None
    runs = []
    for batch_size, accumulate in ((7, 3), (21, 1)):
        net = make(backend, dtype="float64", activation="tanh", dropout=rate)
        optimizer = em.SGD(0.1, momentum=0.5, clip_norm=clip)
        trainer = em.Trainer(net, optimizer, batch_size, 1, accumulate=accumulate)
        history = trainer.run(X, Y, 2, sample_weight=w)
        assert trainer.steps == 6
        runs.append((net.parameters, np.array(history.loss), np.array(history.accuracy)))
    bounds = rounding_bounds(make(backend, dtype="float64", activation="tanh"), X, Y, weights=w)
    # Six updates, carried on by momentum; dropped units leave factors 1 / 0.6 in both layers.
    bound = 6 * 2 * 0.1 * 8 * (bounds.gradient.max() + 1e-15)
    assert_within(runs[0][0], runs[1][0], bound, "parameters")
    assert_within(runs[0][1], runs[1][1], 10 * bound, "losses")
    np.testing.assert_array_equal(runs[0][2], runs[1][2])


@backends
def test_steps_are_gathered_too(backend: str, tmp_path: Path) -> None:
    """Saved and loaded between two batches of one update, with the same bits."""
    start = {"dropout": 0.3, "activation": "tanh"}
    trainers = [
        em.Trainer(make(backend, **start), em.Adam(0.01), 8, 1, accumulate=3) for _ in range(2)
    ]
    before = trainers[0].net.parameters
    for i in range(5):
        rows = slice(8 * i, 8 * i + 8 - i)
        losses = [trainer.step(X[rows], Y[rows]) for trainer in trainers]
        assert losses[0] == losses[1] and trainers[0].steps == (i + 1) // 3
        if i < 2:
            np.testing.assert_array_equal(trainers[0].net.parameters, before)
        trainers[0].save(tmp_path / "run")
        trainers[0] = em.Trainer.load(tmp_path / "run", backend=backend)
        assert trainers[0].accumulate == 3
    histories = [trainer.run(X, Y, 1) for trainer in trainers]  # first what was gathered
    assert histories[0].loss == histories[1].loss
    assert trainers[0].steps == trainers[1].steps == 1 + 1 + 3
    a, b = (trainer.net.parameters for trainer in trainers)
    np.testing.assert_array_equal(a, b)


@backends
def test_schedules_count_updates(backend: str) -> None:
    asked: list[int] = []

    def lr(step: int) -> float:
        asked.append(step)
        return 0.1

    em.Trainer(make(backend), em.SGD(lr), 10, 0, accumulate=2).run(X, Y, 2)  # 5 batches: 3 updates
    assert asked == list(range(6))


def test_bad_accumulate() -> None:
    refused = [(0, "at least 1, got 0"), (2.0, "int, got 2.0"), (True, "int, got True")]
    refused += [(2**70, f"at most {2**63 - 1}, got {2**70}")]
    for bad, text in refused:
        with pytest.raises((TypeError, ValueError), match=f"accumulate.*{text}"):
            em.Trainer(make(), em.SGD(0.1), accumulate=bad)  # type: ignore[arg-type]
