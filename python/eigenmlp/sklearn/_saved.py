"""A network and its trainer as plain values, for pickle and its relatives."""

from __future__ import annotations

from typing import Any

from ..mlp import MLP
from ..optimizers import OPTIMIZERS, Optimizer
from ..trainer import Trainer


def saved(net: MLP, trainer: Trainer | None) -> dict[str, Any]:
    """Dicts, lists, numbers, strings and arrays alone."""
    result: dict[str, Any] = {"config": net.config, "parameters": net.parameters, "trainer": None}
    if trainer is not None:
        optimizer = trainer.optimizer
        result["trainer"] = {
            "optimizer": type(optimizer).__name__,
            "hyper": optimizer.hyper(),
            "limits": optimizer.limits(),
            "batch_size": trainer.batch_size,
            "dropout_key": trainer._dropout_key,
            "state": _state(trainer),
        }
    return result


def restored(values: dict[str, Any]) -> tuple[MLP, Trainer | None]:
    """The opposite."""
    net = MLP(**values["config"])
    net.parameters = values["parameters"]
    had = values["trainer"]
    if had is None:
        return net, None
    kind = OPTIMIZERS[had["optimizer"]]
    optimizer = kind(1.0, **kind.arguments(had["hyper"]), **had["limits"])
    trainer = Trainer(net, optimizer, had["batch_size"], seed=0)
    trainer._dropout_key = had["dropout_key"]
    trainer._make_trainer()
    _set_state(trainer, had["state"])
    return net, trainer


def continued(trainer: Trainer, net: MLP, optimizer: Optimizer) -> Trainer:
    """A trainer of `net` by `optimizer` that goes on where `trainer` is."""
    new = Trainer(net, optimizer, trainer.batch_size, seed=0)
    new._dropout_key = trainer._dropout_key
    new._make_trainer()
    _set_state(new, _state(trainer))
    return new


def _state(trainer: Trainer) -> dict[str, Any]:
    arrays = {name: trainer._trainer.get_state(name) for name in trainer._trainer.state_names}
    return {"steps": trainer.steps, "arrays": arrays}


def _set_state(trainer: Trainer, state: dict[str, Any]) -> None:
    trainer._trainer.set_progress(state["steps"])
    for name, array in state["arrays"].items():
        trainer._trainer.set_state(name, array)
