"""The derivatives of the API: identities, threads, bad input."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from eigenmlp.reference.activation import find
from eigenmlp.reference.loss import find as find_loss
from eigenmlp.reference.loss import is_sum
from support.directions import directions, has_series
from support.names import DTYPES, LOSSES, OUTPUT_ACTIVATIONS
from support.problems import make_data, make_net

Array = Any


# ---- identities, on both backends
backends = pytest.mark.parametrize("backend", BACKENDS)
close: Callable[..., None] = lambda a, b: np.testing.assert_allclose(  # noqa: E731
    a, b, rtol=1e-11, atol=1e-12 * float(np.abs(b).max())
)


def problem(backend: str, loss: str, **options: Any) -> tuple[em.MLP, Array, Array, Array]:
    sizes = [4, 6, 5, 3]
    settings = {"activation": "tanh", "dtype": "float64", **options}
    net = make_net(sizes, loss=loss, backend=backend, **settings)
    X, T = make_data(sizes, loss, 9)
    return net, X, T, np.random.default_rng(6).uniform(0.5, 2, 9)


@backends
@pytest.mark.parametrize("loss", LOSSES)
def test_identities(backend: str, loss: str) -> None:
    net, X, T, w = problem(backend, loss)
    v, dX = directions(net, X)
    value, gradient = net.loss_and_gradient(X, T)
    Y, dY = net.jvp(X, dX, v)
    close(Y, net.forward(X))
    # <dY, J (v, dX)> = <Jᵀ dY, (v, dX)>
    g = np.random.default_rng(8).normal(0, 1, Y.shape)
    by_parameters, by_X = net.vjp(X, g)
    close((g * dY).sum(), by_parameters @ v + (by_X * dX).sum())

    per_sample = net.per_sample_gradients(X, T)
    close(per_sample.mean(axis=0), gradient)
    factor = len(X) if is_sum(loss) else 1  # a mean of N rows is their sum
    close(per_sample[3], factor * net.loss_and_gradient(X[3:4], T[3:4])[1])
    weighted = net.per_sample_gradients(X, T, sample_weight=w).mean(axis=0)
    close(weighted, net.loss_and_gradient(X, T, sample_weight=w)[1])

    by_inputs = net.input_gradient(X, T)
    close(by_inputs[2:3], net.input_gradient(X[2:3], T[2:3]))
    for k in range(3):
        unit = np.tile(np.eye(3)[k], (len(X), 1))
        close(net.input_gradient(X, output=k), net.vjp(X, unit)[1])

    for options in [{}, {"sample_weight": w}, {"l2": 0.3}]:
        H = net.hessian(X, T, **options)
        np.testing.assert_array_equal(H, H.T)
        close(H @ v, net.hessian_vector_product(X, T, v, **options))
        if find_loss(loss).no_series is None:
            c = net.taylor(X, T, v, 2, **options)
            value, gradient = net.loss_and_gradient(X, T, **options)
            close(c, [value, gradient @ v, v @ H @ v / 2])
    outputs = net.taylor_outputs(X, 3, v, dX)
    close(outputs[0], Y)
    close(outputs[1], dY)


@backends
@pytest.mark.parametrize("loss", [x for x in LOSSES if find_loss(x).no_series is None])
def test_elsewhere_and_by_an_orders_polynomial(backend: str, loss: str) -> None:
    """`parameters=` is another network; and the series is that of the loss along the line."""
    net, X, T, _ = problem(backend, loss)
    v, dX = directions(net, X)
    v, dX = 0.1 * v, 0.1 * dX
    start = net.parameters
    there = start + v
    with_v = net.hessian_vector_product(X, T, v, parameters=there)
    H, series = net.hessian(X, T, parameters=there), net.taylor(X, T, v, 4, parameters=there)
    np.testing.assert_array_equal(net.parameters, start)
    # The terms left out fall by about 10 an order.
    at_1 = net.taylor(X, T, v, 30, l2=0.2).sum()
    close(at_1, net.loss_and_gradient(X, T, parameters=there, l2=0.2)[0])
    outputs = net.taylor_outputs(X, 30, v, dX).sum(axis=0)
    net.parameters = there
    close(outputs, net.forward(X + dX))
    close(with_v, net.hessian_vector_product(X, T, v))
    close(H, net.hessian(X, T))
    close(series, net.taylor(X, T, v, 4))


@backends
def test_forms_of_input(backend: str) -> None:
    """Lists, integers, columns of one output, uint8 images, Fortran order: one result."""
    net = em.MLP([2, 3, 1], "tanh", loss="squared_error", dtype="float64", seed=0, backend=backend)
    X, y = np.array([[1, 2], [3, 4], [5, 6]]), np.array([0, 1, 1])
    v = np.arange(net.parameter_count)
    expected = net.hessian_vector_product(X.astype("f8"), y[:, None].astype("f8"), v.astype("f8"))
    for x, t, direction in [
        (X.tolist(), y.tolist(), v.tolist()),
        (X.astype("u1"), y.astype(bool), v),
        (np.asfortranarray(X.astype("f4")), y.astype("f4"), v[::-1].copy()[::-1]),
    ]:
        np.testing.assert_array_equal(net.hessian_vector_product(x, t, direction), expected)
        assert net.taylor(x, t, direction, 3).shape == (4,)
        assert net.jvp(x, dX=x, d_parameters=direction)[1].shape == (3, 1)
        assert net.per_sample_gradients(x, t).shape == (3, net.parameter_count)


# ---- threads


@pytest.mark.usefixtures("threads_as_before")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("sizes", "rows"), [([300, 130, 7], 700), ([64, 50, 10], 1300), ([9, 8, 3], 500)], ids=str
)
def test_same_bits_for_every_number_of_threads(sizes: list[int], rows: int, dtype: str) -> None:
    net = make_net(sizes, activation="tanh", dtype=dtype)
    X, T = make_data(sizes, "softmax_cross_entropy", rows, dtype)
    v, dX = directions(net, X)

    def bits() -> list[bytes]:
        results = [
            *net.jvp(X, dX, v),
            net.input_gradient(X, T),
            net.per_sample_gradients(X[:150], T[:150]),
            net.hessian_vector_product(X, T, v),
            net.taylor(X, T, v, 4),
            net.taylor_outputs(X, 3, v, dX),
        ]
        if net.parameter_count < 200:
            results.append(net.hessian(X, T))
        return [result.tobytes() for result in results]

    em.set_num_threads(1)
    expected = bits()
    for n in (2, 3, 5):
        em.set_num_threads(n)
        assert bits() == expected, f"{n} threads"


# ---- bad input
N, D, K = 6, 3, 2
X, LABELS = make_data([D, K], "softmax_cross_entropy", N, "float32")
NAN = float("nan")
NET = em.MLP([D, 4, K], "tanh", seed=0)
V = np.ones(NET.parameter_count)
BAD = {
    "jvp: no direction": (lambda net: net.jvp(X), ValueError, "neither"),
    "jvp: X": (lambda net: net.jvp(X[:, :2], X), ValueError, "D = 3"),
    "jvp: dX": (lambda net: net.jvp(X, X[:, :2]), ValueError, "dX.*D = 3"),
    "jvp: rows": (lambda net: net.jvp(X, X[:4]), ValueError, r"dX.*6 rows.*\(4, 3\)"),
    "jvp: NaN": (lambda net: net.jvp(X, X * NAN), ValueError, "dX.*finite.*nan"),
    "jvp: P": (lambda net: net.jvp(X, None, V[1:]), ValueError, "d_parameters.*P"),
    "jvp: NaN in P": (lambda net: net.jvp(X, None, V * NAN), ValueError, "d_parameters.*nan"),
    "input_gradient: neither": (lambda net: net.input_gradient(X), ValueError, "neither"),
    "input_gradient: both": (
        lambda net: net.input_gradient(X, LABELS, output=0),
        ValueError,
        "both",
    ),
    "output: too large": (lambda net: net.input_gradient(X, output=K), ValueError, "0 to 1.*2"),
    "output: negative": (lambda net: net.input_gradient(X, output=-1), ValueError, "least 0"),
    "output: float": (lambda net: net.input_gradient(X, output=1.0), TypeError, "int"),
    "labels": (lambda net: net.input_gradient(X, LABELS + 5), ValueError, "labels 0 to 1"),
    "per sample: rows": (lambda net: net.per_sample_gradients(X, LABELS[:3]), ValueError, "6 rows"),
    "v: shape": (
        lambda net: net.hessian_vector_product(X, LABELS, V[:, None]),
        ValueError,
        r"v: .*\(P,\)",
    ),
    "v: NaN": (lambda net: net.hessian_vector_product(X, LABELS, V * NAN), ValueError, "v: .*nan"),
    "v: None": (lambda net: net.hessian_vector_product(X, LABELS, None), TypeError, "v: "),
    "hvp: parameters": (
        lambda net: net.hessian_vector_product(X, LABELS, V, parameters=V[1:]),
        ValueError,
        "parameters.*P",
    ),
    "hvp: l2": (
        lambda net: net.hessian_vector_product(X, LABELS, V, l2=-1),
        ValueError,
        "l2.*least 0",
    ),
    "hvp: weights": (
        lambda net: net.hessian_vector_product(X, LABELS, V, sample_weight=-np.ones(N)),
        ValueError,
        "sample_weight.*least 0",
    ),
    "hessian: X": (lambda net: net.hessian(X * NAN, LABELS), ValueError, "X.*nan"),
    "hessian: l2": (lambda net: net.hessian(X, LABELS, l2=NAN), ValueError, "l2.*finite"),
    "order: negative": (lambda net: net.taylor(X, LABELS, V, -1), ValueError, "order.*least 0"),
    "order: float": (lambda net: net.taylor(X, LABELS, V, 2.0), TypeError, "order.*int"),
    "order: bool": (lambda net: net.taylor_outputs(X, True, V), TypeError, "order.*int"),
    "taylor: direction": (lambda net: net.taylor(X, LABELS, V[1:], 2), ValueError, "direction.*P"),
    "taylor: None": (lambda net: net.taylor(X, LABELS, None, 2), TypeError, "direction"),
    "outputs: no direction": (lambda net: net.taylor_outputs(X, 2), ValueError, "neither"),
    "outputs: rows": (
        lambda net: net.taylor_outputs(X, 2, input_direction=X[:2]),
        ValueError,
        r"input_direction.*6 rows.*\(2, 3\)",
    ),
    "outputs: order": (lambda net: net.taylor_outputs(X, -3, V), ValueError, "order.*least 0"),
}


@backends
@pytest.mark.parametrize("what", BAD)
def test_bad_input(what: str, backend: str) -> None:
    call, kind, text = BAD[what]
    net = em.MLP([D, 4, K], "tanh", seed=0, backend=backend)
    before = net.parameters
    with pytest.raises(kind, match=text) as caught:
        call(net)
    assert "expected" in str(caught.value) and "got" in str(caught.value)
    assert net.parameters.tobytes() == before.tobytes()


@backends
@pytest.mark.parametrize("name", [x for x in OUTPUT_ACTIVATIONS if not has_series(x)])
def test_activations_without_series_are_refused(name: str, backend: str) -> None:
    reason = f"'{name.partition('(')[0]}': {find(name).no_series}"
    for options in [{"activation": name}, {"activation": "tanh", "output_activation": name}]:
        net = em.MLP([D, 4, K], loss="squared_error", backend=backend, **options)
        T = np.zeros((N, K))
        for call in (
            lambda net=net: net.taylor_outputs(X, 2, V),
            lambda net=net, T=T: net.taylor(X, T, V, 2),
        ):
            with pytest.raises(ValueError, match="expected one with a Taylor series") as caught:
                call()
            assert reason in str(caught.value)
        # What needs no series works, with f'' = 0.
        H = net.hessian(X, T)
        assert np.isfinite(H).all() and H.any()


@backends
@pytest.mark.parametrize("name", [x for x in LOSSES if find_loss(x).no_series is not None])
def test_losses_without_series_are_refused(name: str, backend: str) -> None:
    net, x, T, _ = problem(backend, name)
    v, _ = directions(net, x)
    with pytest.raises(ValueError, match="expected one with a Taylor series") as caught:
        net.taylor(x, T, v, 2)
    assert f"'{net._loss}': {find_loss(name).no_series}" in str(caught.value)
    assert net.taylor_outputs(x, 2, v).shape == (3, 9, 3)
