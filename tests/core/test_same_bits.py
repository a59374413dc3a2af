"""The same bits for every number of threads."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp.optimizers import OPTIMIZERS, Optimizer
from support.names import COMBINATIONS, DTYPES
from support.problems import make_data, make_net

pytestmark = pytest.mark.usefixtures("all_threads")

SGD = em.SGD(0.01, momentum=0.9)
# (sizes, rows, batch) of steps that several threads share by columns, that they share by rows, and
# that are work for one thread, as threads_for_step and weights_outweigh in cpp/ have it.
BY_COLUMNS = [
    ([784, 128, 10], 200, 64),
    ([784, 512, 512, 10], 256, 128),
    ([300, 170, 133, 5], 120, 97),
    ([1500, 900, 3], 8, 4),  # fewer rows than threads
]
BY_ROWS = [
    ([784, 128, 10], 480, 128),  # the last batch alone would go by columns
    ([333, 207, 150, 7], 800, 350),
    ([784, 256, 10], 1500, 1500),  # several chunks of rows a thread
]
BY_BLOCKS = [  # of rows
    ([2, 3, 1], 12, 4),
    ([64, 50, 10], 300, 100),
    ([40, 100, 100, 10], 130, 50),
]
SHAPES = [*BY_COLUMNS, *BY_ROWS, *BY_BLOCKS]


def bits(
    sizes: list[int],
    rows: int,
    batch: int,
    optimizer: Optimizer = SGD,
    accumulate: int = 1,
    **options: Any,
) -> list[bytes]:
    """All that every kind of call gives."""
    net = make_net(sizes, **options)
    X, T = make_data(sizes, net._loss, rows, str(net.dtype))
    weights = np.random.default_rng(1).uniform(0, 2, rows)
    trainer = em.Trainer(net, optimizer, batch, 3, accumulate=accumulate)
    history = trainer.run(X, T, epochs=2)
    dY = np.random.default_rng(2).normal(0, 1, (rows, sizes[-1]))
    results = [
        net.parameters,
        np.array(history.loss),
        np.array(history.accuracy),
        net.forward(X),
        net.forward(X[:1]),
        np.array(net.evaluate(X, T, weights).loss),
        *map(np.asarray, net.loss_and_gradient(X, T, sample_weight=weights)),
        *net.vjp(X, dY),
    ]
    assert all(np.isfinite(result).all() for result in results)
    return [result.tobytes() for result in results]


@pytest.mark.quick  # also where a processor is emulated, which makes barriers slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_of_two_threads(dtype: str) -> None:
    shape: Any = ([40, 33, 10], 60, 20)
    em.set_num_threads(1)
    expected = bits(*shape, dtype=dtype)
    em.set_num_threads(2)
    assert bits(*shape, dtype=dtype) == expected


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("sizes", "rows", "batch"), SHAPES, ids=str)
def test_same_bits(sizes: list[int], rows: int, batch: int, dtype: str) -> None:
    em.set_num_threads(1)
    expected = bits(sizes, rows, batch, dtype=dtype)
    for n in (2, 3, 5, 8, 16):
        em.set_num_threads(n)
        assert em.get_num_threads() == n
        assert bits(sizes, rows, batch, dtype=dtype) == expected, f"{n} threads"


def test_same_bits_of_a_large_network() -> None:
    sizes, rows = [1024, 2048, 2048, 1000], 1024
    X, y = make_data(sizes, "softmax_cross_entropy", rows, "float32")
    results = []
    for n in (1, 2, 3):
        em.set_num_threads(n)
        net = em.MLP(sizes, seed=0)
        trainer = em.Trainer(net, SGD, rows)
        losses = [trainer.step(X, y) for _ in range(2)]
        results.append((losses, net.parameters.tobytes(), net.forward(X).tobytes()))
    assert all(result == results[0] for result in results)


def test_same_bits_of_many_rows() -> None:
    sizes = [784, 128, 10]
    net = make_net(sizes, dtype="float32")
    X, _ = make_data(sizes, "softmax_cross_entropy", 10_000, "float32")
    outputs = []
    for n in (1, 2, 3, 5):
        em.set_num_threads(n)
        outputs.append(net.forward(X))
    one = np.vstack([net.forward(x[None]) for x in X[:300]])
    assert all((outputs[0] == Y).all() for Y in outputs)
    assert (one == outputs[0][:300]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_of_steps_of_any_size(dtype: str) -> None:
    """Memory that was made for one batch serves, or makes way for, the next one."""
    sizes, rows = [784, 300, 200, 10], [64, 65, 66, 1, 400, 401, 64, 7, 500]
    X, y = make_data(sizes, "softmax_cross_entropy", max(rows), dtype)
    results = []
    for n in (1, 2, 3, 5):
        trainer = em.Trainer(make_net(sizes, dtype=dtype), em.SGD(0.01, momentum=0.9), 64, 0)
        losses = []
        for count in rows:
            em.set_num_threads(n)
            losses.append(trainer.step(X[:count], y[:count]))
            em.set_num_threads(n % 5 + 1)
            losses.append(trainer.step(X[-count:], y[-count:]))
        results.append((losses, trainer.net.parameters.tobytes()))
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize(("activation", "loss", "output"), COMBINATIONS)
def test_same_bits_for_every_activation_and_loss(activation: str, loss: str, output: str) -> None:
    options = {"activation": activation, "loss": loss, "output_activation": output}
    for shape in ([200, 130, 7], 90, 45), ([300, 200, 7], 150, 150):  # by columns, by rows
        em.set_num_threads(1)
        expected = bits(*shape, **options)
        em.set_num_threads(3)
        assert bits(*shape, **options) == expected


@pytest.mark.parametrize("optimizer", [kind(0.01) for kind in OPTIMIZERS.values()], ids=str)
@pytest.mark.parametrize(
    "options",
    [
        {"dropout": 0.4},
        {"limits": {"clip_norm": 0.1, "l1": 1e-3, "max_norm": 1.0}},
        {"dropout": 0.2, "accumulate": 3, "limits": {"max_norm": 1.0}},
    ],
    ids=str,
)
def test_same_bits_for_every_optimizer(options: dict[str, Any], optimizer: Optimizer) -> None:
    options = dict(options)
    optimizer = replace(optimizer, **options.pop("limits", {}))
    for shape in ([200, 130, 70, 7], 90, 25), ([300, 200, 7], 400, 150):  # by columns, by rows
        em.set_num_threads(1)
        expected = bits(*shape, optimizer, **options)
        em.set_num_threads(3)
        assert bits(*shape, optimizer, **options) == expected
