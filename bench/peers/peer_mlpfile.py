"""mlpfile: a small C++ library on Eigen that predicts one row at a time."""

from __future__ import annotations

import tempfile
from pathlib import Path

import mlpfile
import mlpfile.torch

from .peer_torch import network
from .tasks import Data, Program, Task, Unsupported

VARIANTS = ("mlpfile",)
MODULES = ("mlpfile",)


def make(task: Task, data: Data, variant: str, lr: float) -> Program:
    """`Model.forward` of one row; PyTorch only writes its file."""
    if task.kind != "predict" or task.rows != 1:
        raise Unsupported("predicts one row only")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "net.mlp"))
        mlpfile.torch.write(network(task, data), path)
        model = mlpfile.Model.load(path)
    x = data.X[0]
    return Program(lambda: model.forward(x)[None], lambda: model.forward(x))
