"""ONNX files run by ONNX Runtime; tests that import this are skipped where it is not installed."""

from pathlib import Path
from typing import Any

import pytest

onnx: Any = pytest.importorskip("onnx", reason="onnx is not installed: pip install onnx")
runtime: Any = pytest.importorskip(
    "onnxruntime", reason="ONNX Runtime is not installed: pip install onnxruntime"
)

FLOAT32_LIMIT = 1e-5


def run(path: Path, X: Any) -> dict[str, Any]:
    """The outputs of a file by name."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(path, options)
    (x,) = session.get_inputs()
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {x.name: X}), strict=True))
