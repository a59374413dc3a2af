"""What training does besides steps: history, callbacks, stopping, seeds, divergence."""

import inspect
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.core import core
from eigenmlp._backends.facade import BACKENDS
from support.bounds import assert_within, rounding_bounds
from support.names import DTYPES
from support.names import LOSS_NAMES as LOSSES
from support.problems import make_data, make_net

Run = Callable[..., subprocess.CompletedProcess[str]]
backends = pytest.mark.parametrize("backend", BACKENDS)

SIZES, N = [6, 12, 3], 50
X, Y = make_data(SIZES, "softmax_cross_entropy", N, "float32")
XV, YV = make_data(SIZES, "softmax_cross_entropy", 20, "float32", seed=9)


def make(backend: str = "native", seed: int = 0, **options: Any) -> em.MLP:
    return em.MLP(**{"layer_sizes": SIZES, **options}, backend=backend, seed=seed)


# ---- history


@backends
@pytest.mark.parametrize("loss", LOSSES)
def test_history(loss: str, backend: str) -> None:
    net = make(backend, loss=loss)
    x, y = make_data(SIZES, loss, N, "float32")
    h = net.fit(x, y, epochs=4, batch_size=16, validation=(x, y), optimizer=em.SGD(0.05))
    classifies = loss.endswith("cross_entropy")
    for name in ("loss", "val_loss", "accuracy", "val_accuracy", "seconds"):
        values = getattr(h, name)
        assert isinstance(values, list) and all(type(v) is float for v in values), name
        assert len(values) == (0 if "accuracy" in name and not classifies else 4), name
    assert h.loss[-1] < h.loss[0] and all(s > 0 for s in h.seconds)
    assert h.samples_per_second == pytest.approx(4 * N / sum(h.seconds))
    assert h.val_loss[-1] == net.evaluate(x, y).loss
    if classifies:
        assert h.val_accuracy[-1] == net.evaluate(x, y).accuracy
        assert all(0 <= a <= 1 for a in h.accuracy)
    without = net.fit(x, y, epochs=1)
    assert without.val_loss == [] and without.val_accuracy == []


@backends
def test_history_is_the_mean_over_batches_before_their_updates(backend: str) -> None:
    net = make(backend, dtype="float64")
    w = np.random.default_rng(1).uniform(0, 2, N)
    frozen = em.SGD(0.0)
    bound = 2 * rounding_bounds(net, X, Y, weights=w).loss
    for weights in (None, w):
        h = net.fit(X, Y, epochs=1, batch_size=7, optimizer=frozen, sample_weight=weights)
        whole = net.evaluate(X, Y, weights)
        assert_within(h.loss[0], whole.loss, bound, "loss")
        assert h.accuracy == [whole.accuracy]


@backends
def test_no_epochs(backend: str) -> None:
    net = make(backend)
    before = net.parameters
    h = net.fit(X, Y, epochs=0, validation=(XV, YV), early_stopping=3, progress=True)
    assert h.loss == h.val_loss == h.accuracy == h.seconds == [] and h.samples_per_second == 0
    np.testing.assert_array_equal(net.parameters, before)


def test_defaults_are_those_of_the_contract() -> None:
    defaults = {k: p.default for k, p in inspect.signature(em.MLP.fit).parameters.items()}
    assert defaults["shuffle"] is True and defaults["progress"] == "auto"
    assert defaults["sample_weight"] is None and defaults["seed"] is None
    assert defaults["callbacks"] == () and defaults["early_stopping"] is None


# ---- callbacks and stopping


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


# ---- seeds and orders


@backends
def test_seeds(backend: str) -> None:
    def train(network: Any, shuffles: Any) -> bytes:
        net = em.MLP(SIZES, seed=network, backend=backend)
        net.fit(X, Y, epochs=3, batch_size=8, seed=shuffles)
        return net.parameters.tobytes()

    rng = np.random.default_rng
    assert train(0, None) == train(0, None)  # the network's seed is enough
    assert train(0, 1) == train(0, 1) == train(rng(0), rng(1)) == train(np.int64(0), np.int32(1))
    assert len({train(0, None), train(0, 1), train(0, 2), train(1, 1)}) == 4
    assert train(None, 1) != train(None, 1)
    shared = rng(3)
    first, second = train(0, shared), train(0, shared)
    assert first != second  # a generator goes on


