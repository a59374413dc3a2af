"""The digit graph: classes of images and hidden units in one plane."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._network.network import DenseNetwork
from . import _common
from .weights import image_shape

Array = _common.Array


def digit_graph(
    net: DenseNetwork,
    X: ArrayLike,
    y: ArrayLike,
    shape: tuple[int, int] | None = None,
    ax: Any = None,
) -> Any:
    """The classes' mean images and how the network relates them, over the PCA of its first layer.

    - The plane is that of the first two principal components of the first layer's weights: of the
      vectors W0[:, j], one a hidden unit. A dot is a unit, in the colour of the class for which
      its outgoing weights speak most.
    - A picture is the mean image of a class, where its difference from the mean of all images
      points in that plane (scaled to the spread of the units, and moved apart where pictures
      would cover each other).
    - A line joins two classes that the network sees as alike: together the lines are the minimum
      spanning tree of the distances between the classes' mean codes in the last hidden layer,
      thicker the nearer.

    Parameters
    ----------
    net : MLP
        With at least one hidden layer, of at least two units.
    X : array_like (N, D)
        Images, a row each.
    y : array_like (N,) or (N, K)
        Their labels, or rows with the largest number at the label.
    shape : (int, int), optional
        Rows and columns of the images; if not given, they are taken as square.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the network has no hidden layer, fewer than two classes occur, or shapes do not fit.

    Examples
    --------
    >>> import eigenmlp as em
    >>> from matplotlib.figure import Figure
    >>> X, y = em.datasets.load_digits()
    >>> net = em.MLP([64, 30, 10], seed=0)
    >>> ax = em.plot.digit_graph(net, X, y, ax=Figure().add_subplot())
    >>> len(ax.lines)  # of the tree of ten digits
    9
    """
    sizes = _common.network(net, "digit_graph").layer_sizes
    if len(sizes) < 3 or sizes[1] < 2:
        raise ValueError(
            f"digit_graph: expected a hidden layer of at least 2 units, got {net!r:.80}"
        )
    rows = _common.rows_of(X, columns=sizes[0])
    labels = _common.labels_of(y, len(rows))
    classes = np.unique(labels)
    if len(classes) < 2:
        raise ValueError(f"digit_graph: expected at least two classes, got {classes.tolist()}")
    image = image_shape(shape, sizes[0])

    W = net.weights[0].astype(np.float64).T  # (units, D)
    directions, variance = _common.principal_components(W)
    units = (W - W.mean(axis=0)) @ directions.T
    means = np.stack([rows[labels == label].mean(axis=0) for label in classes])
    places = (means - means.mean(axis=0)) @ directions.T
    spread = np.abs(places).max(axis=0)
    extent = np.maximum(np.abs(units).max(axis=0), np.finfo(np.float64).tiny)
    places = _apart(0.8 * places / np.where(spread > 0, spread, 1.0)) * extent
    H = _common.hidden(net, rows, len(sizes) - 3).astype(np.float64)
    codes = np.stack([H[labels == label].mean(axis=0) for label in classes])

    ax = _common.axes(ax, height=7)
    colors = np.array(_common.CLASS_COLORS)
    favourite = _favourites(net)
    ax.scatter(*units.T, s=26, c=colors[favourite % len(colors)], linewidths=0, zorder=1)
    edges = _spanning_tree(np.linalg.norm(codes[:, None] - codes[None], axis=-1))
    lengths = np.array([length for _, _, length in edges])
    nearest = lengths.min() or 1.0
    for a, b, length in edges:
        width = 5 * nearest / max(length, nearest)
        ax.plot(*places[[a, b]].T, color="0.35", linewidth=width, alpha=0.7, zorder=2)
    boxes = _common.matplotlib("offsetbox")
    zoom = 30 / max(image)
    for label, place, mean in zip(classes, places, means, strict=True):
        picture = boxes.OffsetImage(mean.reshape(image), cmap="gray_r", zoom=zoom)
        edge = {"edgecolor": colors[label % len(colors)], "linewidth": 2.0}
        ax.add_artist(boxes.AnnotationBbox(picture, place, pad=0.15, bboxprops=edge, zorder=3))
        offset = {"textcoords": "offset points", "xytext": (21, 8), "zorder": 4}
        ax.annotate(str(label), place, weight="bold", **offset).set_color("0.15")
    ax.margins(0.12)
    ax.set(
        title=f"mean images over the {len(units)} units of the first layer",
        xlabel=f"component 1 of W0  ({variance[0]:.0%} of variance)",
        ylabel=f"component 2 of W0  ({variance[1]:.0%} of variance)",
    )
    _common.open_frame(ax, grid=False)
    return ax


def _favourites(net: DenseNetwork) -> Array:
    """For each unit of the first hidden layer, the output to which its paths' weights add most."""
    product = net.weights[1].astype(np.float64)
    for W in net.weights[2:]:
        product = product @ W
    favourites: Array = product.argmax(axis=1)
    return favourites


def _apart(places: Array, distance: float = 0.24) -> Array:
    """Places within -1 … 1, with those that are nearer than that pushed from each other."""
    places = places + 1e-3 * np.random.default_rng(0).normal(size=places.shape)  # none coincide
    for _ in range(100):
        away = places[:, None] - places[None]  # (classes, classes, 2)
        length = np.linalg.norm(away, axis=-1)
        push = np.maximum(distance - length, 0) / np.where(length > 0, length, 1)
        np.fill_diagonal(push, 0)
        places = places + 0.25 * (push[..., None] * away).sum(axis=1)
    return places


def _spanning_tree(distances: Array) -> list[tuple[int, int, float]]:
    """The edges of the minimum spanning tree, by Prim's algorithm."""
    count = len(distances)
    nearest, best = np.zeros(count, np.int64), distances[0].copy()
    inside = np.zeros(count, np.bool_)
    inside[0] = True
    edges = []
    for _ in range(count - 1):
        new = int(np.where(inside, np.inf, best).argmin())
        edges.append((int(nearest[new]), new, float(best[new])))
        inside[new] = True
        closer = distances[new] < best
        nearest[closer], best[closer] = new, distances[new][closer]
    return edges
