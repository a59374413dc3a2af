"""Callbacks and early stopping."""

from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from support.problems import make_data

backends = pytest.mark.parametrize("backend", BACKENDS)
SIZES, N = [6, 12, 3], 50
X, Y = make_data(SIZES, "softmax_cross_entropy", N, "float32")
XV, YV = make_data(SIZES, "softmax_cross_entropy", 20, "float32", seed=9)


def make(backend: str = "native", seed: int = 0, **options: Any) -> em.MLP:
    return em.MLP(**{"layer_sizes": SIZES, **options}, backend=backend, seed=seed)


@backends
def test_callbacks(backend: str) -> None:
    net, calls = make(backend), []

    def note(epoch: int, history: em.History, seen: em.MLP) -> None:
        assert seen is net and len(history.loss) == len(history.val_loss) == epoch
        calls.append(("note", epoch, net.parameters.tobytes()))

    def stop(epoch: int, history: em.History, seen: em.MLP) -> bool:
        calls.append(("stop", epoch, b""))
        return epoch == 3

    h = net.fit(X, Y, epochs=10, validation=(XV, YV), callbacks=[stop, note])
    assert [c[:2] for c in calls] == [(k, e) for e in (1, 2, 3) for k in ("stop", "note")]
    assert len(h.loss) == 3
    assert len({c[2] for c in calls if c[0] == "note"}) == 3
    plain = make(backend)
    plain.fit(X, Y, epochs=3)
    np.testing.assert_array_equal(net.parameters, plain.parameters)  # looking changes nothing


@backends
def test_an_error_in_a_callback_reaches_the_user(backend: str) -> None:
    net = make(backend)

    def fail(epoch: int, history: em.History, seen: em.MLP) -> None:
        if epoch == 2:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        net.fit(X, Y, epochs=5, callbacks=[fail])
    plain = make(backend)
    plain.fit(X, Y, epochs=2)
    np.testing.assert_array_equal(net.parameters, plain.parameters)
    assert len(net.fit(X, Y, epochs=2).loss) == 2


@backends
def test_callbacks_may_use_the_network(backend: str) -> None:
    net = make(backend)
    half: list[Any] = []

    def shrink(epoch: int, history: em.History, seen: em.MLP) -> None:
        seen.parameters = 0.5 * seen.parameters
        half.append(seen.parameters)
        assert np.isfinite(seen.evaluate(X, Y).loss)
        seen.fit(X, Y, epochs=1, optimizer=em.SGD(0.0))

    net.fit(X, Y, epochs=2, callbacks=[shrink])
    np.testing.assert_array_equal(net.parameters, half[-1])


@backends
@pytest.mark.parametrize("validated", [True, False])
def test_early_stopping_restores_the_best(validated: bool, backend: str) -> None:
    net = make(backend)
    seen: list[Any] = []
    # A rate that grows: first the loss falls, then it rises.
    optimizer = em.SGD(lambda step: 0.02 * 1.15**step)
    h = net.fit(
        X,
        Y,
        epochs=200,
        batch_size=N,
        optimizer=optimizer,
        validation=(XV, YV) if validated else None,
        early_stopping=4,
        callbacks=[lambda epoch, history, n: seen.append(n.parameters)],
    )
    losses = h.val_loss if validated else h.loss
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 4 < 200
    np.testing.assert_array_equal(net.parameters, seen[best])
    if validated:
        assert net.evaluate(XV, YV).loss == min(losses)


@backends
def test_early_stopping_keeps_a_best_epoch_in_which_a_callback_ends_training(backend: str) -> None:
    net, seen = make(backend), []

    def stop(epoch: int, history: em.History, n: em.MLP) -> bool:
        seen.append(n.parameters)
        n.parameters = np.zeros(n.parameter_count)  # not what was measured
        return True

    h = net.fit(X, Y, epochs=5, validation=(XV, YV), early_stopping=2, callbacks=[stop])
    assert len(h.val_loss) == 1
    np.testing.assert_array_equal(net.parameters, seen[0])
    assert net.loss(XV, YV) == h.val_loss[0]


def test_epochs_are_counted_whatever_a_callback_does_to_the_history() -> None:
    net, epochs = make("native"), []

    def forget(epoch: int, history: em.History, n: em.MLP) -> None:
        epochs.append(epoch)
        history.loss.clear()

    net.fit(X, Y, epochs=3, callbacks=[forget])
    assert epochs == [1, 2, 3]


def test_patience_lasts_whatever_a_callback_does_to_the_history() -> None:
    net, epochs = make("native"), []

    def forget(epoch: int, history: em.History, n: em.MLP) -> None:
        epochs.append(epoch)
        history.loss.clear()
        history.val_loss.clear()

    rising = em.SGD(lambda step: 0.02 * 1.15**step)
    net.fit(X, Y, 200, N, rising, validation=(XV, YV), early_stopping=4, callbacks=[forget])
    same = make("native")
    h = same.fit(X, Y, 200, N, rising, validation=(XV, YV), early_stopping=4)
    assert len(epochs) == len(h.val_loss) < 200
    np.testing.assert_array_equal(net.parameters, same.parameters)


def test_early_stopping_that_never_stops_restores_the_best() -> None:
    net = make()
    seen: list[Any] = []
    h = net.fit(
        X,
        Y,
        epochs=12,
        batch_size=5,
        optimizer=em.SGD(0.5, momentum=0.9),
        validation=(XV, YV),
        early_stopping=100,
        callbacks=[lambda epoch, history, n: seen.append(n.parameters)],
    )
    assert len(h.loss) == 12
    np.testing.assert_array_equal(net.parameters, seen[int(np.argmin(h.val_loss))])
