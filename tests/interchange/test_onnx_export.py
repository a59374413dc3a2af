"""Networks as ONNX files, run by ONNX Runtime beside the network itself, and read back."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._interchange import travelling as travelling
from support.bounds import ULPS, assert_within, probability_bounds, rounding_bounds
from support.names import COMBINATIONS, DTYPES
from support.onnx_runtime import FLOAT32_LIMIT, onnx, run
from support.problems import make_data, make_net


def formula_bound(net: em.MLP) -> Any:
    """How much more than by ULPS of a unit's value the runtime's own formulas may be off.

    Its exp(z) - 1 and log(1 + exp(z)) round numbers near 1, or the parameter, whatever is left;
    units pass that on by their weights.
    """
    largest, total = 0.0, np.zeros(net.layer_sizes[0])
    u = float(np.finfo(net.dtype).eps)
    for W, _, activation in travelling.layers(net):
        largest = max([1.0, *activation.numbers().values()])
        total = total @ np.abs(W) + ULPS * u * largest
    return total


def compare(net: em.MLP, X: Any, path: Path, input_dtype: str | None = None) -> None:
    """Every output beside the method that it stands for."""
    em.onnx.export(net, path, input_dtype)
    found = run(path, X)
    loss, K = travelling.loss_of(net).name, net.layer_sizes[-1]
    expected = {"logits" if loss.endswith("cross_entropy") else "outputs": net.forward(X)}
    bound = rounding_bounds(net, X, np.zeros((len(X), K))).Y + formula_bound(net)
    bounds = {name: bound for name in expected}
    exact = net.forward(X).astype(np.float64)
    u = float(np.finfo(net.dtype).eps)
    chances = probability_bounds(net, exact, bound)
    if chances is not None:
        expected["probabilities"], bounds["probabilities"] = net.predict_proba(X), chances + u
    if loss == "poisson":
        expected["rates"] = net.predict(X)
        rates = np.exp(exact) * (np.expm1(bound) + 2 * ULPS * u)
        bounds["rates"] = rates.reshape(expected["rates"].shape)
    labels = found.pop("labels", None)
    assert found.keys() == expected.keys()
    for name, Y in expected.items():
        assert found[name].dtype == Y.dtype == net.dtype and found[name].shape == Y.shape
        if net.dtype == np.float32:
            assert np.abs(found[name] - Y).max() <= FLOAT32_LIMIT
        else:
            assert_within(found[name], Y, bounds[name], name)
    if labels is None:
        assert not loss.endswith("cross_entropy")
        return
    Z = np.sort(exact, axis=1)
    gap = np.abs(exact) if loss.startswith("sigmoid") else Z[:, -1] - Z[:, -2]
    clear = gap > 2 * (bound if loss.startswith("sigmoid") else bound.max(axis=1))
    expected_labels = net.predict(X)
    assert labels.dtype == np.int64 and labels.shape == expected_labels.shape
    clear = clear.reshape(labels.shape)
    assert clear.mean() > 0.5
    np.testing.assert_array_equal(labels[clear], expected_labels[clear])


def equal(a: em.MLP, b: em.MLP) -> None:
    """The same settings, and the same numbers."""
    assert a.config == b.config
    assert a.parameters.tobytes() == b.parameters.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("activation", "loss", "output"), COMBINATIONS)
def test_there_and_back(
    activation: str, loss: str, output: str, dtype: str, tmp_path: Path
) -> None:
    """Equal outputs in ONNX Runtime, and the same network read back."""
    sizes = [7, 9, 5]
    options = {"activation": activation, "output_activation": output, "loss": loss}
    net = make_net(sizes, dtype=dtype, dropout=0.25, input_scale=1 / 3, **options)
    compare(net, make_data(sizes, loss, 40, dtype)[0], tmp_path / "model.onnx")
    equal(em.onnx.load(tmp_path / "model.onnx"), net)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", ["sigmoid_cross_entropy", "poisson", "squared_error"])
def test_one_output(loss: str, dtype: str, tmp_path: Path) -> None:
    """Labels and rates are (N,), as those of `predict`; logits and outputs stay (N, 1)."""
    net = make_net([4, 6, 1], dtype=dtype, loss=loss)
    X = make_data([4, 6, 1], loss, 30, dtype)[0] / 4  # so that rates are about 1
    compare(net, X, tmp_path / "model.onnx")
    equal(em.onnx.load(tmp_path / "model.onnx"), net)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", [[1, 1], [3, 70], [5, 1, 1, 9], [4, 20, 30, 20, 2]], ids=str)
def test_sizes_without_bias(sizes: list[int], dtype: str, tmp_path: Path) -> None:
    net = make_net(sizes, bias=False, activation="silu", loss="huber(delta=0.3)", dtype=dtype)
    for rows in (1, 8):
        compare(net, make_data(sizes, "huber", rows, dtype)[0], tmp_path / "model.onnx")
    equal(em.onnx.load(tmp_path / "model.onnx"), net)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("input_dtype", ["float32", "float64", "uint8"])
def test_scaled_inputs(input_dtype: str, dtype: str, tmp_path: Path) -> None:
    """Rows as the user has them; the file scales them."""
    net = make_net([6, 4, 3], dtype=dtype, input_scale=1 / 255)
    X = np.random.default_rng(0).integers(0, 256, (20, 6)).astype(input_dtype)
    compare(net, X, tmp_path / "model.onnx", input_dtype)
    equal(em.onnx.load(tmp_path / "model.onnx"), net)


@pytest.mark.parametrize(
    "activation", ["leaky_relu", "elu", "softplus", "gelu", "silu", "sigmoid", "tanh"]
)
def test_float64_far_from_zero(activation: str, tmp_path: Path) -> None:
    """The functions that a file brings for float64, on numbers of every size."""
    z = np.concatenate([np.linspace(-40, 40, 801), [-1e200, -1e3, -1e-9, 0.0, 1e-9, 1e3, 1e200]])
    net = em.MLP([1, 1], output_activation=activation, loss="squared_error", dtype="float64")
    net.parameters = [1.0, 0.0]
    em.onnx.export(net, tmp_path / "model.onnx")
    Y = run(tmp_path / "model.onnx", z[:, None])["outputs"]
    u = float(np.finfo(np.float64).eps)
    bound = ULPS * u * (1 + np.abs(z[:, None]))  # z P(z) rounds P to u, then times z
    assert_within(Y, net.forward(z[:, None]), bound, activation)


def test_float64_without_what_runtimes_fuse(tmp_path: Path) -> None:
    """ONNX Runtime up to 1.22 makes of z sigmoid(z) an operator that it has in float32 alone."""
    net = make_net([4, 3, 2], activation="silu", dtype="float64")
    model = em.onnx.to_model(net)
    nodes = [*model.graph.node, *(node for f in model.functions for node in f.node)]
    assert "Exp" in {node.op_type for node in nodes}
    assert "Sigmoid" not in {node.op_type for node in nodes}
    graph = em.onnx.to_model(make_net([4, 3, 2], activation="silu")).graph
    assert {"Sigmoid", "Mul"} <= {node.op_type for node in graph.node}


def test_names_and_metadata(tmp_path: Path) -> None:
    net = em.MLP([4, 3, 2], seed=0)
    em.onnx.export(net, tmp_path / "model.onnx")
    model = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert (model.producer_name, model.producer_version) == ("eigenmlp", em.__version__)
    names = {x.name: x.type.tensor_type for x in [*model.graph.input, *model.graph.output]}
    shapes = {n: [d.dim_param or d.dim_value for d in t.shape.dim] for n, t in names.items()}
    rows = ["N", 2]
    assert shapes == {"X": ["N", 4], "logits": rows, "probabilities": rows, "labels": ["N"]}
    assert [x.name for x in model.graph.initializer] == ["W0", "b0", "W1", "b1"]
    assert len({node.name for node in model.graph.node}) == len(model.graph.node)
    assert repr(net) == model.graph.doc_string


def test_what_other_programs_drop(tmp_path: Path) -> None:
    """Without the metadata the graph still tells the network, up to float32 and training's part."""
    net = make_net([4, 3, 2], activation="elu(alpha=0.3)", input_scale=0.1, dropout=0.5)
    model = em.onnx.to_model(net)
    del model.metadata_props[:]
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    back = em.onnx.load(tmp_path / "model.onnx")
    X = make_data([4, 3, 2], "squared_error", 9, "float32")[0]
    np.testing.assert_array_equal(back.forward(X), net.forward(X))
    assert back.config["loss"] == "softmax_cross_entropy" and back.config["dropout"] == [0.0]


