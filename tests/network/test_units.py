"""Inputs and outputs in the user's own units: what is measured, core, twin, derivatives."""

from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from support.problems import both
from support.units import UNITS, VALUES, D, K, N, by_hand, make, table

backends = pytest.mark.parametrize("backend", BACKENDS)


# ---- what is measured


@backends
def test_columns_are_measured(backend: str) -> None:
    X, y = table()
    net = make(backend=backend).standardize(X, y)
    np.testing.assert_allclose(net.input_shift, X.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(net.input_scale[:4], 1 / X.std(axis=0)[:4], rtol=1e-9)
    assert net.input_scale[4] == 1  # does not vary
    np.testing.assert_allclose(net.output_shift, y.mean(axis=0), rtol=1e-14, atol=1e-17)
    np.testing.assert_allclose(net.output_scale, y.std(axis=0), rtol=1e-12)


def test_a_classifier_has_no_unit_of_outputs() -> None:
    X, _ = table()
    net = em.MLP([D, 3], standardize=True, seed=0)
    net.fit(X, np.arange(N) % 3, epochs=1)
    assert net.output_shift == 0.0 and net.output_scale == 1.0 and len(net.input_shift) == D


def test_the_first_fit_measures_and_no_other() -> None:
    X, y = table()
    net = make()
    net.fit(X, y, epochs=1)
    first = [np.array(getattr(net, name)) for name in UNITS]
    net.fit(X + X.std(axis=0), y * 3, epochs=1)
    for name, before in zip(UNITS, first, strict=True):
        np.testing.assert_array_equal(getattr(net, name), before)


def test_a_refused_fit_measures_nothing() -> None:
    X, y = table()
    net = make()
    with pytest.raises(ValueError, match="batch_size"):
        net.fit(X, y, batch_size=0)
    with pytest.raises(TypeError, match="callbacks"):
        net.fit(X, y, callbacks=[3])
    assert net.input_shift == 0.0 and net.output_scale == 1.0


def test_large_integers_keep_their_digits() -> None:
    X = np.array([[2**40 + i] for i in range(8)])
    net = em.MLP([1, 1], loss="squared_error", init="zeros", standardize=True, dtype="float64")
    net.fit(X, X[:, 0], epochs=200, optimizer=em.SGD(0.1))
    np.testing.assert_allclose(net.predict(X) - 2.0**40, X[:, 0] - 2**40, atol=1e-3)
    layer_inputs = (X - net.input_shift) * net.input_scale
    assert layer_inputs.std() == pytest.approx(1.0)


@pytest.mark.parametrize("kind", ["list", "array", "series", "column"])
def test_large_integers_of_any_kind_keep_their_digits(kind: str) -> None:
    y: Any = [10**12, 10**12 + 1, 10**12 + 2]
    if kind == "series":
        y = pytest.importorskip("pandas").Series(y)
    elif kind == "column":
        y = pytest.importorskip("pyarrow").array(y)
    elif kind == "array":
        y = np.array(y)
    net = em.MLP([1, 1], loss="squared_error").standardize([[1.0], [2.0], [3.0]], y)
    np.testing.assert_allclose(net.output_scale, [np.sqrt(2 / 3)])


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e-42, 1e-25, 1e25, 1e160, 1e300])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_columns_of_any_size(dtype: str, size: float) -> None:
    """What float32 cannot hold the inverse of does not vary; squares that overflow do no harm."""
    z = np.random.default_rng(0).normal(size=(N, 2))
    if dtype == "float32" and size > 1e38:
        return
    X = z * [size, 1.0]
    for backend in BACKENDS:
        net = em.MLP([2, 3, 1], loss="squared_error", standardize=True, dtype=dtype, seed=0,
                     backend=backend)  # fmt: skip
        net.fit(X, z[:, 1], epochs=2)
        deviation = z.std(axis=0) * [size, 1.0]
        if dtype == "float32" and size < 1e-37:
            deviation[0] = 1.0
        np.testing.assert_allclose(net.input_scale, 1 / deviation, rtol=1e-12)
        assert np.isfinite(net.forward(X)).all()


@backends
@pytest.mark.parametrize("loss", VALUES)
@pytest.mark.parametrize("size", [1e-25, 1e25])
def test_losses_that_float32_cannot_hold(size: float, loss: str, backend: str) -> None:
    """The squares of such units are no float32, the loss is a number as any other."""
    if "delta" in loss:
        return  # has the unit of outputs
    X, y = table()
    z = np.stack([y[:, 0], y[:, 0] ** 2], axis=1) / [1e6, 1e12]
    small, net = (
        make(name, dtype="float32", backend=backend).standardize(X, z * factor)
        for name, factor in ((loss, 1.0),
                             (f"huber(delta={size})" if loss == "huber" else loss, size))
    )  # fmt: skip
    degree = 2 if loss in ("squared_error", "half_squared_error", "huber") else 1
    expected = small.loss(X, z) * size**degree
    assert net.loss(X, z * size) == pytest.approx(expected, rel=1e-5)
    history = net.fit(X, z * size, epochs=3, optimizer=em.Adam(0.01), seed=0)
    assert 0 < history.loss[-1] < history.loss[0] < np.inf
    if loss == "squared_error":
        series = net.taylor(X, z * size, net.parameters, 1)
        assert series[0] == pytest.approx(net.loss(X, z * size), rel=1e-5)


