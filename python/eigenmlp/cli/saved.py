"""``eigenmlp evaluate`` and ``eigenmlp predict``: what a saved model makes of some rows."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

import eigenmlp as em
from eigenmlp._files.whole import replacing

from .arguments import EvaluateCommand, PredictCommand
from .data import (
    Table,
    as_values,
    load_test_rows,
    read_table,
)
from .output import check_writable


def evaluate(command: EvaluateCommand) -> None:
    """Print the loss and, where the loss classifies, the accuracy."""
    net = _load(command.model, command.threads)
    table = load_test_rows(command.source, command.seed)
    if table.y is None:
        raise ValueError(f"{command.source.name}: expected arrays X and y, got X only")
    _check_inputs(net, table, command.source.name)

    loss = str(net.config["loss"])
    y = table.y
    name = loss.partition("(")[0]
    if not name.endswith("cross_entropy"):
        y = as_values(y)
    elif name == "softmax_cross_entropy" and y.dtype.kind != "i" and y.shape[1] == 1:
        raise ValueError(
            f"{command.source.name}: {command.model} tells classes apart, expected integer "
            f"labels, got {y.dtype} values"
        )
    result = net.evaluate(table.X, y)
    print(f"rows      {len(y):,}")
    if result.accuracy is not None:
        print(f"accuracy  {result.accuracy:.4f} ({round(result.accuracy * len(y)):,} right)")
    print(f"loss      {result.loss:.6g} ({loss})")


def predict(command: PredictCommand) -> None:
    """Write one line for each row, to a file or to stdout."""
    if command.out is not None:
        if command.out.suffix.lower() not in (".csv", ".txt", ".npy"):
            raise ValueError(f"--out: expected a .csv, .txt or .npy file, got {command.out}")
        check_writable(command.out, "--out")

    net = _load(command.model, command.threads)
    if command.source.bundled:
        table = load_test_rows(command.source, command.seed)
    else:
        table = read_table(Path(command.source.name), inputs=net.layer_sizes[0])
    _check_inputs(net, table, command.source.name)
    predicted = net.predict(table.X)

    if command.out is None:
        _write_lines(predicted, sys.stdout)
        return
    with replacing(command.out) as file:
        _write(predicted, file, command.out)
    print(f"{len(predicted):,} predictions written to {command.out}")


def _load(path: Path, threads: int | None) -> em.MLP:
    if not path.exists():
        raise FileNotFoundError(f"{path}: expected a saved model, found no such file")
    if not path.is_file():
        raise ValueError(f"{path}: expected a saved model, got something that is not a file")
    if threads is not None:
        em.set_num_threads(threads)
    net = em.MLP.load(path)
    if str(net.config["loss"]).startswith("segment_cross_entropy"):
        raise ValueError(
            f"{path}: expected a model of single rows, got one of choices (segment_cross_entropy): "
            "no table tells which rows are a choice; use it from Python"
        )
    return net


def _check_inputs(net: em.MLP, table: Table, name: str) -> None:
    expected, got = net.layer_sizes[0], table.X.shape[1]
    if expected != got:
        raise ValueError(f"{name}: the model expects {expected:,} inputs, got {got:,} columns")


def _write(predicted: npt.NDArray[Any], file: IO[bytes], path: Path) -> None:
    if path.suffix.lower() == ".npy":
        np.save(file, predicted, allow_pickle=False)
        return
    text = io.TextIOWrapper(file, encoding="utf-8", newline="\n")
    _write_lines(predicted, text)
    text.detach()  # flushes, and leaves the file open for its owner


def _write_lines(predicted: npt.NDArray[Any], file: IO[str]) -> None:
    """Labels as integers; values with as many digits as bring the same bits back."""
    digits = 9 if predicted.dtype == np.float32 else 17
    form = "d" if predicted.dtype.kind in "biu" else f".{digits}g"
    for row in predicted.reshape(len(predicted), -1).tolist():
        file.write(",".join(format(value, form) for value in row) + "\n")
