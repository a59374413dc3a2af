"""Every plot draws what it says, on the axes it is given; the pictures were looked at."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import eigenmlp as em
from support.names import ACTIVATIONS
from support.problems import make_data, make_net

matplotlib = pytest.importorskip(
    "matplotlib", reason="Matplotlib is not installed: pip install matplotlib"
)
matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

Array = npt.NDArray[Any]
X, Y = em.datasets.load_digits()
NET = em.MLP([64, 12, 8, 10], seed=0)
FLAT = np.random.default_rng(0).normal(0, 1, (40, 2))
SIDES = (FLAT[:, 0] > FLAT[:, 1]).astype(int)


@pytest.fixture
def ax() -> Any:
    figure, axes = pyplot.subplots(layout="constrained")
    yield axes
    axes.figure.canvas.draw()  # where Matplotlib finds what it cannot draw, warnings included
    pyplot.close(figure)


def fitted(**options: Any) -> em.History:
    net = em.MLP([2, 3, 2], seed=0)
    return net.fit(FLAT, SIDES, epochs=4, progress=False, **options)


MEMBERS = [
    {"member": 3, "weight": 0.75, "loss": 0.2, "hidden_layer_sizes": (8, 4), "bins": 16},
    {"member": 0, "weight": 0.25, "loss": 0.3, "hidden_layer_sizes": (), "dropout": 0.1},
    {"member": 1, "weight": 0.0, "loss": 0.25},
]
COLUMNS = [
    {"column": "age", "importance": 0.1, "deviation": 0.01},
    {"column": "size", "importance": 0.5, "deviation": 0.02},
]

CALLS: dict[str, Callable[..., Any]] = {
    "loss_curve": lambda **k: em.plot.loss_curve([3.0, 2.0, 1.0], **k),
    "weights": lambda **k: em.plot.weights(NET, **k),
    "first_layer": lambda **k: em.plot.first_layer(NET, **k),
    "codes": lambda **k: em.plot.codes(NET, X[:50], Y[:50], **k),
    "decision_regions": lambda **k: em.plot.decision_regions(
        em.MLP([2, 3, 2], seed=0), FLAT, SIDES, resolution=20, **k
    ),
    "confusion_matrix": lambda **k: em.plot.confusion_matrix(NET, X[:90], Y[:90], **k),
    "leaderboard": lambda **k: em.plot.leaderboard(MEMBERS, **k),
    "importance": lambda **k: em.plot.importance(COLUMNS, **k),
    "calibration_curve": lambda **k: em.plot.calibration_curve([0, 1, 1], [0.2, 0.7, 0.4], **k),
    "digit_graph": lambda **k: em.plot.digit_graph(NET, X, Y, **k),
}


def test_all_plots_are_here() -> None:
    assert {*CALLS, "STYLE"} == set(em.plot.__all__)


@pytest.mark.parametrize("name", CALLS)
def test_draws_on_the_given_axes_or_on_new_ones(name: str, ax: Any) -> None:
    assert CALLS[name](ax=ax) is ax
    assert ax.has_data()
    new = CALLS[name]()
    assert new is not ax
    new.figure.canvas.draw()
    assert new.figure.canvas.get_width_height()[0] >= 1200
    pyplot.close(new.figure)


def test_figures_of_ones_own_are_in_the_same_style() -> None:
    with pyplot.rc_context(em.plot.STYLE):
        own = pyplot.subplots()[1]
    (line,) = own.plot([1, 2])
    new = em.plot.loss_curve([3.0, 2.0])
    assert line.get_color() == new.lines[0].get_color()
    for side, spine in new.spines.items():
        assert spine.get_visible() == own.spines[side].get_visible()
    assert (own.figure.get_size_inches() == new.figure.get_size_inches()).all()
    assert own.figure.get_dpi() == new.figure.get_dpi()
    pyplot.close("all")


def test_loss_of_epochs_and_of_steps(ax: Any) -> None:
    history = fitted(validation=(FLAT, SIDES))
    assert history.plot(ax) is ax
    training, validation = ax.lines
    np.testing.assert_allclose(training.get_ydata(), history.loss)
    np.testing.assert_allclose(validation.get_ydata(), history.val_loss)
    assert ax.get_xlabel() == "epoch"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["training", "validation"]


def test_many_losses_get_a_running_mean(ax: Any) -> None:
    losses = np.linspace(2, 1, 1000)
    em.plot.loss_curve(losses, ax=ax)
    pale, mean = ax.lines
    assert len(pale.get_xdata()) == 1000
    x, y = mean.get_data()
    np.testing.assert_allclose(y, np.interp(x, np.arange(1, 1001), losses))  # of a straight line
    assert ax.get_xlabel() == "step"
    assert ax.get_yscale() == "linear"


def test_many_epochs_get_a_running_mean_from_the_first(ax: Any) -> None:
    history = em.History(loss=[1 / epoch for epoch in range(1, 2001)], val_loss=[0.5] * 2000)
    history.plot(ax)
    pale, mean, validation = ax.lines
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "training, mean of 21 epochs",
        "validation",
    ]
    assert ax.get_xlabel() == "epoch"
    for line in (pale, mean, validation):
        assert (line.get_xdata()[[0, -1]] == [1, 2000]).all()
    y = mean.get_ydata()
    assert (y[0], y[-1]) == pytest.approx((1, 1 / 2000))
    assert y[100] == pytest.approx(np.mean(history.loss[90:111]))
    assert pale.get_color() == mean.get_color() != validation.get_color()


def test_two_curves_compare(ax: Any) -> None:
    em.plot.loss_curve([1.0, 0.01], ax=ax, label="a")
    em.plot.loss_curve([1.0, 0.5], ax=ax, label="b")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert [line.get_color() for line in ax.lines] == [*em.plot._common.LINE_COLORS[:2]]
    assert ax.get_yscale() == "log"


def test_weights_are_the_networks(ax: Any) -> None:
    em.plot.weights(NET, layer=2, ax=ax)
    np.testing.assert_allclose(ax.images[0].get_array(), NET.weights[2])
    low, high = ax.images[0].get_clim()
    assert low == -high == -np.abs(NET.weights[2]).max()
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("hidden unit of layer 2", "output")


def test_a_matrix_may_be_any_layers(ax: Any) -> None:
    em.plot.weights(NET.weights[2], layer=2, ax=ax)
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("input of the layer", "output of the layer")
    assert ax.get_title() == "W  (8 × 10)"


@pytest.mark.parametrize("width", [1.5, 6.0])
def test_ticks_of_weights_do_not_collide(width: float) -> None:
    figure, ax = pyplot.subplots(figsize=(width, 4), layout="constrained")
    em.plot.weights(NET, layer=2, ax=ax).set_aspect("auto")
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.get_xticklabels()]
    shown = [box for box in boxes if ax.bbox.x0 <= (box.x0 + box.x1) / 2 <= ax.bbox.x1]
    assert len(shown) >= 2
    assert all(a.x1 < b.x0 for a, b in pairwise(shown))
    assert all(tick == round(tick) for tick in ax.get_xticks())
    pyplot.close(figure)


def test_first_layer_tiles(ax: Any) -> None:
    em.plot.first_layer(NET, shape=(4, 16), ax=ax, columns=5)
    sheet = ax.images[0].get_array()
    assert sheet.shape == (3 * 5 - 1, 5 * 17 - 1)
    np.testing.assert_allclose(sheet[5:9, 17:33], NET.weights[0][:, 6].reshape(4, 16))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_hidden_codes(activation: str) -> None:
    """The hidden layer's outputs are those that the last layer gets."""
    net = make_net([3, 5, 4, 2], activation=activation, dtype="float64", input_scale=0.5)
    rows, _ = make_data([3, 5, 4, 2], "softmax_cross_entropy", rows=6)
    H = em.plot._common.hidden(net, rows, 1)
    np.testing.assert_allclose(H @ net.weights[2] + net.biases[2], net.forward(rows), rtol=1e-12)


