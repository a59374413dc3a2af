"""`em.onnx.load` of graphs that compute the shapes they reshape to, as PyTorch's exporter does."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em

onnx: Any = pytest.importorskip("onnx")
import onnxruntime  # noqa: E402

RNG = np.random.default_rng(3)
WEIGHTS = {
    "W": RNG.normal(0, 1, (12, 5)).astype(np.float32),
    "b": RNG.normal(0, 1, 5).astype(np.float32),
    "V": RNG.normal(0, 1, (5, 1)).astype(np.float32),
    "V2": RNG.normal(0, 1, (5, 2)).astype(np.float32),
}
NUMBERS = {
    **{"zero": 0, "one": 1, "two": 2, "last": [-1], "at0": [0], "at1": [1], "at2": [2]},
    **{"ten": 10, "twelve": [12], "rest": [0, -1], "three": [3], "to7": [3, 4]},
}
# x of three images of 3 x 4 is made rows of 12 by these nodes, whose last gives r.
VIEWS = {
    "x.view(x.size(0), -1)": """
        s = Shape(X)  n = Gather<axis = 0>(s, zero)  v = Unsqueeze(n, at0)
        t = Concat<axis = 0>(v, last)  r = Reshape(X, t)""",
    "x.view(x.size(0), x.size(1) * x.size(2))": """
        s = Shape(X)  n = Gather(s, zero)  a = Gather(s, one)  c = Gather(s, two)  d = Mul(a, c)
        v = Unsqueeze(n, at0)  w = Unsqueeze(d, at0)  t = Concat<axis = 0>(v, w)
        r = Reshape(X, t)""",
    "x.view(-1, x.size(1) * x.size(2))": """
        s = Shape(X)  a = Gather(s, one)  c = Gather(s, two)  d = Mul(a, c)
        w = Unsqueeze(d, at0)  t = Concat<axis = 0>(last, w)  r = Reshape(X, t)""",
    "x.reshape(x.shape[0], 12)": """
        s = Shape<start = 0, end = 1>(X)  n = Squeeze(s)  v = Unsqueeze(n, at0)
        i = Cast<to = 7>(v)  t = Concat<axis = 0>(i, twelve)  r = Reshape<allowzero = 1>(X, t)""",
    "x.view(*x.shape[:-2], -1)": """
        s = Shape(X)  v = Slice(s, at0, at1, at0)  t = Concat<axis = 0>(v, last)
        r = Reshape(X, t)""",
    "x.view(0, -1)": "r = Reshape(X, rest)",
}
LAYERS = "z = Gemm(r, W, b)  h = Relu(z)  y = MatMul(h, V)"
# The outputs (N, 1) become q (N,).
COLUMNS = {
    "y.view(-1)": "q = Reshape(y, last)",
    "y.flatten()": """
        s2 = Shape(y)  none = Slice(s2, at0, at0, at0)  t2 = Concat<axis = 0>(none, last)
        q = Reshape(y, t2)""",
    "y[:, 0]": "q = Gather<axis = 1>(y, zero)",
    "y[..., -1]": "q = Gather<axis = -1>(y, zero)",
    "y.squeeze(1)": "q = Squeeze(y, at1)",
}


def written(nodes: str, output: str, path: Path, shape: str = "N, 3, 4") -> Path:
    text = f'<ir_version: 9, opset_import: ["": 20]> g (float[{shape}] X) => ({output}) {{{nodes}}}'
    model = onnx.parser.parse_model(text)
    arrays = {**WEIGHTS, **{name: np.array(x, np.int64) for name, x in NUMBERS.items()}}
    used = {name for node in model.graph.node for name in node.input}
    for name in sorted(used & {*arrays}):
        model.graph.initializer.append(onnx.numpy_helper.from_array(arrays[name], name))
    path.write_bytes(model.SerializeToString())
    return path


def agree(path: Path, shape: tuple[int, ...], function: str = "forward") -> em.MLP:
    """The network gives what ONNX Runtime gives."""
    X = RNG.normal(0, 1, shape).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    expected = session.run(None, {"X": X})[0]
    net = em.onnx.load(path)
    Y = getattr(net, function)(X.reshape(len(X), -1))
    np.testing.assert_allclose(Y.reshape(expected.shape), expected, rtol=0, atol=1e-5)
    return net


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("rows", ["N", "5"])
def test_rows_of_images(rows: str, view: str, tmp_path: Path) -> None:
    path = written(VIEWS[view] + LAYERS, "float[N, 1] y", tmp_path / "m.onnx", f"{rows}, 3, 4")
    assert agree(path, (5, 3, 4)).layer_sizes == [12, 5, 1]


def test_images_whose_size_the_file_does_not_tell(tmp_path: Path) -> None:
    nodes = VIEWS["x.view(x.size(0), x.size(1) * x.size(2))"] + LAYERS
    agree(written(nodes, "float[N, 1] y", tmp_path / "m.onnx", "N, H, W"), (5, 3, 4))


@pytest.mark.parametrize("column", COLUMNS)
def test_outputs_without_their_column(column: str, tmp_path: Path) -> None:
    nodes = "r = Identity(X)" + LAYERS + COLUMNS[column]
    agree(written(nodes, "float[N] q", tmp_path / "m.onnx", "N, 12"), (5, 12))
    chance = written(nodes + "p = Sigmoid(q)", "float[N] p", tmp_path / "p.onnx", "N, 12")
    assert agree(chance, (5, 12), "predict_proba").config["loss"] == "sigmoid_cross_entropy"


DOUBLED = "s = Shape(X)  t0 = Concat<axis = 0>(s, s)" + "".join(
    f"  t{i + 1} = Concat<axis = 0>(t{i}, t{i})" for i in range(60)
)
SQUARED = "s = Shape(X)  d0 = Gather(s, two)" + "".join(
    f"  d{i + 1} = Mul(d{i}, d{i})" for i in range(60)
)


@pytest.mark.parametrize(
    ("nodes", "match"),
    [
        ("s = Shape(X) n = Gather(s, at0) t = Concat<axis = 0>(last, n) r = Reshape(X, t)", "Resh"),
        ("s = Shape(X) n = Gather(s, at0) d = Mul(n, n)", "Mul"),  # rows become more
        ("s = Shape(X) n = Gather(s, ten)", "Gather"),
        ("s = Shape(X) n = Gather<axis = 1>(s, zero)", "Gather"),
        ("n = Gather()", "Gather"),
        ("n = Slice()", "Slice"),
        ("n = Shape()", "Shape"),
        ("n = Shape(W)", "Shape"),
        ("n = Concat<axis = 0>(X, X)", "Concat"),
        ("s = Shape(X) n = Slice(s, at0, at1, at1)", "Slice"),
        ("s = Shape(X) n = Slice(s, at0, at1, at0, at1)", "Slice"),
        ("s = Shape(X) n = Cast<to = 1>(s)", "Cast"),
        ("s = Shape(X) n = Relu(s)", "Relu"),
        ("r = Reshape<allowzero = 1>(X, rest)", "Reshape"),  # no rows
        ("r = Reshape(X, to7)", "Reshape"),
        ("r = Reshape(X, last)", "Reshape"),
        ("r = Gather<axis = 1>(X, zero)", "Gather"),
        (DOUBLED, "Concat"),
        (SQUARED, "Mul"),
    ],
)
def test_other_shapes_are_refused(nodes: str, match: str, tmp_path: Path) -> None:
    path = written(nodes + "  r0 = Identity(X)", "float[N, 1] r0", tmp_path / "m.onnx")
    with pytest.raises(ValueError, match=rf"\({match}.*: expected"):
        em.onnx.load(path)


def test_columns_of_several_outputs_and_shapes_as_outputs(tmp_path: Path) -> None:
    nodes = "z = Gemm(X, W, b)  y = MatMul(z, V2)"
    for more in ("q = Gather<axis = 1>(y, zero)", "q = Reshape(y, last)", "q = Squeeze(y)"):
        path = written(nodes + more, "float[N] q", tmp_path / "m.onnx", "N, 12")
        with pytest.raises(ValueError, match="fit a chain of layers"):
            em.onnx.load(path)
    path = written(nodes + "s = Shape(y)", "int64[2] s", tmp_path / "m.onnx", "N, 12")
    with pytest.raises(ValueError, match="depend on the input, got a constant or a shape"):
        em.onnx.load(path)
