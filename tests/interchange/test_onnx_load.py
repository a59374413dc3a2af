"""Networks from ONNX files of PyTorch's exporters and of skl2onnx, and files that are refused.

The files in `onnx_files` are what PyTorch 2.13 wrote: `torchscript_…` by
`torch.onnx.export(dynamo=False, opset_version=17)`, `dynamo_…` by `dynamo=True, opset_version=18`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from support.onnx_runtime import FLOAT32_LIMIT, onnx, run

FILES = Path(__file__).parent / "onnx_files"
h: Any = onnx.helper
EVERY = ["relu", "leaky_relu(negative_slope=0.20000000298023224)", "sigmoid", "tanh", "softplus"]
EVERY += ["elu(alpha=0.4000000059604645)", "gelu", "silu"]


def close(a: Any, b: Any) -> None:
    """Equal but for rounding: of numbers up to a few, by the limit of float32."""
    limit = FLOAT32_LIMIT if np.asarray(b).dtype == np.float32 else 1e-14
    np.testing.assert_allclose(a, b, rtol=limit, atol=limit)


@pytest.mark.parametrize("exporter", ["torchscript", "dynamo"])
def test_every_activation_of_pytorch(exporter: str) -> None:
    path = FILES / f"{exporter}_activations.onnx"
    net = em.onnx.load(path)
    assert net.config["activation"] == EVERY
    assert (net.config["loss"], net.config["output_activation"]) == ("squared_error", "identity")
    X = np.random.default_rng(0).normal(0, 2, (20, 4)).astype(np.float32)
    (Y,) = run(path, X).values()
    close(net.forward(X), Y)


@pytest.mark.parametrize("exporter", ["torchscript", "dynamo"])
def test_images_of_pytorch(exporter: str) -> None:
    """Flatten, Dropout, gelu by erf, a first layer without bias, LogSoftmax."""
    path = FILES / f"{exporter}_images.onnx"
    net = em.onnx.load(path)
    assert net.layer_sizes == [6, 5, 3] and net.config["activation"] == ["gelu"]
    assert net.config["loss"] == "softmax_cross_entropy" and not net.biases[0].any()
    X = np.random.default_rng(0).normal(0, 2, (20, 1, 2, 3)).astype(np.float32)
    (Y,) = run(path, X).values()
    close(np.log(net.predict_proba(X.reshape(20, 6))), Y)


@pytest.mark.parametrize("exporter", ["torchscript", "dynamo"])
def test_float64_of_pytorch(exporter: str) -> None:
    path = FILES / f"{exporter}_float64.onnx"
    X = np.random.default_rng(0).normal(0, 2, (20, 4))
    (Y,) = run(path, X).values()
    net = em.onnx.load(path)
    assert net.dtype == np.float64 and net.config["loss"] == "softmax_cross_entropy"
    close(net.predict_proba(X), Y)
    mse = em.onnx.load(path, loss="squared_error")
    assert mse.config["output_activation"] == "softmax"
    close(mse.forward(X), Y)
    with pytest.raises(ValueError, match=r"loss: expected one that goes with softmax.*'poisson'"):
        em.onnx.load(path, loss="poisson")


# ---- scikit-learn


def sklearn_files(folder: Path) -> dict[str, tuple[Any, Path]]:
    """Fitted estimators and their files."""
    neural: Any = pytest.importorskip("sklearn.neural_network")
    skl2onnx: Any = pytest.importorskip(
        "skl2onnx", reason="skl2onnx is not installed: pip install skl2onnx"
    )
    rng = np.random.default_rng(0)
    X = rng.normal(0, 1, (60, 4)).astype(np.float32)
    labels = rng.integers(0, 3, 60)
    several = rng.integers(0, 2, (60, 3))
    options: dict[str, Any] = {"hidden_layer_sizes": (5, 3), "max_iter": 300, "solver": "lbfgs"}
    targets = {
        "relu": (neural.MLPClassifier(activation="relu", **options), labels, X),
        "names": (
            neural.MLPClassifier(activation="tanh", **options),
            np.array(["a", "b", "c"])[labels],
            X,
        ),
        "two": (neural.MLPClassifier(activation="logistic", **options), labels > 0, X),
        "identity": (neural.MLPClassifier(activation="identity", **options), several, X),
        "regressor": (neural.MLPRegressor(**options), X[:, 0] ** 2, X),
        "float64": (neural.MLPRegressor(**options), X[:, :2] ** 2, X.astype(np.float64)),
    }
    files = {}
    for name, (estimator, y, inputs) in targets.items():
        estimator.fit(inputs, y)
        for zipmap in (True, False) if hasattr(estimator, "classes_") else (None,):
            chosen = None if zipmap is None else {"zipmap": zipmap}
            model = skl2onnx.to_onnx(estimator, inputs[:1], options=chosen)
            path = folder / f"{name}_{zipmap}.onnx"
            path.write_bytes(model.SerializeToString())
            files[path.stem] = estimator, path
    return files


@pytest.mark.filterwarnings("ignore")  # of scikit-learn: too few steps
def test_scikit_learn(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    losses = []
    for name, (estimator, path) in sklearn_files(tmp_path).items():
        net = em.onnx.load(path)
        assert net.layer_sizes[1:-1] == [5, 3]
        losses.append(net.config["loss"])
        X = rng.normal(0, 1, (50, 4)).astype(net.dtype)
        if not hasattr(estimator, "classes_"):
            np.testing.assert_allclose(net.predict(X), estimator.predict(X), rtol=1e-4, atol=1e-4)
            continue
        P = net.predict_proba(X)
        P = np.hstack([1 - P, P]) if net.layer_sizes[-1] == 1 else P
        np.testing.assert_allclose(P, estimator.predict_proba(X), rtol=0, atol=1e-4)
        chosen = net.predict(X)
        sure = np.abs(P - 0.5).min(axis=1) > 1e-3
        if name.startswith(("relu", "names", "two")):
            chosen = estimator.classes_[chosen]
        assert (chosen == estimator.predict(X))[sure].all()
    several = ["softmax_cross_entropy"] * 4 + ["sigmoid_cross_entropy"] * 4
    assert losses == [*several, "squared_error", "squared_error"]


# ---- graphs made by hand


def graph(
    nodes: list[Any], constants: dict[str, Any], path: Path, outputs: list[str] | None = None
) -> Path:
    """A file with an input X (N, 3) and these nodes."""
    tensors = [onnx.numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()]
    x = h.make_tensor_value_info("X", onnx.TensorProto.FLOAT, ["N", 3])
    names = outputs or [nodes[-1].output[0]]
    y = [h.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names]
    opsets = [h.make_opsetid("", 20), h.make_opsetid("ai.onnx.ml", 3)]
    made = h.make_graph(nodes, "g", [x], y, tensors)
    model = h.make_model(made, ir_version=9, opset_imports=opsets)
    path.write_bytes(model.SerializeToString())
    return path


RNG = np.random.default_rng(5)
W, B = RNG.normal(0, 1, (3, 2)).astype(np.float32), RNG.normal(0, 1, 2).astype(np.float32)
V = RNG.normal(0, 1, (2, 2)).astype(np.float32)
GEMM = h.make_node("Gemm", ["X", "W", "b"], ["z"])
ALL = {"W": W, "b": B, "V": V, "two": np.float32(2), "one": np.float32(1), "row": W[0]}
ALL |= {"half": np.float32(0.5), "zero": np.float32(0)}


def node(operator: str, *inputs: str, output: str = "y", **attributes: Any) -> Any:
    return h.make_node(operator, [*inputs], [output], **attributes)


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        ([node("Exp", "z")], "poisson"),
        ([node("ArgMax", "z", axis=1)], "softmax_cross_entropy"),
        ([node("Sigmoid", "z")], "sigmoid_cross_entropy"),
        ([node("Greater", "z", "zero")], "sigmoid_cross_entropy"),
        ([node("Sigmoid", "z", output="p"), node("Greater", "p", "half")], "sigmoid_cross_entropy"),
        ([node("Greater", "z", "zero"), node("Cast", "y", output="l", to=7)], "sigmoid"),
        ([node("Relu", "z")], "squared_error"),
        ([node("Identity", "z")], "squared_error"),
    ],
)
def test_what_tells_the_loss(nodes: list[Any], text: str, tmp_path: Path) -> None:
    path = graph([GEMM, *nodes], ALL, tmp_path / "model.onnx")
    net = em.onnx.load(path)
    assert net.config["loss"].startswith(text)
    X = RNG.normal(0, 1, (5, 3))
    Y = X @ W.astype(np.float64) + B
    close(net.forward(X), np.maximum(Y, 0).astype(np.float32) if text == "squared_error" and
          nodes[0].op_type == "Relu" else Y.astype(np.float32))  # fmt: skip


def test_factors_and_transposes(tmp_path: Path) -> None:
    """alpha, beta and transB of Gemm, a transposed weight, an input scale, a slope of sigmoid."""
    nodes = [
        node("Mul", "two", "X", output="x"),
        node("Transpose", "T", output="W"),
        node("Gemm", "x", "W", "b", output="z", alpha=0.5, beta=3.0),
        node("Mul", "z", "two", output="s"),
        node("Sigmoid", "s", output="h"),
        node("Gemm", "h", "V", transB=1),
    ]
    constants = {"T": np.ascontiguousarray(W.T), "b": B, "V": V, "two": np.float32(2)}
    net = em.onnx.load(graph(nodes, constants, tmp_path / "model.onnx"))
    assert net.config["activation"] == ["sigmoid(slope=2.0)"] and net.config["input_scale"] == 2
    X = RNG.normal(0, 1, (5, 3))
    H = 1 / (1 + np.exp(-2 * (0.5 * (2 * X) @ W + 3 * B)))
    close(net.forward(X), (H @ V.T).astype(np.float32))


@pytest.mark.parametrize(
    ("nodes", "match"),
    [
        ([node("Conv", "z", "W")], r"node 'y' \(Conv\): expected one of \['Add'.*, got Conv"),
        ([node("If", "z")], r"\(If\): expected one of"),
        ([node("Gemm", "z", "V", domain="evil")], r"got evil\.Gemm"),
        ([node("Elu", "z", "two", domain="eigenmlp")], "expected the function that eigenmlp"),
        ([node("Add", "z", "z")], r"node 'y' \(Add\): expected inputs and attributes that fit"),
        ([node("Add", "z", "row")], r"\(Add\)"),
        ([node("Sub", "z", "one")], r"\(Sub\)"),
        ([node("Mul", "z", "row")], r"\(Mul\)"),
        ([node("Mul", "z", "two")], "outputs that are an activation of the last layer"),
        ([node("Sub", "one", "z")], r"\(Sub\)"),  # no probability of another class
        ([node("Sigmoid", "z", output="p"), node("Sub", "one", "p")], "that are a function of"),
        ([node("Greater", "z", "two")], "outputs that are a function of the last layer"),
        ([node("Greater", "z", "half", output="a"), node("Cast", "a", to=7)], r"\(Cast\)"),
        ([node("Binarizer", "z", domain="ai.onnx.ml", threshold=0.5)], r"\(Binarizer\)"),
        ([node("Squeeze", "z")], r"\(Squeeze\)"),
        ([node("Gather", "z", "row")], r"\(Gather\)"),
        ([node("Gemm", "z", "V", alpha=2)], "alpha: expected FLOAT, got INT"),
        ([node("Softmax", "z", axis=1.0)], "axis: expected INT, got FLOAT"),
        ([node("Gelu", "z", approximate="tanh")], r"\(Gelu\)"),
        ([node("Softmax", "z", axis=0)], r"\(Softmax\)"),
        ([node("ArgMax", "z", axis=0)], r"\(ArgMax\)"),
        ([node("Relu", "nothing")], r"expected values that are there, got \['nothing'\]"),
        ([node("Relu", "X", output="r"), node("Gemm", "r", "W")], "activation of the layer before"),
        ([node("Relu", "z", output="r"), node("Tanh", "r")], r"\(Tanh\)"),
        ([node("MatMul", "z", "z")], r"\(MatMul\)"),
        ([node("MatMul", "z", "W")], r"expected weights \(2, out\), got \(3, 2\)"),
        ([node("Gemm", "z", "V", transA=1)], r"\(Gemm\)"),
        ([node("Gemm", "z", "V", "z")], r"\(Gemm\)"),
        ([node("Cast", "z", to=10)], r"\(Cast\)"),
        ([node("Softmax", "z", output="z")], "expected a new name, got 'z'"),
        (
            [node("Gemm", "z", "V", output="a"), node("Gemm", "z", "V", output="b2")],
            "activation of the layer before",
        ),
        (
            [node("MatMul", "z", "V", output="v0")]
            + [node("MatMul", f"v{i}", "V", output=f"v{i + 1}") for i in range(9)],
            "expected at most 18 weights, as the file has, got 20",
        ),
    ],
)
def test_other_graphs_are_refused_by_name(nodes: list[Any], match: str, tmp_path: Path) -> None:
    path = graph([GEMM, *nodes], ALL, tmp_path / "model.onnx")
    with pytest.raises(ValueError, match=rf"model\.onnx: .*{match}"):
        em.onnx.load(path)


@pytest.mark.parametrize("axes", [[], [1], [-1]], ids=str)
def test_outputs_without_their_column(axes: list[int], tmp_path: Path) -> None:
    """PyTorch's regressors end in `squeeze`."""
    constants = {"W": W[:, :1], "b": B[:1], "axes": np.array(axes, np.int64)}
    names = ["z", "axes"] if axes else ["z"]
    path = graph([GEMM, node("Squeeze", *names)], constants, tmp_path / "model.onnx")
    X = RNG.normal(0, 1, (5, 3)).astype(np.float32)
    (Y,) = run(path, X).values()
    close(em.onnx.load(path).forward(X)[:, 0], Y)


