"""Batches from an iterable."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from support.bounds import assert_within, rounding_bounds
from support.names import DTYPES
from support.problems import make_data

backends = pytest.mark.parametrize("backend", BACKENDS)
SIZES, N = [6, 12, 3], 50
X, Y = make_data(SIZES, "softmax_cross_entropy", N, "float32")


def make(backend: str = "native", **options: Any) -> em.MLP:
    return em.MLP(**{"layer_sizes": SIZES, "seed": 0, **options}, backend=backend)


@backends
def test_batches_do_what_arrays_do(backend: str) -> None:
    """In the same order, with the same bits."""
    nets, histories = [make(backend) for _ in range(2)], []
    optimizer = em.Adam(0.01)
    batches = [(X[i : i + 8], Y[i : i + 8].tolist()) for i in range(0, N, 8)]
    histories.append(nets[0].fit(X, Y, epochs=3, batch_size=8, optimizer=optimizer, shuffle=False))
    histories.append(nets[1].fit(batches, epochs=3, optimizer=optimizer))
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)
    assert histories[1].accuracy == histories[0].accuracy and histories[1].rows == N
    assert histories[1].loss == pytest.approx(histories[0].loss, rel=1e-15)
    assert len(histories[1].seconds) == 3 and min(histories[1].seconds) > 0


@backends
def test_batches_with_all_that_a_run_can_do(backend: str) -> None:
    trainer = em.Trainer(make(backend, dropout=0.3), em.SGD(0.05), seed=0, accumulate=2)
    batches = [(X[:20], Y[:20]), (X[20:27], Y[20:27]), (X[27:], Y[27:])]
    epochs: list[int] = []
    history = trainer.run(
        batches,
        epochs=4,
        validation=(X, Y),
        callbacks=[lambda epoch, *_: epochs.append(epoch)],
        early_stopping=3,
        progress=True,
    )
    assert len(history.val_loss) == len(history.loss) == 4 and epochs == [1, 2, 3, 4]
    assert (trainer.steps, trainer.epochs) == (8, 4)  # two updates an epoch, one by the last alone


def test_a_generator_gives_one_epoch() -> None:
    def generator() -> Iterator[tuple[Any, Any]]:
        for i in range(0, N, 10):
            yield X[i : i + 10], Y[i : i + 10]

    trainer = em.Trainer(make(), em.SGD(0.1))
    history = trainer.run(generator(), epochs=5)
    assert len(history.loss) == 1 and (trainer.steps, trainer.epochs) == (5, 1)


@backends
def test_a_loss_without_classes(backend: str) -> None:
    net = make(backend, loss="squared_error")
    history = net.fit([(X, np.zeros((N, 3)))], epochs=3, optimizer=em.SGD(0.01))
    assert history.accuracy == [] and history.loss[2] < history.loss[0]


def broken() -> Iterator[tuple[Any, Any]]:
    yield X, Y
    raise OSError("mine")


@backends
@pytest.mark.parametrize(
    ("batches", "error", "text"),
    [
        ([], ValueError, "at least one batch.*got none"),
        ([X], TypeError, "batch 1: expected .Xb, yb., got ndarray"),
        ([(X, Y, Y)], TypeError, "batch 1: expected .Xb, yb., got 3 parts"),
        ([(X, Y), (X[:, :5], Y)], ValueError, r"batch 2: X: .*D = 6, got \(50, 5\)"),
        ([(X, Y), (X, Y[:5])], ValueError, "batch 2: y: expected 50 rows"),
        ([(X, Y), (np.full((1, 6), np.nan), [0])], ValueError, "batch 2: X: .*finite"),
        ([(X, Y), (X[:0], Y[:0])], ValueError, "batch 2: X: .*at least one row"),
        (3, (TypeError, ValueError), "expected"),
        ("abc", (TypeError, ValueError), "expected"),
        (broken(), OSError, "mine"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_bad_batches(batches: Any, error: Any, text: str, backend: str) -> None:
    """The batches before the bad one are learned, and no part of it."""
    net, other = make(backend), make(backend)
    if isinstance(batches, Iterator):
        batches = broken()
    with pytest.raises(error, match=text):
        net.fit(batches, optimizer=em.SGD(0.1))
    if isinstance(batches, Iterator) or (isinstance(batches, list) and len(batches) == 2):
        other.fit([(X, Y)], epochs=1, optimizer=em.SGD(0.1))
    np.testing.assert_array_equal(net.parameters, other.parameters)


def test_weights_do_not_go_with_batches() -> None:
    with pytest.raises(ValueError, match=r"sample_weight.*None with batches"):
        make().fit([(X, Y)], sample_weight=np.ones(N))


@backends
def test_a_batch_that_diverges_is_named(backend: str) -> None:
    huge = np.full((4, 6), 3e38, np.float32)
    with pytest.raises(em.DivergenceError) as caught:
        make(backend).fit([(X, Y), (X, Y), (huge, Y[:4])], optimizer=em.SGD(0.1))
    assert (caught.value.epoch, caught.value.step) == (1, 3)


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_batch_of_all_rows_is_the_gradient(dtype: str) -> None:
    net = make(dtype=dtype)
    before, (_, gradient) = net.parameters, net.loss_and_gradient(X, Y)
    net.fit(iter([(X, Y)]), optimizer=em.SGD(1.0))
    bound = rounding_bounds(make(dtype=dtype), X, Y).gradient + np.finfo(dtype).eps * np.abs(before)
    assert_within(before - net.parameters, gradient, bound, "step")
