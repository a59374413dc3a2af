"""Networks that several Python threads use at once."""

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from support.problems import make_data


def together(*functions: Callable[[], Any]) -> list[Any]:
    """Runs functions at once, each in a thread; their results, or the first error."""
    results: list[Any] = [None] * len(functions)
    errors: list[BaseException] = []

    def call(i: int) -> None:
        try:
            results[i] = functions[i]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=call, args=(i,), daemon=True) for i in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]
    return results


@pytest.fixture
def problem() -> tuple[Any, Any]:
    return make_data([100, 64, 10], "softmax_cross_entropy", 2000, "float32")


def test_two_threads_train_two_networks(problem: tuple[Any, Any]) -> None:
    X, y = problem

    def train() -> bytes:
        net = em.MLP([100, 64, 10], seed=0)
        net.fit(X, y, epochs=15)
        return net.parameters.tobytes()

    alone = train()
    assert together(train, train) == [alone, alone]


def test_predict_while_training(problem: tuple[Any, Any]) -> None:
    X, y = problem
    net = em.MLP([100, 64, 10], seed=0)
    alone = em.MLP([100, 64, 10], seed=0)
    over = threading.Event()
    looks: list[float] = []

    def train() -> None:
        try:
            for _ in range(100):  # until somebody could look, on a machine that is busy too
                alone.fit(X, y, epochs=60, seed=1)
                net.fit(X, y, epochs=60, seed=1)
                if len(set(looks)) > 1:
                    break
        finally:
            over.set()

    def look() -> None:
        while not over.is_set():
            assert np.isfinite(net.forward(X[:50])).all()
            assert np.isfinite(net.parameters).all()
            looks.append(net.evaluate(X[:50], y[:50]).loss)
            assert np.isfinite(net.loss_and_gradient(X[:9], y[:9])[1]).all()

    together(train, look, look)
    assert len(set(looks)) > 1, "nobody could look before the training was over"
    np.testing.assert_array_equal(net.parameters, alone.parameters)


def test_two_trainers_on_one_network(problem: tuple[Any, Any]) -> None:
    X, y = problem
    net = em.MLP([100, 64, 10], seed=0)
    before = net.evaluate(X, y).loss
    trainers = [em.Trainer(net, em.SGD(0.01, momentum=0.5), 64, seed=i) for i in range(2)]
    histories = together(*(lambda t=t: t.run(X, y, 20) for t in trainers))
    assert all(len(h.loss) == 20 and np.isfinite(h.loss).all() for h in histories)
    assert np.isfinite(net.parameters).all()
    assert net.evaluate(X, y).loss < before


def test_one_trainer_in_two_threads(problem: tuple[Any, Any]) -> None:
    X, y = problem
    trainer = em.Trainer(em.MLP([100, 64, 10], seed=0), em.SGD(0.01, momentum=0.5), 64)
    steps = [lambda: [trainer.step(X[:64], y[:64]) for _ in range(200)]] * 2
    assert np.isfinite(together(*steps)).all()


def test_the_gil_is_released(problem: tuple[Any, Any]) -> None:
    """While one call computes for long, another thread counts."""
    X, y = problem
    net = em.MLP([100, 300, 10], seed=0)
    em.set_num_threads(1)
    counts: list[float] = []
    over = threading.Event()

    def count() -> None:
        while not over.is_set():
            counts.append(time.perf_counter())
            time.sleep(0.001)

    counter = threading.Thread(target=count)
    counter.start()
    began = time.perf_counter()
    # One epoch is one native call, longer than Python's 5 ms between switches.
    net.fit(np.tile(X, (30, 1)), np.tile(y, 30), epochs=1, optimizer=em.SGD(0.01), shuffle=False)
    ended = time.perf_counter()
    over.set()
    counter.join()
    during = sum(began < t < ended for t in counts)
    assert during >= (ended - began) / 0.02, f"{during} in {ended - began:.3f} s"
