"""Whether a model is as sure as it may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._basics.shown import shown
from .._inputs import checks
from . import _common

Array = _common.Array


def calibration_curve(
    y: ArrayLike,
    predicted: ArrayLike | Mapping[float, tuple[ArrayLike, ArrayLike]],
    classes: ArrayLike | None = None,
    bins: int = 10,
    ax: Any = None,
    label: str | None = None,
) -> Any:
    """What a model says of how sure it is, beside what is: on the diagonal it is honest.

    Of probabilities: how often rows are of a class, by the stated probability, in bins of
    equal width; with more than two classes, how often the likeliest one is right. Whiskers are a
    standard error on either side, bars the share of rows in each bin, and the title has the
    expected calibration error (Guo et al. 2017, https://arxiv.org/abs/1706.04599). Of intervals:
    the share of rows inside, by the stated one.

    Parameters
    ----------
    y : array_like (N,)
        What is true of rows that the model has not seen: labels, or values for intervals.
    predicted : array_like (N,) or (N, K), or dict
        Probabilities of the second of two classes or of all classes; or, for each coverage, the
        lower and upper ends (N,) of intervals, from ``predict_interval`` or ``predict_quantiles``.
    classes : array_like (K,), optional
        The labels in the order of the columns, ``model.classes_``; those of y in their order if
        not given.
    bins : int
        Of probabilities.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    label : str, optional
        For the legend, to compare several models on one `ax`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If shapes do not fit, for labels that are no class, and for numbers that are no
        probabilities.

    Examples
    --------
    >>> import eigenmlp as em
    >>> from matplotlib.figure import Figure
    >>> said = [0.1, 0.1, 0.9, 0.9]
    >>> ax = em.plot.calibration_curve([0, 0, 1, 0], said, ax=Figure().add_subplot())
    >>> ax.get_title()
    'expected calibration error 0.250'
    """
    if label is not None and not isinstance(label, str):
        raise TypeError(f"label: expected a str or None, got {shown(label)}")
    bins = checks.integer(bins, "bins")
    if isinstance(predicted, Mapping):
        said, found, error = _coverages(y, predicted)
        shares = None
    else:
        P, hit = _said_and_hit(y, predicted, classes)
        place = np.minimum((P * bins).astype(int), bins - 1)
        counts = np.bincount(place, minlength=bins)
        there = counts > 0
        n = counts[there]
        said = np.bincount(place, P, bins)[there] / n
        found = np.bincount(place, hit, bins)[there] / n
        error = _standard_errors(found, n)
        shares = counts / len(P)
    ax = _common.axes(ax, height=6.5)
    color = _common.free_color(ax)
    if all(line.get_gid() != "honest" for line in ax.lines):
        ax.plot([0, 1], [0, 1], color="#555555", linewidth=1.0, linestyle=":", gid="honest")
    if shares is not None:
        ax.bar(
            (np.arange(bins) + 0.5) / bins, shares, width=0.94 / bins, color=color, alpha=0.18,
            zorder=0,
        )  # fmt: skip
    ax.plot(said, found, color=color, marker="o", markersize=5, label=label)
    low, high = np.maximum(found - error, 0.0), np.minimum(found + error, 1.0)
    ax.vlines(said, low, high, color=color, linewidth=1.4)
    if shares is None:
        far = float(np.abs(found - said).max())
        ax.set(xlabel="coverage that was stated", ylabel="share of rows inside")
        title = f"coverage off by at most {far:.3f}"
    else:
        off = float(np.sum(shares[shares > 0] * np.abs(found - said)))
        ax.set(xlabel="probability that was stated", ylabel="share of rows; bars: of all rows")
        title = f"expected calibration error {off:.3f}"
    if label is None:
        ax.set_title(title)
    else:
        ax.set_title("")
        ax.legend(frameon=False, loc="upper left")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    _common.open_frame(ax)
    return ax


def _said_and_hit(y: ArrayLike, predicted: Any, classes: Any) -> tuple[Array, Array]:
    """Probabilities (N,) and whether it was so, 0 or 1."""
    P = checks.numbers(predicted, "predicted").astype(np.float64)
    if P.ndim == 2 and P.shape[1] == 1:
        P = P[:, 0]
    if P.ndim not in (1, 2) or not P.size:
        raise ValueError(f"predicted: expected shape (N,) or (N, K), got {P.shape}")
    if not (P.min() >= 0 and P.max() <= 1):  # NaN is neither
        raise ValueError(
            f"predicted: expected probabilities from 0 to 1, got {P.min():g} to {P.max():g}"
        )
    labels = np.asarray(y)
    if labels.shape != (len(P),):
        raise ValueError(f"y: expected {len(P)} labels, as rows of predicted, got {labels.shape}")
    K = 2 if P.ndim == 1 else P.shape[1]
    known = np.unique(labels) if classes is None else np.asarray(classes)
    if known.shape != (K,):
        raise ValueError(
            f"classes: expected the {K} labels that predicted has probabilities of, got "
            f"{shown(known.tolist())}{' of y: give classes=' if classes is None else ''}"
        )
    codes = (labels[:, None] == known).argmax(axis=1)
    if (strange := np.flatnonzero(known[codes] != labels)).size:
        raise ValueError(
            f"y: expected one of the classes {shown(known.tolist())}, got "
            f"{shown(labels.tolist()[strange[0]])} in row {strange[0]}"
        )
    if P.ndim == 1:
        return P, (codes == 1).astype(np.float64)
    if K == 2:
        return P[:, 1], (codes == 1).astype(np.float64)
    best = P.argmax(axis=1)
    return P[np.arange(len(P)), best], (codes == best).astype(np.float64)


def _coverages(y: ArrayLike, predicted: Mapping[float, Any]) -> tuple[Array, Array, Array]:
    """Shares said and found, rising, and the standard errors of those."""
    if not predicted:
        raise ValueError("predicted: expected intervals for at least one coverage, got none")
    values = checks.numbers(y, "y").astype(np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"y: expected values (N,), got shape {values.shape}")
    checks.finite(values, "y", "float64")
    said, found = [], []
    for coverage, ends in sorted(predicted.items()):
        said.append(checks.number(coverage, "predicted: coverage", 0.0, 1.0))
        low, high = (
            checks.numbers(end, "predicted: ends").astype(np.float64)
            for end in checks.items(ends, "predicted: ends")
        )
        if low.shape != values.shape or high.shape != values.shape:
            raise ValueError(
                f"predicted: expected ends of shape {values.shape}, as y has, got {low.shape} and "
                f"{high.shape}"
            )
        found.append(float(((low <= values) & (values <= high)).mean()))
    shares = np.array(found)
    return np.array(said), shares, _standard_errors(shares, len(values))


def _standard_errors(shares: Array, n: Array | int) -> Array:
    """Of shares of n rows; not 0 where one row, or all, are alike (Agresti and Coull 1998)."""
    middle = (shares * n + 1) / (n + 2)
    errors: Array = np.sqrt(middle * (1 - middle) / (n + 2))
    return errors
