"""A network's layers as a table."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .._basics import html
from .network import DenseNetwork

_HEADER = ("layer", "shape", "activation", "parameters", "memory")


@dataclass(frozen=True, repr=False)
class Summary:
    """What `MLP.summary` gives; printed, or shown in a notebook, it is a table.

    Attributes
    ----------
    title : str
        The network in a line.
    rows : tuple of tuples of str
        Of each layer: its arrays, (in, out), what follows the product, parameters and bytes.
    parameter_count, memory : int
        Of all layers; bytes.
    """

    title: str
    rows: tuple[tuple[str, ...], ...]
    parameter_count: int
    memory: int

    @property
    def _table(self) -> list[tuple[str, ...]]:
        total = ("total", "", "", f"{self.parameter_count:,}", _bytes(self.memory))
        return [*self.rows, total]

    def __str__(self) -> str:
        lines = [_HEADER, *self._table]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = [
            "  ".join(
                cell.ljust(width) if i < 3 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        ]
        return "\n".join([self.title, *text])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html.table(self.title, _HEADER, self._table)


def summary(net: DenseNetwork) -> Summary:
    """See `MLP.summary`."""
    size = np.dtype(net._dtype).itemsize
    rows = []
    for i, (D, K) in enumerate(pairwise(net._sizes)):
        count = (D + net._bias) * K
        rate = net._dropout[i] if i < len(net._dropout) else 0.0
        rows.append(
            (
                f"W{i}, b{i}" if net._bias else f"W{i}",
                f"({D}, {K})",
                net._all_activations[i] + (f", dropout {rate:g}" if rate else ""),
                f"{count:,}",
                _bytes(count * size),
            )
        )
    P = net.parameter_count
    return Summary(repr(net).strip("<>"), tuple(rows), P, P * size)


def _bytes(count: int) -> str:
    """In powers of 1,000.

    Examples
    --------
    >>> _bytes(40), _bytes(13_000), _bytes(2_500_000)
    ('40 B', '13.0 kB', '2.5 MB')
    """
    if count < 1000:
        return f"{count} B"
    number = float(count)
    for unit in ("kB", "MB", "GB"):
        number /= 1000
        if number < 999.95:
            return f"{number:.1f} {unit}"
    return f"{number / 1000:.1f} TB"
