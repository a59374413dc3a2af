"""The compiled core against the twin: outputs, losses, every gradient.

How far they may differ follows from the arithmetic: see `rounding_bounds` in support/bounds.py.
"""

from itertools import cycle
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from support.bounds import assert_within, rounding_bounds
from support.names import ACTIVATIONS, COMBINATIONS, DTYPES, LOSS_OUTPUTS
from support.problems import both, make_data, make_net, make_targets

pytestmark = pytest.mark.quick

# (sizes, rows): a panel is 8 doubles or 16 floats, a register tile up to 14 rows, a block of a
# sum 128 or 256 terms; sizes lie around their edges.
SHAPES = [
    ([1, 1], 1),
    ([1, 1, 1], 3),
    ([7, 1], 2),
    ([8, 9], 1),
    ([15, 16, 17], 9),
    ([31, 32, 33], 7),
    ([47, 48, 49], 8),
    ([63, 64, 65], 15),
    ([70, 1, 70], 17),
    ([1, 70, 1], 33),
    ([16, 8, 16, 24], 13),
    ([9, 33, 8, 17, 5, 31], 14),
    ([3, 5, 4, 2, 6, 3, 2], 70),
]
ids = {"ids": lambda x: "-".join(map(str, x)) if isinstance(x, list) else str(x)}


def compare(
    net: em.MLP, X: Any, T: Any, weights: Any = None, what: str = "", seed: int = 7
) -> None:
    """Every pass of both backends."""
    net, twin = both(net)
    dY = np.random.default_rng(seed).normal(0, 1, (len(X), net.layer_sizes[-1])).astype(net.dtype)
    bounds = rounding_bounds(net, X, T, dY, weights)
    Y = net.forward(X)
    assert Y.dtype == net.dtype
    assert_within(Y, twin.forward(X), bounds.Y, f"{what} Y")
    loss, gradient = net.loss_and_gradient(X, T, sample_weight=weights)
    loss_twin, gradient_twin = twin.loss_and_gradient(X, T, sample_weight=weights)
    assert gradient.dtype == net.dtype
    assert_within(loss, loss_twin, bounds.loss, f"{what} loss")
    assert_within(gradient, gradient_twin, bounds.gradient, f"{what} gradient")
    ours, theirs = net.evaluate(X, T, weights), twin.evaluate(X, T, weights)
    assert_within(ours.loss, theirs.loss, bounds.loss, f"{what} evaluate")
    if net._loss.endswith("cross_entropy"):
        # A row may count differently only where rounding may tip the balance.
        Z = np.sort(twin.forward(X).astype(np.float64), axis=1)
        gap = Z[:, -1] - Z[:, -2] if Z.shape[1] > 1 else np.abs(Z[:, -1])
        if net._loss == "sigmoid_cross_entropy":
            gap = np.abs(Z).min(axis=1)
        undecided = int((gap <= 2 * bounds.Y.max(axis=1)).sum())
        assert ours.accuracy is not None and theirs.accuracy is not None
        assert abs(ours.accuracy - theirs.accuracy) * len(X) <= undecided + 1e-9
    else:
        assert ours.accuracy is None and theirs.accuracy is None
    for a, b, bound, name in zip(
        net.vjp(X, dY),
        twin.vjp(X, dY),
        (bounds.vjp_gradient, bounds.input_gradient),
        ("vjp by parameters", "vjp by X"),
        strict=True,
    ):
        assert_within(a, b, bound, f"{what} {name}")


