"""The derivatives of the API: the core against the twin."""

from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp import reference
from eigenmlp._core.loading import core
from eigenmlp.reference import derivatives
from eigenmlp.reference.loss import find as find_loss
from support.bounds import ULPS, assert_within
from support.directions import directions, has_series
from support.names import COMBINATIONS, DTYPES
from support.problems import both, make_data, make_net, make_targets

pytestmark = pytest.mark.quick

Array = Any
ORDER = 5
LONG_DOUBLE = pytest.mark.skipif(
    np.finfo(np.longdouble).eps >= np.finfo(np.float64).eps, reason="long double is float64 here"
)


def all_of(
    module: Any, network: Any, net: em.MLP, X: Array, T: Array, w: Array, orders: tuple[int, ...]
) -> dict[str, Any]:
    """What every function of a backend's module gives for one network and its data."""
    v, dX = directions(net, X)
    results = {
        "jvp by X": module.jvp(network, X, dX)[1],
        "jvp by parameters": module.jvp(network, X, None, v)[1],
        "jvp by both": module.jvp(network, X, dX, v)[1],
        "input_gradient": module.input_gradient(network, X, T),
        "input_gradient of an output": module.input_gradient(
            network, X, output=net.layer_sizes[-1] - 1
        ),
        "per_sample_gradients": module.per_sample_gradients(network, X, T, w),
        "hessian_vector_product": module.hessian_vector_product(network, X, T, v, w),
    }
    if net.parameter_count < 60:
        results["hessian"] = module.hessian(network, X, T, w)
    if all(map(has_series, net._all_activations)):
        for order in orders:
            if len(orders) > 1:
                results[f"outputs by X to {order}"] = module.taylor_outputs(
                    network, X, order, None, dX
                )
            results[f"outputs by parameters to {order}"] = module.taylor_outputs(
                network, X, order, v
            )
            results[f"outputs by both to {order}"] = module.taylor_outputs(network, X, order, v, dX)
            if find_loss(net._loss_object.core_text).no_series is None:
                results[f"loss to {order}"] = module.taylor(network, X, T, v, order, w)
    return results


def compare(
    net: em.MLP,
    X: Array,
    T: Array,
    w: Array,
    what: str = "",
    orders: tuple[int, ...] = (0, 1, ORDER),
) -> None:
    """The core and the twin in one dtype, against the twin in long double.

    The yardstick is what rounding does to the problem itself: how far the exact results move when
    every parameter, input and target is rounded to `net`'s dtype in the other direction, at
    random, and what the twin's own arithmetic does to it. The core's sums run in another order,
    and its elementary functions are good to ULPS units in the last place where the twin's are good
    to about one; each layer, each order and each of those adds its own.
    """
    u = float(np.finfo(net.dtype).eps)
    native, twin = both(net)
    exact = reference.Network(
        net.layer_sizes,
        net._all_activations,
        net._loss_object.core_text,
        net._bias,
        net.input_scale,
        "longdouble",
    )
    exact.set_parameters(net.parameters)
    rng = np.random.default_rng(11)

    def moved(a: Array) -> Array:
        return a if a.dtype.kind == "i" else a * (1 + u * rng.uniform(-1, 1, a.shape))

    truth = all_of(derivatives, exact, net, X, T, w, orders)
    theirs = all_of(derivatives, twin._network, net, X, T, w, orders)
    ours = all_of(core.derivatives, native._network, net, X, T, w, orders)
    rounding = {name: np.abs(theirs[name] - truth[name]) for name in truth}
    for _ in range(3):
        exact.set_parameters(moved(net.parameters))
        shaken = all_of(derivatives, exact, net, moved(X), moved(T), w, orders)
        for name in truth:
            rounding[name] = np.maximum(rounding[name], np.abs(shaken[name] - truth[name]))
    for name, value in ours.items():
        assert value.shape == truth[name].shape and np.isfinite(truth[name]).all(), name
        if not name.startswith("loss"):
            assert value.dtype == theirs[name].dtype == net.dtype, name
        # Coefficient by coefficient, as they differ in size.
        axes = tuple(range(name.startswith(("loss", "outputs")), value.ndim))
        size = np.abs(truth[name]).max(axis=axes, keepdims=True) if axes else np.abs(truth[name])
        if name.startswith("loss"):  # a sum of terms that may cancel, such as log Σ exp(z) - z
            outputs = truth[name.replace("loss", "outputs by parameters")]
            size = size + np.abs(outputs).max(axis=(1, 2))
        worst = rounding[name].max(axis=axes, keepdims=True) if axes else rounding[name]
        tiny = float(np.finfo(net.dtype).tiny)
        bound = ULPS * len(net.layer_sizes) * (worst + u * size) + tiny + 0 * truth[name]
        assert_within(value, truth[name], np.asarray(bound, np.float64), f"{what} {name}")


@LONG_DOUBLE
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("activation", "loss", "output"), COMBINATIONS)
def test_core_against_twin(activation: str, loss: str, output: str, dtype: str) -> None:
    options = {"activation": activation, "output_activation": output, "loss": loss, "dtype": dtype}
    for sizes, rows, scale, soft in [
        ([3, 5, 4, 2], 7, 1.0, False),
        ([17, 33, 9, 20], 19, -0.5, True),
        ([6, 17], 5, 1.0, True),
    ]:
        net = make_net(sizes, bias=scale > 0, input_scale=scale, **options)
        X, _ = make_data(sizes, loss, rows, dtype)
        T = make_targets(loss, rows, sizes[-1], soft=soft)
        T = T if T.dtype.kind == "i" else T.astype(dtype)
        weights = np.random.default_rng(4).integers(0, 4, rows) / 2
        compare(net, X, T, weights, f"{sizes}")


@LONG_DOUBLE
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("sizes", "rows"),
    [
        ([1, 1, 1], 2),
        ([8, 16, 9], 15),
        ([16, 8, 16, 24], 13),
        ([70, 1, 70], 129),  # rows go in chunks of 128
        ([3, 4, 2], 1100),  # products with the Hessian in blocks of 1024 rows
        ([140, 135, 6], 9),  # sums longer than a block of terms
        ([2, 2100, 2], 64),  # wide: rows go in small chunks
    ],
    ids=str,
)
def test_shapes(sizes: list[int], rows: int, dtype: str) -> None:
    net = make_net(sizes, activation="tanh", dtype=dtype)
    X, T = make_data(sizes, "softmax_cross_entropy", rows, dtype)
    compare(net, X, T, np.random.default_rng(2).uniform(0.5, 2, rows), orders=(3,))


N, D, K = 6, 3, 2
X, LABELS = make_data([D, K], "softmax_cross_entropy", N, "float32")
