"""What must be the same on all ranks before they share a run, and the difference if it is not."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._basics.shown import shown
from .._core.loading import level
from .._inputs.foreign import is_sparse
from ..schedules import describe
from .ranks import Ranks, alike

Array = NDArray[Any]

_SAMPLED = 16  # rows whose numbers are compared
_RATES = 8  # learning rates that are
_UNREADABLE = ("parameters", "seed", "state")  # digests
_HINTS = {
    "parameters": ": give all ranks the same seed=",
    "seed": ": give all ranks the same seed=",
    "processor": ": EIGENMLP_ISA sets one that all have",
}


def check_alike(ranks: Ranks, facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Refuse facts that differ, on all ranks, and name the first; keys that begin with "_" may."""
    of_all = ranks.gather(facts)
    first = of_all[0]
    for rank, other in enumerate(of_all):
        for name in [*first, *(key for key in other if key not in first)]:
            a, b = first.get(name), other.get(name)
            if name.startswith("_") or a == b:
                continue
            came = (
                "" if name in _UNREADABLE or "numbers" in name else f": {_said(a)} and {_said(b)}"
            )
            raise alike(
                ValueError(
                    f"{name}: expected the same on all ranks, got other ones on ranks 0 and "
                    f"{rank}{came}{_HINTS.get(name, '')}"
                )
            )
    return of_all


def check_batch(ranks: Ranks, number: int, batch: tuple[Any, Any, Any] | None) -> None:
    """Refuse batches (X, T, weights) that differ, or of which some ranks have no more: None."""
    if ranks.size == 1:
        return
    facts: dict[str, Any] = {"number of batches": number - 1}
    if batch is not None:
        facts = {"number of batches": f"more than {number - 1}", **of_data(*batch, own=False)}
    if not ranks.same(_digest(repr(facts)).encode()):
        check_alike(ranks, facts)


def _said(value: object) -> str:
    return shown(value) if value is not None else "None"


def of_trainer(trainer: Any, updates: int = 1) -> dict[str, Any]:
    """Facts of a trainer that is to do so many updates: network, optimizer, how far both are."""
    net, inner = trainer.net, trainer._trainer
    config = {key: _plain(value) for key, value in net.config.items() if key != "init"}
    states = [inner.get_state(name) for name in inner.state_names]
    optimizer = trainer.optimizer
    return {
        "rows": "own" if trainer._ranks.own else "all",
        **config,
        "optimizer": (type(optimizer).__name__, optimizer.hyper(), optimizer.limits()),
        "lr": describe(optimizer.lr),
        "learning rates": trainer._learning_rates(min(updates, _RATES)) if updates else [],
        "batch_size": trainer.batch_size,
        "accumulate": trainer.accumulate,
        "processor": level if net._backend == "native" else "twin",
        "parameters": _digest(net.parameters),
        "state": [_digest(state) for state in states],
        "steps": inner.get_progress(),
        "seed": (_digest(str(trainer._rng.bit_generator.state)), trainer._dropout_key),
    }


def of_data(X: Any, T: Any, weights: Array | None, own: bool, what: str = "") -> dict[str, Any]:
    """Facts of a run's data; of rows of a rank's own, how many."""
    facts = {f"{what}y": _kind(T, own), f"{what}sample_weight": weights is None}
    if own:
        return {**facts, f"_{what}count": len(T)}
    shape = {f"{what}shape of X": getattr(X, "shape", None)}
    numbers = {f"{what}numbers of X": _sample(X), f"{what}numbers of y": _sample(T)}
    if weights is not None:
        numbers[f"{what}numbers of sample_weight"] = f"{_sample(weights)}, {weights.sum()}"
    return {**shape, **facts, **numbers}


def sample_of_ends(array: Any) -> str:
    """Of the first and last rows of what is read as it is needed."""
    N = len(array)
    return _sample(np.concatenate([array[: _SAMPLED // 2], array[max(0, N - _SAMPLED // 2) : N]]))


def _kind(T: Any, own: bool) -> Any:
    shape = getattr(T, "shape", ())
    return (str(getattr(T, "dtype", type(T).__name__)), shape[1:] if own else shape)


def _sample(array: Any) -> str:
    """Of some rows, evenly spaced."""
    if is_sparse(array):
        return _digest(np.array([array.nnz, float(array.sum())]))
    if not isinstance(array, np.ndarray):
        return ""
    rows = np.linspace(0, len(array) - 1, min(len(array), _SAMPLED)).astype(int)
    return _digest(np.ascontiguousarray(array[rows]))


def _digest(value: Any) -> str:
    data = value.encode() if isinstance(value, str) else np.ascontiguousarray(value).tobytes()
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value