@pytest.mark.parametrize("method", ["pca", "tsne", "isomap", "mds"])
def test_codes(method: str, ax: Any) -> None:
    if method != "pca":
        pytest.importorskip("sklearn", reason="needs pip install scikit-learn")
    em.plot.codes(NET, X[:60], Y[:60], method=method, layer=0, ax=ax)
    points = ax.collections[0].get_offsets()
    assert points.shape == (60, 2)
    assert np.isfinite(points).all()
    assert {text.get_text() for text in ax.texts} == {str(label) for label in set(Y[:60])}


def test_codes_of_arrays_inputs_and_numbers(ax: Any) -> None:
    H = FLAT @ np.array([[3.0, 4.0, 0.0], [-4.0, 3.0, 0.0]])
    em.plot.codes(H, ax=ax)  # a rotation, undone up to order and signs
    points = np.abs(ax.collections[0].get_offsets()) / 5
    centred = FLAT - FLAT.mean(axis=0)
    np.testing.assert_allclose((points**2).sum(axis=1), (centred**2).sum(axis=1), rtol=1e-6)
    em.plot.codes(None, X[:40], X[:40].mean(axis=1), ax=ax)
    assert "inputs" in ax.get_title()


def test_confusions_are_counted(ax: Any) -> None:
    net = em.MLP([3, 3], init="zeros", bias=False)
    net.parameters = np.eye(3).ravel()
    em.plot.confusion_matrix(net, np.eye(3)[[0, 1, 2, 2, 2]], [0, 1, 2, 1, 1], ax=ax)
    cells = {text.get_position()[::-1]: int(text.get_text()) for text in ax.texts}
    assert cells == {(0, 0): 1, (1, 1): 1, (2, 2): 1, (1, 2): 2}
    assert ax.get_title() == "60.0 % of 5 rows right"