def test_a_bias_that_comes_too_late(tmp_path: Path) -> None:
    """z is used before its bias is added: no chain."""
    nodes = [
        node("MatMul", "X", "W", output="a"),
        node("Relu", "a", output="r"),
        node("Add", "a", "b", output="z"),
        node("Gemm", "r", "V"),
    ]
    with pytest.raises(ValueError, match="activation of the layer before"):
        em.onnx.load(graph(nodes, ALL, tmp_path / "model.onnx"))


# ---- damaged files


def altered(change: Callable[[Any], Any], path: Path) -> Path:
    model = em.onnx.to_model(em.MLP([3, 4, 2], seed=0))
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


def set_dims(*sizes: int) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend(sizes)

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (set_dims(2**40, 2**20), r"tensor 'W0': expected \d+ bytes for .*, got 48"),
        (set_dims(-3, -4), "none negative"),
        (set_dims(4, 3), r"expected weights \(3, out\), got \(4, 3\)"),
        (set_dims(12), r"expected weights \(in, out\), got float32 \(12,\)"),
        (lambda m: setattr(m.graph.initializer[0], "data_type", 10), "expected one of .*FLOAT16"),
        (lambda m: setattr(m.graph.initializer[0], "data_type", 11), "expected 96 bytes"),
        (lambda m: m.graph.ClearField("node"), "expected an ONNX file with nodes"),
        (lambda m: m.graph.ClearField("output"), "expected outputs that nodes give"),
        (lambda m: m.graph.ClearField("input"), "expected one input, got"),
        (lambda m: m.graph.input.append(m.graph.output[0]), "expected one input, got"),
        (lambda m: m.graph.sparse_initializer.add(), "expected dense weights"),
    ],
)
def test_damaged_files(change: Callable[[Any], Any], match: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"model\.onnx: .*{match}"):
        em.onnx.load(altered(change, tmp_path / "model.onnx"))


