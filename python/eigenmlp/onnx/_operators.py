"""The operators that a file may have, each with what reads it: those modules fill the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from ._chain import Chain
from ._terms import Value

Inputs: TypeAlias = list[Value | None]  # None for one left out
Attributes: TypeAlias = dict[str, Any]  # by name
# The value of a node's first output; None if a network has no place for that.
Read: TypeAlias = Callable[[Chain, Inputs, Attributes], Value | None]

_INTS = (
    *("allowzero", "axis", "end", "select_last_index", "start", "to", "transA", "transB"),
    "value_int",
)
# What type each attribute has, wherever it is read.
ATTRIBUTES = {
    **dict.fromkeys(("alpha", "beta", "threshold", "value_float"), "FLOAT"),
    **dict.fromkeys(_INTS, "INT"),
    **dict.fromkeys(("axes", "perm", "value_ints"), "INTS"),
    "approximate": "STRING",
    "value": "TENSOR",
    "value_floats": "FLOATS",
}

# By domain and name; of several uses, the first counts that finds a place for the inputs.
OPERATORS: dict[tuple[str, str], list[Read]] = {}


def operator(name: str, domain: str = "") -> Callable[[Read], Read]:
    """Enter a function into the table, as the one that reads the operator of that name."""

    def enter(read: Read) -> Read:
        OPERATORS.setdefault((domain, name), []).append(read)
        return read

    return enter
