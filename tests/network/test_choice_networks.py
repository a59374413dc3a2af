"""Networks whose rows are alternatives: segment_cross_entropy as a loss, on both backends."""

import pickle
from itertools import pairwise

import numpy as np
import pytest

import eigenmlp as em
from support.names import DTYPES
from support.problems import both, make_net

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
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_gradient_by_central_differences(backend, reduction):
    X, y = problem(20)
    weights = np.random.default_rng(1).uniform(0, 2, len(y))
    net = choice_net(backend, dtype="float64", reduction=reduction)
    point, h = net.parameters, 1e-6
    _, gradient = net.loss_and_gradient(X, y, sample_weight=weights)
    assert em.check_gradients(net, X, y, sample_weight=weights).ok
    for i in range(net.parameter_count):
        step = h * np.eye(1, len(point), i)[0]
        up, _ = net.loss_and_gradient(X, y, point + step, sample_weight=weights)
        down, _ = net.loss_and_gradient(X, y, point - step, sample_weight=weights)
        # Rounding of the loss, about 1e-15 of it, over 2 h; h² f''' is less.
        assert abs((up - down) / (2 * h) - gradient[i]) < 1e-8 * max(1, up)
    assert (net.parameters == point).all()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_backends_agree(dtype, reduction):
    X, y = problem(dtype=dtype)
    weights = np.random.default_rng(1).uniform(0, 2, len(y))
    net, twin = both(choice_net(dtype=dtype, reduction=reduction))
    terms = 1 if reduction == "mean" else len(y)
    tolerance = 200 * float(np.finfo(dtype).eps)  # sums of up to 300 rows, terms of size 1
    assert net.loss(X, y) == pytest.approx(twin.loss(X, y), rel=tolerance)
    assert net.loss(X, y, weights) == pytest.approx(twin.loss(X, y, weights), rel=tolerance)
    assert net.evaluate(X, y).accuracy == twin.evaluate(X, y).accuracy
    gradients = [n.loss_and_gradient(X, y, sample_weight=weights)[1] for n in (net, twin)]
    np.testing.assert_allclose(*gradients, rtol=0, atol=terms * tolerance)
    histories = [
        n.fit(X, y, 5, 7, em.SGD(0.1 * terms**-0.5, momentum=0.9), sample_weight=weights, seed=3)
        for n in (net, twin)
    ]
    np.testing.assert_allclose(histories[0].loss, histories[1].loss, rtol=100 * tolerance)
    assert len(histories[0].accuracy) == 5 and histories[0].rows == len(y)


@BACKENDS
def test_sum_over_choices(backend):
    """S times the mean; with weights, Σ w times it."""
    X, y = problem()
    weights = np.random.default_rng(1).uniform(0, 2, len(y))
    mean = choice_net(backend, dtype="float64")
    total = choice_net(backend, dtype="float64", reduction="sum")
    for w, times in ((None, len(y)), (weights, weights.sum())):
        (a, da), (b, db) = (n.loss_and_gradient(X, y, sample_weight=w) for n in (mean, total))
        assert b == pytest.approx(times * a, rel=1e-14)
        # A mean of at most 500 terms of size 1, in another order.
        np.testing.assert_allclose(db, times * da, rtol=0, atol=times * 500 * 2.0**-53)
    before = total.loss(X, y)
    assert total.fit(X, y, 1, 20, em.SGD(0.0), seed=0).loss[0] == pytest.approx(before, rel=1e-14)
    batches = [(X[rows], yb) for rows, yb in (y.take(range(20)), y.take(range(20, 60)))]
    assert total.fit(batches, epochs=1, optimizer=em.SGD(0.0)).loss[0] == pytest.approx(before)
    assert mean.fit(batches, epochs=1, optimizer=em.SGD(0.0)).loss[0] == pytest.approx(
        mean.loss(X, y)
    )


@BACKENDS
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_gathered_batches_are_one_batch(backend, reduction, tmp_path):
    """Three batches of 10 choices are one of 30, also where a file lies between them."""
    X, y = problem()
    weights = np.random.default_rng(1).uniform(0, 2, len(y))
    options = {"dtype": "float64", "reduction": reduction}
    nets = [choice_net(backend, **options) for _ in range(2)]
    optimizer = em.SGD(0.01, momentum=0.5)
    whole = em.Trainer(nets[0], optimizer, batch_size=30)
    parts = em.Trainer(nets[1], optimizer, batch_size=10, accumulate=3)
    for trainer in (whole, parts):
        trainer.run(X, y, 3, sample_weight=weights, shuffle=False)
    assert whole.steps == parts.steps == 6
    # Sums of the same few hundred terms of size 1 in another order, six times.
    scale = np.abs(nets[0].parameters).max()
    atol = 6 * 500 * 2.0**-53 * scale * (1 if reduction == "mean" else len(y))
    np.testing.assert_allclose(nets[1].parameters, nets[0].parameters, rtol=0, atol=atol)
    rows, first = y.take(range(7))
    parts.step(X[rows], first)
    parts.save(tmp_path / "run.safetensors")
    again = em.Trainer.load(tmp_path / "run.safetensors", backend=backend)
    for trainer in (parts, again):
        for choices in (range(7, 9), range(20, 40)):
            rows, yb = y.take(choices)
            trainer.step(X[rows], yb)
    assert parts.steps == again.steps == 7
    assert (parts.net.parameters == again.net.parameters).all()


@BACKENDS
@pytest.mark.parametrize(
    "loss",
    [
        em.losses.SegmentCrossEntropy,
        em.losses.segment_cross_entropy(reduction="sum"),
        "segment_cross_entropy(reduction='sum')",
    ],
)
def test_name_object_and_text(backend, loss, tmp_path):
    X, y = problem()
    net = em.MLP([4, 3, 1], loss=loss, backend=backend, seed=0)
    net.save(tmp_path / "net.safetensors")
    again = em.MLP.load(tmp_path / "net.safetensors", backend=backend)
    assert again.config == net.config and "segment_cross_entropy" in repr(again)
    assert again.loss(X, y) == net.loss(X, y)
    assert (net.loss(X, y) > 10) == ("sum" in net.config["loss"])


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
    with (
        pytest.warns(UserWarning, match="standardize=True"),
        pytest.raises(em.DivergenceError),
    ):
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
            "layer_sizes: expected one output, .* got 2",
        ),
        (
            lambda: em.MLP([4, 1], loss="segment_cross_entropy", output_activation="softmax"),
            ValueError,
            "output_activation: expected 'identity'",
        ),
        (lambda: choice_net(dropout=0.5), ValueError, "dropout: expected 0 with segment"),
        (
            lambda: em.MLP([4, 1], loss="segment_cross_entropy(label_smoothing=0.1)"),
            ValueError,
            r"expected parameters \['reduction'\] of segment_cross_entropy, got 'label_smoothing'",
        ),
        (
            lambda: em.MLP([4, 1], loss="segment_cross_entropy(class_weight=[1, 2])"),
            ValueError,
            r"expected parameters \['reduction'\] of segment_cross_entropy, got 'class_weight'",
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
