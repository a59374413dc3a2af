"""compute_dtype="bfloat16": the rounding, core against twin, threads, files, refusals.

Both backends round the same operands, so what differs is the order of float32 sums, and now and
then an operand that such a difference moved over the border between two bfloat16: 2⁻⁸ of itself.
Most results therefore agree as float32 does, and all of them within a few 2⁻⁸; what rounding can
explain at most is worked out in `support.bfloat16_bounds`.
"""

import pickle
import warnings

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends import facade
from eigenmlp.reference.bfloat16 import rounded
from support.bfloat16_bounds import bounds
from support.bounds import assert_within

pytestmark = [pytest.mark.quick, pytest.mark.filterwarnings('ignore:compute_dtype="bfloat16"')]

UNIT = 2.0**-8  # relative distance of neighbouring bfloat16
EPS = 2.0**-24  # half a unit in the last place of float32
ACTIVATIONS = ["relu", "tanh", "sigmoid", "gelu", "softplus"]
LOSSES = [
    "softmax_cross_entropy",
    "sigmoid_cross_entropy",
    "squared_error",
    "huber(delta=0.5)",
    "poisson",
]


def make(sizes, backend="native", **options):
    return em.MLP(sizes, compute_dtype="bfloat16", backend=backend, seed=3, **options)


def pair(sizes, **options):
    """The same network on both backends."""
    nets = [make(sizes, backend, **options) for backend in ("native", "numpy")]
    rng = np.random.default_rng(5)
    nets[0].parameters = nets[1].parameters = (
        nets[0].parameters + 0.05 * rng.standard_normal(nets[0].parameter_count)
    ).astype(np.float32)
    return nets


def data(sizes, rows, loss="softmax_cross_entropy", draw=0):
    rng = np.random.default_rng(rows + 1000 * draw)
    X = rng.standard_normal((rows, sizes[0])).astype(np.float32)
    if loss == "softmax_cross_entropy":
        return X, rng.integers(0, sizes[-1], rows)
    return X, rng.random((rows, sizes[-1])).astype(np.float32)


def assert_close(a, b):
    """As float32 for most numbers, and within some units of bfloat16 for all."""
    assert usual_difference(a, b) <= UNIT / 64


def usual_difference(a, b):
    """The median; none is more than some units of bfloat16."""
    a, b = np.asarray(a, np.float64).ravel(), np.asarray(b, np.float64).ravel()
    scale = np.sqrt(np.mean(b**2)) + 1e-30
    difference = np.abs(a - b) / scale
    assert difference.max() <= 8 * UNIT
    return np.quantile(difference, 0.5)


# ---- the rounding


def nearest(x):
    """By arithmetic instead of bits: 8 significant bits, ties to even."""
    fraction, exponent = np.frexp(x.astype(np.float64))
    return np.ldexp(np.rint(fraction * 256) / 256, exponent)


def test_rounds_to_nearest():
    rng = np.random.default_rng(0)
    x = (rng.standard_normal(100_000) * 10.0 ** rng.integers(-30, 30, 100_000)).astype(np.float32)
    np.testing.assert_array_equal(rounded(x), nearest(x))
    assert np.max(np.abs(rounded(x) - x) / np.abs(x)) <= UNIT


def test_ties_go_to_even():
    whole = (np.arange(0x3F80, 0x4080, dtype=np.uint32) << 16).view(np.float32)  # 1 to 4
    ties = ((np.arange(0x3F80, 0x4080, dtype=np.uint32) << 16) + 0x8000).view(np.float32)
    np.testing.assert_array_equal(rounded(whole), whole)
    assert np.all((rounded(ties).view(np.uint32) >> 16) % 2 == 0)
    np.testing.assert_array_equal(rounded(ties), nearest(ties))


def test_special_numbers():
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1e-40, 3.4e38, -3.4e38], np.float32)
    expected = [np.nan, np.inf, -np.inf, 0.0, -0.0, 0.0, -0.0, np.inf, -np.inf]
    np.testing.assert_array_equal(rounded(x), expected)
    np.testing.assert_array_equal(np.signbit(rounded(x))[3:7], [False, True, False, True])
    quiet = np.array([0x7F800001, 0xFF800001], np.uint32).view(np.float32)
    assert np.isnan(rounded(quiet)).all()