def test_both_backends_start_and_shuffle_alike() -> None:
    """Frozen, on one row a batch: the losses in order are those of the shuffled rows."""
    nets = [make(backend, dtype="float64") for backend in BACKENDS]
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)
    visited = []
    for net in nets:
        # The step's number is the row's place, so a rate that is 0 but once tells which row it was.
        deltas = []
        for place in range(5):
            before = net.parameters
            optimizer = em.SGD(lambda step, place=place: 0.1 if step == place else 0.0)
            net.fit(X[:5], Y[:5], epochs=1, batch_size=1, optimizer=optimizer, seed=4)
            deltas.append(net.parameters - before)
            net.parameters = before
        gradients = [-0.1 * net.loss_and_gradient(X[i : i + 1], Y[i : i + 1])[1] for i in range(5)]
        visited.append([int(np.argmin([np.abs(d - g).max() for g in gradients])) for d in deltas])
    order = np.random.default_rng(4).permutation(5).tolist()
    assert visited == [order, order] and order != sorted(order)


@backends
def test_no_shuffle_goes_in_the_given_order(backend: str) -> None:
    net, by_hand = make(backend), make(backend)
    net.fit(X, Y, epochs=2, batch_size=16, optimizer=em.SGD(0.1, momentum=0.9), shuffle=False)
    trainer = em.Trainer(by_hand, em.SGD(0.1, momentum=0.9))
    for _ in range(2):
        for start in range(0, N, 16):
            trainer.step(X[start : start + 16], Y[start : start + 16])
    np.testing.assert_array_equal(net.parameters, by_hand.parameters)


@backends
def test_a_batch_of_all_rows(backend: str) -> None:
    def train(batch_size: int) -> bytes:
        net = make(backend)
        trainer = em.Trainer(net, em.SGD(0.1, momentum=0.9), batch_size)
        trainer.run(X, Y, 3)
        assert trainer.steps == 3
        return net.parameters.tobytes()

    assert train(N) == train(N + 1) == train(10**12)


@backends
def test_sample_weights_count_rows(backend: str) -> None:
    """Weights of small integers do what repeated rows do, and weight 0 leaves a row out."""
    repeats = np.random.default_rng(0).integers(0, 3, N)
    nets = [make(backend, dtype="float64") for _ in range(2)]
    optimizer = em.SGD(0.1, momentum=0.5)
    nets[0].fit(X, Y, epochs=3, batch_size=10**6, optimizer=optimizer, sample_weight=repeats)
    nets[1].fit(X.repeat(repeats, 0), Y.repeat(repeats), epochs=3, batch_size=10**6,
                optimizer=optimizer)  # fmt: skip
    step = rounding_bounds(nets[0], X, Y, weights=repeats.astype(float)).gradient
    bound = 3 * 3 * 0.1 * 2 * step + 1e-15  # three steps, carried on by momentum
    assert_within(nets[0].parameters, nets[1].parameters, bound, "parameters")


@backends
def test_a_batch_without_weight_changes_nothing(backend: str) -> None:
    net = make(backend)
    before = net.parameters
    w = np.zeros(N)
    w[-1] = 1
    h = net.fit(X, Y, epochs=1, batch_size=10, sample_weight=w, shuffle=False,
                optimizer=em.SGD(0.0))  # fmt: skip
    assert np.isfinite(h.loss).all()
    np.testing.assert_array_equal(net.parameters, before)
    only = net.loss(X[-1:], Y[-1:])
    assert h.loss[0] == pytest.approx(only, rel=1e-6)


