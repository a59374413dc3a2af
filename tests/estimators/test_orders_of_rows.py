"""The orders of rows of the estimators' epochs: scikit-learn's, drawn without Python's lock."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from sklearn.utils import check_random_state

from eigenmlp.sklearn import _orders
from eigenmlp.sklearn._orders import Orders


def expected(rng, rows, epochs):
    """As scikit-learn's `_fit_stochastic` draws them."""
    order, orders = np.arange(rows), []
    for _ in range(epochs):
        places = np.arange(rows)
        rng.shuffle(places)
        orders.append(order := order[places])
    return np.array(orders).reshape(epochs, rows)


def drawn(orders, epochs):
    out = np.empty((epochs, len(orders.last)), np.int64)
    orders.draw(out)
    return out


class Backwards(np.random.RandomState):
    """One that shuffles in its own way."""

    def shuffle(self, x):
        x[:] = x[::-1].copy()


GENERATORS = {
    "seed": lambda: np.random.RandomState(3),
    "PCG64": lambda: np.random.RandomState(np.random.PCG64(3)),
    "own": lambda: Backwards(3),
}


@pytest.mark.parametrize("rows", [1, 2, 3, 64, 65, 1000])
@pytest.mark.parametrize("of", GENERATORS)
def test_orders_are_those_of_shuffle(of, rows):
    ours, theirs = GENERATORS[of](), GENERATORS[of]()
    orders = Orders(ours, rows, alone=True)
    found = np.concatenate([drawn(orders, 3), drawn(orders, 0), drawn(orders, 2)])
    np.testing.assert_array_equal(found, expected(theirs, rows, 5))
    np.testing.assert_array_equal(orders.last, found[-1])
    assert ours.randint(2**31) == theirs.randint(2**31)


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("kept", [0, 1, 4])
def test_what_is_taken_back_has_drawn_nothing(alone, kept):
    ours, theirs = np.random.RandomState(5), np.random.RandomState(5)
    orders, all_of_them = Orders(ours, 20, alone), expected(theirs, 20, 9)
    drawn(orders, 3)
    drawn(orders, 4)
    orders.take_back(4 - kept)
    np.testing.assert_array_equal(orders.last, all_of_them[2 + kept])
    np.testing.assert_array_equal(drawn(orders, 2), all_of_them[3 + kept : 5 + kept])


def test_draws_of_others_in_between_are_not_taken_back():
    ours, theirs = np.random.RandomState(5), np.random.RandomState(5)
    orders = Orders(ours, 20, alone=False)
    drawn(orders, 2)
    ours.randint(9)
    drawn(orders, 3)
    orders.take_back(2)
    expected(theirs, 20, 2)
    theirs.randint(9)
    expected(theirs, 20, 1)
    assert ours.randint(2**31) == theirs.randint(2**31)


def test_an_error_in_a_shuffle_is_taken_back():
    class Breaks(np.random.RandomState):
        left = 4

        def shuffle(self, x):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            super().shuffle(x)

    ours, theirs = Breaks(1), np.random.RandomState(1)
    orders = Orders(ours, 10, alone=True)
    first = drawn(orders, 2)
    with pytest.raises(KeyboardInterrupt):
        drawn(orders, 5)
    ours.left = 9
    orders.take_back(5)
    np.testing.assert_array_equal(first, expected(theirs, 10, 2))
    assert ours.randint(2**31) == theirs.randint(2**31)


def test_threads_that_share_a_generator_lose_no_draws():
    """NumPy's global one is everybody's: its lock is held while orders are drawn."""
    shared, alone, rows, epochs = np.random.RandomState(0), np.random.RandomState(0), 500, 40
    threads = [
        threading.Thread(target=lambda: drawn(Orders(shared, rows, alone=False), epochs))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected(alone, rows, 4 * epochs)
    assert shared.randint(2**31) == alone.randint(2**31)


@pytest.mark.parametrize("seed", [0, 1, 42, 2**32 - 1, np.int64(7)])
def test_generators_of_a_seed_are_those_of_sklearn(seed):
    ours, theirs = _orders.random_state(seed), check_random_state(seed)
    assert type(ours) is np.random.RandomState
    np.testing.assert_array_equal(ours.randint(2**31, size=700), theirs.randint(2**31, size=700))
    np.testing.assert_array_equal(ours.normal(size=5), theirs.normal(size=5))


@pytest.mark.parametrize("seed", [-1, 2**32, "0", 1.5])
def test_other_seeds_are_refused_as_by_sklearn(seed):
    with pytest.raises(ValueError, match=r"seed|Seed") as theirs:
        check_random_state(seed)
    with pytest.raises(ValueError, match=r"seed|Seed") as ours:
        _orders.random_state(seed)
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize(("rows", "draws", "most"), [(2000, 4, 2300), (2, 20, 10_000)])
def test_what_is_taken_back_is_not_shuffled_from_the_start_of_a_long_fit(
    rows, draws, most, monkeypatch
):
    ours, theirs = np.random.RandomState(3), np.random.RandomState(3)
    orders = Orders(ours, rows, alone=True)
    drawn = np.empty((1000, rows), np.int64)
    for _ in range(draws):
        orders.draw(drawn)
    again = []
    real = _orders._shuffled

    def counted(rng, order, into):
        again.append(len(into))
        return real(rng, order, into)

    monkeypatch.setattr(_orders, "_shuffled", counted)
    orders.take_back(400)
    assert sum(again) <= most
    places = np.arange(rows)
    for _ in range(draws * 1000 - 400):
        theirs.shuffle(places)
    assert str(ours.get_state()) == str(theirs.get_state())
    np.testing.assert_array_equal(orders.last, drawn[599])
