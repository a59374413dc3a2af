"""The compiled core against the twin: outputs, losses, every gradient, trajectories.

How far they may differ follows from the arithmetic: see `rounding_bounds` in support/bounds.py.
"""

from itertools import cycle, product
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp import reference
from eigenmlp._backends.core import core
from eigenmlp.optimizers import OPTIMIZERS, Optimizer
from eigenmlp.reference import loss as reference_losses
from eigenmlp.reference.activation import ROW_ACTIVATIONS, find
from eigenmlp.reference.optimizer import OPTIMIZERS as reference_optimizers
from support.bounds import ULPS, assert_within, rounding_bounds
from support.names import ACTIVATIONS, COMBINATIONS, DTYPES, LOSS_OUTPUTS, LOSSES
from support.problems import both, make_data, make_net, make_targets

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
def test_rows_are_read_where_they_are(rows: int, activation: str, dtype: str) -> None:
    """Whatever the layout, and whether a layer reads the user's array or a copy: the same bits."""
    rng = np.random.default_rng(rows)
    X = rng.normal(0, 1, (2 * rows, 150)).astype(dtype)
    net = make_net([150, 37, 50, 3], activation=activation, dtype=dtype)
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


# ---- trajectories

BATCH = 8


def test_tables_of_optimizers_agree() -> None:
    """The descriptions, the core and the twin: names, numbers, their defaults, and states."""
    rules = [kind.rule for kind in OPTIMIZERS.values()]
    assert rules == list(core.optimizers) == list(reference_optimizers)
    for kind in OPTIMIZERS.values():
        twin = reference_optimizers[kind.rule]
        assert kind(0.1).hyper() == twin.defaults
        for dtype in DTYPES:
            trainer = em.Trainer(em.MLP([2, 1], dtype=dtype), kind(0.1))
            assert tuple(trainer._trainer.state_names) == twin.state_names


# Each optimizer of the table as it is, and with what else it can do.
PLAIN = [kind(0.02) for kind in OPTIMIZERS.values()]
RICH = [
    em.SGD(0.05, weight_decay=0.02),
    em.SGD(0.02, momentum=0.7),
    em.SGD(0.02, momentum=0.7, nesterov=True, weight_decay=0.02),
    em.Adam(0.02, betas=(0.5, 0.9), eps=1e-3, weight_decay=0.02),
    em.RMSprop(0.01, alpha=0.9, eps=1e-3, weight_decay=0.02, momentum=0.5),
    em.RMSprop(0.01, alpha=0.9, eps=1e-2, centered=True),
]
LIMITED = [
    em.SGD(0.05, momentum=0.5, weight_decay=0.02, clip_norm=0.3, l1=0.01, max_norm=1.0),
    em.SGD(0.05, l1=0.01),
    em.SGD(0.05, momentum=0.7, nesterov=True, lr_in_velocity=True, penalty=0.5),
    em.SGD(0.05, momentum=0.9, lr_in_velocity=True),
    em.Adam(0.01, eps=1e-2, raw_eps=True, penalty=0.3, clip_norm=0.5),
    em.AdamW(0.01, penalty=0.1, max_norm=1.0),
    em.SGD(0.05, momentum=0.5, max_norm=0.7),
    em.Adam(0.01, eps=1e-3, clip_norm=0.2),
]
EVERY_OPTIMIZER = [*PLAIN, *RICH, *LIMITED]


def is_smooth(name: str) -> bool:
    return name in ROW_ACTIVATIONS or find(name).activation.is_smooth


def has_steps(loss: str) -> bool:
    """Whether the loss's first derivative jumps, at y = t."""
    chosen = reference_losses.find(loss)
    return chosen.loss.no_series is not None and "delta" not in chosen.parameters


def exact_run(
    net: em.MLP, X: Any, T: Any, optimizer: Optimizer, orders: Any, weights: Any, key: int
) -> tuple[Any, Any, float]:
    """The twin in long double: parameters, losses, and how close a z (or an output) came to where
    f' (or the loss's derivative) jumps.
    """
    twin = reference.Network(
        net.layer_sizes,
        net._all_activations,
        net._loss_object.core_text,
        net._bias,
        1.0,
        "longdouble",
    )
    twin.set_parameters(net.parameters)
    limits = {name: x for name, x in optimizer.limits().items() if x is not None}
    trainer = reference.Trainer(
        twin, optimizer.rule, optimizer.hyper(), **limits, dropout=net._dropout, dropout_key=key
    )
    kinked = [not is_smooth(name) for name in twin.activations]
    clear, losses = np.inf, []
    for order in orders:
        total = count = 0.0
        for start in range(0, len(X), BATCH):
            rows = order[start : start + BATCH]
            passes = twin.forward_pass(X[rows], trainer._masks(len(rows)))
            for step, kink in zip(passes, kinked, strict=True):
                clear = min(clear, float(np.abs(step.Z).min())) if kink else clear
            if has_steps(twin.loss):
                clear = min(clear, float(np.abs(passes[-1].Y - T[rows]).min()))
            w = None if weights is None else weights[rows]
            weight = reference_losses.divisor(twin.loss, len(rows), w)
            total += weight * trainer.step(X[rows], T[rows], optimizer.lr, w)  # type: ignore[arg-type]
            count += weight
        losses.append(total if reference_losses.find(twin.loss).is_sum else total / count)
    return twin.get_parameters(), losses, clear


