"""ONNX graphs made by hand."""

from pathlib import Path
from typing import Any

import numpy as np

from .onnx_runtime import onnx

h: Any = onnx.helper


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


def node(operator: str, *inputs: str, output: str = "y", **attributes: Any) -> Any:
    return h.make_node(operator, [*inputs], [output], **attributes)
