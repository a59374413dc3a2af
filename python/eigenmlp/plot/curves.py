"""The loss during training."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from .._basics.shown import shown
from .._inputs import checks
from .._inputs.foreign import has
from . import _common

MANY = 400  # of more points than these a running mean is drawn over them


class History(Protocol):
    """What an `eigenmlp.History` has of losses."""

    loss: list[float]
    val_loss: list[float]


def loss_curve(losses: History | ArrayLike, ax: Any = None, label: str | None = None) -> Any:
    """The loss by epoch of a `History`, or by step of a sequence of losses.

    More than 400 losses, such as one of every batch, are drawn pale, with their running mean over
    a hundredth of their number, over fewer towards either end. The scale is logarithmic where all
    losses are positive and differ by more than a factor of 20.

    Parameters
    ----------
    losses : History or array_like (steps,)
        From ``net.fit``, or the numbers that ``trainer.step`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    label : str, optional
        For the legend, to compare several curves on one `ax`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If there is no loss to draw.

    Examples
    --------
    >>> import eigenmlp as em
    >>> net = em.MLP([1, 2], seed=0)
    >>> history = net.fit([[0], [1]], [0, 1], epochs=5)
    >>> from matplotlib.figure import Figure
    >>> ax = em.plot.loss_curve(history, ax=Figure().add_subplot())
    >>> ax.get_xlabel(), len(ax.lines)
    ('epoch', 1)
    """
    is_history = _is_history(losses)
    given: Any = losses
    training = checks.numbers(given.loss if is_history else given, "losses")
    if training.ndim != 1 or training.size == 0:
        raise ValueError(f"losses: expected at least one loss (steps,), got shape {training.shape}")
    if label is not None and not isinstance(label, str):
        raise TypeError(f"label: expected a str or None, got {shown(label)}")
    validation = np.asarray(given.val_loss if is_history else [])
    ax = _common.axes(ax)
    color = _common.free_color(ax)
    unit = "epoch" if is_history else "step"
    steps = np.arange(1, len(training) + 1)
    name = label or "training"
    if len(training) > MANY:
        ax.plot(steps, training, color=color, alpha=0.25, linewidth=0.6)
        half = len(training) // 200
        mean = f"mean of {2 * half + 1:,} {unit}s"
        name = f"{name}, {mean}" if label or is_history else mean
        ax.plot(steps, _running_mean(training, half), color=color, label=name)
    else:
        marker = "o" if len(training) <= 30 else None
        ax.plot(steps, training, color=color, marker=marker, markersize=3.5, label=name)
    if len(validation):
        own = f"{label}, validation" if label else "validation"
        color = _common.free_color(ax) if label is None else color
        ax.plot(steps, validation, color=color, linestyle="--", label=own)
    if label or len(validation) or len(training) > MANY:
        ax.legend(frameon=False, loc="upper right")
    ax.set(xlabel=unit, ylabel="loss")
    _common.open_frame(ax)
    low, high = training.min(), training.max()
    if low > 0 and high > 20 * low:
        ax.set_yscale("log")
    if is_history and len(training) <= 10:
        ax.set_xticks(steps)
    return ax


def _is_history(losses: object) -> bool:
    """Whether these are the losses of epochs, not numbers (also of a table with such columns)."""
    return has(losses, "loss") and has(losses, "val_loss") and not has(losses, "__array__")


def _running_mean(values: _common.Array, half: int) -> _common.Array:
    """Means (n,) over `half` values on either side, or over as many as both sides have."""
    n = len(values)
    place = np.arange(n)
    half_of = np.minimum(np.minimum(place, n - 1 - place), half)
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    means: _common.Array = (sums[place + half_of + 1] - sums[place - half_of]) / (2 * half_of + 1)
    return means
