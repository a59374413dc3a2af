"""What an estimator calls its classes, as an array that `predict` gives the places of."""

from __future__ import annotations

import math

from ..._basics.shown import shown
from .model import Model

_STRINGS = "const char *const "
_TYPES = {
    **{"i": "const long long ", "u": "const unsigned long long ", "b": "const int "},
    **{"f": "const double ", "O": _STRINGS},
}
_PLAIN = frozenset(b" abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_LONGEST = 4095  # bytes of a string that every C99 compiler takes


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
        return _string(value)
    if value == -(2**63):  # 2^63 is no long long
        return f"{value + 1:d} - 1"
    return f"{value:d}" if value < 2**63 else f"{value:d}u"


def _string(value: str) -> str:
    """UTF-8 written in ASCII, so that quotes, line ends and trigraphs are nothing but bytes."""
    text = value.encode()
    if 0 in text:
        raise ValueError(f"to_c: expected classes without NUL, which ends C's, got {shown(value)}")
    if len(text) > _LONGEST:
        raise ValueError(
            f"to_c: expected classes of at most {_LONGEST:,} bytes, as C99 has them, got "
            f"{len(text):,}: {shown(value)}"
        )
    return '"' + "".join(chr(x) if x in _PLAIN else f"\\{x:03o}" for x in text) + '"'
