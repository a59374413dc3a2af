"""What training does besides steps: history, seeds, orders, learning rates, progress."""

import inspect
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from support.bounds import assert_within, rounding_bounds
from support.names import LOSS_NAMES as LOSSES
from support.problems import make_data

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
