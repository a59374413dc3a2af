"""The compiled core against the twin: trajectories of every optimizer."""

from itertools import product
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp import reference
from eigenmlp._core.loading import core
from eigenmlp.optimizers import OPTIMIZERS, Optimizer
from eigenmlp.reference import loss as reference_losses
from eigenmlp.reference.activation import ROW_ACTIVATIONS, find
from eigenmlp.reference.optimizer import OPTIMIZERS as reference_optimizers
from support.bounds import ULPS, assert_within
from support.names import ACTIVATIONS, COMBINATIONS, DTYPES, LOSSES
from support.problems import make_data, make_net

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
    return name in ROW_ACTIVATIONS or find(name).is_smooth


def has_steps(loss: str) -> bool:
    """Whether the loss's first derivative jumps, at y = t."""
    chosen = reference_losses.find(loss)
    return chosen.no_series is not None and "delta" not in chosen.parameters


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
        losses.append(total if reference_losses.is_sum(twin.loss) else total / count)
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
