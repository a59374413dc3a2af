"""What an estimator calls its classes, as an array that `predict` gives the places of."""

from __future__ import annotations

import math

from .model import Model
from .strings import string

_STRINGS = "const char *const "
_TYPES = {
    **{"i": "const long long ", "u": "const unsigned long long ", "b": "const int "},
    **{"f": "const double ", "O": _STRINGS},
}


def declaration(model: Model) -> str:
    """Of the array; empty for a network, several labels and regression."""
    if model.classes is None:
        return ""
    return f"{_TYPES[model.classes.dtype.kind]}{model.names['p']}classes[{len(model.classes)}]"


def definition(model: Model) -> str:
    """The array; empty if there is none."""
    if model.classes is None:
        return ""
    values = ",\n  ".join(map(_written, model.classes.tolist()))
    return f"\n{declaration(model)} = {{\n  {values},\n}};\n"


def _written(value: str | float) -> str:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"to_c: expected classes that are finite, got {value}")
        return value.hex()
    if isinstance(value, str):
        return string(value, "classes")
    if value == -(2**63):  # 2^63 is no long long
        return f"{value + 1:d} - 1"
    return f"{value:d}" if value < 2**63 else f"{value:d}u"
