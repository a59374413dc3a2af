"""What a network decides: regions of the plane, and the confusions of classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._inputs import checks
from .._inputs.targets import labels
from .._network import loss_outputs
from .._network.network import DenseNetwork
from . import _common

Array = _common.Array


def decision_regions(
    net: DenseNetwork, X: ArrayLike, y: ArrayLike, ax: Any = None, resolution: int = 200
) -> Any:
    """What a network of two inputs says of every point of the plane, with the data on top.

    Several outputs: the regions of the classes. One output: its value (the probability, for
    sigmoid_cross_entropy) as a colour, and the line where it is ½ for sigmoid outputs.

    Parameters
    ----------
    net : MLP
        With two inputs.
    X, y : array_like (N, 2), (N,) or (N, K)
        The data; they set the part of the plane that is drawn.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    resolution : int
        Points of the grid along each side.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the network does not have two inputs, or the shapes do not fit.

    Examples
    --------
    >>> import eigenmlp as em
    >>> from matplotlib.figure import Figure
    >>> net = em.MLP([2, 4, 2], seed=0)
    >>> ax = em.plot.decision_regions(net, [[0, 1], [1, 0]], [0, 1], ax=Figure().add_subplot())
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('input 0', 'input 1')
    """
    inputs = _common.network(net, "decision_regions").layer_sizes[0]
    if inputs != 2:
        raise ValueError(f"decision_regions: expected a network of 2 inputs, got {inputs}")
    rows = _common.rows_of(X, columns=2)
    targets = checks.numbers(y, "y")
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets.ndim not in (1, 2) or len(targets) != len(rows):
        raise ValueError(f"y: expected {len(rows)} rows, as X has, got shape {targets.shape}")
    points = checks.integer(resolution, "resolution", 2, 10_000)

    margin = 0.12 * np.where(np.ptp(rows, axis=0) > 0, np.ptp(rows, axis=0), 1.0)
    low, high = rows.min(axis=0) - margin, rows.max(axis=0) + margin
    x0, x1 = (np.linspace(a, b, points) for a, b in zip(low, high, strict=True))
    grid = np.stack(np.meshgrid(x0, x1), axis=-1).reshape(-1, 2)
    ax = _common.axes(ax, height=6)
    if net.layer_sizes[-1] > 1:
        labels = _common.labels_of(targets, len(rows))
        _regions(ax, x0, x1, _common.predicted_labels(net, grid, "").reshape(points, points))
        colors = np.array(_common.CLASS_COLORS)
        for label in np.unique(labels):
            kind = {"color": colors[label % len(colors)], "label": f"class {label}"}
            ax.scatter(*rows[labels == label].T, s=28, edgecolors="white", linewidths=0.7, **kind)
        ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    else:
        _values(ax, net, x0, x1, grid, rows, targets)
    _common.closed_frame(ax)
    ax.set(xlabel="input 0", ylabel="input 1", xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    return ax


def _regions(ax: Any, x0: Array, x1: Array, said: Array) -> None:
    """Pale colours of the classes, and lines between them."""
    colors = _common.matplotlib("colors")
    count = int(said.max()) + 1
    pale = [
        [0.72 + 0.28 * part for part in colors.to_rgb(_common.CLASS_COLORS[k % 10])]
        for k in range(count)
    ]
    edges = np.arange(count + 1) - 0.5
    ax.pcolormesh(
        *(x0, x1, said),
        cmap=colors.ListedColormap(pale),
        norm=colors.BoundaryNorm(edges, count) if count > 1 else None,
        shading="nearest",
        rasterized=True,
    )
    for k in range(count):
        if 0 < np.mean(said == k) < 1:
            ax.contour(x0, x1, said == k, levels=[0.5], colors="white", linewidths=1.2)


def _values(
    ax: Any, net: DenseNetwork, x0: Array, x1: Array, grid: Array, rows: Array, targets: Array
) -> None:
    """One output as a colour, with the rows in the colours of their targets."""
    config = net.config
    probability = str(config["loss"]).startswith("sigmoid_cross_entropy")
    Y = net.forward(grid)[:, 0].reshape(len(x1), len(x0))
    if probability:
        Y = loss_outputs.sigmoid(Y)
    bounded = probability or str(config["output_activation"]).startswith("sigmoid")
    ends = np.array([0.0, 1.0]) if bounded else np.concatenate([Y.ravel(), targets])
    kind = {"cmap": "cividis", "vmin": float(ends.min()), "vmax": float(ends.max())}
    mesh = ax.pcolormesh(x0, x1, Y, shading="nearest", rasterized=True, **kind)
    if bounded and Y.min() < 0.5 < Y.max():
        ax.contour(x0, x1, Y, levels=[0.5], colors="white", linewidths=1.5)
    ax.scatter(*rows.T, c=targets, s=45, edgecolors="white", linewidths=1.2, **kind)
    name = "probability of 1" if probability else "output"
    ax.figure.colorbar(mesh, ax=ax, label=f"{name}; dots: target", shrink=0.85)


def confusion_matrix(net: DenseNetwork, X: ArrayLike, y: ArrayLike, ax: Any = None) -> Any:
    """How many rows of each class were taken for which: rows are true classes, columns guesses.

    Colours are shares of a row's class; errors are coloured on a scale of their own, so that
    they show beside the diagonal.

    Parameters
    ----------
    net : MLP
        One that classifies.
    X, y : array_like (N, D), (N,) or (N, K)
        Rows and their labels, or rows with the largest number at the label.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the network does not classify, or a label is out of range.

    Examples
    --------
    >>> import eigenmlp as em
    >>> from matplotlib.figure import Figure
    >>> net = em.MLP([1, 2], init="zeros")  # says 0 of every row
    >>> ax = em.plot.confusion_matrix(net, [[1], [2], [3]], [0, 1, 0], ax=Figure().add_subplot())
    >>> ax.get_title()
    '66.7 % of 3 rows right'
    """
    said = _common.predicted_labels(_common.network(net, "confusion_matrix"), X, "confusion_matrix")
    true = _common.labels_of(y, len(said))
    classes = max(net.layer_sizes[-1], 2)
    labels(true, classes)
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (true, said), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    errors = np.where(np.eye(classes, dtype=bool), 0.0, shares)
    strength = np.where(np.eye(classes, dtype=bool), shares, errors / (errors.max() or 1.0))

    ax = _common.axes(ax, height=7.5)
    off = np.ma.masked_where(np.eye(classes, dtype=bool) | (counts == 0), 0.75 * strength)
    on = np.ma.masked_where(~np.eye(classes, dtype=bool), strength)
    ax.imshow(on, cmap="Blues", vmin=0, vmax=1.25)
    ax.imshow(off, cmap="Oranges", vmin=0, vmax=1)
    size = float(np.clip(90 / classes, 5, 12))
    for i, j in np.ndindex(classes, classes):
        if counts[i, j]:
            dark = i == j and shares[i, j] > 0.6
            ax.text(j, i, str(counts[i, j]), ha="center", va="center", fontsize=size).set_color(
                "white" if dark else "black"
            )
    right = float(np.trace(counts)) / len(true)
    ax.set(
        xlabel="predicted class",
        ylabel="true class",
        title=f"{right:.1%} of {len(true)} rows right".replace("%", " %"),
        xticks=range(classes),
        yticks=range(classes),
    )
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.tick_params(length=0)
    return ax
