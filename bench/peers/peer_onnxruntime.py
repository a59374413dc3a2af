"""ONNX Runtime: predicts from a graph of Gemm and Relu, with its default threads."""

from __future__ import annotations

import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from .tasks import Array, Data, Program, Task, Unsupported

VARIANTS = ("onnxruntime",)
MODULES = ("onnxruntime", "onnx")


def make(task: Task, data: Data, variant: str, lr: float) -> Program:
    """`session.run` with an array in and an array out."""
    if task.kind != "predict":
        raise Unsupported("predicts only")
    session = onnxruntime.InferenceSession(
        _model(task, data).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    feed, names = {"X": data.X}, ["Y"]

    def run() -> Array:
        return session.run(names, feed)[0]

    return Program(run, run)


def _model(task: Task, data: Data) -> onnx.ModelProto:
    nodes, constants, Y = [], [], "X"
    last = len(data.weights) - 1
    for i, (W, b) in enumerate(zip(data.weights, data.biases, strict=True)):
        constants += [numpy_helper.from_array(W, f"W{i}"), numpy_helper.from_array(b, f"b{i}")]
        Z = "Y" if i == last else f"Z{i}"
        nodes.append(helper.make_node("Gemm", [Y, f"W{i}", f"b{i}"], [Z]))
        if i < last:
            Y = f"Y{i}"
            nodes.append(helper.make_node("Relu", [Z], [Y]))

    def rows(name: str, columns: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [task.rows, columns])

    graph = helper.make_graph(
        nodes, "mlp", [rows("X", task.sizes[0])], [rows("Y", task.sizes[-1])], constants
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model
