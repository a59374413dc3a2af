"""The columns of a table in C: from the numbers of one row to the network's inputs.

Booleans are 0 and 1, times are seconds since 1970, texts are their places in an array of the file;
NaN is a missing one. All of it in double.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..._basics.shown import shown
from .. import travelling as travelling
from .strings import string


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
    return Encoder(table)


class Encoder:
    """Writes the function ``encode``."""

    def __init__(self, table: travelling.Table) -> None:
        self.table = table
        self.columns = len(table.names)

    def says(self, p: str) -> str:
        """What a row x holds, for the file's opening."""
        used = {*self.table.encoder.places}
        texts = {place for place, _ in self._texts()}
        lines = [
            f"     x[{place}] {re.sub('[^A-Za-z0-9 _.+-]', '?', name)[:60]}"
            f"{', a text' if place in texts else '' if place in used else ', which is not read'}\n"
            for place, name in enumerate(self.table.names)
        ]
        of_texts = (
            f"   A text is what double {p}code(size_t column, const char *text) says, column\n"
            "   being its place in x; a text of NULL is a missing one.\n"
            if texts
            else ""
        )
        return (
            "   A row x has these columns; booleans are 0 and 1, times seconds since 1970,\n"
            f"   missing ones NaN:\n{''.join(lines)}{of_texts}\n"
        )

    def _texts(self) -> list[tuple[int, Any]]:
        """Columns of texts, each with its place in a row."""
        pairs = zip(self.table.encoder.places, self.table.encoder.columns, strict=True)
        return [(place, column) for place, column in pairs if column.kind == "category"]

    @property
    def has_texts(self) -> bool:
        """Whether there is a column of texts."""
        return bool(self._texts())

    @property
    def copies(self) -> bool:
        """Whether rows of lookup tables are copied."""
        return any(column.kind in ("category", "code") for column in self.table.encoder.columns)

    def code(self, p: str) -> str:
        """The public function that tells a text's number, with the texts."""
        arrays, cases = [], []
        for place, column in self._texts():
            texts = [f"  {string(text, 'categories')},\n" for text in column.categories]
            C, name = len(texts), f"{p}texts{place}"
            arrays.append(f"\nstatic const char *const {name}[{C}] = {{\n{''.join(texts)}}};\n")
            cases.append(f"    case {place}: texts = {name}; n = {C}; break;\n")
        return "".join(arrays) + _CODE.format(p=p, cases="".join(cases))

    def source(self, real: str, p: str) -> str:
        """The function, with its constants."""
        edges: list[float] = []
        lookups: list[str] = []
        at, body = 0, []
        for column, place in zip(
            self.table.encoder.columns, self.table.encoder.places, strict=True
        ):
            body.append(f"  v = x[{place}];\n  gone = v != v;\n")
            if column.kind == "category":
                lookups.append(_lookup(column, place, real, p))
                size = f"{column.width} * sizeof({real})"
                row = f"{p}row(v, {len(column.categories)}) * {column.width}"
                body.append(f"  memcpy(e + {at}, {p}lookup{place} + {row}, {size});\n")
            elif column.kind == "code":
                category, values = column.category, f"{p}values{place}"
                numbers = ",\n  ".join(x.hex() for x in column.values.tolist())
                lookups.append(
                    f"static const double {values}[{len(column.values)}] = {{\n  {numbers},\n}};\n"
                )
                lookups.append(_lookup(category, place, real, p))
                row = f"{p}place(v, {values}, {len(column.values)}) * {category.width}"
                to = at + column.number.width
                size = f"{category.width} * sizeof({real})"
                body.append(f"  memcpy(e + {to}, {p}lookup{place} + {row}, {size});\n")
                body += _number(column.number, at, edges, real, p)
            else:
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
        text += lookups
        for function, source in (("row(", _ROW), ("place(", _PLACE)):
            if any(f"{p}{function}" in line for line in body):
                text.append(source.format(p=p))
        gone = (
            "  int gone;\n" if any("gone" in line for line in body if "v != v" not in line) else ""
        )
        if not gone:
            body = [line.replace("  gone = v != v;\n", "") for line in body]
        text.append(
            f"static void {p}encode(const double x[{self.columns}], {real} e[{at}]) {{\n"
            f"  double v;\n{gone}" + "".join(body) + "}\n"
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
_ROW = """\
static size_t {p}row(double code, size_t n) {{ /* others are n, a missing one is n + 1 */
  if (code != code) return n + 1;
  return code >= 0 && code < (double)n ? (size_t)code : n;
}}
"""
_PLACE = """\
static size_t {p}place(double v, const double values[], size_t n) {{ /* as a text's row */
  if (v != v) return n + 1;
  for (size_t k = 0; k < n; ++k)
    if (values[k] == v) return k;
  return n;
}}
"""
_CODE = """
double {p}code(size_t column, const char *text) {{
  const char *const *texts;
  size_t n;
  if (!text) return NAN;
  switch (column) {{
{cases}    default: return NAN;
  }}
  for (size_t k = 0; k < n; ++k)
    if (!strcmp(texts[k], text)) return (double)k;
  return (double)n;
}}
"""
_PART = """\
static double {p}part(double v, double period) {{
  const double turns = v / period;
  return turns - floor(turns);
}}
"""


def _lookup(column: Any, place: int, real: str, p: str) -> str:
    """The rows of a column's texts, of others and of a missing one."""
    table = column.lookup()
    f = "f" if real == "float" else ""
    rows = [f"  {' '.join(f'{x.hex()}{f},' for x in row)}\n" for row in table.tolist()]
    size = f"{len(table)} * {column.width}"
    return f"static const {real} {p}lookup{place}[{size}] = {{\n{''.join(rows)}}};\n"


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
