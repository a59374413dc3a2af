"""Training that diverges stops, says where, and keeps the last finite network."""

from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from support.names import DTYPES
from support.problems import make_data

backends = pytest.mark.parametrize("backend", BACKENDS)
SIZES, N = [6, 12, 3], 50


def make(backend: str = "native", seed: int = 0, **options: Any) -> em.MLP:
    return em.MLP(**{"layer_sizes": SIZES, **options}, backend=backend, seed=seed)


@backends
@pytest.mark.parametrize("dtype", DTYPES)
def test_divergence(dtype: str, backend: str) -> None:
    """Found at the step it happens in, whose parameters are kept."""
    net = make(backend, loss="squared_error", dtype=dtype, activation="identity")
    x, y = make_data(SIZES, "squared_error", N, "float32")
    optimizer = em.SGD(30.0)
    probe = make(backend, loss="squared_error", dtype=dtype, activation="identity")
    by_hand, last, done = em.Trainer(probe, optimizer), probe.parameters, 0
    while True:
        last = probe.parameters
        rows = slice(10 * (done % 5), 10 * (done % 5) + 10)
        try:
            by_hand.step(x[rows], y[rows])
        except em.DivergenceError as error:
            loss = error.loss
            break
        done += 1
        assert done < 1000
    np.testing.assert_array_equal(probe.parameters, last)
    assert np.isfinite(last).all() and not np.isfinite(loss) and by_hand.steps == done

    with pytest.raises(em.DivergenceError) as caught:
        net.fit(x, y, epochs=50, batch_size=10, optimizer=optimizer, shuffle=False)
    epoch, step = done // 5 + 1, done % 5 + 1
    assert (caught.value.epoch, caught.value.step) == (epoch, step)
    assert f"epoch {epoch}, step {step}" in str(caught.value)
    assert np.isfinite(net.parameters).all()
    np.testing.assert_array_equal(net.parameters, last)
    assert isinstance(caught.value, ArithmeticError)


HUGE = em.SGD(3e38)  # the loss is finite, its gradient times the rate is not


@backends
@pytest.mark.parametrize("epochs", [1, 2])
@pytest.mark.parametrize("batch_size", [20, N])
def test_an_update_beyond_the_range_is_divergence(
    batch_size: int, epochs: int, backend: str
) -> None:
    """Found at the step it happens in or at the next, named as the user counts."""
    net = make(backend, loss="squared_error")
    x, y = make_data(SIZES, "squared_error", N, "float32")
    with pytest.raises(em.DivergenceError) as caught:
        net.fit(x, 1e4 + y, epochs=epochs, batch_size=batch_size, optimizer=HUGE)
    places = [(1, 1), (1, 2)] if batch_size < N else [(1, 1), (2, 1)]
    assert (caught.value.epoch, caught.value.step) in places


@backends
@pytest.mark.parametrize("entry", ["step", "apply"])
def test_a_step_beyond_the_range_is_divergence(entry: str, backend: str) -> None:
    net = make(backend, loss="squared_error")
    x, y = make_data(SIZES, "squared_error", N, "float32")
    trainer = em.Trainer(net, HUGE)
    gradient = np.full(net.parameter_count, 1e30)
    with pytest.raises(em.DivergenceError):
        trainer.step(x, 1e4 + y) if entry == "step" else trainer.apply(gradient)


@backends
def test_a_validation_loss_that_is_not_finite_is_kept(backend: str) -> None:
    net = make(backend, loss="squared_error")
    x, y = make_data(SIZES, "squared_error", N, "float32")
    h = net.fit(x, y, epochs=2, validation=(x, 1e30 * (1 + y)), early_stopping=5)
    assert h.val_loss == [np.inf, np.inf]
    assert np.isfinite(net.parameters).all()
