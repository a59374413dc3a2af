"""Dropout: the units it drops, and what it leaves alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from eigenmlp.reference import dropout
from support.names import ACTIVATIONS, DTYPES
from support.problems import make_data

backends = pytest.mark.parametrize("backend", BACKENDS)
dtypes = pytest.mark.parametrize("dtype", DTYPES)
SIZES, N = [6, 12, 3], 50
X, Y = make_data(SIZES, "softmax_cross_entropy", N, "float32")


def make(backend: str = "native", **options: Any) -> em.MLP:
    return em.MLP(**{"layer_sizes": SIZES, "seed": 0, **options}, backend=backend)


@backends
@dtypes
def test_the_same_units_are_dropped(dtype: str, backend: str) -> None:
    """Single rows through units that all give 1: the gradient of the output weights is the mask."""
    sizes = [1, 70, 129, 1]
    options = {"activation": "identity", "loss": "squared_error", "init": "zeros", "dtype": dtype}
    net = em.MLP(sizes, seed=0, backend=backend, dropout=[0.25, 0.7], **options)
    trainer = em.Trainer(net, em.SGD(0.5), seed=3)
    for step in range(3):
        b0, b1 = np.ones(70), np.ones(129)
        net.parameters = np.concatenate([np.zeros(70), b0, np.zeros(70 * 129), b1, np.zeros(130)])
        assert trainer.step([[0.0]], [-1.0]) == 1  # dY = 2, so W2 = -mask
        last = dropout.mask(0.7, trainer._dropout_key, step, 2, np.arange(1), 129)[0]
        np.testing.assert_allclose(net.weights[2][:, 0], -last.astype(dtype), rtol=1e-6)
        net.parameters = np.concatenate(
            [np.zeros(70), b0, np.zeros(70 * 129), b1, np.ones(129), np.zeros(1)]
        )
    net.parameters = np.concatenate([np.zeros(70), b0, np.zeros(9030), b1, np.ones(129), [0.0]])
    trainer.step([[0.0]], [0.0])
    first = dropout.mask(0.25, trainer._dropout_key, 3, 1, np.arange(1), 70)[0]
    assert (np.flatnonzero(np.abs(net.weights[1]).sum(axis=1)) == np.flatnonzero(first)).all()


def test_masks_are_fair() -> None:
    """As many units are dropped as asked for, in every row, layer and step on their own."""
    rows, columns, rate = np.arange(400), 300, 0.3
    masks = [
        dropout.mask(rate, key, step, layer, rows, columns)
        for key, step, layer in [(1, 0, 1), (2, 0, 1), (1, 1, 1), (1, 0, 2), (1, 2**32, 1)]
    ]
    n = masks[0].size
    deviation = (rate * (1 - rate) / n) ** 0.5
    for i, mask in enumerate(masks):
        assert set(np.unique(mask)) == {0.0, 1 / (1 - rate)}
        assert abs((mask == 0).mean() - rate) < 5 * deviation
        for other in masks[:i]:  # dropped in both: rate² of them
            both = ((mask == 0) & (other == 0)).mean()
            assert abs(both - rate**2) < 5 * (rate**2 * (1 - rate**2) / n) ** 0.5
    by_row, by_column = (masks[0] == 0).mean(axis=1), (masks[0] == 0).mean(axis=0)
    assert by_row.std() < 2 * (rate * (1 - rate) / columns) ** 0.5
    assert by_column.std() < 2 * (rate * (1 - rate) / len(rows)) ** 0.5


def test_known_answers_of_philox() -> None:
    """From the authors' Random123 library, kat_vectors: philox4x32 10."""
    pi = [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344]
    ones = 0xFFFFFFFF
    for counter, key, words in [
        ([0] * 4, 0, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([ones] * 4, ones << 32 | ones, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (pi, 0x299F31D0 << 32 | 0xA4093822, [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]),
    ]:
        found = dropout.philox(np.array(counter, np.uint64), key)
        assert found.tolist() == words


@backends
def test_only_training_drops(backend: str) -> None:
    nets = [make(backend, dropout=rate) for rate in (0.0, 0.5)]
    for call in (
        lambda net: net.forward(X),
        lambda net: net.predict_proba(X),
        lambda net: np.array(net.evaluate(X, Y).loss),
        lambda net: net.loss_and_gradient(X, Y)[1],
        lambda net: net.vjp(X, np.ones((N, 3)))[0],
    ):
        np.testing.assert_array_equal(call(nets[0]), call(nets[1]))
    history = [net.fit(X, Y, epochs=1, seed=0).loss for net in nets]
    assert history[0] != history[1]


@backends
def test_dropout_is_part_of_the_network(backend: str, tmp_path: Path) -> None:
    net = make(backend, layer_sizes=[6, 5, 4, 3], dropout=[0.2, 0.0])
    assert net.config["dropout"] == [0.2, 0.0] and em.MLP(**net.config).config == net.config
    assert make(dropout=0.2).config["dropout"] == [0.2]
    assert make(layer_sizes=[6, 3], dropout=0.2).config["dropout"] == []
    net.save(tmp_path / "net")
    assert em.MLP.load(tmp_path / "net", backend).config == net.config


@backends
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_dropout_learns(activation: str, backend: str) -> None:
    net = make(backend, activation=activation, dropout=0.2)
    before = net.loss(X, Y)
    net.fit(X, Y, epochs=40, batch_size=10, optimizer=em.SGD(0.05), seed=0)
    assert net.loss(X, Y) < before


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (1.0, "dropout.*below 1, got 1.0"),
        (-0.1, "dropout.*at least 0.*got -0.1"),
        (np.nan, "dropout.*nan"),
        ("0.5", "dropout.*number, got '0.5'"),
        (None, "dropout.*number, got None"),
        ([0.1, 0.2], r"dropout.*one number or 1.*got \[0.1, 0.2\]"),
        ([1.5], "dropout.*below 1, got 1.5"),
        (["a"], "dropout.*number, got 'a'"),
    ],
    ids=str,
)
def test_bad_dropout(bad: Any, text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=text):
        make(dropout=bad)