def test_digits_of_a_far_column_in_float32() -> None:
    """10⁶ ± 1 gives the bits of ± 1."""
    z = np.random.default_rng(0).normal(size=(50, 1))
    net = em.MLP([1, 4, 1], loss="squared_error", seed=0)
    far = em.MLP([1, 4, 1], loss="squared_error", seed=0, input_shift=[2.0**20])
    np.testing.assert_array_equal(far.forward(z + 2.0**20), net.forward(z + 2.0**20 - 2.0**20))
    x = (z * 16).round().astype(np.float32) / 16 + np.float32(2**20)  # exact in float32
    np.testing.assert_array_equal(far.forward(x), far.forward(x.astype(np.float64)))
    np.testing.assert_array_equal(far.forward(x), net.forward(x - np.float32(2**20)))


# ---- the same network, by hand


@backends
@pytest.mark.parametrize("loss", VALUES)
def test_outputs_and_loss_are_in_the_users_units(loss: str, backend: str) -> None:
    X, y = table()
    net = make(loss, backend=backend).standardize(X, y)
    plain, Z, _ = by_hand(net, X, y)
    Y = plain.forward(Z) * net.output_scale + net.output_shift
    np.testing.assert_allclose(net.forward(X), Y, rtol=1e-11)
    # A network whose outputs are given as they are has the same loss.
    as_it_is = em.MLP([K, K], loss=loss, dtype="float64", bias=False)
    as_it_is.parameters = np.eye(K).ravel()
    assert net.loss(X, y) == pytest.approx(as_it_is.loss(Y, y), rel=1e-9)


@backends
@pytest.mark.parametrize("loss", VALUES)
def test_gradients_are_those_of_the_loss(loss: str, backend: str) -> None:
    X, y = table()
    net = make(loss, backend=backend).standardize(X, y)
    assert em.check_gradients(net, X, y).ok
    for output in range(K):
        step = np.zeros((N, K))
        step[:, output] = 1
        np.testing.assert_allclose(
            net.input_gradient(X, output=output), net.vjp(X, step)[1], rtol=1e-12, atol=1e-300
        )
    h = 1e-5 / net.input_scale[1]
    up, down = X.copy(), X.copy()
    up[:, 1] += h
    down[:, 1] -= h
    slope = (net.forward(up) - net.forward(down)) / (2 * h)
    _, dY = net.jvp(X, dX=np.eye(D)[1] * np.ones((N, 1)))
    np.testing.assert_allclose(dY, slope, rtol=1e-4, atol=1e-4 * np.abs(slope).max(axis=0).min())


@pytest.mark.parametrize("loss", VALUES)
def test_core_is_the_twin(loss: str) -> None:
    X, y = table()
    w = np.random.default_rng(1).random(N)
    net, twin = both(make(loss).standardize(X, y))
    v = np.random.default_rng(2).normal(size=net.parameter_count)

    def same(a: Any, b: Any) -> None:
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11 * np.abs(b).max())

    same(net.forward(X), twin.forward(X))
    for a, b in zip(
        net.loss_and_gradient(X, y, sample_weight=w),
        twin.loss_and_gradient(X, y, sample_weight=w),
        strict=True,
    ):
        same(a, b)
    same(net.per_sample_gradients(X, y), twin.per_sample_gradients(X, y))
    same(net.input_gradient(X, y), twin.input_gradient(X, y))
    same(net.hessian_vector_product(X, y, v), twin.hessian_vector_product(X, y, v))
    same(net.taylor_outputs(X, 3, v, X * 1e-3), twin.taylor_outputs(X, 3, v, X * 1e-3))
    for a, b in zip(net.jvp(X, X * 1e-3, v), twin.jvp(X, X * 1e-3, v), strict=True):
        same(a, b)
    if loss in ("squared_error", "half_squared_error"):
        same(net.taylor(X, y, v, 3), twin.taylor(X, y, v, 3))


@backends
def test_gradient_is_the_mean_of_the_rows_and_hessian_moves_it(backend: str) -> None:
    X, y = table()
    net = make(backend=backend).standardize(X, y)
    _, gradient = net.loss_and_gradient(X, y)
    rows = net.per_sample_gradients(X, y)
    np.testing.assert_allclose(
        rows.mean(axis=0), gradient, rtol=1e-9, atol=1e-12 * np.abs(rows).max()
    )
    v = np.random.default_rng(2).normal(size=net.parameter_count)
    h, p = 1e-5, net.parameters
    up = net.loss_and_gradient(X, y, parameters=p + h * v)[1]
    down = net.loss_and_gradient(X, y, parameters=p - h * v)[1]
    H = net.hessian_vector_product(X, y, v)
    np.testing.assert_allclose(H, (up - down) / (2 * h), rtol=1e-5, atol=1e-7 * np.abs(H).max())
    series = net.taylor(X, y, v, 2)
    assert series[0] == pytest.approx(net.loss(X, y))
    assert series[1] == pytest.approx(gradient @ v)
    assert series[2] == pytest.approx(v @ H / 2)