@pytest.mark.parametrize("backend", ["native", "numpy"])
@pytest.mark.parametrize(("D", "K"), [(1, 1), (5, 3), (33, 17), (100, 40)])
def test_products_are_of_rounded_operands(backend, D, K):
    """Without a hidden layer the outputs are one product: float64 sums are the oracle."""
    net = make([D, K], backend, loss="squared_error")
    X, _ = data([D, K], 50)
    W, b = net.weights[0], net.biases[0]
    exact = rounded(X).astype(np.float64) @ rounded(W).astype(np.float64) + b
    sizes = np.abs(rounded(X)).astype(np.float64) @ np.abs(rounded(W)) + np.abs(b)
    assert np.all(np.abs(net.forward(X) - exact) <= 2 * (D + 1) * EPS * sizes)


@pytest.mark.parametrize("backend", ["native", "numpy"])
@pytest.mark.parametrize("sizes", [[40, 33, 17], [16, 16, 16], [1, 48, 5], [31, 2, 30]], ids=str)
def test_backward_products_are_of_rounded_operands(backend, sizes):
    """Integers of 9 bits, which rounding changes, and sums below 2²⁴, which are exact in float32.

    Every operand is then known to the last bit, and float64 sums of them are the oracle: one that
    is not rounded is off by 2⁻⁹, a hundred times what the sums may be.
    """
    net = make(sizes, backend, activation="identity", loss="squared_error")
    rng = np.random.default_rng(0)
    (D, H, K), N = sizes, 45

    def whole(*shape):
        return rng.integers(-511, 512, shape).astype(np.float32)

    X, W0, b0, W1, b1, dY = whole(N, D), whole(D, H), whole(H), whole(H, K), whole(K), whole(N, K)
    net.parameters = np.concatenate([a.ravel() for a in (W0, b0, W1, b1)])
    Y = (rounded(X) @ rounded(W0) + b0).astype(np.float32)
    dZ = rounded(dY) @ rounded(W1).T
    gradient, dX = net.vjp(X, dY)
    parts = np.split(gradient, np.cumsum([D * H, H, H * K]))
    products = [(X.T, dZ, parts[0]), (Y.T, dY, parts[2]), (dZ, W0.T, dX)]
    for A, B, mine in products:
        A, B = rounded(A).astype(np.float64), rounded(B).astype(np.float64)
        bound = 2 * (A.shape[1] + 1) * EPS * (np.abs(A) @ np.abs(B))
        assert np.all(np.abs(mine.reshape(bound.shape) - A @ B) <= bound)
    np.testing.assert_array_equal(parts[1], dZ.sum(axis=0))  # sums are not rounded
    np.testing.assert_array_equal(parts[3], dY.sum(axis=0))


# ---- core against twin


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "leaky_relu", "silu", "elu"])
@pytest.mark.parametrize("sizes", [[20, 37, 50, 4], [200, 300, 100, 10], [1, 48, 5]], ids=str)
@pytest.mark.parametrize("rows", [1, 45, 130])
def test_within_what_rounding_explains(rows, sizes, activation):
    native, twin = pair(sizes, activation=activation)
    X, _ = data(sizes, rows)
    dY = np.random.default_rng(1).standard_normal((rows, sizes[-1])).astype(np.float32)
    EY, EP, EX = bounds(twin, X, dY)
    assert_within(native.forward(X), twin.forward(X), EY, "Y")
    (dP, dX), (expected_dP, expected_dX) = native.vjp(X, dY), twin.vjp(X, dY)
    assert_within(dP, expected_dP, EP, "dP")
    assert_within(dX, expected_dX, EX, "dX")


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_core_and_twin(activation, loss):
    sizes, rows = [20, 37, 50, 4], 45
    native, twin = pair(sizes, activation=activation, loss=loss)
    X, y = data(sizes, rows, loss)
    assert_close(native.forward(X), twin.forward(X))
    a, b = native.loss_and_gradient(X, y), twin.loss_and_gradient(X, y)
    assert abs(a[0] - b[0]) <= UNIT * abs(b[0])
    assert_close(a[1], b[1])
    assert abs(native.evaluate(X, y).loss - b[0]) <= UNIT * abs(b[0])


@pytest.mark.parametrize("rows", [1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 130])
@pytest.mark.parametrize("width", [1, 15, 16, 17, 31, 32, 33, 48, 70])
def test_every_size(rows, width):
    """An operand at a border, which one order of sums or another moves, is in a batch by chance,
    and in every number after it: two batches of three have none.
    """
    sizes = [width, 33, width, 3]
    native, twin = pair(sizes, activation="tanh")
    dY = np.random.default_rng(1).standard_normal((rows, 3)).astype(np.float32)
    differences = []
    for draw in range(3):
        X, y = data(sizes, rows, draw=draw)
        results = [
            (net.forward(X), net.loss_and_gradient(X, y)[1], *net.vjp(X, dY))
            for net in (native, twin)
        ]
        differences.append(max(usual_difference(*each) for each in zip(*results, strict=True)))
    assert np.median(differences) <= UNIT / 64


