"""The columns of a table in C: from the numbers of one row to the network's inputs.

Booleans are 0 and 1, times are seconds since 1970; NaN is a missing one. All of it in double.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..._basics.shown import shown
from .. import travelling as travelling


def encoder(given: object, input_dtype: str | None) -> Encoder | None:
    """Of a model of tables; None for a network on its own."""
    table = travelling.table(given)
    if table is None:
        return None
    if input_dtype not in (None, "float64"):
        raise ValueError(
            f"input_dtype: expected None or 'float64' with a model of tables, got "
            f"{shown(input_dtype)}"
        )
    for column in table.encoder.columns:
        if column.kind == "category":
            raise ValueError(
                "to_c: expected columns of numbers, booleans and times, got the texts of "
                f"{shown(column.name)}: use onnx.export"
            )
    return Encoder(table)


class Encoder:
    """Writes the function ``encode``."""

    def __init__(self, table: travelling.Table) -> None:
        self.table = table
        self.columns = len(table.names)

    def says(self) -> str:
        """What a row x holds, for the file's opening."""
        used = {*self.table.encoder.places}
        lines = [
            f"     x[{place}] {re.sub('[^A-Za-z0-9 _.+-]', '?', name)[:60]}"
            f"{'' if place in used else ', which is not read'}\n"
            for place, name in enumerate(self.table.names)
        ]
        return (
            "   A row x has these columns; booleans are 0 and 1, times seconds since 1970,\n"
            "   missing ones NaN:\n" + "".join(lines) + "\n"
        )

    def source(self, real: str, p: str) -> str:
        """The function, with its constants."""
        edges: list[float] = []
        at, body = 0, []
        for column, place in zip(
            self.table.encoder.columns, self.table.encoder.places, strict=True
        ):
            body.append(f"  v = x[{place}];\n  gone = v != v;\n")
            body += _KINDS[column.kind](column, at, edges, real, p)
            at += column.width
        # Helpers are written where they are called, so that no compiler finds one unused.
        text = [""]
        if edges:
            numbers = ",\n  ".join(x.hex() for x in edges)
            text.append(f"static const double {p}edges[{len(edges)}] = {{\n  {numbers},\n}};\n")
            text.append(_BINS.format(real=real, p=p))
        if any("limited(" in line for line in body):
            text.append(_LIMITED.format(p=p))
        if any("part(" in line for line in body):
            text.append(_PART.format(p=p))
        text.append(
            f"static void {p}encode(const double x[{self.columns}], {real} e[{at}]) {{\n"
            "  double v;\n  int gone;\n" + "".join(body) + "}\n"
        )
        return "\n".join(text)


_BINS = """\
static void {p}bins(double v, const double edges[], size_t n, {real} e[]) {{
  for (size_t k = 0; k < n; ++k) {{
    const double t = (v - edges[k]) / (edges[k + 1] - edges[k]);
    e[k] = ({real})(t < 0 ? 0 : t > 1 ? 1 : t);
  }}
}}
"""
_LIMITED = """\
static double {p}limited(double z, double far, double limit) {{
  z = z < -far ? -far : z > far ? far : z;
  return z / sqrt(1 + (z / limit) * (z / limit));
}}
"""
_PART = """\
static double {p}part(double v, double period) {{
  const double turns = v / period;
  return turns - floor(turns);
}}
"""


def _number(column: Any, at: int, edges: list[float], real: str, p: str) -> Iterator[str]:
    z = f"(v - {_value(column.center)}) / {_value(column.scale)}"
    yield f"  if (gone) v = {_value(column.fill)};\n"
    yield (f"  e[{at}] = ({real}){p}limited({z}, {_value(column.far)}, {_value(column.limit)});\n")
    if column.bins:
        yield f"  {p}bins(v, {p}edges + {len(edges)}, {column.bins}, e + {at + 1});\n"
        edges += column.edges
    if column.indicator:
        yield f"  e[{at + 1 + column.bins}] = ({real})gone;\n"


def _boolean(column: Any, at: int, _: list[float], real: str, __: str) -> Iterator[str]:
    yield f"  e[{at}] = ({real})(gone ? 0 : 2 * v - 1);\n"
    if column.indicator:
        yield f"  e[{at + 1}] = ({real})gone;\n"


def _time(column: Any, at: int, edges: list[float], real: str, p: str) -> Iterator[str]:
    yield from _number(column.number, at, edges, real, p)
    at += column.number.width
    for period, harmonics in column.cycles:
        for k in range(1, harmonics + 1):
            angle = f"{_value(2.0 * math.pi * k)} * {p}part(v, {_value(period)})"
            for wave in ("sin", "cos"):
                yield f"  e[{at}] = ({real})(gone ? 0 : {wave}({angle}));\n"
                at += 1


_KINDS = {"number": _number, "boolean": _boolean, "time": _time}


def _value(x: float) -> str:
    """A double exactly; a negative one in parentheses."""
    text = float(np.float64(x)).hex()
    return f"({text})" if text.startswith("-") else text
