"""Networks whose rows are alternatives: segment_cross_entropy as a loss, on both backends."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from conftest import DTYPES, both, make_net

import eigenmlp as em

BACKENDS = pytest.mark.parametrize("backend", ["native", "numpy"])


def problem(choices=60, D=4, seed=0, dtype="float64"):
    """Alternatives whose utility is linear; the best of each choice is taken."""
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(2, 9, choices))])
    X = rng.normal(size=(offsets[-1], D)).astype(dtype)
    utility = X @ np.linspace(-2, 2, D)
    chosen = [b + int(np.argmax(utility[b:e])) for b, e in pairwise(offsets)]
    return X, em.Choices(offsets, chosen)


def choice_net(backend="native", sizes=(4, 6, 1), **options):
    return make_net(
        list(sizes), loss="segment_cross_entropy", activation="tanh", backend=backend, **options
    )


@BACKENDS
def test_gradient_by_central_differences(backend):
    X, y = problem(20)
    weights = np.random.default_rng(1).uniform(0, 2, len(y))
    net = choice_net(backend, dtype="float64")
    point, h = net.parameters, 1e-6
    _, gradient = net.loss_and_gradient(X, y, sample_weight=weights)
    assert em.check_gradients(net, X, y, sample_weight=weights).ok
    for i in range(net.parameter_count):
        step = h * np.eye(1, len(point), i)[0]
        up, _ = net.loss_and_gradient(X, y, point + step, sample_weight=weights)
        down, _ = net.loss_and_gradient(X, y, point - step, sample_weight=weights)
        # Rounding of the loss, about 1e-15, over 2 h; h² f''' is less.
        assert abs((up - down) / (2 * h) - gradient[i]) < 1e-8
    assert (net.parameters == point).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_backends_agree(dtype):
    X, y = problem(dtype=dtype)
    net, twin = both(choice_net(dtype=dtype))
    tolerance = 200 * float(np.finfo(dtype).eps)  # sums of up to 300 rows, terms of size 1
    assert net.loss(X, y) == pytest.approx(twin.loss(X, y), rel=tolerance)
    assert net.evaluate(X, y).accuracy == twin.evaluate(X, y).accuracy
    np.testing.assert_allclose(
        net.loss_and_gradient(X, y)[1], twin.loss_and_gradient(X, y)[1], rtol=0, atol=tolerance
    )
    histories = [
        n.fit(X, y, 5, batch_size=7, optimizer=em.SGD(0.1, momentum=0.9), seed=3)
        for n in (net, twin)
    ]
    np.testing.assert_allclose(histories[0].loss, histories[1].loss, rtol=100 * tolerance)
    assert len(histories[0].accuracy) == 5 and histories[0].rows == len(y)


@BACKENDS
def test_equal_groups_are_rows_of_softmax_cross_entropy(backend):
    """K rows with one weight vector are a softmax over K scores."""
    rng = np.random.default_rng(0)
    X, labels, K = rng.normal(size=(30 * 5, 3)), rng.integers(0, 5, 30), 5
    net = em.MLP(
        [3, 1], loss="segment_cross_entropy", bias=False, dtype="float64", seed=0, backend=backend
    )
    y = em.Choices(np.arange(31) * K, np.arange(30) * K + labels)
    P = np.exp(net.forward(X).reshape(30, K))
    P /= P.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(net.predict_proba(X, y.offsets), P.ravel(), rtol=1e-13)
    np.testing.assert_allclose(net.loss(X, y), -np.log(P[np.arange(30), labels]).mean(), rtol=1e-13)
    assert (net.predict(X, y.offsets) == np.arange(30) * K + P.argmax(axis=1)).all()
    assert net.evaluate(X, y).accuracy == np.mean(P.argmax(axis=1) == labels)


@BACKENDS
def test_fit_learns(backend):
    X, y = problem(200)
    Xv, yv = problem(100, seed=1)
    net = choice_net(backend)
    history = net.fit(X, y, 40, 20, em.Adam(0.02), validation=(Xv, yv), seed=0)
    assert history.loss[-1] < 0.25 * history.loss[0]
    assert history.val_accuracy[-1] > 0.9
    assert net.evaluate(Xv, yv).accuracy == history.val_accuracy[-1]


@BACKENDS
def test_batches_are_whole_choices(backend):
    """An epoch in order is the same steps one by one."""
    X, y = problem()
    weights = np.random.default_rng(1).uniform(0, 2, len(y))
    nets = [choice_net(backend, dtype="float64") for _ in range(3)]
    trainers = [em.Trainer(net, em.SGD(0.1, momentum=0.5), batch_size=25) for net in nets]
    trainers[0].run(X, y, 1, shuffle=False)
    batches = []
    for start in range(0, len(y), 25):
        rows, yb = y.take(np.arange(start, min(start + 25, len(y))))
        batches.append((X[rows], yb))
        trainers[1].step(X[rows], yb)
    trainers[2].run(batches, epochs=1)
    assert (nets[0].parameters == nets[1].parameters).all()
    assert (nets[0].parameters == nets[2].parameters).all()
    assert [t.steps for t in trainers] == [3, 3, 3]
    weighted = trainers[0].run(X, y, 1, sample_weight=weights, shuffle=False)
    assert weighted.loss != trainers[1].run(X, y, 1, shuffle=False).loss


@BACKENDS
def test_weights_that_are_all_zero_in_a_batch(backend):
    X, y = problem(4)
    net = choice_net(backend)
    history = net.fit(X, y, 1, 2, em.SGD(0.1), sample_weight=[0, 0, 1, 1], shuffle=False)
    assert np.isfinite(history.loss[0]) and np.isfinite(net.parameters).all()


@BACKENDS
def test_saved_runs_go_on(backend, tmp_path):
    X, y = problem()
    whole = em.Trainer(choice_net(backend), em.Adam(0.01), batch_size=9, seed=5)
    whole.run(X, y, 4)
    first = em.Trainer(choice_net(backend), em.Adam(0.01), batch_size=9, seed=5)
    first.run(X, y, 2)
    first.save(tmp_path / "run.safetensors")
    second = em.Trainer.load(tmp_path / "run.safetensors", backend=backend)
    second.run(X, y, 2)
    assert (second.net.parameters == whole.net.parameters).all()
    copy = pickle.loads(pickle.dumps(second.net))
    assert copy.loss(X, y) == second.net.loss(X, y)


@BACKENDS
def test_divergence(backend):
    X, y = problem()
    net = choice_net(backend, sizes=(4, 1))
    with pytest.raises(em.DivergenceError):
        net.fit(1e30 * X, y, 20, 10, em.SGD(1e30))


def test_take_moves_places():
    _, y = problem()
    order = np.random.default_rng(0).permutation(len(y))
    rows, taken = y.take(order)
    assert sorted(rows) == list(range(y.rows)) and len(taken) == len(y)
    assert (rows[taken.chosen] == y.chosen[order]).all()


@BACKENDS
def test_derivatives_of_the_scores(backend):
    """jvp and vjp see the network without its loss; what needs a loss of rows says so."""
    X, y = problem(10)
    net = choice_net(backend, dtype="float64")
    V = np.random.default_rng(1).normal(size=net.parameter_count)
    _, dZ = net.jvp(X, d_parameters=V)
    _, dz = em.segment_cross_entropy(net.forward(X)[:, 0], y.offsets, y.chosen)
    _, gradient = net.loss_and_gradient(X, y)
    # Sums of 10 rows of products, terms of size 1.
    assert abs(gradient @ V - dz @ dZ[:, 0]) < 1e-12 * (np.abs(gradient) @ np.abs(V) + 1)
    assert net.input_gradient(X, output=0).shape == X.shape
    assert net.taylor_outputs(X, 2, direction=V).shape == (3, len(X), 1)
    for call in (
        lambda: net.hessian(X, y),
        lambda: net.hessian_vector_product(X, y, V),
        lambda: net.per_sample_gradients(X, y),
        lambda: net.input_gradient(X, y),
        lambda: net.taylor(X, y, V, 2),
    ):
        with pytest.raises(ValueError, match="loss: expected a sum over rows, got segment_cross"):
            call()


def test_symbolic_loss():
    symbolic = pytest.importorskip("eigenmlp.symbolic")
    net = choice_net(sizes=(4, 1))
    symbolic.expression(net)
    with pytest.raises(ValueError, match="loss of single rows, got segment_cross_entropy"):
        symbolic.loss(net)


X, Y = problem(3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: em.Choices([1, 2], [1]), ValueError, "offsets: expected 0 first"),
        (lambda: em.Choices([0, 2, 2], [1, 2]), ValueError, "segment 1 is empty"),
        (lambda: em.Choices([0, 2, 4], [1, 4]), ValueError, r"segment 1, 2 to 3, got 4"),
        (lambda: em.Choices([0, 2, 4], [1]), ValueError, r"expected shape \(S,\) = \(2,\)"),
        (lambda: em.Choices([0, 2.5], [1]), TypeError, "offsets: expected integers"),
        (
            lambda: em.MLP([4, 2], loss="segment_cross_entropy"),
            ValueError,
            r"layer_sizes: expected one output, .* got \[4, 2\]",
        ),
        (
            lambda: em.MLP([4, 1], loss="segment_cross_entropy", output_activation="softmax"),
            ValueError,
            "output_activation: expected 'identity'",
        ),
        (lambda: choice_net(dropout=0.5), ValueError, "dropout: expected 0 with segment"),
        (
            lambda: em.Trainer(choice_net(), em.SGD(0.1), accumulate=2),
            ValueError,
            "accumulate: expected 1 with segment_cross_entropy, got 2",
        ),
        (lambda: choice_net().loss(X, Y.chosen), TypeError, "y: expected Choices .*got ndarray"),
        (lambda: choice_net().loss(X[1:], Y), ValueError, "y: expected choices between"),
        (lambda: choice_net().fit(X, None), TypeError, "Choices|batches"),
        (lambda: choice_net().loss(X, Y, [1.0]), ValueError, r"sample_weight: expected shape \(3,"),
        (lambda: choice_net().loss(X * np.nan, Y), ValueError, "X: expected finite"),
        (lambda: choice_net().predict(X), TypeError, r"offsets: expected offsets \(S \+ 1,\)"),
        (lambda: choice_net().predict(X, [0, 1]), ValueError, "expected .* last"),
        (lambda: make_net([4, 1]).predict(X, [0, 1]), TypeError, "offsets: expected None with"),
        (
            lambda: make_net([4, 1], loss="squared_error").loss(X, Y),
            TypeError,
            "y: expected an array for squared_error, got <Choices: 3 between",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
