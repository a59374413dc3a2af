"""Several networks as one ONNX model, side by side, and their mean: ensembles, packs of tables."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from .._interchange import travelling
from ._package import onnx
from ._writing import Writer

_OF_COLUMNS = re.compile(r"c\d+/.*|table")  # see _columns
_AVERAGED = ("probabilities", "rates", "outputs")  # of a member, the first that it has


def model(used: list[tuple[Any, float]], name: str, input_dtype: str | None) -> Any:
    """The checked model of estimators with weights; `name` is what is said of them."""
    helper, compose = onnx("helper"), onnx("compose")
    nodes: dict[str, Any] = {}  # by their output: what members share is written once
    constants: dict[str, Any] = {}
    functions: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    scaled: list[str] = []
    encoders: list[Any] = []
    base = writer = None
    for place, (member, weight) in enumerate(used):
        writer = Writer(member, input_dtype)
        base = compose.add_prefix(writer.model(), f"{place}/", rename_functions=False)
        graph, shared = base.graph, ""
        if writer.table is not None:
            encoder = writer.table.encoder
            if all(encoder is not other for other in encoders):
                encoders.append(encoder)
            shared = f"columns{[encoder is other for other in encoders].index(True)}"
        for one in graph.input:
            one.name = one.name.partition("/")[2]
            inputs.setdefault(one.name, one)
        outputs = {output.name.partition("/")[2] for output in graph.output}
        averaged = next(name for name in _AVERAGED if name in outputs)
        for node in graph.node:
            node.input[:] = [_named(x, inputs, shared) for x in node.input]
            node.output[:] = [_named(x, inputs, shared) for x in node.output]
        for node in _needed(graph.node, f"{place}/{averaged}"):
            nodes.setdefault(node.output[0], node)
        there = {x for node in nodes.values() for x in node.input}
        for one in graph.initializer:
            one.name = _named(one.name, inputs, shared)
            if one.name in there:
                constants.setdefault(one.name, one)
        for one in base.functions:
            functions.setdefault(one.name, one)
        factor = onnx("numpy_helper").from_array(
            np.asarray(weight, writer.net.dtype), f"{place}/weight"
        )
        constants[factor.name] = factor
        scaled.append(f"{place}/weighted")
        nodes[scaled[-1]] = helper.make_node(
            "Mul", [f"{place}/{averaged}", factor.name], [scaled[-1]]
        )
    assert base is not None and writer is not None
    ending, more = [helper.make_node("Sum", scaled, [averaged])], [*constants.values()]
    last = next(one for one in base.graph.output if one.name.endswith(f"/{averaged}"))
    last.name = averaged
    end = [last]
    if averaged == "probabilities":
        end += _labels(used[0][0], writer, ending, more)
    graph = helper.make_graph(
        [*nodes.values(), *ending],
        "eigenmlp",
        [*inputs.values()],
        end,
        more,
        doc_string=f"{name} of {len(used)} networks",
    )
    made = helper.make_model(
        graph,
        opset_imports=base.opset_import,
        ir_version=base.ir_version,
        functions=[*functions.values()],
        producer_name=base.producer_name,
        producer_version=base.producer_version,
    )
    onnx("checker").check_model(made, full_check=True)
    return made


def _named(name: str, inputs: Any, shared: str) -> str:
    """What a member's value is called: inputs, and what becomes of columns, are of several."""
    own = name.partition("/")[2]
    if own in inputs:
        return own
    return f"{shared}/{own}" if shared and _OF_COLUMNS.fullmatch(own) else name


def _needed(nodes: Any, output: str) -> list[Any]:
    """Those that a value comes from, in their order."""
    wanted, kept = {output}, []
    for node in reversed(nodes):
        if wanted & {*node.output}:
            wanted |= {*node.input}
            kept.append(node)
    return kept[::-1]


def _labels(member: Any, writer: Writer, nodes: list[Any], constants: list[Any]) -> list[Any]:
    """What `predict` gives."""
    helper, array = onnx("helper"), onnx("numpy_helper").from_array
    names = travelling.class_names(member, "onnx.export")
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