@backends
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_an_epoch_without_weight_changes_nothing(reduction: str, backend: str) -> None:
    """Labels of which none counts: 0 of 0, as both backends say of a single batch too."""
    loss = em.losses.SoftmaxCrossEntropy(class_weight=[0, 1, 1], reduction=reduction)
    net = em.MLP([X.shape[1], 3], loss=loss, seed=0, backend=backend)
    before, labels = net.parameters, np.zeros(N, int)
    assert net.loss(X, labels) == 0
    assert net.fit(X, labels, epochs=2, batch_size=10, optimizer=em.SGD(0.5)).loss == [0, 0]
    assert net.fit([(X, labels)], epochs=2, optimizer=em.SGD(0.5)).loss == [0, 0]
    np.testing.assert_array_equal(net.parameters, before)


# ---- learning rates


@backends
@pytest.mark.parametrize("progress", [True, False])
def test_a_function_for_the_learning_rate(
    progress: bool, backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rates = [0.3 / (1 + i) for i in range(50)]
    asked: list[int] = []

    def lr(step: int) -> float:
        asked.append(step)
        return rates[step]

    net, by_hand = make(backend), make(backend)
    trainer = em.Trainer(net, em.SGD(lr, momentum=0.5), batch_size=20)
    trainer.run(X, Y, 2, shuffle=False, progress=progress)
    trainer.step(X[:9], Y[:9])
    trainer.run(X, Y, 3, shuffle=False, progress=progress)
    assert asked == list(range(16)) and trainer.steps == 16
    steps = iter(rates)
    slow = em.Trainer(by_hand, em.SGD(lambda step: next(steps), momentum=0.5))
    for epochs, extra in ((2, True), (3, False)):
        for _ in range(epochs):
            for start in range(0, N, 20):
                slow.step(X[start : start + 20], Y[start : start + 20])
        if extra:
            slow.step(X[:9], Y[:9])
    np.testing.assert_array_equal(net.parameters, by_hand.parameters)


# ---- divergence


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


# ---- progress


@backends
def test_progress(backend: str, capsys: pytest.CaptureFixture[str]) -> None:
    net = make(backend)
    net.fit(X, Y, epochs=3, progress=True, validation=(XV, YV))
    out, err = capsys.readouterr()
    assert out == "" and "3/3" in err and all(x in err for x in ("loss=", "accuracy=", "val_loss="))
    net.fit(X, Y, epochs=3)  # "auto", and no terminal
    net.fit(X, Y, epochs=3, progress=False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("epochs", [1, 500])
def test_progress_changes_nothing(epochs: int, capsys: pytest.CaptureFixture[str]) -> None:
    nets = [make(), make()]
    histories = [
        net.fit(X, Y, epochs=epochs, progress=p) for net, p in zip(nets, (True, False), strict=True)
    ]
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)
    assert histories[0].loss == histories[1].loss and len(histories[0].loss) == epochs
    assert f"{epochs}/{epochs}" in capsys.readouterr().err


# ---- trainers


@backends
def test_runs_and_steps_go_on_from_each_other(backend: str) -> None:
    """fit is a run of a trainer; runs of 2 and 3 epochs are one of 5."""
    optimizer = em.SGD(0.05, momentum=0.9)
    nets = [make(backend) for _ in range(3)]
    h = nets[0].fit(X, Y, epochs=5, batch_size=8, optimizer=optimizer, seed=2)
    for net, parts in ((nets[1], (5,)), (nets[2], (2, 3))):
        trainer = em.Trainer(net, optimizer, 8, seed=2)
        losses = [loss for epochs in parts for loss in trainer.run(X, Y, epochs).loss]
        assert losses == h.loss and trainer.net is net
        assert (trainer.epochs, trainer.steps) == (5, 35)
        np.testing.assert_array_equal(net.parameters, nets[0].parameters)


@backends
def test_step_returns_the_loss_before_the_update(backend: str) -> None:
    net = make(backend, dtype="float64")
    trainer = em.Trainer(net, em.SGD(0.1))
    for rows in (1, 7, N, 3):
        before = net.evaluate(X[:rows], Y[:rows]).loss
        bound = rounding_bounds(net, X[:rows], Y[:rows]).loss
        loss = trainer.step(X[:rows], Y[:rows])
        assert type(loss) is float
        assert_within(loss, before, bound, "loss")
    assert trainer.steps == 4


# ---- outputs


@backends
def test_predictions(backend: str) -> None:
    for K in (1, 4):
        softmax = make_net([6, 5, K], backend=backend)
        Z = softmax.forward(X).astype(np.float64)
        labels, P = softmax.predict(X), softmax.predict_proba(X)
        assert labels.dtype == np.int64 and labels.shape == (N,) and P.dtype == np.float32
        np.testing.assert_array_equal(labels, Z.argmax(axis=1))
        E = np.exp(Z - Z.max(axis=1, keepdims=True))
        np.testing.assert_allclose(P, E / E.sum(axis=1, keepdims=True), rtol=1e-6)

        sigmoid = make_net([6, 5, K], backend=backend, loss="sigmoid_cross_entropy")
        Z = sigmoid.forward(X).astype(np.float64)
        np.testing.assert_array_equal(sigmoid.predict(X), flat((Z > 0).astype(np.int64)))
        assert sigmoid.predict(X).dtype == np.int64
        np.testing.assert_allclose(sigmoid.predict_proba(X), 1 / (1 + np.exp(-Z)), rtol=1e-6)

        for output in ("identity", "softmax", "sigmoid"):
            net = make_net([6, 5, K], backend=backend, loss="squared_error",
                           output_activation=output)  # fmt: skip
            np.testing.assert_array_equal(net.predict(X), flat(net.forward(X)))
            if output != "identity":
                np.testing.assert_array_equal(net.predict_proba(X), net.forward(X))


def flat(Y: Any) -> Any:
    """(N, 1) as (N,)."""
    return Y[:, 0] if Y.shape[1] == 1 else Y


@backends
@pytest.mark.parametrize("loss", LOSSES)
def test_one_output_predicts_one_number_a_row(loss: str, backend: str) -> None:
    """So that a mean of ``predict(X) == y`` is the accuracy: a column would broadcast."""
    net = make_net([6, 5, 1], backend=backend, loss=loss)
    assert net.predict(X).shape == (N,) and net.forward(X).shape == (N, 1)
    y = net.predict(X)
    if y.dtype == np.int64:
        assert (net.predict(X) == y).mean() == 1.0 == net.evaluate(X, y).accuracy
        assert (net.predict(X) == 1 - y).mean() == 0.0


@backends
def test_accuracy(backend: str) -> None:
    net = make_net(SIZES, backend=backend)
    right = net.predict(X)
    assert net.evaluate(X, right).accuracy == 1.0
    assert net.evaluate(X, (right + 1) % 3).accuracy == 0.0
    ties = make(backend, init="zeros")
    assert ties.evaluate(X, np.zeros(N, int)).accuracy == 1.0  # the first of equals
    assert ties.evaluate(X, np.ones(N, int)).accuracy == 0.0
    net = make_net(SIZES, backend=backend, loss="sigmoid_cross_entropy")
    assert net.evaluate(X, net.predict(X)).accuracy == 1.0
    assert net.evaluate(X, 1 - net.predict(X)).accuracy == 0.0
    assert net.evaluate(X, net.predict(X)).loss == net.loss(X, net.predict(X))


@backends
def test_l2_and_parameters_of_loss_and_gradient(backend: str) -> None:
    net = make_net(SIZES, backend=backend, dtype="float64")
    point = np.random.default_rng(8).normal(0, 0.3, net.parameter_count)
    before = net.parameters
    loss, gradient = net.loss_and_gradient(X, Y, parameters=point, l2=0.25)
    np.testing.assert_array_equal(net.parameters, before)
    net.parameters = point
    plain_loss, plain = net.loss_and_gradient(X, Y)
    squares = sum((W**2).sum() for W in net.weights)
    assert loss == pytest.approx(plain_loss + 0.125 * squares, rel=1e-14)
    layers = zip(net.weights, net.biases, strict=True)
    decay = np.concatenate([part for W, b in layers for part in (0.25 * W.ravel(), 0 * b)])
    np.testing.assert_allclose(gradient, plain + decay, rtol=1e-13)


@backends
def test_xor(backend: str) -> None:
    x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    for loss in ("softmax_cross_entropy", "sigmoid_cross_entropy"):
        K = 2 if loss == "softmax_cross_entropy" else 1
        net = em.MLP([2, 8, K], activation="tanh", loss=loss, seed=1, backend=backend)
        net.fit(x, y, epochs=500, optimizer=em.SGD(0.5, momentum=0.9))
        np.testing.assert_array_equal(net.predict(x), y)
        assert net.loss(x, y) < 0.05
    net = em.MLP([2, 8, 1], activation="tanh", loss="squared_error", seed=1, backend=backend)
    net.fit(x, y, epochs=1000, optimizer=em.SGD(0.1, momentum=0.9))
    assert np.abs(net.predict(x) - y).max() < 0.1


# ---- memory and imports


def test_images_are_never_copied_as_floats() -> None:
    """20,000 × 784 bytes are 15 MiB; as float32 they would be 60 MiB."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20_000, 784), dtype=np.uint8)
    y = rng.integers(0, 10, 20_000)
    net = em.MLP([784, 8, 10], input_scale=1 / 255, seed=0)
    tracemalloc.start()
    net.fit(images, y, epochs=1, batch_size=256, validation=(images, y))
    net.evaluate(images, y)
    net.forward(images)
    net.loss_and_gradient(images, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux")
def test_images_take_no_memory_in_the_core_either(in_subprocess: Run) -> None:
    """tracemalloc sees what NumPy allocates; the system sees the core's memory too."""
    program = """
import resource, numpy as np, eigenmlp as em
images, y = np.ones((40_000, 784), np.uint8), np.zeros(40_000, int)
net = em.MLP([784, 8, 10], input_scale=1 / 255, seed=0)
net.fit(images[:256], y[:256], epochs=1)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
net.fit(images, y, epochs=1, batch_size=256, validation=(images, y))
net.evaluate(images, y), net.forward(images), net.loss_and_gradient(images, y)
print((peak() - before) / 1024)
"""
    done = in_subprocess(program)
    assert float(done.stdout) < 30, done.stderr  # MiB; as float32 the images would be 120


def test_parameters_are_read_beside_another_cxx_library(in_subprocess: Run) -> None:
    """SciPy loads the system's C++ library; the locales of ours fail from then on."""
    pytest.importorskip("scipy")
    program = """
import scipy.optimize, eigenmlp as em
print(em.MLP([1, 2, 1], activation="leaky_relu(negative_slope=0.125)", loss="squared_error"))
"""
    done = in_subprocess(program)
    assert "negative_slope=0.125" in done.stdout, done.stderr


def test_import_brings_none_of_the_extras(in_subprocess: Run) -> None:
    program = """
import sys, eigenmlp
extras = {"sklearn", "scipy", "onnx", "matplotlib", "sympy", "torch", "pandas", "IPython",
          "pytest", "hypothesis", "threadpoolctl", "nox"}
print(*sorted(extras & {name.partition(".")[0] for name in sys.modules}), "-",
      *sorted(n for n in sys.modules if n.startswith("eigenmlp.reference") or n == "tqdm"))
"""
    done = in_subprocess(program, env={**os.environ, "PYTHONWARNINGS": "error"})
    assert done.stdout.strip() == "-", done.stdout + done.stderr


def test_names_are_imported_at_first_use(in_subprocess: Run) -> None:
    program = """
import sys, eigenmlp as em
ours = [name for name in sys.modules if name.startswith("eigenmlp.")]
print(*(name for name in ours if "_core_" not in name.rpartition(".")[0]))
listed = dir(em)
print([name for name in em.__all__ if name not in listed or getattr(em, name) is None])
print(callable(em.info), em.optimizers.SGD is em.SGD, hasattr(em, "Sgd"))
"""
    done = in_subprocess(program)
    modules, missing, answers = done.stdout.splitlines()
    assert set(modules.split()) == {
        *(f"eigenmlp.{name}" for name in ("_backends", "errors", "info", "threads")),
        *(f"eigenmlp._backends.{name}" for name in ("_cpu", "core")),
        core.__name__,
    }
    assert missing == "[]"
    assert answers == "True True False"
