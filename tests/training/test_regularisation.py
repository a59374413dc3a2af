"""L1, clipping, max-norm and penalties: what they do, and what they leave alone."""

from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from support.names import DTYPES
from support.problems import make_data

backends = pytest.mark.parametrize("backend", BACKENDS)
dtypes = pytest.mark.parametrize("dtype", DTYPES)
SIZES, N = [6, 12, 3], 50
X, Y = make_data(SIZES, "softmax_cross_entropy", N, "float32")


def make(backend: str = "native", **options: Any) -> em.MLP:
    return em.MLP(**{"layer_sizes": SIZES, "seed": 0, **options}, backend=backend)


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
