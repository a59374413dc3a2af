"""Hidden codes: what a layer makes of the inputs, laid out in the plane."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._basics.shown import shown
from .._inputs import checks
from .._network.network import DenseNetwork
from . import _common

Array = _common.Array
METHODS = ("pca", "tsne", "isomap", "mds")
MOST_CLASSES = 20  # more distinct targets than this are colours on a scale


def codes(
    net: DenseNetwork | ArrayLike | None,
    X: ArrayLike | None = None,
    y: ArrayLike | None = None,
    method: str = "pca",
    layer: int | None = None,
    ax: Any = None,
    seed: int = 0,
) -> Any:
    """The codes of rows in two dimensions, one point a row, coloured by class.

    Parameters
    ----------
    net : MLP, array_like (N, H) or None
        A network, whose hidden layer `layer` gives the codes of X; or the codes themselves; or
        None for the inputs X as they are.
    X : array_like (N, D), optional
        The rows; not needed where the codes are given.
    y : array_like (N,) or (N, K), optional
        Class labels (each class gets a colour and its label at its median), or numbers, which are
        drawn on a scale of colours.
    method : str
        ``"pca"`` keeps two orthogonal directions; ``"tsne"``, ``"isomap"`` and ``"mds"`` keep
        neighbours, distances along the data, and distances, and need scikit-learn. Isomap takes
        10 neighbours, or as many more as connect all rows.
    layer : int, optional
        0 is the first hidden layer; the last one if not given.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    seed : int
        For ``"tsne"`` and ``"mds"``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        If scikit-learn is needed and not installed.
    ValueError
        For an unknown method or layer, or shapes that do not fit.

    Examples
    --------
    >>> import eigenmlp as em
    >>> from matplotlib.figure import Figure
    >>> X, y = em.datasets.load_digits()
    >>> net = em.MLP([64, 20, 10], seed=0)
    >>> ax = em.plot.codes(net, X, y, ax=Figure().add_subplot())
    >>> ax.get_title()
    'outputs of hidden layer 1 (20 units)'
    """
    checks.known(method, METHODS, "method")
    H, title = _rows(net, X, layer)
    if len(H) < 3:
        raise ValueError(f"codes: expected at least 3 rows, got {len(H)}")
    targets = None if y is None else _targets(y, len(H))
    points, names = _plane(H, method, checks.integer(seed, "seed", least=0))
    ax = _common.axes(ax, height=6.5)
    size = float(np.clip(4000 / len(points), 4, 30))
    if targets is None:
        ax.scatter(*points.T, s=size, color=_common.LINE_COLORS[0], linewidths=0)
    else:
        _colored(ax, points, targets, size)
    ax.set(xlabel=names[0], ylabel=names[1], title=title)
    _common.open_frame(ax, grid=False)
    if method != "pca":  # whose coordinates mean nothing by themselves
        ax.set(xticks=[], yticks=[])
    return ax


def _rows(net: Any, X: Any, layer: int | None) -> tuple[Array, str]:
    """What is laid out (N, H), and what to call it."""
    if not isinstance(net, DenseNetwork):
        H = _common.rows_of(X, what="X") if net is None else _common.rows_of(net, what="codes")
        return H, f"{'inputs' if net is None else 'codes'} ({H.shape[1]} dimensions)"
    count = len(net.layer_sizes) - 2
    if count == 0:
        raise ValueError(f"codes: expected a network with a hidden layer, got {shown(net)}")
    layer = count - 1 if layer is None else checks.integer(layer, "layer", least=0)
    if layer >= count:
        raise ValueError(f"layer: expected a hidden layer, 0 to {count - 1}, got {layer}")
    if X is None:
        raise TypeError("codes: expected rows X for the network")
    H = _common.hidden(net, X, layer).astype(np.float64)
    return H, f"outputs of hidden layer {layer + 1} ({H.shape[1]} units)"


def _plane(H: Array, method: str, seed: int) -> tuple[Array, tuple[str, str]]:
    """Points (N, 2), and the names of their coordinates."""
    if method == "pca":
        directions, shares = _common.principal_components(H)
        names = [f"component {i + 1}  ({share:.0%} of variance)" for i, share in enumerate(shares)]
        return (H - H.mean(axis=0)) @ directions.T, (names[0], names[1])
    try:
        manifold = importlib.import_module("sklearn.manifold")
    except ImportError as error:
        raise ImportError(
            f"method {shown(method)} needs scikit-learn: pip install scikit-learn"
        ) from error
    if method == "tsne":
        perplexity = min(30.0, (len(H) - 1) / 3)
        name, model = "t-SNE", manifold.TSNE(perplexity=perplexity, random_state=seed, init="pca")
    elif method == "isomap":
        name, model = "Isomap", manifold.Isomap(n_neighbors=_neighbors(H))
    else:
        name, model = "MDS", _mds(manifold.MDS, seed)
    return model.fit_transform(H), (f"{name} 1", f"{name} 2")


def _neighbors(H: Array) -> int:
    """Ten, or as many more as make one piece of the graph of nearest neighbours."""
    neighbors = importlib.import_module("sklearn.neighbors")
    pieces = importlib.import_module("scipy.sparse.csgraph").connected_components
    count = min(10, len(H) - 1)
    while pieces(neighbors.kneighbors_graph(H, count), directed=False)[0] > 1:
        count = min(2 * count, len(H) - 1)
    return count


def _mds(MDS: Any, seed: int) -> Any:
    """One start from the principal coordinates where scikit-learn can (1.8), else a random one."""
    known = inspect.signature(MDS).parameters
    options: dict[str, Any] = {"n_init": 1, "random_state": seed}
    if "init" in known:
        options["init"] = "classical_mds"
    return MDS(**options)


def _targets(y: ArrayLike, rows: int) -> Array:
    """Labels (N,), or numbers (N,) that are none: not whole, or too many different ones."""
    targets = checks.numbers(y, "y")
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets.ndim not in (1, 2) or len(targets) != rows:
        raise ValueError(f"y: expected {rows} rows, as X has, got shape {targets.shape}")
    checks.finite(targets, "y", "float64")
    if targets.ndim == 2 or np.all(targets == np.round(targets)):
        labels = _common.labels_of(targets, rows)
        return labels if len(np.unique(labels)) <= MOST_CLASSES else labels.astype(np.float64)
    return targets.astype(np.float64)


def _colored(ax: Any, points: Array, y: Array, size: float) -> None:
    if y.dtype.kind == "f":
        marks = ax.scatter(*points.T, s=size, c=y, cmap="cividis", linewidths=0)
        ax.figure.colorbar(marks, ax=ax, label="target", shrink=0.85)
        return
    colors = np.array(_common.CLASS_COLORS)
    ax.scatter(*points.T, s=size, c=colors[y % len(colors)], alpha=0.75, linewidths=0)
    effects = _common.matplotlib("patheffects")
    for label in np.unique(y):
        x, height = np.median(points[y == label], axis=0)
        text = ax.text(x, height, str(label), ha="center", va="center", fontsize=14, weight="bold")
        text.set_color(colors[label % len(colors)])
        text.set_path_effects([effects.withStroke(linewidth=3, foreground="white")])
