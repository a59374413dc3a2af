"""The loss during training."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _validate
from ..history import History
from . import _common

MANY = 400  # from so many points on, a running mean is drawn over them


def loss_curve(losses: History | ArrayLike, ax: Any = None, label: str | None = None) -> Any:
    """The loss by epoch of a `History`, or by step of a sequence of losses.

    A sequence of more than 400 losses, such as one of every batch, is drawn pale, with its
    running mean over a hundredth of its length. The scale is logarithmic where all losses are
    positive and differ by more than a factor of 20.

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
    is_history = isinstance(losses, History)
    training = _validate.numbers(losses.loss if isinstance(losses, History) else losses, "losses")
    if training.ndim != 1 or training.size == 0:
        raise ValueError(f"losses: expected at least one loss (steps,), got shape {training.shape}")
    validation = np.asarray(losses.val_loss if isinstance(losses, History) else [])
    ax = _common.axes(ax)
    color = _common.LINE_COLORS[0] if not ax.lines else None
    steps = np.arange(1, len(training) + 1)
    name = label or "training"
    if len(training) > MANY:
        (pale,) = ax.plot(steps, training, color=color, alpha=0.25, linewidth=0.6)
        width = len(training) // 100
        mean = np.convolve(training, np.ones(width) / width, "valid")
        centers = np.arange(len(mean)) + (width + 1) / 2
        name = f"{label}, mean of {width} steps" if label else f"mean of {width} steps"
        ax.plot(centers, mean, color=pale.get_color(), label=name)
    else:
        marker = "o" if len(training) <= 30 else None
        ax.plot(steps, training, color=color, marker=marker, markersize=3.5, label=name)
    if len(validation):
        own = f"{label}, validation" if label else "validation"
        color = _common.LINE_COLORS[1] if label is None else ax.lines[-1].get_color()
        ax.plot(steps, validation, color=color, linestyle="--", label=own)
    if label or len(validation) or len(training) > MANY:
        ax.legend(frameon=False, loc="upper right")
    ax.set(xlabel="epoch" if is_history else "step", ylabel="loss")
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25, linewidth=0.6)
    low, high = training.min(), training.max()
    if low > 0 and high > 20 * low:
        ax.set_yscale("log")
    if is_history and len(training) <= 10:
        ax.set_xticks(steps)
    return ax
