"""What is read of a network while another thread trains it is of one moment."""

import copy
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from support.trainers import state_of

SECONDS = 0.5  # that each test hammers
BACKENDS = ("native", "numpy")
rng = np.random.default_rng(0)
X = rng.normal(size=(300, 8)).astype(np.float32)
y = (X.sum(axis=1) > 0).astype(np.int64)


def net_of(backend: str, **options: Any) -> em.MLP:
    return em.MLP([8, 40, 40, 2], "tanh", seed=0, backend=backend, **options)


@contextmanager
def in_a_thread(work: Callable[[], object]) -> Iterator[None]:
    """`work` again and again in another thread, whose error would be raised at the end."""
    over, errors = threading.Event(), list[BaseException]()

    def repeat() -> None:
        try:
            while not over.is_set():
                work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(60)
    assert not thread.is_alive()
    if errors:
        raise errors[0]


def hammer(check: Callable[[], object], least: int = 10) -> None:
    """Calls `check` for some time, and at least so often: nobody is kept out."""
    end, calls = time.monotonic() + SECONDS, 0
    while time.monotonic() < end or calls < least:
        assert time.monotonic() < end + 50
        check()
        calls += 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_saved_network_loads(backend: str, tmp_path: Path) -> None:
    net, path = net_of(backend), tmp_path / "net"
    trainer = em.Trainer(net, em.SGD(0.5, momentum=0.9), 20, seed=0)

    def check() -> None:
        net.save(path)
        em.MLP.load(path, backend=backend)  # which compares the stored sample

    with in_a_thread(lambda: trainer.run(X, y, 50)):
        hammer(check)


@pytest.mark.parametrize("backend", BACKENDS)
def test_parameters_are_those_of_one_step(backend: str) -> None:
    """Plain steps by one number leave all parameters equal."""
    net = net_of(backend, dtype="float64")
    net.parameters = np.zeros(net.parameter_count)
    trainer = em.Trainer(net, em.SGD(1.0), 20, seed=0)
    one = np.ones(net.parameter_count)

    def is_constant(parameters: np.ndarray) -> None:
        assert (parameters == parameters[0]).all()

    def check() -> None:
        is_constant(net.parameters)
        is_constant(copy.deepcopy(net).parameters)
        is_constant(pickle.loads(pickle.dumps(net)).parameters)
        is_constant(np.concatenate([W.ravel() for W in net.weights]))
        # Softmax over equal logits: any other loss would be of layers of different steps.
        assert net.loss(X, y) == pytest.approx(np.log(2), rel=1e-12)
        assert net.evaluate(X, y).loss == pytest.approx(np.log(2), rel=1e-12)
        Z = net.forward(X)
        assert (Z[:, 0] == Z[:, 1]).all()

    with in_a_thread(lambda: trainer.apply(one)):
        hammer(check)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_loss_and_its_penalty_are_of_one_moment(backend: str) -> None:
    net = em.MLP([1, 1], "identity", loss="squared_error", bias=False, dtype="float64",
                 backend=backend)  # fmt: skip
    net.parameters = [1.0]
    trainer = em.Trainer(net, em.SGD(1.0), 1, seed=0)

    def check() -> None:
        loss, gradient = net.loss_and_gradient([[1.0]], [0.0], l2=2.0, l1=0.0)
        w = gradient[0] / 4  # 2 w of the loss, 2 w of the penalty
        assert loss == 2 * w * w
        coefficients = net.taylor([[1.0]], [0.0], [1.0], 2, l2=2.0)
        assert coefficients[1] ** 2 == 8 * coefficients[0]  # 2 (w + t)²

    with in_a_thread(lambda: trainer.apply([1.0])):
        hammer(check)


# ---- a trainer: parameters, Adam's state, counters and generator


def trained(backend: str, epochs: int, accumulate: int = 1) -> em.Trainer:
    trainer = em.Trainer(net_of(backend), em.Adam(1e-2), 30, seed=1, accumulate=accumulate)
    trainer.run(X, y, epochs)
    return trainer


def by_file(trainer: em.Trainer, backend: str, path: Path) -> em.Trainer:
    trainer.save(path)
    return em.Trainer.load(path, backend=backend)


