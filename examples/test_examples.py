"""The figures of every example, on both backends."""

import importlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

FOLDER = Path(__file__).parent
# Tiny networks gain nothing from threads, and lose much where other programs use the processor too.
pytestmark = pytest.mark.usefixtures("one_thread")
BACKENDS = pytest.mark.parametrize("backend", ["native", "numpy"])


@pytest.fixture
def one_thread():
    with threadpool_limits(1):
        yield


@cache
def run(name, backend, **options):
    """What `main` of an example returns."""
    return importlib.import_module(name).main(backend, **options)


def test_digits_with_squares():
    figures = run("digits_with_squares", "native")
    assert figures["steps"] == 100_000
    assert 0.94 <= figures["test accuracy"] <= 0.95
    assert figures["test accuracy at the best moment"] >= figures["test accuracy"]


def test_digits_with_squares_twin():
    """The twin takes a minute for all steps: the first thousand must be the same."""
    short = {"batches": 10, "repeats": 100}
    losses = [run("digits_with_squares", b, **short) for b in ("native", "numpy")]
    first, last = zip(*(f["first loss, and mean of the last 500"] for f in losses), strict=True)
    assert first[0] == pytest.approx(first[1], rel=1e-6)  # float32, ten times its rounding
    assert last[0] == pytest.approx(last[1], rel=1e-4)  # which a thousand steps may add up


@BACKENDS
def test_digits_in_pytorch(backend):
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    figures = run("digits_in_pytorch", backend)
    assert figures["largest relative difference of losses"] < 1e-10
    assert figures["of first-layer weights"] < 1e-10
    assert figures["of second-layer weights"] < 1e-10


@BACKENDS
def test_four_people(backend):
    figures = run("four_people", backend)
    assert f"{figures['hidden neuron of Alice, all weights 1']:.4f}" == "0.0474"
    assert f"{figures['output for Alice, all weights 1']:.3f}" == "0.524"
    assert f"{figures['dL/dw1']:.7f}" == "0.0214695"
    assert figures["loss after training"] < 0.01
    outputs = figures["outputs after training"]
    assert {name: output > 0.5 for name, output in outputs.items()} == {
        "Alice": True,
        "Bob": False,
        "Charlie": False,
        "Diana": True,
    }


@BACKENDS
def test_symbolic_perceptron(backend):
    figures = run("symbolic_perceptron", backend)
    last_digit = 1e-15  # of the published numbers
    assert abs(figures["output before"] - 0.649864477526152) < last_digit
    assert abs(figures["output after 999 rounds"] - 0.999453185534398) < last_digit
    assert abs(figures["SymPy's output before"] - 0.649864477526152) < last_digit
    differences = np.subtract(figures["SymPy's derivatives"], figures["derivatives at the start"])
    assert np.abs(differences).max() < last_digit  # of numbers below 1


@BACKENDS
@pytest.mark.parametrize("method", ["TNC", "L-BFGS-B", "trust-ncg"])
def test_scipy_minimize(backend, method):
    pytest.importorskip("scipy")
    figures = run("scipy_minimize", backend, evaluations=60)
    assert figures[f"{method}: loss"] < 0.25 * figures["loss before"]
    assert figures[f"{method}: test accuracy"] > 0.8


@BACKENDS
def test_linear_softmax(backend):
    figures = run("linear_softmax", backend)
    # Sums of N = 1797 products in another order: N u times the sum of their sizes, which is below
    # 1 as the products' mean is taken; the loss, 3.5, likewise.
    u = 2.0**-53
    rounding = 1797 * u
    assert abs(figures["loss"] - figures["loss of the loop"]) < 4 * rounding
    assert figures["largest difference from the loop's gradient"] < rounding
    wrong = figures["largest difference from the published gradient"]
    assert wrong > 0.1 * figures["largest entry of the gradient"]


@BACKENDS
def test_softmax_derivative(backend):
    figures = run("softmax_derivative", backend, epochs=30)
    assert figures["exact: check_gradients says"] == "right"
    for wrong in ("wrong index", "diagonal only", "softmax twice"):
        assert figures[f"{wrong}: check_gradients says"] == "wrong"
        assert figures[f"{wrong}: largest relative error"] > 0.1
    # Sums of N = 1797 terms, made in another way, whose mean size is that of the largest entry.
    rounding = 1797 * 2.0**-53
    assert figures["largest difference from the library's own, of the largest"] < 4 * rounding


