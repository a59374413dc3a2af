"""What a network gives besides its outputs: predictions, accuracy, penalties."""

from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from support.names import LOSS_NAMES as LOSSES
from support.problems import make_data, make_net

backends = pytest.mark.parametrize("backend", BACKENDS)
SIZES, N = [6, 12, 3], 50
X, Y = make_data(SIZES, "softmax_cross_entropy", N, "float32")


def make(backend: str = "native", seed: int = 0, **options: Any) -> em.MLP:
    return em.MLP(**{"layer_sizes": SIZES, **options}, backend=backend, seed=seed)


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
