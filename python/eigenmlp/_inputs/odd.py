"""The first of some objects that no number of ours holds, for messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np


def no_number(items: Iterable[Any]) -> tuple[int, Any] | None:
    """The place of the first that is no number of 64 bits, and what it is."""
    for place, item in enumerate(items):
        whole = isinstance(item, (int, np.integer)) and -(2**63) <= item < 2**64
        if not whole and not isinstance(item, (float, np.floating, np.bool_)):
            return place, item
    return None


def beyond_floats(items: Iterable[Any]) -> tuple[int, Any] | None:
    """The place of the first number that is too large for a float, and what it is."""
    for place, item in enumerate(items):
        try:
            float(item)
        except OverflowError:
            return place, item
        except (TypeError, ValueError):
            continue
    return None