@pytest.mark.parametrize(
    "metadata",
    [
        *("", "{", "[]", '{"loss": 3}', '{"loss": "poisson"}', "[" * 100_000),
        '{"activation": ["elu"], "output_activation": "relu", "input_scale": 1, "dropout": [0.1], '
        '"compute_dtype": 7}',
    ],
)
def test_metadata_that_do_not_agree(metadata: str, tmp_path: Path) -> None:
    """The graph is right, whatever else the file says."""
    net = make_net([4, 3, 2], activation="tanh", seed=3)
    model = em.onnx.to_model(net)
    model.metadata_props[0].value = metadata
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    equal(em.onnx.load(tmp_path / "model.onnx"), net)


def test_bfloat16_products(tmp_path: Path) -> None:
    """The file has the weights in float32, and the setting; it does not round as the network."""
    net = make_net([4, 30, 2], compute_dtype="bfloat16")
    em.onnx.export(net, tmp_path / "model.onnx")
    equal(em.onnx.load(tmp_path / "model.onnx"), net)
    full = em.MLP(**{**net.config, "compute_dtype": None})
    full.parameters = net.parameters
    compare(full, make_data([4, 30, 2], "squared_error", 9, "float32")[0], tmp_path / "full.onnx")


CLASSES: list[Any] = [
    *([3, -1, 7], ["b", "ä", "a long name"], [0.0, 2.0, -1.0], [True, False], ["yes", "no"]),
    *([8, 5], ["alone"], np.array([5, 200], np.uint8), np.array(["c", "a", "b"], object)),
    *([-(2**63), 0, 2**63 - 1], np.array([3, 2**63 + 9], np.uint64)),
    *(np.array([3, 2**63 + 9, 2**64 - 1], np.uint64), np.array([1, 2], np.float16)),
    *(np.array([1, 2], np.float32), np.array([1, 2], np.longdouble)),
    *(['a"b\\\n??/', "", "%s\r\t"], ["a\0b", "a\0c"], ["😀", "é"]),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", CLASSES, ids=str)
def test_a_classifiers_own_classes(classes: Any, dtype: str, tmp_path: Path) -> None:
    """Labels and probabilities are those of the estimator, whatever its classes are called."""
    sklearn = pytest.importorskip("eigenmlp.sklearn")
    X = np.random.default_rng(0).normal(0, 1, (60, 4)).astype(dtype)
    y = np.asarray(classes)[(np.arange(60) + (X[:, 0] > 0)) % len(classes)]
    clf = sklearn.MLPClassifier((5,), max_iter=20, random_state=0).fit(X, y)
    em.onnx.export(clf, tmp_path / "model.onnx")
    found = run(tmp_path / "model.onnx", X)
    P = clf.predict_proba(X)
    assert found["probabilities"].shape == P.shape and found["labels"].shape == (60,)
    np.testing.assert_allclose(found["probabilities"], P, rtol=0, atol=FLOAT32_LIMIT)
    clear = np.ptp(np.sort(P, axis=1)[:, -2:], axis=1) > 1e-4
    assert clear.mean() > 0.5
    np.testing.assert_array_equal(found["labels"][clear], clf.predict(X)[clear])
    if np.asarray(classes).dtype in ("bool", "float32", "float64"):
        assert found["labels"].dtype == clf.classes_.dtype
    back, net = em.onnx.load(tmp_path / "model.onnx"), clf._network()
    assert back.config | {"init": "zeros"} == net.config
    assert back.parameters.tobytes() == net.parameters.tobytes()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_several_labels_and_regression(tmp_path: Path) -> None:
    """Have no names: the outputs are those of the network."""
    sklearn = pytest.importorskip("eigenmlp.sklearn")
    X = np.random.default_rng(0).normal(0, 1, (60, 4))
    clf = sklearn.MLPClassifier((5,), max_iter=20, random_state=0).fit(X, X[:, :3] > 0)
    em.onnx.export(clf, tmp_path / "model.onnx")
    np.testing.assert_array_equal(run(tmp_path / "model.onnx", X)["labels"], clf.predict(X))
    reg = sklearn.MLPRegressor(hidden_layer_sizes=(5,), max_iter=20, random_state=0).fit(X, X[:, 0])
    em.onnx.export(reg, tmp_path / "model.onnx")
    Y = run(tmp_path / "model.onnx", X)["outputs"]
    np.testing.assert_allclose(Y[:, 0], reg.predict(X), rtol=1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("names", "match"),
    [
        (["a", "\ud800"], r"expected classes that UTF-8 can hold, got '\\ud800'"),
        (
            np.array(["2020-01-01", "2021-01-01"], "M8[D]"),
            r"numbers or strings, got datetime64\[D\]",
        ),
        (np.array([1, 2], "m8[s]"), r"numbers or strings, got timedelta64\[s\]"),
    ],
    ids=["surrogate", "dates", "times"],
)
def test_classes_that_onnx_cannot_hold(names: Any, match: str, tmp_path: Path) -> None:
    sklearn = pytest.importorskip("eigenmlp.sklearn")
    clf = sklearn.MLPClassifier((2,), max_iter=2, random_state=0)
    clf.fit(np.eye(4), np.array(names)[[0, 1, 0, 1]])
    with pytest.raises(ValueError, match=match) as caught:
        em.onnx.export(clf, tmp_path / "model.onnx")
    assert len(str(caught.value)) < 400 and not [*tmp_path.iterdir()]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_long_doubles_are_not_rounded(tmp_path: Path) -> None:
    sklearn = pytest.importorskip("eigenmlp.sklearn")
    clf = sklearn.MLPClassifier((2,), max_iter=2).fit(np.eye(4), [0.0, 1.0, 0.0, 1.0])
    clf.classes_ = np.array([1, np.nextafter(np.longdouble(1), 2)])
    if np.finfo(np.longdouble).eps == np.finfo(np.float64).eps:
        em.onnx.export(clf, tmp_path / "model.onnx")
        return
    for export in (em.onnx.export, em.codegen.to_c):
        with pytest.raises(ValueError, match="expected classes that are float64, got "):
            export(clf, tmp_path / "model")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_classes_that_are_neither_numbers_nor_strings(tmp_path: Path) -> None:
    sklearn = pytest.importorskip("eigenmlp.sklearn")
    clf = sklearn.MLPClassifier((2,), max_iter=1, solver="lbfgs").fit([[0.0], [1.0]], [0, 1])
    clf.classes_ = np.array([0, "one"], object)
    with pytest.raises(ValueError, match="expected classes that are numbers or strings, got"):
        em.onnx.export(clf, tmp_path / "model.onnx")


@pytest.mark.parametrize("backend", ["native", "numpy"])
def test_backend(backend: str, tmp_path: Path) -> None:
    em.onnx.export(em.MLP([4, 2], backend=backend), tmp_path / "model.onnx")
    assert em.onnx.load(tmp_path / "model.onnx", backend=backend).config["backend"] == backend


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"input_dtype": "int8"}, ValueError, r"input_dtype: expected one of .*'uint8'.*'int8'"),
        ({"net": "net"}, TypeError, "onnx.export: expected an MLP or an estimator of .*, got str"),
    ],
)
def test_bad_arguments(arguments: Any, error: Any, match: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=match):
        em.onnx.export(**{"net": em.MLP([2, 1]), "path": tmp_path / "model.onnx", **arguments})
    assert not list(tmp_path.iterdir())


def test_too_large_for_the_encoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from eigenmlp.onnx import _writing

    monkeypatch.setattr(_writing, "LARGEST", 100)
    with pytest.raises(ValueError, match=r"expected at most 100 bytes of parameters.*, got 120"):
        em.onnx.export(em.MLP([4, 6]), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_without_onnx(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`em.onnx` is there; what needs the package names the extra."""
    real = builtins.__import__

    def refuse(name: str, *args: Any, **options: Any) -> Any:
        if name.partition(".")[0] == "onnx":
            raise ImportError(name)
        return real(name, *args, **options)

    from eigenmlp.onnx import _package

    monkeypatch.setattr(_package, "import_module", refuse)
    for call in (lambda: em.onnx.export(em.MLP([1, 1]), "x"), lambda: em.onnx.load("x")):
        with pytest.raises(ImportError, match=r"pip install onnx$"):
            call()


def test_eigenmlp_does_not_import_onnx(in_subprocess: Any) -> None:
    done = in_subprocess(
        "import sys, eigenmlp as em; em.onnx; print('onnx' in sys.modules, 'torch' in sys.modules)"
    )
    assert done.stdout.split() == ["False", "False"], done.stderr
