"""One network in many threads at once, with Python's global lock or without it."""

import copy
import sys
import sysconfig
import threading
from collections.abc import Callable

import numpy as np
import pytest

import eigenmlp as em

ROUNDS = 25
FREE = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def at_once(*functions: Callable[[], None]) -> None:
    """Run the functions, each in a thread, from one moment on; the first error is raised."""
    start, errors = threading.Barrier(len(functions)), []

    def call(function: Callable[[], None]) -> None:
        try:
            start.wait(30)
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=call, args=(f,), daemon=True) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]


@pytest.fixture
def often_switched():
    """Python's lock changes hands as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.quick
@pytest.mark.skipif(not FREE, reason="a Python with a global lock")
def test_the_import_does_not_bring_the_lock_back(in_subprocess):
    done = in_subprocess("import eigenmlp, sys; print(sys._is_gil_enabled())")
    assert done.stdout.split() == ["False"], done.stderr


@pytest.mark.quick
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_network_in_many_threads(dtype, often_switched):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 20)).astype(dtype)
    y = rng.integers(0, 3, 60)
    net = em.MLP([20, 12, 3], dtype=dtype, seed=0)
    shared = em.Trainer(net, em.Adam(0.01), 60)
    somewhere = net.parameters.copy()
    P = net.parameter_count

    def step():
        for _ in range(ROUNDS):
            assert np.isfinite(shared.step(X, y))

    def fit():
        for _ in range(ROUNDS // 5):
            assert np.isfinite(
                net.fit(X, y, epochs=2, batch_size=16, optimizer=em.SGD(0.01)).loss[-1]
            )

    def read():
        for i in range(ROUNDS):
            assert np.isfinite(net.forward(X[: 1 + i])).all()
            assert net.predict(X).shape == (60,)
            assert np.isfinite(net.evaluate(X, y).loss)
            loss, gradient = net.loss_and_gradient(X, y)
            assert np.isfinite(loss) and gradient.shape == (P,)
            assert np.isfinite(net.parameters).all()

    def derive():
        for _ in range(ROUNDS // 5):
            assert np.isfinite(net.hessian_vector_product(X, y, somewhere)).all()
            assert np.isfinite(net.input_gradient(X, y)).all()
            assert copy.deepcopy(net).parameters.shape == (P,)

    def write():
        for _ in range(ROUNDS // 5):
            net.parameters = somewhere

    at_once(step, step, fit, read, read, derive, write)
    assert shared.steps == 2 * ROUNDS  # none was lost, none counted twice
    alone = em.MLP([20, 12, 3], dtype=dtype, seed=0)
    net.parameters = somewhere
    np.testing.assert_array_equal(net.forward(X), alone.forward(X))


@pytest.mark.quick
def test_many_networks_made_and_trained_at_once(often_switched):
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((50, 8)), rng.integers(0, 2, 50)

    def result() -> bytes:
        net = em.MLP([8, 6, 2], seed=3)
        net.fit(X, y, epochs=3, batch_size=10)
        return net.parameters.tobytes()

    expected, found = result(), []

    def make():
        for _ in range(4):
            found.append(result())

    at_once(*[make] * 6)
    assert found == [expected] * 24
