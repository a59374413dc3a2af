"""``eigenmlp info``: what runs here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import eigenmlp as em


def info() -> None:
    """Print `em.info()`, one line for each entry."""
    lines = list(_flatten(em.info()))
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        print(f"{name:<{width}}  {value}")


def _flatten(entries: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in entries.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            yield prefix + name, " ".join(map(str, value))
        else:
            yield prefix + name, str(value)
