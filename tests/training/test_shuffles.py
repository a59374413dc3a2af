"""Orders of rows: those that NumPy's generators draw, whoever shuffles."""

import threading

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._core.loading import core
from eigenmlp._training import shuffles

_BITS = [
    np.random.PCG64,
    np.random.PCG64DXSM,
    np.random.MT19937,
    np.random.Philox,
    np.random.SFC64,
]


@pytest.mark.parametrize("kind", _BITS)
@pytest.mark.parametrize("N", [0, 1, 2, 3, 8, 100, 1000, 65_537])
def test_orders_are_permutations_of_the_generator(kind, N):
    ours, numpys = (np.random.Generator(kind(3)) for _ in range(2))
    for rng in (ours, numpys):  # half of a 64-bit draw is left over
        rng.integers(5, dtype=np.uint32)
    orders = shuffles.shuffled(ours, 3, N)
    assert orders.shape == (3, N)
    assert orders.dtype == np.int64
    for order in orders:
        np.testing.assert_array_equal(order, numpys.permutation(N))
    assert ours.integers(2**60) == numpys.integers(2**60)


def test_the_core_shuffles_as_this_numpy():
    assert shuffles._core_draws_as_numpy()


class Reversed(np.random.Generator):
    def permutation(self, x, axis=0):
        return np.arange(x)[::-1]


def test_a_generator_with_shuffles_of_its_own_is_asked():
    orders = shuffles.shuffled(Reversed(np.random.PCG64(0)), 2, 5)
    assert orders.tolist() == [[4, 3, 2, 1, 0]] * 2


def test_where_numpy_shuffles_otherwise_it_is_asked(monkeypatch):
    def reverse(bits, orders):
        orders[:] = np.arange(orders.shape[1])[::-1]

    shuffles._core_draws_as_numpy.cache_clear()
    monkeypatch.setattr(core, "permutations", reverse)
    try:
        assert not shuffles._core_draws_as_numpy()
        found = shuffles.shuffled(np.random.default_rng(1), 2, 20)
    finally:
        shuffles._core_draws_as_numpy.cache_clear()
    rng = np.random.default_rng(1)
    np.testing.assert_array_equal(found, [rng.permutation(20) for _ in range(2)])


def test_fit_takes_the_rows_in_these_orders():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 3)), rng.integers(0, 2, 50)
    ours, theirs = (em.MLP([3, 4, 2], seed=0, dtype="float64") for _ in range(2))
    options = {"batch_size": 8, "optimizer": em.SGD(0.1, momentum=0), "progress": False}
    ours.fit(X, y, epochs=2, seed=5, **options)
    again = np.random.default_rng(5)
    for order in [again.permutation(50) for _ in range(2)]:
        theirs.fit(X[order], y[order], epochs=1, shuffle=False, **options)
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))


def test_threads_share_a_generator():
    rng = np.random.default_rng(2)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(shuffles.shuffled(rng, 4, 5000)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one = np.random.default_rng(2)
    wanted = {one.permutation(5000).tobytes() for _ in range(16)}
    assert {order.tobytes() for orders in found for order in orders} == wanted
