"""An ensemble of `eigenmlp.sklearn` as one ONNX model: its members side by side, and their mean."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._interchange import travelling
from ._package import onnx
from ._writing import Writer

_AVERAGED = ("probabilities", "rates", "outputs")  # of a member, the first that it has


def model(ensemble: Any, input_dtype: str | None) -> Any:
    """The checked model; members of weight 0 are left out."""
    helper, compose = onnx("helper"), onnx("compose")
    used = [
        (member, float(weight))
        for member, weight in zip(ensemble.members_, ensemble.weights_, strict=True)
        if weight
    ]
    nodes: list[Any] = []
    constants: list[Any] = []
    functions: list[Any] = []
    scaled: list[str] = []
    base = writer = None
    for place, (member, weight) in enumerate(used):
        writer = Writer(member, input_dtype)
        base = compose.add_prefix(writer.model(), f"{place}/", rename_functions=False)
        graph = base.graph
        outputs = {output.name.partition("/")[2] for output in graph.output}
        name = next(name for name in _AVERAGED if name in outputs)
        for node in graph.node:
            node.input[:] = ["X" if x == f"{place}/X" else x for x in node.input]
        nodes += _needed(graph.node, f"{place}/{name}")
        there = {x for node in nodes for x in node.input}
        constants += [one for one in graph.initializer if one.name in there]
        functions += [one for one in base.functions if one.name not in {f.name for f in functions}]
        factor = onnx("numpy_helper").from_array(
            np.asarray(weight, writer.net.dtype), f"{place}/weight"
        )
        constants.append(factor)
        scaled.append(f"{place}/weighted")
        nodes.append(helper.make_node("Mul", [f"{place}/{name}", factor.name], [scaled[-1]]))
    assert base is not None and writer is not None
    nodes.append(helper.make_node("Sum", scaled, [name]))
    last = next(one for one in base.graph.output if one.name.endswith(f"/{name}"))
    last.name = name
    end = (
        [last, *_labels(ensemble, writer, nodes, constants)] if name == "probabilities" else [last]
    )
    graph = helper.make_graph(
        nodes,
        "eigenmlp",
        [helper.make_tensor_value_info("X", writer.input_type, ["N", writer.net.layer_sizes[0]])],
        end,
        constants,
        doc_string=f"{type(ensemble).__name__} of {len(used)} networks",
    )
    made = helper.make_model(
        graph,
        opset_imports=base.opset_import,
        ir_version=base.ir_version,
        functions=functions,
        producer_name=base.producer_name,
        producer_version=base.producer_version,
    )
    onnx("checker").check_model(made, full_check=True)
    return made


def _needed(nodes: Any, output: str) -> list[Any]:
    """Those that a value comes from, in their order."""
    wanted, kept = {output}, []
    for node in reversed(nodes):
        if wanted & {*node.output}:
            wanted |= {*node.input}
            kept.append(node)
    return kept[::-1]


def _labels(ensemble: Any, writer: Writer, nodes: list[Any], constants: list[Any]) -> list[Any]:
    """What `predict` gives."""
    helper, array = onnx("helper"), onnx("numpy_helper").from_array
    names = travelling.class_names(ensemble.members_[0], "onnx.export")
    if names is None:  # several labels of a row
        constants.append(array(np.asarray(0.5, writer.net.dtype), "half"))
        nodes.append(helper.make_node("Greater", ["probabilities", "half"], ["above"]))
        nodes.append(helper.make_node("Cast", ["above"], ["labels"], to=writer.integer))
        rows = ["N", writer.net.layer_sizes[-1]]
        return [helper.make_tensor_value_info("labels", writer.integer, rows)]
    constants.append(array(names, "classes"))
    nodes.append(helper.make_node("ArgMax", ["probabilities"], ["best"], axis=1, keepdims=0))
    nodes.append(helper.make_node("Gather", ["classes", "best"], ["labels"]))
    return [helper.make_tensor_value_info("labels", writer.element_type(names.dtype), ["N"])]
