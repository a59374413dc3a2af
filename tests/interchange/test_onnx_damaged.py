"""ONNX files that are damaged, and weights in files beside them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from support.onnx_graphs import graph, node
from support.onnx_runtime import onnx

RNG = np.random.default_rng(5)
W, B = RNG.normal(0, 1, (3, 2)).astype(np.float32), RNG.normal(0, 1, 2).astype(np.float32)


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
