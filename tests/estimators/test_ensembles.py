"""Ensembles: members, selection, predictions, what is refused, files."""

import ctypes
import json
import shutil
import signal
import subprocess
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

from scipy import sparse
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import eigenmlp as em
from eigenmlp._files import container
from eigenmlp._training.selection import greedy
from eigenmlp.sklearn import (
    MLPClassifier,
    MLPEnsembleClassifier,
    MLPEnsembleRegressor,
    MLPRegressor,
    MLPSearchCV,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

BASE = MLPClassifier((16,), learning_rate_init=0.01, max_iter=12)
SAMPLING = {"alpha": loguniform(1e-5, 1e-1), "hidden_layer_sizes": [(8,), (24,)]}


def regression(N: int = 600, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    X = rng.uniform(-3, 3, (N, 2))
    return X, np.sin(X[:, 0]) + 0.1 * (1 + np.abs(X[:, 1])) * rng.normal(size=N)


@pytest.mark.filterwarnings("ignore")  # the checks provoke them
@pytest.mark.parametrize("kind", [MLPEnsembleClassifier, MLPEnsembleRegressor])
def test_check_estimator(kind: Any) -> None:
    base = kind._kind(hidden_layer_sizes=(20,), learning_rate_init=0.02, max_iter=60)
    found = check_estimator(kind(base, n_members=2), on_skip=None)
    statuses = {check["check_name"]: check["status"] for check in found}
    assert {name for name, status in statuses.items() if status != "passed"} <= {
        "check_array_api_input",
        "check_classifiers_multilabel_output_format_decision_function",
    }
    assert len(statuses) > 50


def test_greedy_selection_is_no_worse_than_the_best() -> None:
    """Caruana's: of what is right together it takes both, and again what is better."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=400)
    outputs = [y + s * rng.normal(size=400) for s in (0.3, 0.3, 0.3, 1.0, 5.0)]

    def measure(Y: Any) -> float:
        return float(np.mean((Y - y) ** 2))

    weights, curve = greedy(outputs, measure, 40)
    mean = np.tensordot(weights, outputs, 1)
    assert weights.sum() == pytest.approx(1) and weights[4] == 0
    assert measure(mean) == pytest.approx(min(curve))
    assert curve[0] == min(measure(Y) for Y in outputs)
    assert measure(mean) < 0.5 * curve[0]
    alone, _ = greedy([y, y + 1, np.full(400, np.nan)], measure, 40)
    assert alone.tolist() == [1, 0, 0]


@pytest.mark.parametrize("options", [{}, {"bootstrap": True}, {"sampling": SAMPLING}])
def test_the_mean_is_better_than_its_members(digits: Any, options: Any) -> None:
    X, y = em.datasets.load_digits()
    model = MLPEnsembleClassifier(BASE, 5, random_state=0, **options).fit(X[:1000], y[:1000])
    P = model.predict_proba(X[1000:])
    parts = [member.predict_proba(X[1000:]).astype(float) for member in model.members_]
    parts = [part / part.sum(axis=1, keepdims=True) for part in parts]  # of float32
    losses = [log_loss(y[1000:], part) for part in parts]
    assert log_loss(y[1000:], P) <= model.weights_ @ losses  # Jensen's inequality
    assert model.score(X[1000:], y[1000:]) > 0.75
    np.testing.assert_allclose(P, np.tensordot(model.weights_, parts, 1), rtol=1e-6)
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-6)
    assert len({member.random_state for member in model.members_}) == 5
    assert len({member.alpha for member in model.members_}) == (5 if "sampling" in options else 1)
    assert len({member.coefs_[0].tobytes() for member in model.members_}) == 5


def test_the_same_bits_for_every_number_of_threads() -> None:
    X, y = em.datasets.load_digits()
    model = MLPEnsembleClassifier(BASE, 4, sampling=SAMPLING, bootstrap=True, random_state=1)
    expected = model.fit(X[:400], y[:400]).predict_proba(X)
    for other in (clone(model).set_params(n_threads=1), clone(model).set_params(n_threads=3)):
        np.testing.assert_array_equal(other.fit(X[:400], y[:400]).predict_proba(X), expected)


def test_members_are_what_they_would_be_alone() -> None:
    """Without validation rows, each has the bits of its own `fit`."""
    X, y = em.datasets.load_digits()
    model = MLPEnsembleClassifier(
        BASE, 3, selection="all", validation_fraction=0.0, random_state=2
    ).fit(X[:300], y[:300])
    assert model.weights_.tolist() == [1 / 3] * 3 and model.validation_curve_ == []
    for member in model.members_:
        alone = clone(member).fit(X[:300], y[:300])
        np.testing.assert_array_equal(alone.coefs_[0], member.coefs_[0])


def test_regression_with_deviations_and_quantiles() -> None:
    X, y = regression(3000)
    base = MLPRegressor(hidden_layer_sizes=(20,), learning_rate_init=0.02, max_iter=25)
    model = MLPEnsembleRegressor(base, 4, random_state=0, validation_fraction=0.2)
    model.fit(X[:1500], y[:1500])
    mean, deviation = model.predict(X[1500:], return_std=True)
    parts = np.array([member.predict(X[1500:]) for member in model.members_])
    weights = model.weights_[:, None]
    np.testing.assert_allclose(mean, (weights * parts).sum(0))
    np.testing.assert_allclose(deviation, np.sqrt((weights * (parts - mean) ** 2).sum(0)))
    low, middle, high = model.predict_quantiles(X[1500:], [0.05, 0.5, 0.95]).T
    covered = ((low <= y[1500:]) & (y[1500:] <= high)).mean()
    assert 0.85 < covered < 0.95 and (low < middle).all() and (middle < high).all()
    with pytest.raises(ValueError, match="as 300 validation rows tell"):
        model.predict_quantiles(X, 0.001)
    few = MLPEnsembleRegressor(base, 2, validation_fraction=0.0).fit(X[:60], y[:60])
    with pytest.raises(ValueError, match="validation_fraction above 0"):
        few.predict_quantiles(X)
    several = MLPEnsembleRegressor(base, 2, random_state=0).fit(X[:200], X[:200] ** 2)
    assert several.predict_quantiles(X[:7], [0.2, 0.8]).shape == (7, 2, 2)


@pytest.mark.parametrize("loss", ["poisson", "quantile(q=0.8)", "absolute_error", "huber"])
def test_the_loss_of_the_members_selects(loss: str) -> None:
    X, y = regression(400)
    y = np.exp(y) if loss == "poisson" else y
    base = MLPRegressor(loss, hidden_layer_sizes=(8,), learning_rate_init=0.02, max_iter=10)
    model = MLPEnsembleRegressor(base, 3, random_state=0).fit(X, y)
    assert model.validation_curve_[0] >= min(model.validation_curve_)
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("options", [{}, {"bootstrap": True}, {"validation_fraction": 0.0}])
def test_sparse_indicators_are_as_dense_ones(options: Any) -> None:
    X, y = (array[:120] for array in em.datasets.load_digits())
    T = np.stack([y > 4, y % 2 == 0], axis=1).astype(int)
    weights = np.arange(120) % 3
    model = MLPEnsembleClassifier(BASE, 2, random_state=0, **options)
    expected = clone(model).fit(X, T, weights).predict_proba(X)
    model.fit(X, sparse.csc_array(T), weights)
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    assert model.score(X, T) > 0.5


def test_warnings_are_said_after_two_ensembles_at_once() -> None:
    """Which begin and end in the same order."""
    X, y = regression(60)
    both, first = threading.Event(), threading.Event()
    before = warnings.filters, warnings._showwarnmsg_impl  # type: ignore[attr-defined]

    def fit(of: str) -> None:
        def wait(epoch: int, estimator: Any) -> None:
            if of == "first" and epoch == 1:
                other.start()
                assert both.wait(10)
            elif epoch == 1:
                both.set()
                assert first.wait(10)

        base = MLPRegressor(hidden_layer_sizes=(2,), max_iter=2, callbacks=[wait])
        MLPEnsembleRegressor(base, 1, random_state=0).fit(X, y)
        first.set()

    other = threading.Thread(target=fit, args=["other"])
    fit("first")
    other.join(10)
    assert before == (warnings.filters, warnings._showwarnmsg_impl)  # type: ignore[attr-defined]


def test_what_diverges_is_left_out_and_said() -> None:
    X, y = em.datasets.load_digits()
    sampling = {"learning_rate_init": [1e30, 1e-2]}
    model = MLPEnsembleClassifier(BASE, 6, sampling=sampling, random_state=0)
    with pytest.warns(RuntimeWarning, match=r"member \d of 6 diverged .* learning_rate_init"):
        model.fit(X[:300], y[:300])
    assert 0 < len(model.members_) < 6
    assert all(member.learning_rate_init == 1e-2 for member in model.members_)
    before = {**vars(model)}
    model.set_params(sampling={"learning_rate_init": [1e30]})
    with pytest.raises(ValueError, match=r"all 6 members diverged: .*StandardScaler"):
        model.fit(X[:300], y[:300])
    assert model.members_ is before["members_"] and model.weights_ is before["weights_"]


@pytest.mark.parametrize(
    ("sampling", "error", "words"),
    [
        ({"learning_rate_init": [-1.0]}, ValueError, "learning_rate_init.* -1"),
        ({"dropout": [[0.1, 0.2]]}, ValueError, "dropout"),
        ({"activation": ["nothing"]}, ValueError, "nothing"),
        ({"hidden_layer_sizes": [(0,)]}, ValueError, "must be > 0"),
        ({"random_state": [1]}, ValueError, "random_state"),
        ({"rate": [1]}, ValueError, "got 'rate'"),
        ({"alpha": []}, ValueError, "at least one value for alpha"),
        ({"alpha": 0.1}, TypeError, "distribution of SciPy or a list"),
        ({"alpha": {0.1}}, TypeError, "distribution of SciPy or a list"),
        ([("alpha", [1])], ValueError, "'sampling' parameter"),
    ],
)
def test_draws_are_refused_before_the_first_fit(
    sampling: Any, error: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a member was fitted")

    monkeypatch.setattr(MLPClassifier, "fit", never)
    X, y = em.datasets.load_digits()
    state = np.random.RandomState(0)
    model = MLPEnsembleClassifier(BASE, 3, sampling=sampling, random_state=state)
    with pytest.raises(error, match=words) as caught:
        model.fit(X[:100], y[:100])
    assert len(str(caught.value)) < 400 and not hasattr(model, "members_")
    assert state.randint(2**31) == np.random.RandomState(0).randint(2**31)


def test_values_to_draw_may_be_a_column_of_a_frame(digits: Any) -> None:
    """Whose index need not be 0, 1, …"""
    frames = pytest.importorskip("pandas", reason="needs pandas")
    values = frames.Series([1e-3, 1e-2], index=["a", "b"])
    model = MLPEnsembleClassifier(BASE, 2, sampling={"alpha": values}, random_state=0)
    X, y = (array[:60] for array in digits)
    assert {member.alpha for member in model.fit(X, y).members_} <= {1e-3, 1e-2}


def test_other_bad_arguments(digits: Any) -> None:
    X, y = digits
    with pytest.raises(ValueError, match="sum above 0, got -"):
        MLPEnsembleClassifier(BASE).fit(X, y, -np.ones(len(y)))
    with pytest.raises(NotFittedError):
        MLPEnsembleClassifier().predict(X)
    for bad in ({"selection": "best"}, {"n_members": 0}, {"validation_fraction": 1.0}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            MLPEnsembleClassifier(BASE, **bad).fit(X, y)
    with pytest.raises((TypeError, ValueError), match="estimator"):
        MLPEnsembleClassifier(MLPRegressor()).fit(X, y)


def test_ctrl_c_ends_all_members_and_changes_nothing() -> None:
    X, y = regression(3000)
    base = MLPRegressor(
        hidden_layer_sizes=(64, 64), max_iter=10**6, tol=0.0, n_iter_no_change=10**6
    )
    model = MLPEnsembleRegressor(base, 4, random_state=0, n_threads=2)
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.5, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert time.monotonic() - began < 20  # it would take hours
    assert not hasattr(model, "members_")


@pytest.mark.parametrize("labels", ["ints", "texts", "two", "indicators"])
def test_a_file_of_a_classifier(tmp_path: Path, labels: str) -> None:
    X, y = em.datasets.load_digits()
    X, y = X[:300], y[:300]
    y = {
        "ints": y * 10,
        "texts": np.array([f"n{i}" for i in y]),
        "two": y > 4,
        "indicators": np.stack([y > 4, y % 2 == 0], axis=1).astype(int),
    }[labels]
    sampling = {"activation": ["relu", em.activations.Sigmoid(slope=2.0)], "dropout": [0.0, 0.1]}
    model = MLPEnsembleClassifier(BASE, 3, sampling=sampling, random_state=0).fit(X, y)
    model.save(tmp_path / "m.safetensors")
    loaded = MLPEnsembleClassifier.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.predict(X).dtype == model.predict(X).dtype
    assert loaded.weights_.tolist() == model.weights_.tolist()
    assert loaded.validation_curve_ == model.validation_curve_
    assert [m.dropout for m in loaded.members_] == [m.dropout for m in model.members_]
    assert loaded.estimator.learning_rate_init == 0.01
    loaded.fit(X, y)  # again, from what the file says
    with pytest.raises(ValueError, match="expected a MLPEnsembleRegressor"):
        MLPEnsembleRegressor.load(tmp_path / "m.safetensors")
    with pytest.raises(ValueError, match=r"MLPEnsembleClassifier\.load"):
        em.MLP.load(tmp_path / "m.safetensors")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("labels", ["ints", "texts", "two", "indicators"])
def test_a_classifier_as_one_onnx_model(labels: str, dtype: Any) -> None:
    pytest.importorskip("onnx", reason="needs onnx")
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    X, y = em.datasets.load_digits()
    X, y = X[:200].astype(dtype), y[:200]
    y = {
        "ints": y * 10,
        "texts": np.array([f"n{i}" for i in y]),
        "two": y > 4,
        "indicators": np.stack([y > 4, y % 2 == 0], axis=1).astype(int),
    }[labels]
    sampling = {"activation": ["silu", "gelu", "relu"]}
    model = MLPEnsembleClassifier(BASE, 3, sampling=sampling, selection="all", random_state=0)
    model.fit(X, y)
    session = runtime.InferenceSession(em.onnx.to_model(model).SerializeToString())
    assert [output.name for output in session.get_outputs()] == ["probabilities", "labels"]
    P, found = session.run(None, {"X": X})
    expected = model.predict_proba(X)
    np.testing.assert_allclose(P, expected, rtol=1e-3, atol=1e-6)
    near = np.abs(np.sort(expected, axis=1)[:, -1] - 0.5) < 1e-4
    assert (np.asarray(found) == model.predict(X))[~near].all()


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_a_regressor_as_one_onnx_model(loss: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="needs onnx")
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    X, y = regression()
    base = MLPRegressor(loss, hidden_layer_sizes=(8,), learning_rate_init=0.02, max_iter=10)
    model = MLPEnsembleRegressor(base, 3, random_state=0).fit(X, np.exp(y))
    em.onnx.export(model, tmp_path / "m.onnx")
    session = runtime.InferenceSession(tmp_path / "m.onnx")
    Y = session.run(None, {"X": X})[0]
    np.testing.assert_allclose(Y.ravel(), model.predict(X), rtol=1e-9)


def compiled(model: Any, folder: Path, dtype: Any) -> Any:
    """The C of a model, compiled; calls of a function write K numbers of a kind for each row."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc"))), None)
    if compiler is None:
        pytest.skip("no C compiler: neither cc nor gcc")
    em.codegen.to_c(model, folder / "m.c", name="pack")
    command = [compiler, "-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wshadow"]
    command += ["-Wconversion", "-Wmissing-prototypes", "-shared", "-fPIC"]
    command += [str(folder / "m.c"), "-o", str(folder / "m.so"), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    library = ctypes.CDLL(str(folder / "m.so"))

    def call(function: str, X: Any, K: int, kind: Any) -> Any:
        Y = np.zeros((len(X), K), kind)
        for x, y in zip(np.ascontiguousarray(X, dtype), Y, strict=True):
            call = getattr(library, f"pack_{function}")
            result = call(x.ctypes.data_as(ctypes.c_void_p), y.ctypes.data_as(ctypes.c_void_p))
            if function == "predict" and kind is int:
                y[0] = result
        return Y

    return call


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_classifier_as_one_c_file(dtype: Any, tmp_path: Path) -> None:
    X, y = em.datasets.load_digits()
    X, y = X[:200].astype(dtype), y[:200]
    names = np.array([f"n{i}" for i in y])
    sampling = {"activation": ["silu", "gelu", "sigmoid"]}
    model = MLPEnsembleClassifier(BASE, 3, sampling=sampling, selection="all", random_state=0)
    call = compiled(model.fit(X, names), tmp_path, dtype)
    expected = model.predict_proba(X)
    np.testing.assert_allclose(call("predict_proba", X, 10, dtype), expected, 1e-3, 1e-6)
    sure = np.diff(np.sort(expected, axis=1)[:, -2:])[:, 0] > 1e-4
    labels = model.classes_[call("predict", X, 1, int)[:, 0]]
    assert (labels == model.predict(X))[sure].all() and sure.sum() > 150


@pytest.mark.parametrize("indicators", [False, True])
def test_two_classes_and_several_labels_as_one_c_file(indicators: bool, tmp_path: Path) -> None:
    X, y = (array[:200] for array in em.datasets.load_digits())
    T = np.stack([y > 4, y % 2 == 0], axis=1).astype(int) if indicators else y > 4
    model = MLPEnsembleClassifier(BASE, 2, selection="all", random_state=0).fit(X, T)
    call, K = compiled(model, tmp_path, np.float32), 2 if indicators else 1
    expected = model.predict_proba(X)[:, -K:]
    np.testing.assert_allclose(call("predict_proba", X, K, np.float32), expected, 1e-3, 1e-6)
    sure = (np.abs(expected - 0.5) > 1e-4).all(axis=1)
    labels = call("predict", X, K, np.intc)
    assert (labels.squeeze() == model.predict(X))[sure].all() and sure.sum() > 150


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_a_regressor_as_one_c_file(loss: str, tmp_path: Path) -> None:
    X, y = regression(200)
    base = MLPRegressor(loss, hidden_layer_sizes=(8,), learning_rate_init=0.02, max_iter=10)
    model = MLPEnsembleRegressor(base, 3, random_state=0).fit(X, np.exp(y))
    call = compiled(model, tmp_path, np.float64)
    np.testing.assert_allclose(call("predict", X, 1, np.float64)[:, 0], model.predict(X), rtol=1e-9)


def test_scalers_before_an_ensemble_are_in_its_one_model(tmp_path: Path) -> None:
    """Also of a search around both."""
    X, y = regression(200)
    X = 100 * X + 7
    base = MLPRegressor(hidden_layer_sizes=(8,), learning_rate_init=0.02, max_iter=10)
    pipeline = make_pipeline(StandardScaler(), MLPEnsembleRegressor(base, 2, selection="all"))
    model = MLPSearchCV(pipeline, {"mlpensembleregressor__random_state": [0]}, cv=2).fit(X, y)
    call = compiled(model, tmp_path, np.float64)
    np.testing.assert_allclose(call("predict", X, 1, np.float64)[:, 0], model.predict(X), rtol=1e-7)
    pytest.importorskip("onnx", reason="needs onnx")
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    session = runtime.InferenceSession(em.onnx.to_model(model).SerializeToString())
    Y = session.run(None, {"X": X})[0]
    np.testing.assert_allclose(Y.ravel(), model.predict(X), rtol=1e-7)


def test_other_formats_say_what_to_do() -> None:
    pytest.importorskip("torch", reason="needs torch")
    X, y = regression(100)
    base = MLPRegressor(hidden_layer_sizes=(3,), max_iter=3)
    model = MLPEnsembleRegressor(base, 2, random_state=0).fit(X, y)
    with pytest.raises(TypeError, match=r"one by one, and average"):
        em.torch.to_torch(model)


def test_a_file_of_a_regressor(tmp_path: Path) -> None:
    X, y = regression()
    base = MLPRegressor(hidden_layer_sizes=(8,), learning_rate_init=0.02, max_iter=10)
    model = MLPEnsembleRegressor(base, 3, random_state=0).fit(X.astype(np.float32), y)
    model.save(tmp_path / "m.safetensors")
    loaded = MLPEnsembleRegressor.load(tmp_path / "m.safetensors")
    for a, b in zip(
        loaded.predict(X, return_std=True), model.predict(X, return_std=True), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(loaded.predict_quantiles(X), model.predict_quantiles(X))
    em.MLP([2, 1], seed=0).save(tmp_path / "net")
    with pytest.raises(ValueError, match="a network"):
        MLPEnsembleRegressor.load(tmp_path / "net")


def test_altered_files_are_refused(tmp_path: Path) -> None:
    """Each key of the description removed or made another thing, with the right checksum too."""
    X, y = regression(100)
    base = MLPRegressor(hidden_layer_sizes=(3,), max_iter=3)
    path = tmp_path / "m"
    MLPEnsembleRegressor(base, 2, random_state=0).fit(X, y).save(path)
    content = path.read_bytes()
    for place in range(0, len(content), 97):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(ValueError, match=str(path)):
            MLPEnsembleRegressor.load(path)
    path.write_bytes(content)
    with container.opened(path) as file:
        header = container.read_header(file)
        arrays = container.read_arrays(file, header)
    from eigenmlp._files.model import _checksum

    def rewritten(metadata: dict[str, str]) -> None:
        metadata = {k: v for k, v in metadata.items() if k != "sha256"}
        metadata["sha256"] = _checksum(metadata, arrays)
        with open(path, "wb") as file:
            container.write(file, metadata, arrays)

    rewritten(dict(header.metadata))
    MLPEnsembleRegressor.load(path)
    description = json.loads(header.metadata["ensemble"])
    for key in description:
        for value in (None, [], {}, "x", -1, [1e308] * 3, {"alpha": -1}):
            if value == description[key] or (key == "curve" and value in ([], {}, [1e308] * 3)):
                continue
            if key in ("estimator", "names") and value is None:
                continue
            if key in ("parameters", "estimator") and value == {}:
                continue  # the defaults
            changed = json.dumps({**description, key: value})
            rewritten({**header.metadata, "ensemble": changed})
            with pytest.raises(ValueError, match=str(path)):
                MLPEnsembleRegressor.load(path)
    for members in ("[]", "{}", "[1, 2]", header.metadata["members"][:-1]):
        rewritten({**header.metadata, "members": members})
        with pytest.raises(ValueError, match=str(path)):
            MLPEnsembleRegressor.load(path)
