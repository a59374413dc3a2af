"""Which networks a pack tries, measured with ``python -m bench.tables --time-limit 60``."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ._defaults import Settings

_PATIENCE = 0.4  # of the epochs
_NO_HARM = 1.005  # of the loss without dropout
_LONGER = 1.4  # epochs beside one network's, for a pack: the mean of longer runs is better


FIRST = 4  # members of large tables that tell what to draw


class Known(NamedTuple):
    """What the first members of a large table say."""

    dropout: bool  # whether it does no harm
    fine: bool  # whether many bins and a high rate are better than few and a low one


def known(losses: list[float]) -> Known:
    """Of the losses of the first members."""
    plain, fine, dropped, coarse = losses
    return Known(dropped < _NO_HARM * plain, fine < coarse)


def draw(place: int, base: list[Settings], seed: int, known: Known | None) -> Settings:
    """The settings of member `place`; the same for the same arguments.

    The first are those that one network alone would have, and three that differ from it; the
    others are drawn, by what these say, if that is known yet: widths, depths, rates, decays, bins,
    dropout.
    """
    rng = np.random.default_rng([seed, place])
    if base[0].crosses:
        return base[place] if place < len(base) else _small(base, rng)
    if base[0].folds == 0:
        return base[0]
    return _large(place, base[0], rng, known)


def _large(place: int, base: Settings, rng: np.random.Generator, known: Known | None) -> Settings:
    base = _patient(base)
    longer = _patient(replace(base, epochs=round(_LONGER * base.epochs)))
    fine = replace(longer, hidden=(256,) * 3, bins=64, lr=3e-3)
    coarse = replace(base, hidden=(256,) * 3, lr=1.8e-3)
    first = [base, fine, replace(base, dropout=0.15), coarse]
    if place < FIRST:
        return first[place]
    is_fine = rng.random() < 0.5
    dropped = float(rng.choice([0.0, 0.1, 0.2]))
    if known is not None:
        is_fine, dropped = known.fine, dropped if known.dropout else 0.0
    else:
        dropped = 0.0
    return replace(
        fine if is_fine else coarse,
        hidden=(_whole(rng, 192, 352, 16),) * int(rng.choice([2, 3, 3])),
        bins=int(rng.choice([48, 64] if is_fine else [16, 32])),
        lr=_between(rng, 2e-3, 4e-3) if is_fine else _between(rng, 1e-3, 3e-3),
        weight_decay=_between(rng, 0.1, 0.5),
        dropout=dropped,
    )


def _patient(settings: Settings) -> Settings:
    """Losses may rise while the learning rate is high, and fall again when it comes down."""
    return replace(settings, patience=max(settings.patience, round(_PATIENCE * settings.epochs)))


def _small(base: list[Settings], rng: np.random.Generator) -> Settings:
    hidden = [(), (64,), (128, 64), (128, 128), (192, 192), (128, 128, 128)]
    chosen = hidden[int(rng.integers(len(hidden)))]
    one = base[min(1, len(base) - 1)]
    if not chosen:
        return replace(base[0], lr=_between(rng, 3e-3, 2e-2), weight_decay=_between(rng, 0.1, 2.0))
    return replace(
        one,
        hidden=chosen,
        bins=int(rng.choice([0, 0, 4, 8, 16])),
        lr=_between(rng, 1e-3, 6e-3),
        weight_decay=_between(rng, 0.1, 1.0),
        dropout=float(rng.choice([0.0, 0.1, 0.2, 0.3])),
        patience=16,
    )


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """Evenly in the logarithm."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _whole(rng: np.random.Generator, low: int, high: int, step: int) -> int:
    return int(_between(rng, low, high + step) // step * step)


def simpler(settings: Settings, share: float) -> Settings | None:
    """With fewer epochs, for `share` of the time that it would take; None if too few are left."""
    epochs = int(settings.epochs * share)
    if share >= 1:
        return settings
    return replace(settings, epochs=epochs) if share >= 0.5 and epochs > 1 else None
