"""ONNX graphs made by hand: what tells a loss, and what is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from support.onnx_graphs import graph, h, node
from support.onnx_runtime import FLOAT32_LIMIT, run


def close(a: Any, b: Any) -> None:
    """Equal but for rounding: of numbers up to a few, by the limit of float32."""
    limit = FLOAT32_LIMIT if np.asarray(b).dtype == np.float32 else 1e-14
    np.testing.assert_allclose(a, b, rtol=limit, atol=limit)


RNG = np.random.default_rng(5)
W, B = RNG.normal(0, 1, (3, 2)).astype(np.float32), RNG.normal(0, 1, 2).astype(np.float32)
V = RNG.normal(0, 1, (2, 2)).astype(np.float32)
GEMM = h.make_node("Gemm", ["X", "W", "b"], ["z"])
ALL = {"W": W, "b": B, "V": V, "two": np.float32(2), "one": np.float32(1), "row": W[0]}
ALL |= {"half": np.float32(0.5), "zero": np.float32(0)}


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