def compare_runs(
    sizes: list[int],
    rows: int,
    optimizer: Optimizer,
    epochs: int,
    weighted: bool = False,
    **options: Any,
) -> None:
    """Runs of the core and of the twin, each in float32 and float64, against long double.

    The yardstick is the twin: what its own rounding does to it, in the same steps and the same
    dtype. The core's sums run in another order and its exp and tanh are other programs, good to
    ULPS units in the last place where the twin's are good to about one: so it may be off by ULPS
    times as much, and so may the twin's own error be smaller by luck than the u |w| of storing w.
    Where f' jumps, a difference of one bit may turn into a large one; so the data are the first,
    by seed, for which no z comes close to a kink in the exact run.
    """
    optimizer_seed = 5
    for seed in range(100):
        X, T = make_data(sizes, options["loss"], rows, "float32", seed)
        weights = np.random.default_rng(seed).uniform(0.5, 2, rows) if weighted else None
        start = make_net(sizes, seed, dtype="float32", **options)
        rng = np.random.default_rng(optimizer_seed)
        key = int(rng.integers(2**64, dtype=np.uint64)) if start._drops else 0
        orders = [rng.permutation(rows) for _ in range(epochs)]
        exact, exact_losses, clear = exact_run(start, X, T, optimizer, orders, weights, key)
        runs = {}
        for dtype, backend in product(DTYPES, ["native", "numpy"]):
            net = em.MLP(**{**start.config, "dtype": dtype, "backend": backend})
            net.parameters = start.parameters
            trainer = em.Trainer(net, optimizer, BATCH, optimizer_seed)
            history = trainer.run(X, T, epochs, sample_weight=weights)
            assert trainer.steps == epochs * -(-rows // BATCH)
            runs[dtype, backend] = net.parameters, history
        rounding = float(np.abs(runs["float32", "numpy"][0] - exact).max())
        if clear > 100 * rounding:
            break
    else:
        raise AssertionError("no data without a z close to a kink")

    for dtype in DTYPES:
        u = float(np.finfo(dtype).eps)
        (w_core, core), (w_twin, twin) = runs[dtype, "native"], runs[dtype, "numpy"]
        for what, ours, theirs, truth in [
            ("parameters", w_core, w_twin, exact),
            ("losses", core.loss, twin.loss, np.array(exact_losses)),
        ]:
            rounding = float(np.abs(theirs - truth).max()) + u * float(np.abs(truth).max())
            assert_within(ours, truth, ULPS * rounding, f"{dtype} {what}")
        # The comparison says something only if the training went somewhere.
        moved = float(np.abs(exact - start.parameters).max())
        assert moved > 100 * ULPS * float(np.abs(w_twin - exact).max())


LONG_DOUBLE = pytest.mark.skipif(
    np.finfo(np.longdouble).eps >= np.finfo(np.float64).eps, reason="long double is float64 here"
)


@LONG_DOUBLE
@pytest.mark.parametrize(
    ("activation", "loss", "optimizer"),
    # Every activation and every loss with one optimizer, every optimizer with two of them.
    [
        *((name, "squared_error", RICH[2]) for name in ACTIVATIONS),
        *(("tanh", loss, RICH[2]) for loss in LOSSES),
        *(("relu", "softmax_cross_entropy", optimizer) for optimizer in EVERY_OPTIMIZER),
        *(("sigmoid", "sigmoid_cross_entropy", optimizer) for optimizer in EVERY_OPTIMIZER),
    ],
    ids=str,
)
def test_ten_steps(activation: str, loss: str, optimizer: Optimizer) -> None:
    for weighted in (False, True):  # 5 steps an epoch, the last of 5 rows
        compare_runs([9, 17, 7], 37, optimizer, 2, weighted, activation=activation, loss=loss)


@LONG_DOUBLE
@pytest.mark.parametrize("sizes", [[9, 17, 7], [4, 70, 5, 16, 3]], ids=str)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_ten_steps_with_dropout(activation: str, sizes: list[int]) -> None:
    rates = [0.3, 0.0, 0.6][: len(sizes) - 2]
    options = {"activation": activation, "loss": "softmax_cross_entropy", "dropout": rates}
    compare_runs(sizes, 37, em.SGD(0.05, momentum=0.5), 2, **options)


@LONG_DOUBLE
@pytest.mark.parametrize(
    ("activation", "loss", "output"),
    COMBINATIONS,
)
def test_a_thousand_steps(activation: str, loss: str, output: str) -> None:
    """With weight decay, which lets errors die away."""
    optimizer = em.SGD(0.02, momentum=0.5, nesterov=True, weight_decay=0.05)
    options = {"activation": activation, "output_activation": output, "loss": loss}
    if has_steps(loss):  # outputs cross their targets before long
        compare_runs([5, 9, 2], 19, optimizer, 10, **options)
    elif is_smooth(activation) and is_smooth(output):
        compare_runs([5, 9, 2], 19, optimizer, 334, **options)  # 3 steps an epoch
    else:  # one step an epoch on few rows: z moves slowly, and seldom comes close to 0
        compare_runs([2, 3, 2], 4, optimizer, 1000, **options)


@pytest.mark.parametrize("backend", ["native", "numpy"])
@pytest.mark.parametrize("optimizer", [x for x in EVERY_OPTIMIZER if not x.penalty], ids=str)
def test_applied_gradients_are_steps(optimizer: Optimizer, backend: str) -> None:
    """`apply` with the gradient of a batch does what `step` does, to the bit: one order of sums."""
    sizes, rows = [12, 18, 5], 20
    X, T = make_data(sizes, "softmax_cross_entropy", rows)
    nets = [make_net(sizes, dtype="float64", backend=backend) for _ in range(2)]
    a, b = (em.Trainer(net, optimizer) for net in nets)
    for _ in range(10):
        loss, gradient = nets[1].loss_and_gradient(X, T)
        assert a.step(X, T) == loss
        b.apply(gradient)
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)