@pytest.mark.parametrize(
    ("loss", "output"),
    [
        ("sigmoid_cross_entropy", "identity"),
        ("squared_error", "sigmoid"),
        ("squared_error", "identity"),
    ],
)
def test_regions_of_one_output(loss: str, output: str, ax: Any) -> None:
    net = make_net([2, 3, 1], loss=loss, output_activation=output)
    em.plot.decision_regions(net, FLAT, SIDES, ax=ax, resolution=20)
    if loss != "squared_error" or output == "sigmoid":
        em.plot.confusion_matrix(net, FLAT, SIDES)
    pyplot.close("all")


def test_regions_of_softmax_under_squared_error(ax: Any) -> None:
    net = make_net([2, 3, 2], loss="squared_error", output_activation="softmax")
    em.plot.decision_regions(net, FLAT, np.eye(2)[SIDES], ax=ax, resolution=20)
    assert ax.get_legend() is not None


def test_the_tree_is_the_shortest() -> None:
    distances = np.array([[0, 1, 4, 9], [1, 0, 2, 5], [4, 2, 0, 3], [9, 5, 3, 0]], float)
    edges = em.plot.graph._spanning_tree(distances)
    assert [(a, b) for a, b, _ in edges] == [(0, 1), (1, 2), (2, 3)]
    assert sum(length for _, _, length in edges) == 6


def test_members_are_placed_by_their_loss_and_sized_by_their_weight(ax: Any) -> None:
    em.plot.leaderboard(MEMBERS, ax=ax)
    dots = {round(float(dot.get_offsets()[0][0]), 6): dot for dot in ax.collections}
    assert [*dots] == [0.2, 0.3, 0.25]
    sizes = [float(dot.get_sizes()[0]) for dot in dots.values()]
    assert sizes[0] > sizes[1] > sizes[2]
    assert [text.get_text() for text in ax.texts] == ["0.75", "0.25"]  # not of one that is unused
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "member 3: 8-4, 16 bins",
        "member 0: linear, dropout 0.1",
        "member 1",
    ]
    assert ax.get_title().startswith("2 of 3 members")


def test_members_without_validation_rows_have_their_weights(ax: Any) -> None:
    lines = [{"member": place, "weight": 0.25, "loss": None} for place in range(4)]
    em.plot.leaderboard(lines, ax=ax, most=2)
    assert [bar.get_width() for bar in ax.patches] == [0.25, 0.25]
    assert (ax.get_xlabel(), "the first 2 of 4" in ax.get_title()) == ("weight", True)


def test_the_most_important_column_is_on_top(ax: Any) -> None:
    em.plot.importance(COLUMNS, ax=ax)
    assert [bar.get_width() for bar in ax.patches] == [0.5, 0.1]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["size", "age"]
    low, high = ax.get_ylim()
    assert low > high  # the first is above


def test_honest_probabilities_lie_on_the_diagonal(ax: Any) -> None:
    rng = np.random.default_rng(0)
    P = rng.random(20_000)
    y = np.where(rng.random(20_000) < P, "yes", "no")
    em.plot.calibration_curve(y, P, ax=ax)
    said, found = ax.lines[-1].get_data()
    assert len(said) == 10
    np.testing.assert_allclose(found, said, atol=0.04)
    assert sum(bar.get_height() for bar in ax.patches) == pytest.approx(1)
    assert float(ax.get_title().split()[-1]) < 0.02


def test_vain_probabilities_lie_below_it(ax: Any) -> None:
    rng = np.random.default_rng(0)
    P = rng.dirichlet([0.5, 0.5, 0.5], 3000)
    y = rng.integers(0, 3, 3000)
    em.plot.calibration_curve(y, P, ax=ax)
    said, found = ax.lines[-1].get_data()
    assert (found < said)[said > 0.5].all()
    best = P.max(axis=1).mean() - (P.argmax(axis=1) == y).mean()
    assert float(ax.get_title().split()[-1]) == pytest.approx(best, abs=2e-3)


def test_intervals_and_two_models_on_one_diagonal(ax: Any) -> None:
    y = np.random.default_rng(0).normal(size=5000)
    exact = {c: (np.full(5000, -z), np.full(5000, z)) for c, z in [(0.9, 1.645), (0.5, 0.674)]}
    wide = {c: (2 * low, 2 * high) for c, (low, high) in exact.items()}
    em.plot.calibration_curve(y, exact, ax=ax, label="right")
    em.plot.calibration_curve(y, wide, ax=ax, label="wide")
    diagonal, right, too_wide = ax.lines
    np.testing.assert_allclose(diagonal.get_xdata(), diagonal.get_ydata())
    np.testing.assert_allclose(right.get_data(), [[0.5, 0.9], [0.5, 0.9]], atol=0.02)
    assert (too_wide.get_ydata() > right.get_ydata() + 0.05).all()
    assert len({line.get_color() for line in ax.lines}) == 3


