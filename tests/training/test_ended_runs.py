"""Runs that an error ends: what they leave, and that what did not happen leaves no trace."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from support.trainers import state_of

BACKENDS = ("native", "numpy")
rng = np.random.default_rng(0)
X = rng.normal(size=(300, 8)).astype(np.float32)
y = (X.sum(axis=1) > 0).astype(np.int64)


def net_of(backend: str, **options: Any) -> em.MLP:
    return em.MLP([8, 40, 40, 2], "tanh", seed=0, backend=backend, **options)


def ending_with(kind: str) -> tuple[type[BaseException], Any]:
    """An error, and a callback that makes it come in the third epoch, or the one after it."""
    errors: dict[str, Any] = {"ctrl-c": KeyboardInterrupt, "memory": MemoryError, "own": OSError}

    def callback(epoch: int, history: em.History, net: em.MLP) -> None:
        if epoch == 3 and kind == "diverges":
            net.parameters = np.full(net.parameter_count, 1e20)
        elif epoch == 3:
            raise errors[kind]

    return errors.get(kind, em.DivergenceError), callback


@pytest.mark.parametrize("kind", ["ctrl-c", "memory", "own", "diverges"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_best_epoch_comes_back_after_an_error(backend: str, kind: str) -> None:
    """Learning rates that get worse: the first epoch stays the best."""
    net = em.MLP([8, 20, 1], loss="squared_error", seed=0, backend=backend)
    T = X.sum(axis=1)
    error, callback = ending_with(kind)
    seen: list[np.ndarray] = []

    def spoil(epoch: int, history: em.History, net: em.MLP) -> None:
        seen.append(net.parameters)
        if epoch < 3:
            net.parameters = net.parameters + 1
        callback(epoch, history, net)

    with pytest.raises(error) as raised:
        net.fit(X, T, epochs=9, batch_size=50, optimizer=em.SGD(1e-3), validation=(X, T),
                callbacks=[spoil], early_stopping=5, seed=0)  # fmt: skip
    history = raised.value.history  # type: ignore[attr-defined]
    assert len(history.loss) == len(history.val_loss) == 3
    best = int(np.argmin(history.val_loss))
    assert best == 0
    np.testing.assert_array_equal(net.parameters, seen[best])
    assert net.loss(X, T) == pytest.approx(history.val_loss[best], rel=1e-5)


def test_without_early_stopping_an_error_leaves_the_last_parameters() -> None:
    net = net_of("native")
    seen: list[np.ndarray] = []

    def callback(epoch: int, history: em.History, net: em.MLP) -> None:
        seen.append(net.parameters)
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as raised:
        net.fit(X, y, epochs=5, callbacks=[callback])
    assert len(raised.value.history.loss) == 2  # type: ignore[attr-defined]
    np.testing.assert_array_equal(net.parameters, seen[-1])


@pytest.mark.parametrize("end", [KeyboardInterrupt, OSError])
def test_estimators_restore_the_best_epoch_after_an_error(end: type[BaseException]) -> None:
    sklearn = pytest.importorskip("eigenmlp.sklearn")
    seen: list[np.ndarray] = []

    def callback(epoch: int, model: Any) -> None:
        seen.append(model.coefs_[0].copy())
        if epoch == 4:
            raise end
        if epoch > 1:
            model.coefs_[0][:] = 0

    model = sklearn.MLPClassifier(
        (20,), early_stopping=True, random_state=0, callbacks=[callback], learning_rate_init=0.01
    )
    if end is KeyboardInterrupt:
        with pytest.warns(UserWarning, match="interrupted"):
            model.fit(X, y)
    else:
        with pytest.raises(end):
            model.fit(X, y)
    best = int(np.argmax(model.validation_scores_))
    np.testing.assert_array_equal(model.coefs_[0], seen[best])
    assert len(model.loss_curve_) == 4


class OutOfMemory:
    """A backend's trainer whose first run, or n-th, finds no memory."""

    def __init__(self, trainer: Any, fails: list[int]) -> None:
        self.trainer, self.fails = trainer, fails

    def __getattr__(self, name: str) -> Any:
        return getattr(self.trainer, name)

    def run(self, *args: Any, **options: Any) -> Any:
        self.fails[0] -= 1
        if self.fails[0] == 0:
            raise MemoryError("no memory for a batch")
        return self.trainer.run(*args, **options)


