"""Hyperparameters drawn for the members of an ensemble."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._basics.shown import shown
from .._inputs import checks

# What is the same for all members, or is set for each by the ensemble.
_KEPT = ("loss", "random_state", "n_threads", "verbose", "warm_start", "callbacks")


def draw(sampling: Any, estimator: Any, count: int, rng: np.random.RandomState) -> list[Any]:
    """A dict of parameters for each of `count` members; empty ones without `sampling`."""
    if sampling is None:
        return [{} for _ in range(count)]
    if not isinstance(sampling, dict):
        raise TypeError(
            f"sampling: expected a dict of distributions or lists, got {sampling!r:.80}"
        )
    known = [name for name in estimator.get_params(deep=False) if name not in _KEPT]
    found: dict[str, Any] = {}
    for name, choices in sampling.items():
        found[checks.known(name, known, "sampling")] = choices
        if hasattr(choices, "rvs"):
            continue
        if not checks.is_several(choices) or not hasattr(choices, "__len__"):
            raise TypeError(
                f"sampling: expected a distribution of SciPy or a list for {name}, got "
                f"{shown(choices)}"
            )
        found[name] = checks.items(choices, "sampling")
        if not found[name]:
            raise ValueError(f"sampling: expected at least one value for {name}, got none")
    return [{name: _drawn(name, found[name], rng) for name in sorted(found)} for _ in range(count)]


def _drawn(name: str, choices: Any, rng: np.random.RandomState) -> Any:
    if hasattr(choices, "rvs"):
        try:
            value = choices.rvs(random_state=rng)
        except Exception as error:  # of a user's object
            raise ValueError(f"sampling: {name}: {error!s:.300}") from None
    else:
        value = choices[rng.randint(len(choices))]
    return value.item() if isinstance(value, np.generic) else value