@pytest.mark.parametrize(
    ("module", "package"), [("matplotlib", "matplotlib"), ("sklearn", "scikit-learn")]
)
def test_what_is_missing_is_named(
    module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [module, "matplotlib.pyplot", "sklearn.manifold"]:
        if name.startswith(module):
            monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=f"pip install {package}$"):
        em.plot.codes(NET, X[:50], Y[:50], method="isomap")


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: em.plot.loss_curve([]), ValueError, "at least one loss"),
        (lambda: em.plot.loss_curve(em.History()), ValueError, "at least one loss"),
        (lambda: em.plot.weights(NET, layer=3), ValueError, "layer: expected 0 to 2, got 3"),
        (lambda: em.plot.first_layer(em.MLP([5, 2])), ValueError, "5 inputs make no square"),
        (lambda: em.plot.first_layer(NET, shape=(8, 9)), ValueError, r"64 pixels.*\(8, 9\)"),
        (lambda: em.plot.codes(NET, X, Y, method="umap"), ValueError, "method.*'pca'.*'umap'"),
        (lambda: em.plot.codes(NET, X, Y, layer=2), ValueError, "hidden layer, 0 to 1, got 2"),
        (lambda: em.plot.codes(NET, X, Y[:5]), ValueError, "y: expected 1797 rows"),
        (lambda: em.plot.codes(NET), TypeError, "rows X"),
        (lambda: em.plot.codes(em.MLP([64, 10]), X, Y), ValueError, "a hidden layer"),
        (lambda: em.plot.codes(NET, X[:2]), ValueError, "at least 3 rows"),
        (lambda: em.plot.decision_regions(NET, X, Y), ValueError, "2 inputs, got 64"),
        (lambda: em.plot.decision_regions(3, X, Y), TypeError, "expected an MLP, got int"),
        (
            lambda: em.plot.confusion_matrix(em.MLP([64, 1], loss="squared_error"), X, Y),
            ValueError,
            "a network that classifies",
        ),
        (lambda: em.plot.confusion_matrix(NET, X, Y + 1), ValueError, "labels 0 to 9.*1 to 10"),
        (lambda: em.plot.confusion_matrix(NET, X, Y + 0.5), ValueError, "class labels"),
        (lambda: em.plot.digit_graph(em.MLP([64, 10]), X, Y), ValueError, "a hidden layer"),
        (lambda: em.plot.digit_graph(NET, X, 0 * Y), ValueError, "two classes"),
        (lambda: em.plot.leaderboard([]), ValueError, "at least one line, got none"),
        (lambda: em.plot.leaderboard(NET), TypeError, "the lines of a model's leaderboard"),
        (lambda: em.plot.leaderboard(COLUMNS), ValueError, "dicts with member, weight, loss"),
        (lambda: em.plot.importance(MEMBERS), ValueError, "dicts with column, importance"),
        (lambda: em.plot.importance(COLUMNS, most=0), ValueError, "most: expected"),
        (lambda: em.plot.calibration_curve([0, 1], [0.5, 1.5]), ValueError, "0.5 to 1.5"),
        (lambda: em.plot.calibration_curve([0, 1], [0.5, np.nan]), ValueError, "probabilities"),
        (lambda: em.plot.calibration_curve([0, 1, 1], [0.5, 0.5]), ValueError, "2 labels"),
        (lambda: em.plot.calibration_curve([0, 0], [0.5, 0.5]), ValueError, "give classes="),
        (
            lambda: em.plot.calibration_curve(
                np.array(["a", "c"], dtype=object), [0.5, 0.5], classes=["a", "b"]
            ),
            ValueError,
            "got 'c' in row 1",
        ),
        (
            lambda: em.plot.calibration_curve([0, 2], [0.5, 0.5], classes=[0, 1]),
            ValueError,
            "got 2 in row 1",
        ),
        (lambda: em.plot.calibration_curve([0.0, 1.0], {}), ValueError, "at least one coverage"),
        (
            lambda: em.plot.calibration_curve([0.0, 1.0], {0.9: ([0.0], [1.0])}),
            ValueError,
            r"ends of shape \(2,\)",
        ),
    ],
)
def test_bad_input(call: Callable[[], object], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call()
    figures = pyplot.get_fignums()
    pyplot.close("all")
    assert not figures, "a refused call leaves no figure behind"
