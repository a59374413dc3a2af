"""Lists that people look at: of a model's members, and of what its columns are worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._basics import html
from ._encoder import Encoder

Array = NDArray[Any]


class Listing(list[dict[str, Any]]):
    """A list of dicts with the same keys, shown as a table; ``pandas.DataFrame`` takes it."""

    def __repr__(self) -> str:
        header, rows = self._cells()
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        lines = [header, *rows]
        padded = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
        return "\n".join(padded)

    def _repr_html_(self) -> str:
        header, rows = self._cells()
        return html.table("", header, rows)

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        header = [*self[0]] if self else []
        return header, [[_text(value) for value in row.values()] for row in self]


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def permuted(
    encoders: list[Encoder],
    encoded: list[Array],
    names: list[str],
    score: Callable[[list[Array]], float],
    repeats: int,
    rng: np.random.Generator,
) -> Listing:
    """How much lower the score of rows is where a column's values are those of other rows.

    Breiman 2001, https://doi.org/10.1023/A:1010933404324: each column in its turn, `repeats` times.
    """
    best, rows = score(encoded), len(encoded[0])
    found: dict[str, list[float]] = {name: [0.0] for name in names}
    where = [_columns(encoder) for encoder in encoders]
    for name in where[0]:
        found[name] = []
        for _ in range(repeats):
            order = rng.permutation(rows)
            kept = [X[:, slices[name]].copy() for X, slices in zip(encoded, where, strict=True)]
            for X, slices in zip(encoded, where, strict=True):
                X[:, slices[name]] = X[order, slices[name]]
            found[name].append(best - score(encoded))
            for X, slices, own in zip(encoded, where, kept, strict=True):
                X[:, slices[name]] = own
    lines: list[dict[str, Any]] = [
        {
            "column": name,
            "importance": float(np.mean(drops)),
            "deviation": float(np.std(drops)),
        }
        for name, drops in found.items()
    ]
    return Listing(sorted(lines, key=_importance, reverse=True))


def _importance(line: dict[str, Any]) -> float:
    return float(line["importance"])


def _columns(encoder: Encoder) -> dict[str, slice]:
    """Where each column's numbers are among the network's inputs."""
    found, at = {}, 0
    for column in encoder.columns:
        found[column.name] = slice(at, at + column.width)
        at += column.width
    return found