@pytest.mark.parametrize("name", ["alpha", "beta"])
@pytest.mark.parametrize("factor", [np.nan, np.inf, 3e38])
def test_factors_that_leave_nothing_finite(factor: float, name: str, tmp_path: Path) -> None:
    """Refused as the numbers that they make, without a warning."""
    gemm = node("Gemm", "X", "W", "b", **{name: factor})
    path = graph([gemm], {"W": 9 + 0 * W, "b": 9 + 0 * B}, tmp_path / "model.onnx")
    with pytest.raises(ValueError, match="finite"):
        em.onnx.load(path)


def test_a_scale_that_is_not_finite(tmp_path: Path) -> None:
    """Whatever the metadata say of it."""

    def change(model: Any) -> None:
        tiny = onnx.numpy_helper.from_array(np.float64(5e-324), "tiny")
        model.graph.initializer.append(tiny)
        model.graph.node.insert(0, node("Div", "X", "tiny", output="x"))
        model.graph.node[1].input[0] = "x"

    with pytest.raises(ValueError, match=r"input_scale: expected a finite number.*got inf"):
        em.onnx.load(altered(change, tmp_path / "model.onnx"))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite(value: float, tmp_path: Path) -> None:
    def change(model: Any) -> None:
        numbers = np.full(12, value, np.float32)
        model.graph.initializer[0].raw_data = numbers.tobytes()

    with pytest.raises(ValueError, match="finite"):
        em.onnx.load(altered(change, tmp_path / "model.onnx"))