@pytest.mark.parametrize(("sizes", "rows"), SHAPES, **ids)
@pytest.mark.parametrize(("activation", "loss", "output"), COMBINATIONS)
def test_passes(activation: str, loss: str, output: str, sizes: list[int], rows: int) -> None:
    options = {"activation": activation, "output_activation": output, "loss": loss}
    for dtype in DTYPES:
        net = make_net(sizes, dtype=dtype, **options)
        compare(net, *make_data(sizes, loss, rows, dtype), what=dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", range(1, 71))
def test_every_size_around_the_panels(size: int, dtype: str) -> None:
    """Every size as D, as hidden size, as K and as rows."""
    for sizes, rows, loss in [
        ([size, 71 - size, 3], 5, "softmax_cross_entropy"),
        ([4, size, size], 1 + size % 16, "sigmoid_cross_entropy"),
        ([2, 9, size], size, "softmax_cross_entropy"),
        ([17, size], 71 - size, "squared_error"),
    ]:
        net = make_net(sizes, activation="tanh", loss=loss, dtype=dtype)
        compare(net, *make_data(sizes, loss, rows, dtype), what=f"{sizes} {rows}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("sizes", "rows"),
    [
        ([3, 4, 2], 1023),  # gradients go in blocks of 1024 rows, outputs in chunks of 128
        ([3, 4, 2], 2101),
        ([300, 257, 20], 300),  # sums longer than a block of 256
        ([513, 6], 129),
        ([5, 2100, 4], 260),  # wide: rows go in chunks that fit the L2 cache
    ],
    **ids,
)
def test_sizes_beyond_a_block(sizes: list[int], rows: int, dtype: str) -> None:
    loss = "softmax_cross_entropy"
    net = make_net(sizes, activation="tanh", loss=loss, dtype=dtype)
    weights = np.random.default_rng(2).uniform(0, 2, rows)
    compare(net, *make_data(sizes, loss, rows, dtype), weights)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_in_any_place_of_a_row(dtype: str) -> None:
    """The core takes rows by lines and parts of lines."""
    loss = "squared_error"
    for D in range(1, 35):
        net = make_net([D, 1], loss=loss, dtype=dtype)
        X, T = make_data([D, 1], loss, 3, dtype)
        trainer = em.Trainer(net, em.SGD(0.1))
        for column in range(D):
            bad = X.copy()
            bad[1, column] = np.nan
            with pytest.raises(ValueError, match=f"nan at X.1, {column}"):
                trainer.step(bad, T)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("rows", [1, 2, 9, 300])
@pytest.mark.parametrize("units", [37, 34, 3])  # the last two or three beyond whole panels or not
def test_rows_are_read_where_they_are(units: int, rows: int, activation: str, dtype: str) -> None:
    """Whatever the layout, and whether a layer reads the user's array or a copy: the same bits."""
    rng = np.random.default_rng(rows)
    X = rng.normal(0, 1, (2 * rows, 150)).astype(dtype)
    net = make_net([150, units, 50, 3], activation=activation, dtype=dtype)
    expected = net.forward(X)
    assert expected.tobytes() == net.forward(np.asfortranarray(X)).tobytes()
    assert expected.tobytes() == net.forward(X.astype(np.longdouble)).tobytes()
    assert expected[::2].tobytes() == net.forward(X[::2]).tobytes()
    assert expected[::-1].tobytes() == net.forward(X[::-1]).tobytes()
    wide = np.hstack([X, X])
    assert expected.tobytes() == net.forward(wide[:, 150:]).tobytes()
    same = np.broadcast_to(X[:1], X.shape)
    assert np.repeat(expected[:1], 2 * rows, axis=0).tobytes() == net.forward(same).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 2, 300])
def test_outputs_may_lie_where_the_inputs_are(rows: int, dtype: str) -> None:
    net = make_net([16, 16], loss="squared_error", dtype=dtype)
    numbers = np.random.default_rng(rows).normal(0, 1, (rows + 1, 16)).astype(dtype)

    def views(memory: Any) -> list[tuple[Any, Any]]:
        return [
            (memory[:-1], memory[:-1]),
            (memory[:-1], memory[1:]),
            (memory[1:], memory[:-1]),
            (memory[-2::-1], memory[:-1]),
            (memory[:-1, ::-1], memory[1:]),
        ]

    for i, (X, _) in enumerate(views(numbers)):
        expected = net.forward(X)
        memory = numbers.copy()
        X, out = views(memory)[i]
        assert net.forward(X, out=out) is out
        assert out.tobytes() == expected.tobytes(), i
        if rows > 1:
            memory[:] = numbers
            X[-1, -1] = np.nan
            before = memory.tobytes()
            with pytest.raises(ValueError, match="finite"):
                net.forward(X, out=out)
            assert memory.tobytes() == before


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 2, 300])
def test_not_finite_inputs_and_outputs(rows: int, dtype: str) -> None:
    """NaN and Inf in X are refused, also where relu or a weight of 0 would hide them; outputs that
    overflow are the outputs."""
    net = make_net([20, 5, 2], activation="relu", dtype=dtype, init="zeros")
    X = np.ones((rows, 20), dtype)
    for bad in (np.nan, np.inf, -np.inf):
        X[-1, -1] = bad
        with pytest.raises(ValueError, match="finite"):
            net.forward(X)
    X[-1, -1] = 1
    huge = np.full(net.parameter_count, np.finfo(dtype).max / 2, dtype)
    net.parameters = huge
    assert np.isposinf(net.forward(X)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("loss", "output"), LOSS_OUTPUTS)
