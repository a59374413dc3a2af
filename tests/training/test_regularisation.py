"""Dropout, L1, clipping, max-norm and gathered batches: what they do, and what they leave alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from eigenmlp.reference import dropout
from support.bounds import assert_within, rounding_bounds
from support.names import ACTIVATIONS, DTYPES
from support.problems import make_data

backends = pytest.mark.parametrize("backend", BACKENDS)
dtypes = pytest.mark.parametrize("dtype", DTYPES)
SIZES, N = [6, 12, 3], 50
X, Y = make_data(SIZES, "softmax_cross_entropy", N, "float32")


def make(backend: str = "native", **options: Any) -> em.MLP:
    return em.MLP(**{"layer_sizes": SIZES, "seed": 0, **options}, backend=backend)


# ---- dropout


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


# ---- limits


@backends
@dtypes
def test_clipping_bounds_the_step(dtype: str, backend: str) -> None:
    net = make(backend, dtype=dtype)
    for clip, clips in ((0.01, True), (1e3, False)):
        loss, gradient = net.loss_and_gradient(X, Y)
        before = net.parameters
        assert em.Trainer(net, em.SGD(0.5, clip_norm=clip)).step(X, Y) == pytest.approx(loss)
        step, norm = (before - net.parameters) / 0.5, np.linalg.norm(gradient)
        expected = gradient * min(1, clip / (norm + 1e-6))
        assert (norm > clip) == clips
        u = float(np.finfo(dtype).eps)
        bound = 4 * u * np.abs(before).max() + 2 * len(gradient) * u * np.abs(expected).max()
        np.testing.assert_allclose(step, expected, rtol=0, atol=bound)


@backends
def test_l1(backend: str) -> None:
    """What the rule gets is the gradient of the loss with ``l1=``, which differences confirm."""
    net, l1 = make(backend, dtype="float64"), 0.05
    x = X.astype(np.float64)
    loss, gradient = net.loss_and_gradient(x, Y, l1=l1, l2=0.3)
    W = np.concatenate([W.ravel() for W in net.weights])
    assert loss == pytest.approx(net.loss(x, Y) + l1 * np.abs(W).sum() + 0.15 * (W @ W), rel=1e-14)
    point, h = net.parameters, 1e-6
    for i in range(0, len(point), 7):
        step = h * np.eye(len(point))[i]
        up, down = (net.loss_and_gradient(x, Y, point + s, 0.3, l1=l1)[0] for s in (step, -step))
        assert (up - down) / (2 * h) == pytest.approx(gradient[i], rel=1e-6, abs=1e-8)
    trainer = em.Trainer(net, em.SGD(0.5, l1=l1))
    trainer.step(x, Y)
    without = make(backend, dtype="float64")
    _, gradient = without.loss_and_gradient(x, Y, l1=l1)
    np.testing.assert_allclose(net.parameters, point - 0.5 * gradient, rtol=0, atol=1e-15)


@backends
@dtypes
@pytest.mark.parametrize("sizes", [[6, 12, 3], [3, 1], [40, 17, 33, 2]], ids=str)
def test_max_norm(sizes: list[int], dtype: str, backend: str) -> None:
    """Every column is at most so long; those that were shorter are what they would be without."""
    x, y = make_data(sizes, "squared_error", 20, dtype)
    options = {"layer_sizes": sizes, "loss": "squared_error", "dtype": dtype}
    net, free = make(backend, **options), make(backend, **options)
    em.Trainer(net, em.SGD(0.1, max_norm=0.8)).step(x, y)
    em.Trainer(free, em.SGD(0.1)).step(x, y)
    u = float(np.finfo(dtype).eps)
    cut = 0
    for W, F in zip(net.weights, free.weights, strict=True):
        norms = np.linalg.norm(F.astype(np.float64), axis=0)
        expected = F * np.minimum(1, 0.8 / norms)
        np.testing.assert_allclose(W, expected, rtol=4 * u, atol=0)
        assert (np.linalg.norm(W.astype(np.float64), axis=0) <= 0.8 * (1 + 4 * u)).all()
        cut += int((norms > 0.8).sum())
    assert cut > 0
    for b, f in zip(net.biases, free.biases, strict=True):
        np.testing.assert_array_equal(b, f)
    # The backward pass uses the scaled weights too: a second step agrees with a fresh trainer's.
    again = make(backend, **options)
    again.parameters = net.parameters
    for trained in (net, again):
        em.Trainer(trained, em.SGD(0.1, max_norm=0.8)).step(x, y)
    np.testing.assert_array_equal(net.parameters, again.parameters)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"clip_norm": 0.0}, "clip_norm.*above 0, got 0"),
        ({"clip_norm": -1}, "clip_norm.*at least 0, got -1"),
        ({"clip_norm": "a"}, "clip_norm.*number, got 'a'"),
        ({"l1": -0.1}, "l1.*at least 0, got -0.1"),
        ({"l1": None}, "l1.*number, got None"),
        ({"max_norm": np.inf}, "max_norm.*finite.*inf"),
        ({"max_norm": 0}, "max_norm.*above 0, got 0"),
    ],
    ids=str,
)
def test_bad_limits(options: dict[str, Any], text: str) -> None:
    for kind in em.SGD, em.Adam, em.AdamW, em.RMSprop:
        with pytest.raises((TypeError, ValueError), match=f"{kind.__name__}: {text}"):
            kind(0.1, **options)


def test_limits_show_where_they_are_set() -> None:
    shown = repr(em.Adam(clip_norm=1.0, l1=1e-3))
    assert shown.endswith("weight_decay=0.0, clip_norm=1.0, l1=0.001)")
    with pytest.raises(TypeError):
        em.SGD(0.1, 0.9, False, 0.0, 1.0)  # type: ignore[misc]  # keywords only


# ---- gathered batches


@backends
@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize("clip", [None, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_gathered_batches_are_one_large_batch(
    weighted: bool, clip: float | None, rate: float, backend: str
) -> None:
    """50 rows: batches of 7, three an update, and of 21: 3 updates, the last by 8 rows."""
    w = np.random.default_rng(1).uniform(0, 2, N) if weighted else None
    runs = []
    for batch_size, accumulate in ((7, 3), (21, 1)):
        net = make(backend, dtype="float64", activation="tanh", dropout=rate)
        optimizer = em.SGD(0.1, momentum=0.5, clip_norm=clip)
        trainer = em.Trainer(net, optimizer, batch_size, 1, accumulate=accumulate)
        history = trainer.run(X, Y, 2, sample_weight=w)
        assert trainer.steps == 6
        runs.append((net.parameters, np.array(history.loss), np.array(history.accuracy)))
    bounds = rounding_bounds(make(backend, dtype="float64", activation="tanh"), X, Y, weights=w)
    # Six updates, carried on by momentum; dropped units leave factors 1 / 0.6 in both layers.
    bound = 6 * 2 * 0.1 * 8 * (bounds.gradient.max() + 1e-15)
    assert_within(runs[0][0], runs[1][0], bound, "parameters")
    assert_within(runs[0][1], runs[1][1], 10 * bound, "losses")
    np.testing.assert_array_equal(runs[0][2], runs[1][2])


@backends
def test_steps_are_gathered_too(backend: str, tmp_path: Path) -> None:
    """Saved and loaded between two batches of one update, with the same bits."""
    start = {"dropout": 0.3, "activation": "tanh"}
    trainers = [
        em.Trainer(make(backend, **start), em.Adam(0.01), 8, 1, accumulate=3) for _ in range(2)
    ]
    before = trainers[0].net.parameters
    for i in range(5):
        rows = slice(8 * i, 8 * i + 8 - i)
        losses = [trainer.step(X[rows], Y[rows]) for trainer in trainers]
        assert losses[0] == losses[1] and trainers[0].steps == (i + 1) // 3
        if i < 2:
            np.testing.assert_array_equal(trainers[0].net.parameters, before)
        trainers[0].save(tmp_path / "run")
        trainers[0] = em.Trainer.load(tmp_path / "run", backend=backend)
        assert trainers[0].accumulate == 3
    histories = [trainer.run(X, Y, 1) for trainer in trainers]  # first what was gathered
    assert histories[0].loss == histories[1].loss
    assert trainers[0].steps == trainers[1].steps == 1 + 1 + 3
    a, b = (trainer.net.parameters for trainer in trainers)
    np.testing.assert_array_equal(a, b)


@backends
def test_schedules_count_updates(backend: str) -> None:
    asked: list[int] = []

    def lr(step: int) -> float:
        asked.append(step)
        return 0.1

    em.Trainer(make(backend), em.SGD(lr), 10, 0, accumulate=2).run(X, Y, 2)  # 5 batches: 3 updates
    assert asked == list(range(6))


def test_bad_accumulate() -> None:
    refused = [(0, "at least 1, got 0"), (2.0, "int, got 2.0"), (True, "int, got True")]
    refused += [(2**70, f"at most {2**63 - 1}, got {2**70}")]
    for bad, text in refused:
        with pytest.raises((TypeError, ValueError), match=f"accumulate.*{text}"):
            em.Trainer(make(), em.SGD(0.1), accumulate=bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", ["native", "numpy"])
@pytest.mark.parametrize("weighted", [False, True])
def test_penalty_is_that_of_the_sum(backend: str, weighted: bool) -> None:
    """A batch's penalty is divided as its loss is: small batches are punished more by the row."""
    sizes, rows = [9, 7, 3], 23
    rng = np.random.default_rng(2)
    X, T = rng.normal(size=(rows, 9)), rng.normal(size=(rows, 3))
    w = rng.uniform(0.5, 2, rows) if weighted else None
    net = em.MLP(sizes, loss="squared_error", dtype="float64", seed=1, backend=backend)
    trainer = em.Trainer(net, em.SGD(0.0, penalty=0.7), batch_size=10)
    point, mask = net.parameters, net._is_weight()
    squares = float(((point * mask) ** 2).sum())
    result = trainer._trainer.run(X, T, w, 10, np.empty((2, 0), np.int64), np.array([0.0]))
    parts = [slice(0, 10), slice(10, 20), slice(20, 23)]
    divisors = np.array([10.0, 10.0, 3.0] if w is None else [w[part].sum() for part in parts])
    losses = [net.loss(X[part], T[part], None if w is None else w[part]) for part in parts]
    np.testing.assert_allclose(result.penalties, np.tile(0.35 * squares / divisors, 2), rtol=1e-14)
    np.testing.assert_allclose(result.batch_losses, np.tile(losses, 2), rtol=1e-14)

    for part, divisor in zip(parts, divisors, strict=True):
        part_weights = None if w is None else w[part]
        _, gradient = net.loss_and_gradient(X[part], T[part], sample_weight=part_weights)
        other = em.MLP(**{**net.config, "init": "zeros"})
        other.parameters = point
        one = em.Trainer(other, em.SGD(0.5, penalty=0.7))._trainer
        one.step(X[part], T[part], 0.5, part_weights)
        moved = gradient + 0.7 / divisor * mask * point
        np.testing.assert_allclose(other.parameters, point - 0.5 * moved, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("limits", [{}, {"clip_norm": 0.1}, {"max_norm": 0.5}], ids=str)
def test_penalties_follow_the_weights(limits: dict[str, float]) -> None:
    """The core keeps Σ W² while it updates; the twin adds it up anew in every batch."""
    X, T = np.random.default_rng(0).normal(size=(2, 40, 21))
    results = []
    for backend in ("native", "numpy"):
        net = em.MLP([21, 33, 21], loss="squared_error", dtype="float64", seed=1, backend=backend)
        trainer = em.Trainer(net, em.SGD(0.01, momentum=0.5, penalty=2.0, **limits), batch_size=16)
        orders = np.tile(np.arange(40), (3, 1))
        results.append(trainer._trainer.run(X, T, None, 16, orders, np.array([0.01])))
    for name in ("batch_losses", "penalties"):
        mine, twin = (getattr(result, name) for result in results)
        np.testing.assert_allclose(mine, twin, rtol=1e-12)
        assert len(mine) == 9 and mine.min() > 0


def test_rules_of_scikit_learn_differ_where_they_say() -> None:
    """Velocities that hold learning rates differ once these change; eps, while roots are young."""
    X, T = np.random.default_rng(0).normal(size=(2, 30, 4))

    def trained(*rates: float, **options: bool) -> Any:
        net = em.MLP([4, 4], loss="squared_error", dtype="float64", seed=1)
        kind = em.SGD if "lr_in_velocity" in options else em.Adam
        more = {"momentum": 0.9} if kind is em.SGD else {"eps": 0.1}
        rule = kind(lambda step: rates[step], **more, **options)  # type: ignore[arg-type]
        em.Trainer(net, rule, 30).run(X, T, epochs=len(rates), shuffle=False)
        return net.parameters

    fixed = [trained(0.1, 0.1, 0.1, lr_in_velocity=held) for held in (False, True)]
    np.testing.assert_allclose(*fixed, rtol=1e-12)
    changed = [trained(0.1, 0.05, 0.01, lr_in_velocity=held) for held in (False, True)]
    assert np.abs(changed[0] - changed[1]).max() > 1e-3
    moved = [trained(0.1, raw_eps=raw) for raw in (False, True)]
    assert np.abs(moved[0] - moved[1]).max() > 1e-3


def test_penalised_runs_have_the_same_bits_for_every_number_of_threads() -> None:
    X, T = np.random.default_rng(0).normal(size=(2, 300, 90))
    before = em.get_num_threads()
    seen = []
    try:
        for threads in (1, 2, 3):
            em.set_num_threads(threads)
            net = em.MLP([90, 200, 90], loss="half_squared_error", seed=1)
            trainer = em.Trainer(net, em.Adam(0.01, penalty=0.5), batch_size=100)
            orders = np.empty((2, 0), np.int64)
            result = trainer._trainer.run(X, T, None, 100, orders, np.array([0.01]))
            seen.append((result.penalties.tolist(), net.parameters.tobytes()))
    finally:
        em.set_num_threads(before)
    assert seen[0] == seen[1] == seen[2]


def test_penalty_is_refused_for_choices() -> None:
    net = em.MLP([3, 1], loss="segment_cross_entropy", seed=0)
    with pytest.raises(ValueError, match=r"penalty: expected 0 with a loss over choices, got 0\.5"):
        em.Trainer(net, em.SGD(0.1, penalty=0.5))
