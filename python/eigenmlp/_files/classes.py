"""Names of classes as JSON, and back, checked."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._basics.shown import shown

Array = NDArray[Any]


def as_json(classes: Array) -> dict[str, Any]:
    """Their dtype and values."""
    if classes.dtype.kind not in "biufUO":
        raise ValueError(
            f"save: expected classes that are numbers, booleans or texts, got {classes.dtype}"
        )
    dtype = "object" if classes.dtype.kind == "O" else classes.dtype.str
    return {"dtype": dtype, "values": classes.tolist()}


def from_json(found: Any, count: int) -> Array:
    """The classes (K,), checked: different, and in their order."""
    dtype, items = found["dtype"], found["values"]
    if not isinstance(items, list) or len(items) != count:
        raise ValueError(f"classes: expected {count}, got {shown(items)}")
    if not isinstance(dtype, str) or not re.fullmatch(r"object|[<|>=]?[biufU]\d{1,5}", dtype):
        raise ValueError(f"classes: expected a dtype of numbers or texts, got {shown(dtype)}")
    texts = dtype == "object" or "U" in dtype
    if not all(isinstance(x, str if texts else (bool, int, float)) for x in items):
        raise ValueError(f"classes: expected {'texts' if texts else 'numbers'}, got {shown(items)}")
    classes = np.array(items, dtype=dtype)
    if classes.tolist() != items or not (classes[:-1] < classes[1:]).all():
        raise ValueError(f"classes: expected different ones in their order, got {shown(items)}")
    return classes