@pytest.mark.parametrize(
    "optimizer",
    [
        em.SGD(0.05, momentum=0.9),
        em.Adam(1e-3),
        em.AdamW(1e-3),
        em.RMSprop(1e-3),
        em.SGD(0.05, clip_norm=0.1),
        em.SGD(0.05, max_norm=1.0),
        em.SGD(0.05, l1=1e-4),
    ],
    ids=str,
)
def test_ten_steps(optimizer):
    sizes = [20, 40, 30, 5]
    native, twin = pair(sizes, activation="tanh", dropout=0.2)
    X, y = data(sizes, 96)
    start = native.parameters
    for net in (native, twin):
        em.Trainer(net, optimizer, batch_size=32, seed=0).run(X, y, epochs=4, shuffle=True)
    moved = np.abs(twin.parameters - start).mean()
    assert moved > 0
    # Operands that fell on the other side of a border change a step by some 2⁻⁸ of it.
    assert np.abs(native.parameters - twin.parameters).mean() <= 4 * UNIT * moved


def test_a_thousand_steps():
    X, y = em.datasets.load_digits()
    X, y = X[:400].astype(np.float32), y[:400]
    losses = []
    for backend in ("native", "numpy"):
        net = make([64, 30, 10], backend)
        history = net.fit(X, y, 250, 100, em.SGD(0.05, momentum=0.9), seed=0, progress=False)
        losses.append(history.loss[-1])
    exact = em.MLP([64, 30, 10], seed=3)
    exact_loss = exact.fit(X, y, 250, 100, em.SGD(0.05, momentum=0.9), seed=0, progress=False).loss[
        -1
    ]
    assert abs(losses[0] - losses[1]) <= 0.05 * losses[1]
    assert abs(losses[0] - exact_loss) <= 0.05 * exact_loss


@pytest.mark.parametrize("options", [{"accumulate": 3}, {}])
def test_gathered_gradients(options):
    sizes = [20, 40, 5]
    native, twin = pair(sizes)
    X, y = data(sizes, 96)
    for net in (native, twin):
        em.Trainer(net, em.SGD(0.1), batch_size=16, seed=0, **options).run(X, y, epochs=2)
    assert_close(native.parameters, twin.parameters)


def test_bytes_scaled_while_they_are_gathered():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (40, 30), dtype=np.uint8)
    y = rng.integers(0, 3, 40)
    native, twin = pair([30, 20, 3], input_scale=1 / 255)
    assert_close(native.forward(X), twin.forward(X))
    assert_close(native.loss_and_gradient(X, y)[1], twin.loss_and_gradient(X, y)[1])


def test_rows_do_not_depend_on_their_neighbours():
    net = make([40, 50, 7])
    X, _ = data([40, 50, 7], 300)
    Y = net.forward(X)
    for i in (0, 17, 128, 299):
        np.testing.assert_array_equal(net.forward(X[i : i + 1])[0], Y[i])


@pytest.mark.parametrize("width", [16, 40])
@pytest.mark.parametrize("rows", [1, 50])
def test_infinite_activations_leave_no_trace(width, rows):
    """Threads keep their memory from call to call, and Inf · 0 is NaN where nothing should be."""
    sizes = [width, width, width, 3]
    good, bad = make(sizes), make([64, 64, 64, 64, 3], activation="identity")
    X = np.ones((rows, width), np.float32)
    before = good.forward(X)
    assert np.isfinite(before).all()
    bad.parameters = bad.parameters * np.float32(1e25)
    assert not np.isfinite(bad.forward(np.ones((rows, 64), np.float32))).any()
    np.testing.assert_array_equal(good.forward(X), before)


@pytest.mark.parametrize("backend", ["native", "numpy"])
@pytest.mark.parametrize("sizes", [[3, 4, 5, 2], [3, 20, 33, 20, 2], [3, 16, 32, 2]], ids=str)
def test_infinite_sums_reach_only_what_is_there(backend, sizes):
    """Sums pass 3.4e38, tanh of them is 1 again: nothing is lost, as in float32."""
    options = {"activation": ["identity"] + ["tanh"] * (len(sizes) - 3), "loss": "squared_error"}
    net, exact = make(sizes, backend, **options), em.MLP(sizes, backend=backend, seed=3, **options)
    first = (sizes[0] + 1) * sizes[1]
    parameters = np.full(net.parameter_count, 0.25, np.float32)
    parameters[:first] = 3e38
    net.parameters = exact.parameters = parameters
    X = np.ones((3, sizes[0]), np.float32)
    assert np.isfinite(exact.forward(X)).all()
    assert_close(net.forward(X), exact.forward(X))
    dX = net.vjp(X, np.ones((3, 2), np.float32))[1]
    np.testing.assert_array_equal(dX, exact.vjp(X, np.ones((3, 2), np.float32))[1])