@pytest.fixture
def out_of_memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets the n-th native run from now on fail."""
    from eigenmlp._training import stepper

    fails, make = [0], stepper.make_trainer
    monkeypatch.setattr(stepper, "make_trainer", lambda *args: OutOfMemory(make(*args), fails))

    def at(run: int) -> None:
        fails[0] = run

    return at


@pytest.mark.parametrize("seed", ["net's", "int", "generator"])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_fit_without_memory_leaves_no_trace(
    dropout: float, seed: str, out_of_memory: Callable[[int], None]
) -> None:
    def fitted(fails: bool) -> tuple[list[float], bytes]:
        net = net_of("native", dropout=dropout)
        generator = np.random.default_rng(5)
        given: Any = {"net's": None, "int": 5, "generator": generator}[seed]
        if fails:
            before = net.parameters
            out_of_memory(1)
            with pytest.raises(MemoryError):
                net.fit(X, y, epochs=3, seed=given)
            with pytest.raises(ValueError, match="expected finite"):
                net.fit(X * np.nan, y, epochs=3, seed=given)
            np.testing.assert_array_equal(net.parameters, before)
        history = net.fit(X, y, epochs=3, seed=given)
        return history.loss, net.parameters.tobytes()

    assert fitted(True) == fitted(False)


def test_a_run_that_is_ended_and_goes_on_has_the_same_bits(
    out_of_memory: Callable[[int], None],
) -> None:
    """After two epochs, by an error between epochs, or one that lets the third not begin."""
    whole, broken = (em.Trainer(net_of("native"), em.Adam(1e-2), 30, seed=1) for _ in range(2))
    whole.run(X, y, 5)
    out_of_memory(3)
    with pytest.raises(MemoryError) as raised:
        broken.run(X, y, 5, callbacks=[lambda *_: None])  # one epoch a native call
    assert len(raised.value.history.loss) == broken.epochs == 2  # type: ignore[attr-defined]
    broken.run(X, y, 3)
    assert state_of(broken) == state_of(whole)


@pytest.mark.parametrize("backend", BACKENDS)
def test_epochs_that_did_not_begin_have_drawn_nothing(backend: str) -> None:
    """A run over several epochs at once, that ends in the second one."""
    T = X.sum(axis=1)
    ended, expected = (
        em.Trainer(em.MLP([8, 1], loss="squared_error", seed=0, backend=backend),
                   em.SGD(lambda step: 1e30 if step == 12 else 1e-3), 30, seed=1)
        for _ in range(2)
    )  # fmt: skip
    with pytest.raises(em.DivergenceError) as raised:
        ended.run(X, T, 7)
    assert (raised.value.epoch, len(raised.value.history.loss)) == (2, 1)
    for _ in range(2):
        expected._rng.permutation(300)
    assert ended._rng.bit_generator.state == expected._rng.bit_generator.state


def test_a_network_without_memory_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    generator, other = np.random.default_rng(0), np.random.default_rng(0)

    def fail(*_: Any) -> Any:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("eigenmlp._network.layers.make_network", fail)
        with pytest.raises(MemoryError):
            em.MLP([8, 4, 2], seed=generator)
    with pytest.raises(ValueError, match="init"):
        em.MLP([8, 4, 2], seed=generator, init=lambda rng, n, m: (rng.normal(size=3), 0))
    net = em.MLP([8, 4, 2], seed=generator)
    np.testing.assert_array_equal(net.parameters, em.MLP([8, 4, 2], seed=other).parameters)


@pytest.mark.filterwarnings("ignore:Stochastic")
@pytest.mark.parametrize("call", ["fit", "partial_fit", "warm start"])
def test_an_estimator_without_memory_leaves_no_trace(
    call: str, out_of_memory: Callable[[int], None]
) -> None:
    sklearn = pytest.importorskip("eigenmlp.sklearn")
    partial = call == "partial_fit"

    def trained(fails: bool) -> Any:
        model = sklearn.MLPClassifier(
            (20,), random_state=np.random.RandomState(0), max_iter=3, batch_size=30, tol=0.0,
            warm_start=call == "warm start", n_iter_no_change=100,
        )  # fmt: skip
        train = model.partial_fit if partial else model.fit
        options = {"classes": [0, 1]} if partial else {}
        for _ in range(2):
            if fails:
                before = set(vars(model))
                out_of_memory(1)
                with pytest.raises(MemoryError):
                    train(X, y, **options)
                assert set(vars(model)) == before
            train(X, y, **options)
        return model

    broken, whole = trained(True), trained(False)
    assert broken.loss_curve_ == whole.loss_curve_
    np.testing.assert_array_equal(broken.coefs_[0], whole.coefs_[0])