@pytest.mark.parametrize("bias", [True, False])
def test_options(bias: bool, loss: str, output: str, dtype: str) -> None:
    """Without bias, scaled inputs, probability targets, sample weights (some of them 0)."""
    sizes, rows = [10, 18, 5], 21
    options = {"activation": "sigmoid", "loss": loss, "output_activation": output, "dtype": dtype}
    for scale in (1.0, -0.25):
        net = make_net(sizes, bias=bias, input_scale=scale, **options)
        X, T = make_data(sizes, loss, rows, dtype)
        weights = np.random.default_rng(4).integers(0, 4, rows) / 2
        compare(net, X, T, weights, f"scale {scale} weighted")
        soft = make_targets(loss, rows, sizes[-1], soft=True).astype(dtype)
        compare(net, X, soft, None, f"scale {scale} soft")
        compare(net, X, soft, weights, f"scale {scale} soft weighted")
        assert len(net.biases) == (len(net.weights) if bias else 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("loss", "output"),
    [(loss, output) for loss, output in LOSS_OUTPUTS if loss != "poisson"],  # exp(z) is no share
)
def test_large_logits(loss: str, output: str, dtype: str) -> None:
    """Where a probability is 0 or 1 to the last bit, losses stay finite and right."""
    sizes, rows = [4, 20], 12
    net = make_net(sizes, loss=loss, output_activation=output, dtype=dtype)
    net.parameters = 60 * net.parameters
    compare(net, *make_data(sizes, loss, rows, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("K", [3, 20, 40])
def test_logits_whose_differences_overflow(K: int, dtype: str) -> None:
    """A class beyond the others' reach adds nothing to the loss, unless it is the label."""
    most = float(np.finfo(dtype).max)
    bias = np.zeros(K)
    bias[:2] = 0.9 * most, -0.9 * most
    for backend in ("native", "numpy"):
        net = em.MLP([2, K], dtype=dtype, backend=backend)
        net.parameters = np.append(np.zeros(2 * K), bias)
        losses = [net.loss_and_gradient([[1.0, 2.0]], [label])[0] for label in range(3)]
        np.testing.assert_allclose(losses, [0.0, np.inf, 0.9 * most], rtol=1e-6)


def test_a_mix_of_activations() -> None:
    names = [name for name, _ in zip(cycle(ACTIVATIONS), range(2 * len(ACTIVATIONS)), strict=False)]
    sizes = [6, *range(9, 9 + len(names)), 4]
    net = make_net(sizes, activation=names, dtype="float64")
    compare(net, *make_data(sizes, "softmax_cross_entropy", 19))


@pytest.mark.parametrize("dtype", DTYPES)
def test_outputs_far_below_zero(dtype: str) -> None:
    """Softmax depends on differences only, be the logits ever so low."""
    lowest = float(np.finfo(dtype).min) * 0.9
    net = em.MLP([2, 3], loss="squared_error", output_activation="softmax", dtype=dtype)
    net.parameters = np.append(np.zeros(6), np.full(3, lowest))
    np.testing.assert_allclose(net.forward([[1.0, 2.0]]), np.full((1, 3), 1 / 3), rtol=1e-6)
