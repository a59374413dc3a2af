"""Learning rates that change: what they are step by step, and that files hold them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from eigenmlp.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    Exponential,
    OneCycle,
    ReduceOnPlateau,
    Schedule,
    Step,
    WarmUp,
    describe,
    restored,
)
from support.problems import make_data

backends = pytest.mark.parametrize("backend", BACKENDS)
SIZES, N = [5, 8, 3], 20
X, Y = make_data(SIZES, "softmax_cross_entropy", N, "float32")

EXAMPLES: list[Schedule] = [
    Constant(0.1),
    Step(0.1, 4, 0.5),
    Exponential(0.1, 0.9),
    Cosine(0.1, 12, 0.01),
    WarmUp(5, 0.1),
    WarmUp(5, Step(0.1, 3), start=0.0),
    OneCycle(0.1, 20),
    ReduceOnPlateau(0.1, 0.5, 1),
]


def test_every_schedule_has_an_example() -> None:
    assert {type(example) for example in EXAMPLES} == set(SCHEDULES.values())


@pytest.mark.parametrize("schedule", EXAMPLES, ids=str)
def test_rates_are_sensible(schedule: Schedule) -> None:
    rates = [schedule(step) for step in range(30)]
    assert all(type(rate) is float and 0 <= rate <= 0.1 + 1e-15 for rate in rates)
    assert max(rates) == pytest.approx(0.1)
    assert restored(describe(schedule)) == schedule and hash(schedule)


class Falling:
    """A schedule of the user's own, whose text is the same in every process."""

    def __call__(self, step: int) -> float:
        return 1 / (1 + step)

    def __repr__(self) -> str:
        return "falling"


falling = Falling()


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Step(1.0, 2, 0.5), [1, 1, 0.5, 0.5, 0.25]),
        (Exponential(8.0, 0.5), [8, 4, 2, 1, 0.5]),
        (Exponential(1.0, 2.0), [1, 2, 4, 8]),
        (Cosine(1.0, 2), [1, 0.5, 0, 0, 0]),
        (Cosine(1.0, 4, 3.0), [1, 2 - 0.5**0.5, 2, 2 + 0.5**0.5, 3, 3]),
        (WarmUp(3, 0.9), [0.3, 0.5, 0.7, 0.9, 0.9]),
        (WarmUp(2, falling, start=0.0), [0, 0.5, 1, 0.5, 1 / 3]),
        (OneCycle(1.0, 11, pct_start=6 / 11, div_factor=4), [0.25, None, None, None, None, 1]),
        (OneCycle(1.0, 1), [4e-6, 4e-6]),
        (OneCycle(1.0, 10, pct_start=0.1), [1.0]),  # the warm-up is one step
        (OneCycle(1.0, 4, pct_start=1.0), [0.04, None, None, 1.0]),
    ],
    ids=str,
)
def test_rates(schedule: Schedule, expected: list[float | None]) -> None:
    for step, rate in enumerate(expected):
        if rate is not None:
            assert schedule(step) == pytest.approx(rate, rel=1e-12, abs=1e-12), step


def test_one_cycle_ends_low() -> None:
    lr = OneCycle(1.0, 20, div_factor=10, final_div_factor=100)
    assert lr(0) == pytest.approx(0.1) and lr(5) == pytest.approx(1.0)
    assert lr(19) == lr(1000) == pytest.approx(1e-3)


@backends
@pytest.mark.parametrize("schedule", EXAMPLES, ids=str)
def test_a_schedule_is_resumed(schedule: Schedule, backend: str, tmp_path: Path) -> None:
    def start() -> em.Trainer:
        net = em.MLP(SIZES, seed=0, backend=backend)
        return em.Trainer(net, em.SGD(schedule, momentum=0.5), batch_size=8, seed=1)

    whole, trainer, rates = start(), start(), []
    history = whole.run(X, Y, 8)
    for _ in range(8):
        rates.append(trainer.lr)
        assert trainer.run(X, Y, 1).loss == [history.loss[len(rates) - 1]]
        trainer.save(tmp_path / "run")
        trainer = em.Trainer.load(tmp_path / "run", backend=backend)
        assert trainer.optimizer.lr == schedule
    assert trainer.net.parameters.tobytes() == whole.net.parameters.tobytes()
    if not isinstance(schedule, ReduceOnPlateau):
        assert rates == [schedule(step) for step in range(0, 24, 3)]


@backends
@pytest.mark.parametrize("validated", [True, False])
def test_the_rate_falls_when_the_loss_does_not(validated: bool, backend: str) -> None:
    net = em.MLP(SIZES, seed=0, backend=backend)
    schedule = ReduceOnPlateau(0.5, factor=0.5, patience=1, threshold=0.2)
    trainer = em.Trainer(net, em.SGD(schedule), batch_size=8, seed=0)
    rates: list[float] = []
    validation = (X, Y[::-1]) if validated else None  # labels of other rows: it gets worse
    history = trainer.run(
        X, Y, 12, validation=validation, callbacks=[lambda *_: rates.append(trainer.lr)]
    )
    plateau, expected = schedule.start(), []
    for loss in history.val_loss or history.loss:
        plateau = schedule.after_epoch(plateau, loss)
        expected.append(plateau.lr)
    assert rates == expected and rates[-1] < 0.5


