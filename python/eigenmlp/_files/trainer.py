"""A trainer in a file: its network's, and all that its run needs to go on with the same bits."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from .._basics.shown import shown
from .._inputs import checks
from .._network.network import DenseNetwork
from .._training.training import Training
from ..optimizers import OPTIMIZERS, Optimizer, checked_optimizer
from ..schedules import Plateau, describe, restored
from . import generators
from . import model as model_file
from . import network as network_file

Array = NDArray[Any]
Kind = TypeVar("Kind", bound=Training)


def save(trainer: Training, path: str | Path) -> None:
    """`Trainer.save`."""
    with trainer._at_rest():
        config, arrays, settings = _contents(trainer)
    model_file.write_model(path, config, arrays, settings)


def _contents(trainer: Training) -> tuple[dict[str, Any], dict[str, Array], dict[str, Any]]:
    net, optimizer = trainer.net, trainer.optimizer
    arrays = network_file.named_arrays(net)
    for name in trainer._trainer.state_names:
        state = trainer._trainer.get_state(name)
        arrays |= model_file.named_arrays(net._sizes, net._bias, state, f"{name}.")
    if trainer._trainer.get_progress()[1]:
        gathered = trainer._trainer.get_gathered()
        arrays |= model_file.named_arrays(net._sizes, net._bias, gathered, "gathered.")
    settings = {
        "optimizer": type(optimizer).__name__,
        "lr": describe(optimizer.lr),
        "plateau": None if trainer._plateau is None else asdict(trainer._plateau),
        "hyper": optimizer.hyper(),
        "limits": optimizer.limits(),
        "batch_size": trainer.batch_size,
        "accumulate": trainer.accumulate,
        "progress": trainer._trainer.get_progress(),
        "epochs": trainer.epochs,
        "dropout_key": trainer._dropout_key,
        "generator": generators.generator_state(trainer._rng),
    }
    return net.config, arrays, settings


def load(
    kind: type[Kind],
    network: type[DenseNetwork],
    path: str | Path,
    optimizer: Optimizer | str | None,
    backend: str,
    comm: object = None,
    rows: str = "all",
) -> Kind:
    """`Trainer.load`: a trainer of a class, with a network of a class."""
    if isinstance(optimizer, str):
        optimizer = checked_optimizer(optimizer)
    config, arrays, settings = model_file.read_model(path)
    if settings is None:
        raise ValueError(f"{path}: expected a saved Trainer, got a network: use MLP.load")
    if optimizer is None and settings["lr"] is None:
        raise ValueError(
            f"{path}: the learning rate was a function, which no file can hold: "
            "expected optimizer=, got None"
        )
    if optimizer is not None and type(optimizer).__name__ != settings["optimizer"]:
        raise ValueError(
            f"{path}: expected optimizer= of the saved one's class, {settings['optimizer']}, "
            f"got {shown(optimizer)}; for another, make a new Trainer with trainer.net"
        )
    with model_file.sensible(path):
        net = network_file.restored(network, config, arrays, backend)
        net._rng = generators.restored_generator(settings["generator"])
        trainer = kind(
            net,
            optimizer or _optimizer(settings),
            _counted(settings["batch_size"], "batch_size"),
            copy.deepcopy(net._rng),
            accumulate=_counted(settings["accumulate"], "accumulate"),
            comm=comm,
            rows=rows,
        )
        trainer._rng = net._rng
        trainer._dropout_key = checks.integer(settings["dropout_key"], "dropout_key", 0, 2**64 - 1)
        trainer._make_trainer()
        for name in trainer._trainer.state_names:
            state = model_file.flat_vector(net._sizes, net._bias, arrays, f"{name}.")
            state = checks.flat(state, net.parameter_count, net._dtype, name)
            trainer._trainer.set_state(name, state)
        if trainer._plateau and (optimizer is None or optimizer == _optimizer(settings)):
            trainer._plateau = _plateau(settings["plateau"])
        _restore_progress(trainer, settings["progress"], arrays)
        trainer.epochs = _counted(settings["epochs"], "epochs")
    return trainer


def _restore_progress(trainer: Training, progress: Sequence[Any], arrays: dict[str, Array]) -> None:
    net = trainer.net
    if not isinstance(progress, list) or len(progress) != 4:
        raise ValueError(f"progress: expected 4 numbers, got {shown(progress)}")
    steps, batches, rows = (_counted(n, "progress") for n in progress[:3])
    if batches >= trainer.accumulate:
        raise ValueError(f"progress: expected below {trainer.accumulate} batches, got {batches}")
    weight = checks.number(progress[3], "progress", 0.0)
    gathered = None
    if batches:
        gathered = model_file.flat_vector(net._sizes, net._bias, arrays, "gathered.")
        gathered = checks.flat(gathered, net.parameter_count, net._dtype, "gathered")
    trainer._trainer.set_progress(steps, batches, rows, weight, gathered)


def _counted(value: object, what: str) -> int:
    """A number of things that a file says, small enough for the core to count on from there."""
    count = checks.integer(value, what, least=0)
    if count > 2**53:
        raise ValueError(f"{what}: expected at most 2⁵³, got {count}")
    return count


def _optimizer(settings: dict[str, Any]) -> Optimizer:
    """The optimizer that a file describes."""
    kind = OPTIMIZERS[checks.known(settings["optimizer"], OPTIMIZERS, "optimizer")]
    arguments = kind.arguments(settings["hyper"])
    return kind(restored(settings["lr"]), **arguments, **settings["limits"])


def _plateau(saved: dict[str, Any]) -> Plateau:
    """Where a file says that a `ReduceOnPlateau` is."""
    return Plateau(
        checks.number(saved["lr"], "lr", 0.0),
        None if saved["best"] is None else checks.number(saved["best"], "best"),
        checks.integer(saved["bad_epochs"], "bad_epochs", least=0),
        checks.integer(saved["cooldown"], "cooldown", least=0),
    )