@BACKENDS
def test_binary_images(backend):
    figures = run("binary_images", backend, epochs=2000 if backend == "native" else 20)
    assert np.isfinite(figures["largest loss"])
    assert figures["pictures classified right"] == 10
    assert figures["last loss"] < (1e-3 if backend == "native" else 0.1)
    assert figures["gradients summed: loss after 20 steps"] > 1e6
    assert np.isnan(figures["the same from rounded probabilities"])


@BACKENDS
def test_xor(backend):
    figures = run("xor", backend)
    assert np.round(figures["outputs"]).tolist() == [0, 1, 1, 0]
    assert figures["loss after"] < 0.01 * figures["loss before"]


@BACKENDS
def test_sine_in_classes(backend):
    figures = run("sine_in_classes", backend)
    width = 0.1  # of a class: being right in each one leaves an error of width / √12
    assert figures["error of 21 classes, softmax_cross_entropy"] < 0.5 * width
    assert figures["error of one number, squared_error"] < 0.01
    assert figures["error of 21 classes, squared_error (mixed)"] > width
    assert figures["right classes, softmax_cross_entropy"] > 0.85
    assert figures["right classes, mixed"] < 0.6
    assert figures["right signs of x, 1-3-1"] > 0.99


@BACKENDS
def test_best_input(backend):
    pytest.importorskip("scipy")
    figures = run("best_input", backend)
    assert np.round(figures["outputs at the corners"]).tolist() == [0, 1, 0, 0]
    assert figures["best input in the box"] == [0, 1]
    outside = figures["where a climb without the box is after 2,000 steps"]
    assert min(outside) < 0 and max(outside) > 1


@BACKENDS
def test_pytorch_sequential(backend):
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    figures = run("pytorch_sequential", backend)
    assert figures["largest difference of outputs before"] < 1e-14
    assert figures["largest relative difference of 200 losses"] < 1e-10
    assert figures["largest relative difference of parameters after"] < 1e-10
    assert figures["weights there and back are equal"]


@BACKENDS
def test_softmax_over_groups(backend):
    figures = run("softmax_over_groups", backend)
    # Each p is at most 1 and off by a few units of rounding in its argument, exp, sum and division.
    assert figures["largest difference to the loop"] < 200 * 2.0**-53
    assert abs(figures["sum over 100 groups of scores of 1000"] - 100) < 10_000 * 2.0**-53
    assert figures["loss"] < 0.7 * figures["loss of guessing"]
    # Three standard errors of the estimates from 2,000 choices.
    errors = np.abs(np.subtract(figures["worth of a euro, an hour, a change"], [-0.1, -1, -0.5]))
    assert (errors < [0.011, 0.11, 0.12]).all()


def test_model_travels():
    pytest.importorskip("sklearn")
    figures = importlib.import_module("model_travels").main()
    assert figures.pop("test accuracy") > 0.9
    for name, figure in figures.items():
        assert figure is True if name.endswith("labels") else figure < 1e-5, name


# ---- pictures and the gallery


SCRIPTS = sorted(
    path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith(("test_", "pictures"))
)
DRAWN = [
    name for name in SCRIPTS if "import pictures" in (FOLDER / f"{name}.py").read_text("utf-8")
]
NEEDS = {"scipy_minimize": "scipy", "best_input": "scipy", "digits_maps": "sklearn"}
SHORT = {
    "binary_images": {"epochs": 20},
    "digits_maps": {"batches": 2, "rows": 100},
    "digits_with_squares": {"batches": 2},
    "scipy_minimize": {"evaluations": 5},
    "softmax_derivative": {"epochs": 3},
    "sine_in_classes": {"epochs": 10},
    "symbolic_perceptron": {"rounds": 9},
    "xor": {"epochs": 10},
}


@pytest.mark.parametrize("name", DRAWN)
def test_picture(name, tmp_path):
    """Each script draws without a warning; the gallery's pictures come from full runs."""
    pytest.importorskip("matplotlib").use("agg")
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    path = tmp_path / f"{name}.png"
    run(name, "native", picture=path, **SHORT.get(name, {}))
    assert path.stat().st_size > 5000


def test_gallery():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name in SCRIPTS:
        assert f"({name}.py)" in text, f"README.md does not show {name}.py"
    for name in DRAWN:
        assert f"(figures/{name}.png)" in text
        picture = FOLDER / "figures" / f"{name}.png"
        assert picture.stat().st_size < 120_000
        assert int.from_bytes(picture.read_bytes()[16:20], "big") >= 1200  # pixels wide
