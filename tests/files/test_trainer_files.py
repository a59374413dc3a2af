"""Runs that are saved or copied go on with the same bits."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp.optimizers import OPTIMIZERS, Optimizer
from support.names import DTYPES
from support.saved_networks import X, Y, assert_equal, backends, make

GENERATORS: dict[str, Callable[[], Any]] = {
    "int": lambda: 7,
    "None": lambda: None,
    **{
        name: lambda name=name: np.random.Generator(getattr(np.random, name)(5))
        for name in ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")
    },
}
EVERY_OPTIMIZER = [
    *(kind(0.01) for kind in OPTIMIZERS.values()),
    em.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    em.Adam(0.01, betas=(0.5, 0.9)),
    em.RMSprop(0.01, momentum=0.9, centered=True),
    em.SGD(0.05, momentum=0.9, clip_norm=0.5, l1=1e-3, max_norm=1.5),
]


@backends
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", EVERY_OPTIMIZER, ids=str)
@pytest.mark.parametrize("generator", GENERATORS)
def test_a_resumed_run_has_the_same_bits(
    generator: str, optimizer: Optimizer, dtype: str, backend: str, tmp_path: Path
) -> None:
    def start() -> em.Trainer:
        return em.Trainer(
            make(dtype, backend=backend), optimizer, batch_size=4, seed=GENERATORS[generator]()
        )

    whole = start()
    expected = whole.run(X, Y, 6)
    trainer, losses = start(), []
    for epochs in (1, 3, 2):
        losses += trainer.run(X, Y, epochs).loss
        trainer.save(tmp_path / "run")
        trainer = em.Trainer.load(tmp_path / "run", backend=backend)
    assert losses == expected.loss
    assert trainer.net.parameters.tobytes() == whole.net.parameters.tobytes()
    for name in whole._trainer.state_names:
        states = [t._trainer.get_state(name).tobytes() for t in (trainer, whole)]
        assert states[0] == states[1]
    assert (trainer.steps, trainer.epochs) == (whole.steps, whole.epochs) == (36, 6)
    assert trainer.optimizer == optimizer and trainer.batch_size == 4
    # And so it goes on, step by step and with the network's own generator.
    assert trainer.step(X[:5], Y[:5]) == whole.step(X[:5], Y[:5])
    assert trainer.run(X, Y, 1).loss == whole.run(X, Y, 1).loss


@backends
@pytest.mark.parametrize("again", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copied_trainer_goes_on_with_the_same_bits(again: Any, backend: str) -> None:
    net = em.MLP([5, 4, 3], dropout=0.3, seed=0, backend=backend)
    rate = em.schedules.ReduceOnPlateau(0.05, factor=0.5, patience=0, threshold=0.9)
    whole = em.Trainer(net, em.Adam(rate, clip_norm=1.0), batch_size=4, seed=1, accumulate=2)
    whole.run(X, Y, 2)
    whole.step(X[:3], Y[:3])  # gathered, not yet an update
    copied = again(whole)
    assert copied.net is not net and copied.lr == whole.lr
    assert copied._trainer.get_progress() == whole._trainer.get_progress()
    assert copied.step(X[:5], Y[:5]) == whole.step(X[:5], Y[:5])
    assert copied.run(X, Y, 2).loss == whole.run(X, Y, 2).loss
    assert_equal(copied.net, net)
    assert (copied.steps, copied.epochs) == (whole.steps, whole.epochs)


@backends
def test_a_resumed_run_with_a_function_for_lr(backend: str, tmp_path: Path) -> None:
    optimizer = em.SGD(lambda step: 0.2 / (1 + step), momentum=0.5)
    trainer = em.Trainer(make(backend=backend), optimizer, batch_size=4, seed=1)
    whole = em.Trainer(make(backend=backend), optimizer, batch_size=4, seed=1)
    whole.run(X, Y, 4)
    trainer.run(X, Y, 2)
    trainer.save(tmp_path / "run")
    with pytest.raises(ValueError, match="learning rate was a function"):
        em.Trainer.load(tmp_path / "run")
    with pytest.raises(ValueError, match="optimizer="):
        em.Trainer.load(tmp_path / "run")
    again = em.Trainer.load(tmp_path / "run", optimizer=optimizer, backend=backend)
    again.run(X, Y, 2)
    assert again.net.parameters.tobytes() == whole.net.parameters.tobytes()


def test_another_optimizer_may_replace_the_saved_one(tmp_path: Path) -> None:
    trainer = em.Trainer(make(), em.SGD(0.1, momentum=0.9), batch_size=4, seed=1)
    trainer.run(X, Y, 1)
    trainer.save(tmp_path / "run")
    again = em.Trainer.load(tmp_path / "run", optimizer=em.SGD(0.01))
    assert again.optimizer == em.SGD(0.01) and again.steps == trainer.steps
    assert np.isfinite(again.run(X, Y, 1).loss).all()
    assert_equal(em.MLP.load(tmp_path / "run"), trainer.net)
