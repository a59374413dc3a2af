"""What an estimator calls its classes, as an array that `predict` gives the places of."""

from __future__ import annotations

from .model import Model


def declaration(model: Model) -> str:
    """Of the array; empty for a network, several labels and regression."""
    if model.classes is None:
        return ""
    types = {"i": "const long long ", "b": "const int ", "f": "const double ", "O": _STRINGS}
    return f"{types[model.classes.dtype.kind]}{model.names['p']}classes[{len(model.classes)}]"


def definition(model: Model) -> str:
    """The array; empty if there is none."""
    if model.classes is None:
        return ""
    values = ",\n  ".join(map(_written, model.classes.tolist()))
    return f"\n{declaration(model)} = {{\n  {values},\n}};\n"


_STRINGS = "const char *const "
_PLAIN = frozenset(b" abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


def _written(value: str | float) -> str:
    if isinstance(value, float):
        return value.hex()
    if not isinstance(value, str):
        return f"{value:d}"
    # UTF-8 written in ASCII, so that quotes, line ends and trigraphs are nothing but bytes.
    return '"' + "".join(chr(x) if x in _PLAIN else f"\\{x:03o}" for x in value.encode()) + '"'
