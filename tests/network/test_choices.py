"""Activations and losses as users choose them: names, objects and text forms."""

import pickle
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS, OUTPUT_ACTIVATIONS
from eigenmlp._backends.facade import LOSSES as CORE_LOSSES
from eigenmlp._inputs.description import described
from eigenmlp.reference import activation as twin
from eigenmlp.reference import loss as twin_loss
from support.names import ACTIVATIONS, LOSSES
from support.problems import make_data, make_net

NAN, INF = float("nan"), float("inf")


def test_every_table_has_the_same_activations() -> None:
    """The core, the twin and the descriptions, with the same parameters and defaults."""
    kinds = em.activations.ACTIVATIONS
    assert list(kinds) == list(OUTPUT_ACTIVATIONS)
    assert list(kinds) == [*twin.ACTIVATIONS, *twin.ROW_ACTIVATIONS]
    for name, activation in twin.ACTIVATIONS.items():
        assert {field.name: field.default for field in fields(kinds[name])} == activation.parameters
        assert kinds[name].name == name


@pytest.mark.parametrize("text", ACTIVATIONS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_names_objects_and_texts_are_the_same(text: str, backend: str, tmp_path: Path) -> None:
    chosen = described(text, em.activations.ACTIVATIONS, "activation")
    assert chosen.text == text
    assert pickle.loads(pickle.dumps(chosen)) == chosen
    options: dict[str, Any] = {"loss": "squared_error", "backend": backend}
    net = make_net([3, 9, 2], activation=text, output_activation=text, **options)
    same = make_net([3, 9, 2], activation=[chosen], output_activation=chosen, **options)
    X, _ = make_data([3, 9, 2], "squared_error", 5)
    assert net.config == same.config
    assert net.config["activation"] == [text] and net.config["output_activation"] == text
    net.save(tmp_path / "net")
    loaded = em.MLP.load(tmp_path / "net", backend=backend)
    assert loaded.config == net.config
    for other in (same, loaded, pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(other.forward(X), net.forward(X))


@pytest.mark.parametrize("backend", BACKENDS)
def test_parameters_reach_the_function(backend: str) -> None:
    """Of its layer alone, and by their definitions."""
    net = em.MLP(
        [1, 1, 1, 1],
        activation=[em.activations.Sigmoid(slope=3), "leaky_relu(negative_slope=0.25)"],
        output_activation=em.activations.Elu(alpha=0.5),
        loss="squared_error",
        dtype="float64",
        backend=backend,
    )
    net.parameters = [1.0, 0.0, -2.0, 0.0, 4.0, 0.0]
    h = 1 / (1 + np.exp(-3 * 0.7))
    expected = 0.5 * np.expm1(4 * 0.25 * -2 * h)
    np.testing.assert_allclose(net.forward([[0.7]]), [[expected]], rtol=1e-14)
    assert net.config["activation"] == ["sigmoid(slope=3.0)", "leaky_relu(negative_slope=0.25)"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_number_keeps_its_last_bit(backend: str) -> None:
    """It travels as text: however long, large or small it is."""
    rng = np.random.default_rng(3)
    slopes = [
        *rng.random(20),
        *10 ** rng.uniform(-300, 300, 20),
        2.5e-308,
        2.0**53 + 2,
        1e22,
        123.0,
    ]
    for slope in map(float, slopes):
        net = em.MLP(
            [1, 1],
            output_activation=em.activations.LeakyRelu(slope),
            loss="squared_error",
            dtype="float64",
            backend=backend,
        )
        net.parameters = [1.0, 0.0]
        assert net.forward([[-1.0]])[0, 0] == -slope


def test_a_class_means_its_defaults() -> None:
    net = em.MLP([1, 2, 1], activation=em.activations.Tanh, loss="squared_error")  # type: ignore[arg-type]
    assert net.config["activation"] == ["tanh"]


def test_descriptions_are_frozen_and_checked() -> None:
    sigmoid = em.activations.Sigmoid(2)
    assert isinstance(sigmoid.slope, float)
    with pytest.raises(FrozenInstanceError):
        sigmoid.slope = 3.0  # type: ignore[misc]
    for bad in (0, -1, NAN, INF):
        with pytest.raises(ValueError, match=f"Sigmoid: slope: expected.*got {bad}"):
            em.activations.Sigmoid(slope=bad)
    for worse in ("1", None, True, [1.0]):
        with pytest.raises(TypeError, match="Elu: alpha: expected a number, got"):
            em.activations.Elu(alpha=worse)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"negative_slope.*at least 0, got -0\.1"):
        em.activations.LeakyRelu(-0.1)


# ---- losses

backends = pytest.mark.parametrize("backend", BACKENDS)
N, K = 23, 3


def labelled(rows: int = N) -> tuple[Any, Any]:
    return make_data([4, K], "softmax_cross_entropy", rows)


def test_every_table_has_the_same_losses() -> None:
    kinds = em.losses.LOSSES
    of_rows = [name for name, kind in kinds.items() if not kind.of_choices]
    assert of_rows == list(CORE_LOSSES) == list(twin_loss.LOSSES)
    for name, loss in twin_loss.LOSSES.items():
        defaults = {field.name: field.default for field in fields(kinds[name])}
        assert defaults.pop("reduction") == "mean"
        defaults.pop("class_weight", None)  # sample weights, by the time that a backend sees them
        assert defaults == loss.parameters
        assert kinds[name].classifies == loss.classifies
        assert kinds[name].takes_logits == loss.takes_logits
        assert getattr(em.losses, name) is kinds[name]


@backends
@pytest.mark.parametrize("text", [*LOSSES, "softmax_cross_entropy(class_weight=[1.0, 2.0, 0.5])"])
def test_losses_as_names_objects_and_texts(text: str, backend: str, tmp_path: Path) -> None:
    chosen = described(text, em.losses.LOSSES, "loss")
    assert chosen.text == text
    assert pickle.loads(pickle.dumps(chosen)) == chosen
    net = make_net([4, K], loss=text, backend=backend)
    same = make_net([4, K], loss=chosen, backend=backend)
    X, T = make_data([4, K], text, N)
    net.save(tmp_path / "net")
    loaded = em.MLP.load(tmp_path / "net", backend=backend)
    assert net.config == same.config == loaded.config
    assert net.config["loss"] == text and text in repr(net)
    for other in (same, loaded, pickle.loads(pickle.dumps(net))):
        assert other.loss(X, T) == net.loss(X, T)
    trainer = em.Trainer(net, em.SGD(0.1), batch_size=5, seed=0)
    trainer.run(X, T, 1)
    trainer.save(tmp_path / "trainer")
    again = em.Trainer.load(tmp_path / "trainer", backend=backend)
    assert again.run(X, T, 2).loss == trainer.run(X, T, 2).loss


@backends
def test_sum_over_rows(backend: str) -> None:
    """N times the mean, in every call; `reduction=` comes before what the loss says."""
    options: dict[str, Any] = {"backend": backend, "dtype": "float64"}
    X, y = labelled()
    mean = make_net([4, 5, K], **options)
    total = make_net([4, 5, K], reduction="sum", **options)
    assert total.config["loss"] == "softmax_cross_entropy(reduction='sum')"
    back = make_net([4, 5, K], loss=em.losses.SquaredError(reduction="sum"), reduction="mean")
    assert back.config["loss"] == "squared_error"

    weights = np.random.default_rng(3).uniform(0, 2, N)
    for w, n in ((None, N), (weights, weights.sum())):
        (a, da), (b, db) = (x.loss_and_gradient(X, y, sample_weight=w) for x in (mean, total))
        assert b == pytest.approx(n * a, rel=1e-14)
        np.testing.assert_allclose(db, n * da, rtol=1e-12)
        assert total.evaluate(X, y, w).loss == pytest.approx(b, rel=1e-14)
    assert total.evaluate(X, y).accuracy == mean.evaluate(X, y).accuracy

    # Batches of 7, 7, 7 and 2, frozen: an epoch's loss is the sum over all rows.
    frozen = em.SGD(0.0)
    whole = total.loss(X, y)
    for accumulate in (1, 3):
        trainer = em.Trainer(total, frozen, 7, accumulate=accumulate)
        h = trainer.run(X, y, 1, validation=(X, y))
        assert h.loss[0] == pytest.approx(whole, rel=1e-14)
        assert h.val_loss[0] == total.loss(X, y)
        streamed = trainer.run([(X[:9], y[:9]), (X[9:], y[9:])], epochs=1)
        assert streamed.loss[0] == pytest.approx(whole, rel=1e-14)
    weighted = em.Trainer(total, frozen, 7).run(X, y, 1, sample_weight=weights)
    assert weighted.loss[0] == pytest.approx(total.loss(X, y, weights), rel=1e-14)


@backends
def test_gathered_batches_of_a_sum_are_one_large_batch(backend: str) -> None:
    X, y = labelled(24)
    options: dict[str, Any] = {"backend": backend, "dtype": "float64", "reduction": "sum"}
    one, many = (make_net([4, 5, K], **options) for _ in range(2))
    em.Trainer(one, em.SGD(0.01), 24).run(X, y, 3, shuffle=False)
    em.Trainer(many, em.SGD(0.01), 8, accumulate=3).run(X, y, 3, shuffle=False)
    np.testing.assert_allclose(many.parameters, one.parameters, rtol=1e-12, atol=1e-14)


@backends
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_class_weights_are_sample_weights(backend: str, reduction: str) -> None:
    X, y = labelled()
    by_class = np.array([0.5, 2.0, 0.0])
    weights = np.random.default_rng(3).uniform(0, 2, N)
    options: dict[str, Any] = {"backend": backend, "dtype": "float64", "reduction": reduction}
    net = make_net([4, 5, K], loss=em.losses.SoftmaxCrossEntropy(class_weight=by_class), **options)
    plain = make_net([4, 5, K], **options)
    for w, expected in ((None, by_class[y]), (weights, by_class[y] * weights)):
        for ours, theirs in zip(
            net.loss_and_gradient(X, y, sample_weight=w),
            plain.loss_and_gradient(X, y, sample_weight=expected),
            strict=True,
        ):
            np.testing.assert_array_equal(ours, theirs)
        a = em.Trainer(net, em.SGD(0.05), 5, seed=0)
        b = em.Trainer(plain, em.SGD(0.05), 5, seed=0)
        assert a.run(X, y, 2, sample_weight=w).loss == b.run(X, y, 2, sample_weight=expected).loss
    net.parameters = plain.parameters
    assert net.loss(X, y) == plain.loss(X, y, by_class[y])
    h = em.Trainer(net, em.SGD(0.0), N).run(X, y, 1, validation=(X, y))
    assert h.val_loss[0] == net.loss(X, y) == pytest.approx(h.loss[0], rel=1e-14)
    stepped = em.Trainer(net, em.SGD(0.05)).step(X, y)
    assert stepped == pytest.approx(plain.loss(X, y, by_class[y]), rel=1e-14)
    streamed = em.Trainer(net, em.SGD(0.0)).run([(X[:9], y[:9]), (X[9:], y[9:])], epochs=1)
    assert streamed.loss[0] == pytest.approx(net.loss(X, y), rel=1e-13)


@backends
def test_several_quantiles_share_their_targets(backend: str) -> None:
    """Targets (N,), (N, 1), and (N, K) with equal columns are the same; one q is another matter."""
    loss = em.losses.Quantile([0.1, 0.5, 0.9])
    assert loss.text == "quantile(q=[0.1, 0.5, 0.9])"
    assert em.losses.Quantile([0.3]) == em.losses.Quantile(0.3)
    X, T = make_data([4, 1], "quantile", N)
    options: dict[str, Any] = {"backend": backend, "dtype": "float64"}
    net = make_net([4, 5, 3], loss=loss, **options)
    expected = net.loss_and_gradient(X, np.tile(T, 3))
    for y in (T, T[:, 0], T[:, 0].tolist(), T.astype(">f8"), np.tile(T, 3)[:, ::-1]):
        found = net.loss_and_gradient(X, y)
        np.testing.assert_array_equal(found[1], expected[1])
        assert found[0] == expected[0]
    d = T - net.forward(X)
    q = np.array([0.1, 0.5, 0.9])
    by_hand = np.where(d > 0, q * d, (q - 1) * d).sum(axis=1).mean()
    assert expected[0] == pytest.approx(by_hand, rel=1e-14)

    wide = np.broadcast_to(T, (N, 3))
    assert net._data(X, T, None)[1].strides[1] == 0 == wide.strides[1]
    a, b = (em.Trainer(make_net([4, 5, 3], loss=loss, **options), em.SGD(0.1), 5, 0) for _ in "ab")
    assert a.run(X, T[:, 0], 3).loss == b.run(X, wide, 3).loss
    assert a.step(X, T[:, 0]) == b.step(X, np.tile(T, 3))
    single = make_net([4, 5, 3], loss="quantile(q=0.3)", **options)
    with pytest.raises(ValueError, match=r"expected shape \(N, K\) = \(23, 3\) for quantile"):
        single.loss(X, T)


@backends
def test_poisson_predicts_rates(backend: str) -> None:
    X = np.linspace(-1, 1, 200)[:, None]
    y = np.random.default_rng(0).poisson(np.exp(0.5 + X))
    net = em.MLP([1, 1], loss=em.losses.poisson(), dtype="float64", seed=0, backend=backend)
    net.fit(X, y, epochs=300, batch_size=200, optimizer=em.SGD(0.1, momentum=0.9))
    np.testing.assert_array_equal(net.predict(X), np.exp(net.forward(X))[:, 0])
    assert net.predict(X).mean() == pytest.approx(y.mean(), rel=1e-6)  # the score equation of b
    assert abs(net.weights[0][0, 0] - 1) < 0.2
    with pytest.raises(ValueError, match=r"predict_proba: .*got poisson"):
        net.predict_proba(X)
    net.parameters = [0.0, 1000.0]
    assert net.loss(X, y) == np.inf and (net.predict(X) == np.inf).all()
    single = em.MLP([1, 1], loss="poisson", init="zeros", backend=backend)
    single.parameters = [0.0, 100.0]  # exp(100) is more than float32 holds
    assert single.loss(X, y) == np.inf


@backends
def test_labels_are_smoothed(backend: str) -> None:
    X, y = labelled()
    loss = em.losses.SoftmaxCrossEntropy(label_smoothing=0.3)
    net = make_net([4, 5, K], loss=loss, backend=backend, dtype="float64")
    plain = make_net([4, 5, K], backend=backend, dtype="float64")
    soft = 0.7 * np.eye(K)[y] + 0.1
    for target in (y, np.eye(K)[y]):
        a, b = net.loss_and_gradient(X, target), plain.loss_and_gradient(X, soft)
        assert a[0] == pytest.approx(b[0], rel=1e-14)
        np.testing.assert_allclose(a[1], b[1], rtol=1e-12, atol=1e-15)
    assert net.evaluate(X, y).accuracy == plain.evaluate(X, y).accuracy


@backends
def test_kinks_have_no_slope(backend: str) -> None:
    for loss in ("absolute_error", "quantile(q=0.9)", "huber"):
        net = em.MLP([1, 2], loss=loss, init="zeros", backend=backend)
        value, gradient = net.loss_and_gradient([[1.0]], [[0.0, 0.0]])
        assert value == 0 and (gradient == 0).all()