def test_other_files(tmp_path: Path) -> None:
    for content in (b"", b"\xff" * 100, b"PK\x03\x04", bytes(1000)):
        (tmp_path / "model.onnx").write_bytes(content)
        with pytest.raises(ValueError, match=r"model\.onnx: expected an ONNX file"):
            em.onnx.load(tmp_path / "model.onnx")
    with pytest.raises(FileNotFoundError):
        em.onnx.load(tmp_path / "nothing.onnx")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_are_refused(tmp_path: Path) -> None:
    """Reading one might never end."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="expected a regular file"):
        em.onnx.load(tmp_path / "pipe")


def test_altered_bytes(tmp_path: Path) -> None:
    """Whatever byte is changed: a ValueError, or a network."""
    net = em.MLP([3, 4, 2], activation="elu(alpha=0.3)", dtype="float64", seed=0)
    content = em.onnx.to_model(net).SerializeToString()
    rng, path = np.random.default_rng(0), tmp_path / "model.onnx"
    refused = 0
    for _ in range(500):
        changed = bytearray(content)
        for place in rng.integers(0, len(content), rng.integers(1, 4)):
            changed[place] = rng.integers(256)
        path.write_bytes(bytes(changed[: rng.integers(len(content) // 2, 8 * len(content))]))
        try:
            back = em.onnx.load(path)
        except ValueError:
            refused += 1
        else:
            assert back.layer_sizes[0] == 3 and back.parameter_count <= net.parameter_count
    assert 100 < refused < 500


# ---- weights in a file of their own


def external(folder: Path) -> tuple[em.MLP, Any]:
    net = em.MLP([3, 4, 2], seed=0)
    onnx.save_model(
        em.onnx.to_model(net),
        folder / "model.onnx",
        save_as_external_data=True,
        location="model.data",
        size_threshold=0,
    )
    return net, onnx.load(folder / "model.onnx", load_external_data=False)


def test_weights_beside_the_file(tmp_path: Path) -> None:
    net, model = external(tmp_path)
    assert model.graph.initializer[0].data_location == onnx.TensorProto.EXTERNAL
    np.testing.assert_array_equal(em.onnx.load(tmp_path / "model.onnx").parameters, net.parameters)


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("location", "../model.data", "expected weights in a file beside it"),
        ("location", "/etc/passwd", "expected weights in a file beside it"),
        ("location", "..", "expected weights in a file beside it"),
        ("location", "", "expected weights in a file beside it"),
        ("location", "other.data", "which is not there"),
        ("location", "link.data", "which is not there"),
        ("location", "n" * 5000, "which is not there"),
        ("offset", "-8", "expected 48 bytes from -8 on"),
        ("offset", "1000000", "expected 48 bytes from 1000000 on"),
        ("length", "1000000", "the file says 1000000"),
        ("length", "many", "expected numbers as offset and length"),
    ],
)
def test_weights_elsewhere(key: str, value: str, match: str, tmp_path: Path) -> None:
    _, model = external(tmp_path)
    os.symlink(tmp_path / "model.data", tmp_path / "link.data")
    entries = {entry.key: entry for entry in model.graph.initializer[0].external_data}
    entries[key].value = value
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match=match):
        em.onnx.load(tmp_path / "model.onnx")