# ---- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"standardize": 1}, "standardize: expected True or False, got 1"),
        ({"standardize": True, "input_scale": 2.0}, "input_scale: expected 1 with standardize"),
        ({"input_shift": [1.0, 2.0]}, r"input_shift: .* shape \(D,\) = \(5,\), got \(2,\)"),
        ({"input_scale": [np.nan] * D}, "input_scale: expected finite"),
        ({"output_scale": 0.0}, "output_scale: expected numbers above 0, got 0.0"),
        ({"output_scale": [1.0, -1.0]}, "output_scale: expected numbers above 0"),
        ({"output_scale": 1e-50}, "output_scale: expected at least 1.18e-38 in float32"),
        ({"output_shift": "3"}, "output_shift: expected a number, got '3'"),
        ({"output_shift": 1.0, "loss": "softmax_cross_entropy"}, "output_shift: expected 0 with"),
        ({"output_scale": 2.0, "loss": "poisson"}, "output_scale: expected 1 with this loss"),
    ],
)
def test_odd_units_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        em.MLP([D, K], **{"loss": "squared_error", **options})


@backends
def test_what_cannot_be_measured_is_refused(backend: str) -> None:
    X, y = table()
    net = make(backend=backend)
    with pytest.raises(ValueError, match=r"X: expected units .*net\.standardize"):
        net.fit([(X, y)])
    with pytest.raises(ValueError, match=r"net\.standardize"):
        em.Trainer(net, em.SGD(0.1), 8).step(X, y)
    with pytest.raises(ValueError, match=r"gradient: expected units"):
        em.Trainer(net, em.SGD(0.1), 8).apply(np.ones(net.parameter_count))
    with pytest.raises(ValueError, match=r"NaN|nan"):
        net.standardize(np.where(np.arange(D) == 1, np.nan, X))
    with pytest.raises(ValueError, match=r"columns|shape"):
        net.standardize(X[:, :3])
    assert net.input_shift == 0.0
    net.standardize(X, y).fit([(X, y)])


@backends
def test_targets_and_validation_that_leave_float32_are_refused(backend: str) -> None:
    net = em.MLP([1, 1], loss="squared_error", output_scale=1e-30, backend=backend)
    with pytest.raises(ValueError, match=r"y: .*after standardising, got 1e\+20 at \[1, 0\]"):
        net.loss([[1.0], [2.0]], [1.0, 1e20])
    X, y = table()
    X[:, 4] = 1e-34 * X[:, 1]
    other = X.copy()
    other[80, 4] = 1e9
    net = make(dtype="float32", backend=backend)
    before = net.parameters
    with pytest.raises(ValueError, match=r"validation: X: .*got 1000000000\.0 at \[80, 4\]"):
        net.fit(X, y, validation=(other, y))
    np.testing.assert_array_equal(net.parameters, before)
    assert net.input_shift == 0.0


@backends
def test_numbers_that_leave_float32_are_refused(backend: str) -> None:
    net = em.MLP([1, 1], loss="squared_error", input_scale=[1e30], backend=backend)
    with pytest.raises(ValueError, match=r"X: .*after standardising, got 1e\+20 at \[1, 0\]"):
        net.forward([[1.0], [1e20]])


@pytest.mark.parametrize(
    ("dtype", "size", "text"),
    [
        ("float32", 3.4e38, "X: expected columns whose deviation float32 can divide by, got 2.94"),
        ("float64", 1.7e308, "X: expected finite float64 numbers after standardising, got 1.7"),
    ],
)
def test_columns_that_cannot_be_standardised(dtype: str, size: float, text: str) -> None:
    """They are refused by where they are, and nothing is measured."""
    y = np.r_[np.zeros(3), np.ones(9)]
    X = np.c_[y, np.where(y > 0, -size, size)].astype(dtype)
    net = em.MLP([2, 3, 1], loss="squared_error", standardize=True, dtype=dtype, seed=0)
    before = net.parameters
    for call in (lambda: net.fit(X, y, epochs=1), lambda: net.standardize(X, y)):
        with pytest.raises(ValueError, match=text):
            call()
    assert np.all(net.input_shift == 0) and np.all(net.input_scale == 1)
    assert net.parameters.tobytes() == before.tobytes()
    net.fit(X[:, :1].repeat(2, axis=1), y, epochs=1)
    if dtype == "float32":
        other = em.MLP([1, 1], loss="squared_error", standardize=True, seed=0)
        with pytest.raises(ValueError, match="y: expected finite float32 numbers after standardis"):
            other.fit(y[:, None], X[:, 1], epochs=1)
