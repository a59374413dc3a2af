"""Runs on a cluster that joblib was told of: one task for each network, whose end comes back."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._network.network import DenseNetwork
from ..errors import DivergenceError
from ..history import History
from ..threads import limited

_LOCAL = ("joblib.", "eigenmlp.")  # modules of the backends that run in this process or beside it


def cluster() -> Any:
    """joblib, if `joblib.parallel_config` has named a backend that is not of its own; else None.

    Who has not imported joblib cannot have told it anything.
    """
    joblib = sys.modules.get("joblib")
    if joblib is None:
        return None
    backend, _ = joblib.parallel.get_active_backend()
    module = type(backend).__module__
    inside = bool(backend.nesting_level)  # of a task that was sent somewhere
    local = module.startswith(_LOCAL) and module != "joblib._dask"
    return None if inside or local else joblib


def train_all(
    joblib: Any,
    nets: Sequence[Any],
    rngs: Sequence[np.random.Generator],
    arguments: Sequence[dict[str, Any]],
    keeps: bool,
) -> list[History]:
    """``net.fit(**arguments, seed=rng)`` of copies on workers; then networks and generators are as
    those copies.

    A divergence is raised when all have ended, or, if it `keeps`, leaves its network as it was
    then.
    """
    work = [
        joblib.delayed(_fitted)(net, rng, one)
        for net, rng, one in zip(nets, rngs, arguments, strict=True)
    ]
    histories, first = [], None
    ended = joblib.Parallel()(work)
    for index, (there, rng, history, error) in enumerate(ended):
        _become(nets[index], there)
        rngs[index].bit_generator.state = rng.bit_generator.state
        histories.append(history)
        if error is not None and first is None:
            first, error.index = error, index
    if first is not None and not keeps:
        first.histories = histories
        raise first
    return histories


def _fitted(
    net: Any, rng: np.random.Generator, arguments: dict[str, Any]
) -> tuple[Any, np.random.Generator, History, Any]:
    with limited(1):
        try:
            return net, rng, net.fit(**arguments, seed=rng, progress=False), None
        except DivergenceError as error:
            return net, rng, error.history or History(), error


def _become(net: DenseNetwork, other: DenseNetwork) -> None:
    """Parameters, units and generator of the same network in another process."""
    if net._to_be_measured:
        net._set_units(other._units)
        net._to_be_measured = other._to_be_measured
    net.parameters = other.parameters
    net._rng.bit_generator.state = other._rng.bit_generator.state