# ---- threads


@pytest.mark.parametrize(
    ("sizes", "rows"),
    [([64, 50, 10], 100), ([784, 128, 10], 64), ([784, 512, 512, 10], 128), ([33, 300, 20], 500)],
    ids=str,
)
def test_same_bits_for_every_number_of_threads(sizes, rows):
    X, y = data(sizes, rows)
    before, results = em.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 4):
            em.set_num_threads(threads)
            net = make(sizes, dropout=0.1)
            trainer = em.Trainer(net, em.SGD(0.01, momentum=0.9), batch_size=rows, seed=0)
            losses = [trainer.step(X, y) for _ in range(3)]
            results.append((losses, net.parameters, net.forward(X), net.loss_and_gradient(X, y)[1]))
    finally:
        em.set_num_threads(before)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


# ---- the rest of the library


def test_derivatives_are_those_of_float32():
    net = make([5, 8, 3], activation="tanh")
    exact = em.MLP(**{**net.config, "compute_dtype": None})
    exact.parameters = net.parameters
    X, y = data([5, 8, 3], 6)
    v = np.random.default_rng(0).standard_normal(net.parameter_count).astype(np.float32)
    np.testing.assert_array_equal(
        net.hessian_vector_product(X, y, v), exact.hessian_vector_product(X, y, v)
    )
    np.testing.assert_array_equal(net.per_sample_gradients(X, y), exact.per_sample_gradients(X, y))
    np.testing.assert_array_equal(net.input_gradient(X, y), exact.input_gradient(X, y))
    np.testing.assert_array_equal(net.taylor(X, y, v, 2), exact.taylor(X, y, v, 2))
    np.testing.assert_array_equal(net.jvp(X, d_parameters=v)[1], exact.jvp(X, d_parameters=v)[1])
    assert not np.array_equal(net.forward(X), exact.forward(X))


@pytest.mark.parametrize("backend", ["native", "numpy"])
def test_saved_runs_go_on(backend, tmp_path):
    X, y = data([20, 30, 4], 64)
    net = make([20, 30, 4], backend)
    trainer = em.Trainer(net, em.Adam(1e-2), batch_size=16, seed=0)
    trainer.run(X, y, epochs=2)
    trainer.save(tmp_path / "run.safetensors")
    other = em.Trainer.load(tmp_path / "run.safetensors", backend=backend)
    assert other.net.config["compute_dtype"] == "bfloat16"
    for each in (trainer, other):
        each.run(X, y, epochs=2)
    np.testing.assert_array_equal(net.parameters, other.net.parameters)
    copy = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(copy.forward(X), net.forward(X))
    assert "bfloat16 products" in repr(copy)


@pytest.mark.parametrize("backend", ["native", "numpy"])
def test_divergence_is_reported(backend):
    X, y = data([20, 30, 4], 64)
    net = make([20, 30, 4], backend, loss="squared_error")
    T = np.eye(4, dtype=np.float32)[y]
    with pytest.raises(em.DivergenceError):
        net.fit(X * 1e3, T, 50, 16, em.SGD(10.0), progress=False, seed=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "float64", "compute_dtype": "bfloat16"}, "expected 'float64'.*got 'bfloat16'"),
        ({"compute_dtype": "float64"}, "'float32' or 'bfloat16'.*got 'float64'"),
        ({"compute_dtype": "float16"}, "'float32' or 'bfloat16'.*got 'float16'"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=message):
        em.MLP([2, 3], **options)


def test_refuses_what_is_no_dtype():
    with pytest.raises(TypeError, match="compute_dtype: expected 'float32' or 'bfloat16', got 16"):
        em.MLP([2, 3], compute_dtype=16)


def test_says_once_that_it_is_not_faster(monkeypatch):
    monkeypatch.setattr(facade.core, "multiplies_bfloat16", False)
    monkeypatch.setattr(facade, "_warned", [])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make([2, 3])
        make([2, 3])
        make([2, 3], "numpy")
    assert [str(w.message)[:24] for w in caught] == ['compute_dtype="bfloat16"']
