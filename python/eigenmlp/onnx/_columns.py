"""The columns of a table as nodes: from inputs by name to the network's (N, D).

Numbers, booleans and times are float64 and computed in it, NaN where they are missing; categories
are strings, "" where they are missing.
"""

from __future__ import annotations

import math
import re
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._basics.shown import shown
from .._interchange import travelling as travelling
from ..mlp import MLP

DOMAIN, OPSET = "ai.onnx.ml", 4
_TAKEN = re.compile(
    r"X|[WbZY]\d+|c\d+|logits|outputs|probabilities|labels|rates|best|axes|classes|p|1-p|one|above|"
    r"column|zero|table|input_\w+|output_\w+|.*/.*"
)


class Graph(Protocol):
    """What the nodes are added to: see `_writing.Writer`."""

    net: MLP
    helper: Any
    real: int

    def element_type(self, dtype: Any) -> int: ...
    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str: ...
    def array(self, name: str, array: NDArray[Any]) -> str: ...


def encoded(writer: Graph, table: travelling.Table) -> tuple[list[Any], str]:
    """The graph's inputs, and the name of the network's."""
    columns, places = table.encoder.columns, table.encoder.places
    whole = not table.named and all(column.kind != "category" for column in columns)
    inputs = []
    if whole:
        inputs.append(_input(writer, "X", np.float64, len(table.names)))
    parts = []
    for number, (column, place) in enumerate(zip(columns, places, strict=True)):
        nodes = _Nodes(writer, f"c{number}")
        if whole:
            value = nodes("Gather", "X", nodes.array(np.array([place])), axis=1)
        else:
            value = input_name(column.name)
            kind = object if column.kind == "category" else np.float64
            inputs.append(_input(writer, value, kind, 1))
        parts.append(_KINDS[column.kind](nodes, column, value))
    if len(parts) > 1:
        return inputs, writer.node("Concat", parts, "table", axis=1)
    return inputs, parts[0]


def input_name(column: str) -> str:
    """What a column's input is called: its name, but where the graph has one like it."""
    if "\0" in column or not column.isprintable():
        raise ValueError(f"onnx.export: expected names that print, got {shown(column)}")
    return f"input:{column}" if not column or _TAKEN.fullmatch(column) else column


def _input(writer: Graph, name: str, kind: Any, columns: int) -> Any:
    element = writer.element_type(kind)
    return writer.helper.make_tensor_value_info(name, element, ["N", columns])


class _Nodes:
    """The nodes of one column, in float64; each call adds one and gives its output's name."""

    def __init__(self, writer: Graph, prefix: str) -> None:
        self.writer, self.prefix, self.count = writer, prefix, 0

    def __call__(self, operator: str, *inputs: Any, **attributes: Any) -> str:
        """A node of values and numbers."""
        names = [x if isinstance(x, str) else self.array(np.asarray(x, np.float64)) for x in inputs]
        return self.writer.node(operator, names, self.name(), **attributes)

    def array(self, value: Any) -> str:
        """A constant as it is."""
        return self.writer.array(self.name(), value)

    def name(self) -> str:
        """The next one."""
        self.count += 1
        return f"{self.prefix}/{self.count}"

    def real(self, value: str) -> str:
        """In the network's dtype."""
        return self("Cast", value, to=self.writer.real)

    def flag(self, value: str) -> str:
        """A bool as 0 or 1 in float64."""
        return self("Cast", value, to=self.writer.element_type(np.float64))

    def beside(self, values: list[str]) -> str:
        """Columns side by side."""
        return values[0] if len(values) == 1 else self("Concat", *values, axis=1)


def _number(nodes: _Nodes, column: Any, value: str) -> str:
    return nodes.real(nodes.beside(_number_parts(nodes, column, value)))


def _number_parts(nodes: _Nodes, column: Any, value: str) -> list[str]:
    gone = nodes("IsNaN", value)
    x = nodes("Where", gone, column.fill, value)
    z = nodes("Div", nodes("Sub", x, column.center), column.scale)
    z = nodes("Clip", z, -column.far, column.far)
    part = nodes("Div", z, column.limit)
    parts = [nodes("Div", z, nodes("Sqrt", nodes("Add", 1.0, nodes("Mul", part, part))))]
    if column.bins:
        edges = np.array(column.edges)
        through = nodes("Div", nodes("Sub", x, edges[:-1]), np.diff(edges))
        parts.append(nodes("Clip", through, 0.0, 1.0))
    if column.indicator:
        parts.append(nodes.flag(gone))
    return parts


def _boolean(nodes: _Nodes, column: Any, value: str) -> str:
    gone = nodes("IsNaN", value)
    sign = nodes("Sub", nodes("Mul", 2.0, nodes("Where", gone, 0.5, value)), 1.0)
    return nodes.real(nodes.beside([sign, nodes.flag(gone)] if column.indicator else [sign]))


def _time(nodes: _Nodes, column: Any, value: str) -> str:
    parts = _number_parts(nodes, column.number, value)
    gone = nodes("IsNaN", value)
    x = nodes("Where", gone, 0.0, value)
    there = nodes("Sub", 1.0, nodes.flag(gone))
    for period, harmonics in column.cycles:
        turns = nodes("Div", x, period)
        part = nodes("Sub", turns, nodes("Floor", turns))
        for k in range(1, harmonics + 1):
            angle = nodes("Mul", part, 2.0 * math.pi * k)
            for ahead in (angle, nodes("Add", angle, math.pi / 2)):  # a cosine is a sine ahead
                parts.append(nodes("Mul", nodes("Sin", ahead), there))
    return nodes.real(nodes.beside(parts))


def _category(nodes: _Nodes, column: Any, value: str) -> str:
    """A row of the lookup table for each."""
    for text in column.categories:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError(
                f"onnx.export: expected categories that UTF-8 can hold, got {shown(text)} of "
                f"column {shown(column.name)}"
            ) from None
    if column.missing and "" in column.categories:
        raise ValueError(
            f'onnx.export: expected "" for a missing text alone, got it as a category of column '
            f"{shown(column.name)} too"
        )
    C = len(column.categories)
    keys = [*column.categories] + ([""] if "" not in column.categories else [])
    codes = nodes(
        "LabelEncoder",
        value,
        domain=DOMAIN,
        keys_strings=keys,
        values_int64s=[*range(C), C + 1][: len(keys)],
        default_int64=C,
    )
    flat = nodes("Squeeze", codes, nodes.array(np.array([1])))
    lookup = nodes.array(column.lookup().astype(nodes.writer.net.dtype))
    return nodes("Gather", lookup, flat, axis=0)


def _code(nodes: _Nodes, column: Any, value: str) -> str:
    """Of the numbers that are categories at most one equals the value, else the half is largest."""
    number = _number(nodes, column.number, value)
    equal = nodes.flag(nodes("Equal", value, column.values[None, :]))
    gone = nodes.flag(nodes("IsNaN", value))
    half = nodes("Add", nodes("Mul", gone, 0.0), 0.5)
    place = nodes("ArgMax", nodes.beside([equal, half, gone]), axis=1, keepdims=0)
    lookup = nodes.array(column.category.lookup().astype(nodes.writer.net.dtype))
    return nodes.beside([number, nodes("Gather", lookup, place, axis=0)])


_KINDS = {
    "number": _number,
    "boolean": _boolean,
    "time": _time,
    "category": _category,
    "code": _code,
}