COPIES: dict[str, Callable[[em.Trainer, str, Path], em.Trainer]] = {
    "save": by_file,
    "pickle": lambda trainer, backend, path: pickle.loads(pickle.dumps(trainer)),
    "deepcopy": lambda trainer, backend, path: copy.deepcopy(trainer),
}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_trainer_is_of_the_end_of_an_epoch(backend: str, way: str, tmp_path: Path) -> None:
    """What is copied in the middle of a run is what a run of so many epochs leaves."""
    seen: list[em.Trainer] = []
    known = {0: state_of(em.Trainer(net_of(backend), em.Adam(1e-2), 30, seed=1))}
    walker = trained(backend, 0)
    trainer = em.Trainer(net_of(backend), em.Adam(1e-2), 30, seed=1)
    quick = backend == "numpy"
    # One epoch a native call, or some.
    callbacks: list[Any] = [lambda epoch, history, net: None] if quick else []

    def run() -> None:
        trainer.run(X, y, 3 if quick else 20, callbacks=callbacks)

    with in_a_thread(run):
        hammer(lambda: seen.append(COPIES[way](trainer, backend, tmp_path / "trainer")), 5)
    for found in sorted(seen[:: max(1, len(seen) // 20)], key=lambda found: found.epochs):
        while walker.epochs < found.epochs:
            walker.run(X, y, 1)
        known[found.epochs] = known.get(found.epochs, state_of(walker))
        assert state_of(found) == known[found.epochs]
        assert found.steps == 10 * found.epochs


def test_a_copy_and_its_network_stay_together() -> None:
    trainer = trained("native", 2)
    net, copied = pickle.loads(pickle.dumps((trainer.net, trainer)))
    assert copied.net is net and copied._rng is not net._rng
    own = em.Trainer(net_of("native"), em.Adam(1e-2), 30)
    assert (copied := copy.deepcopy(own))._rng is copied.net._rng
    shallow = copy.copy(own)
    assert shallow.net is own.net and shallow._rng is own._rng


def test_a_trainer_in_a_callback(tmp_path: Path) -> None:
    """After an epoch everything is at rest: the file goes on with the same bits."""
    trainer = em.Trainer(net_of("native"), em.Adam(1e-2), 30, seed=1)

    def save(epoch: int, history: em.History, net: em.MLP) -> None:
        if epoch == 2:
            trainer.save(tmp_path / "trainer")

    trainer.run(X, y, 5, callbacks=[save])
    loaded = em.Trainer.load(tmp_path / "trainer")
    loaded.run(X, y, 3)
    assert state_of(loaded) == state_of(trainer)


def test_a_trainer_with_batches_of_the_users_own(tmp_path: Path) -> None:
    """Their loader, in another thread, may use the trainer: nobody waits for itself."""
    trainer = em.Trainer(net_of("native"), em.Adam(1e-2), 30, seed=1)

    def batches() -> Iterator[Any]:
        for start in range(0, 300, 30):
            thread = threading.Thread(target=lambda: trainer.save(tmp_path / "trainer"))
            thread.start()
            thread.join(30)
            assert not thread.is_alive()
            loaded = em.Trainer.load(tmp_path / "trainer")
            assert loaded.steps == trainer.steps
            yield X[start : start + 30], y[start : start + 30]

    trainer.run(batches())
    assert trainer.steps == 10


# ---- estimators


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_an_estimator_is_of_the_end_of_an_epoch(solver: str) -> None:
    sklearn = pytest.importorskip("eigenmlp.sklearn")
    options: dict[str, Any] = {
        "hidden_layer_sizes": (20,), "solver": solver, "random_state": 0, "batch_size": 30
    }  # fmt: skip
    model, walker = (sklearn.MLPClassifier(**options) for _ in range(2))
    model.partial_fit(X, y, classes=[0, 1])
    seen: list[Any] = []

    def take() -> None:
        seen.append(pickle.loads(pickle.dumps(model)))
        seen.append(copy.deepcopy(model))

    with in_a_thread(lambda: model.partial_fit(X, y)):
        hammer(take, 5)
    for found in sorted(seen[:: max(1, len(seen) // 20)], key=lambda found: found.t_):
        while getattr(walker, "t_", 0) < found.t_:
            walker.partial_fit(X, y, classes=[0, 1])
        assert len(found.loss_curve_) == found.t_ // 300
        assert found._trainer.steps == 10 * len(found.loss_curve_)
        expected = copy.deepcopy(walker)
        for one in (found, expected):  # and both go on
            one.partial_fit(X, y)
        assert found.loss_curve_ == expected.loss_curve_
        np.testing.assert_array_equal(found.coefs_[0], expected.coefs_[0])