def test_another_optimizer_starts_its_own_plateau(tmp_path: Path) -> None:
    schedule = ReduceOnPlateau(0.5, factor=0.5, patience=0, threshold=10.0)  # never better
    trainer = em.Trainer(em.MLP(SIZES, seed=0), em.SGD(schedule), seed=0)
    trainer.run(X, Y, 3)
    assert trainer.lr == 0.125
    trainer.save(tmp_path / "run")
    assert em.Trainer.load(tmp_path / "run").lr == 0.125
    assert em.Trainer.load(tmp_path / "run", optimizer=em.SGD(schedule)).lr == 0.125
    other = em.SGD(ReduceOnPlateau(0.4))
    assert em.Trainer.load(tmp_path / "run", optimizer=other).lr == 0.4
    assert em.Trainer.load(tmp_path / "run", optimizer=em.SGD(0.3)).lr == 0.3
    with pytest.raises(ValueError, match="class, SGD, got Adam"):
        em.Trainer.load(tmp_path / "run", optimizer=em.Adam(0.3))


def test_a_function_inside_a_schedule_is_not_saved(tmp_path: Path) -> None:
    optimizer = em.SGD(WarmUp(5, lambda step: 0.1))
    em.Trainer(em.MLP(SIZES, seed=0), optimizer).save(tmp_path / "run")
    with pytest.raises(ValueError, match=r"function.*expected optimizer="):
        em.Trainer.load(tmp_path / "run")
    assert em.Trainer.load(tmp_path / "run", optimizer=optimizer).lr == pytest.approx(0.1 / 3)


def test_a_schedule_of_the_users_own_is_a_function_too(tmp_path: Path) -> None:
    own = type("Cosine", (Cosine,), {"__call__": lambda self, step: 0.3})(0.1, 10)
    em.Trainer(em.MLP(SIZES, seed=0), em.SGD(own)).save(tmp_path / "run")
    with pytest.raises(ValueError, match=r"function.*expected optimizer="):
        em.Trainer.load(tmp_path / "run")
    assert em.Trainer.load(tmp_path / "run", optimizer=em.SGD(own)).lr == 0.3


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        (lambda: Constant(-1.0), "Constant: lr.*at least 0, got -1"),
        (lambda: Constant("a"), "Constant: lr.*number, got 'a'"),
        (lambda: Step(0.1, 0), "Step: every.*at least 1, got 0"),
        (lambda: Step(0.1, 2.5), "Step: every.*int, got 2.5"),
        (lambda: Step(0.1, 2, -1), "Step: factor.*at least 0, got -1"),
        (lambda: Exponential(0.1, np.nan), "Exponential: factor.*finite.*nan"),
        (lambda: Cosine(0.1, 0), "Cosine: steps.*at least 1, got 0"),
        (lambda: Cosine(0.1, 5, -1), "Cosine: final.*at least 0, got -1"),
        (lambda: WarmUp(0, 0.1), "WarmUp: steps.*at least 1, got 0"),
        (lambda: WarmUp(5, "a"), "WarmUp: then.*number, got 'a'"),
        (lambda: WarmUp(5, ReduceOnPlateau(0.1)), "WarmUp: then.*ReduceOnPlateau"),
        (lambda: WarmUp(5, lambda step: -1.0)(0), r"WarmUp: then\(0\).*at least 0, got -1"),
        (lambda: OneCycle(0.1, 0), "OneCycle: steps.*at least 1, got 0"),
        (lambda: OneCycle(0.1, 5, 1.5), "OneCycle: pct_start.*at most 1, got 1.5"),
        (lambda: OneCycle(0.1, 5, div_factor=0), "OneCycle: div_factor.*above 0, got 0"),
        (lambda: ReduceOnPlateau(0.1, 1.0), "ReduceOnPlateau: factor.*below 1, got 1"),
        (lambda: ReduceOnPlateau(0.1, patience=-1), "patience.*at least 0, got -1"),
        (lambda: ReduceOnPlateau(0.1, threshold_mode="x"), r"\['rel', 'abs'\], got 'x'"),
        (lambda: restored({"schedule": "Nothing"}), "schedule of.*got 'Nothing'"),
    ],
)
def test_bad_schedules(schedule: Callable[[], Any], text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=text):
        schedule()


def test_a_rate_that_overflows_is_refused_before_its_step() -> None:
    net = em.MLP(SIZES, seed=0)
    before = net.parameters
    with pytest.raises(ValueError, match=r"lr\(309\).*finite.*inf"):
        net.fit(X, Y, epochs=400, batch_size=N, optimizer=em.SGD(Exponential(1e-300, 10.0)))
    np.testing.assert_array_equal(net.parameters, before)
