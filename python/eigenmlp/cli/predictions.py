"""Predictions as lines or as an array, on stdout or in a file."""

from __future__ import annotations

import csv
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from eigenmlp._files.whole import replacing


@dataclass(frozen=True)
class Predictions:
    """Labels or values (N,) or (N, K). A first line has names if there is more than one thing in a
    line that they tell apart.
    """

    values: npt.NDArray[Any]
    names: list[str] | None = None
    ids: tuple[str, list[str | None]] | None = None  # a column's name and cells

    @property
    def has_header(self) -> bool:
        return self.ids is not None or (self.names is not None and len(self.names) > 1)


def write(predictions: Predictions, out: Path | None) -> None:
    """Write a line for each row to stdout or to a text file, or an array to a .npy file."""
    if out is None:
        _write_lines(predictions, sys.stdout)
        return
    with replacing(out) as file:
        if out.suffix.lower() == ".npy":
            values = predictions.values
            values = values.astype(str) if values.dtype.kind == "O" else values
            np.save(file, values, allow_pickle=False)
        else:
            text = io.TextIOWrapper(file, encoding="utf-8", newline="\n")
            _write_lines(predictions, text)
            text.detach()  # flushes, and leaves the file open for its owner
    print(f"{len(predictions.values):,} predictions written to {out}")


def _write_lines(predictions: Predictions, file: IO[str]) -> None:
    """Labels as they are; values with as many digits as bring float32's bits back, or float64's."""
    values = predictions.values
    rows = values.reshape(len(values), -1).tolist()
    writer = csv.writer(file, lineterminator="\n")
    if predictions.has_header:
        first = [] if predictions.ids is None else [predictions.ids[0]]
        writer.writerow([*first, *(predictions.names or ["prediction"])])
    if values.dtype.kind == "f":
        form = f".{9 if values.dtype == np.float32 else 17}g"
        cells = [[format(value, form) for value in row] for row in rows]
    elif values.dtype.kind == "b":
        cells = [[format(value, "d") for value in row] for row in rows]
    else:
        cells = rows
    if predictions.ids is None:
        writer.writerows(cells)
    else:
        writer.writerows([one, *row] for one, row in zip(predictions.ids[1], cells, strict=True))
