"""What the plots share: axes, colours, and what networks say of rows."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._basics.shown import shown
from .._inputs import checks
from .._network.network import DenseNetwork

Array = NDArray[Any]

# Paul Tol's "muted", made for colour-blind readers, and a tenth colour for ten digits.
CLASS_COLORS = (
    *("#332288", "#CC6677", "#117733", "#DDCC77", "#88CCEE", "#882255", "#44AA99", "#999933"),
    *("#AA4499", "#777777"),
)
LINE_COLORS = (  # Okabe and Ito
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"),
    "#555555",
)
DIVERGING = "RdBu_r"  # blue below zero, red above: safe for red-green blindness
SEQUENTIAL = "Blues"

STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.formatter.use_mathtext": True,
    "axes.grid": True,
    "axes.prop_cycle": f"cycler('color', {list(LINE_COLORS)})",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "figure.dpi": 150.0,  # 8 inches, as new figures are wide, make 1,200 pixels
    "figure.figsize": (8.0, 5.0),
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "image.cmap": "cividis",
    "legend.frameon": False,
    "savefig.dpi": "figure",
}
"""Matplotlib settings of the plots here, for figures of your own beside them:
``with matplotlib.rc_context(em.plot.STYLE): …``."""


def matplotlib(part: str) -> Any:
    """The module ``matplotlib.part``."""
    try:
        return importlib.import_module(f"matplotlib.{part}")
    except ImportError as error:
        raise ImportError("plots need Matplotlib: pip install matplotlib") from error


def axes(ax: Any, height: float = 5.0) -> Any:
    """`ax`, or the axes of a new figure, 8 inches wide and so many high, in `STYLE`."""
    if ax is not None:
        if not isinstance(ax, matplotlib("axes").Axes):
            raise TypeError(f"ax: expected Axes of Matplotlib, got {shown(ax)}")
        return ax
    pyplot = matplotlib("pyplot")
    with pyplot.rc_context(STYLE):
        return pyplot.subplots(figsize=(8.0, height))[1]


def open_frame(ax: Any, grid: bool = True) -> None:
    """Axes as `STYLE` has them: also those that the caller made."""
    ax.spines[["top", "right"]].set_visible(False)
    if grid:
        ax.grid(alpha=STYLE["grid.alpha"], linewidth=STYLE["grid.linewidth"])
        ax.set_axisbelow(True)
    else:
        ax.grid(False)


def closed_frame(ax: Any) -> None:
    """A frame around what fills its axes, and no grid on it."""
    ax.grid(False)
    ax.spines[:].set_visible(True)


def bare(ax: Any) -> None:
    """No ticks and no frame, for pictures without a scale."""
    ax.grid(False)
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(False)


def free_color(ax: Any) -> str:
    """The first of the colours that no line on the axes has yet."""
    taken = {line.get_color() for line in ax.lines}
    free = [color for color in LINE_COLORS if color not in taken]
    return free[0] if free else LINE_COLORS[len(ax.lines) % len(LINE_COLORS)]


def network(net: object, function: str) -> DenseNetwork:
    """`net`, if it is a network."""
    if not isinstance(net, DenseNetwork):
        raise TypeError(f"{function}: expected an MLP, got {type(net).__name__}")
    return net


def rows_of(X: ArrayLike, columns: int | None = None, what: str = "X") -> Array:
    """Finite numbers (N, D) as float64, at least one row."""
    rows = checks.numbers(X, what)
    if rows.ndim != 2 or len(rows) == 0 or columns not in (None, rows.shape[1]):
        wide = "D" if columns is None else columns
        raise ValueError(f"{what}: expected shape (N, {wide}), got {rows.shape}")
    checks.finite(rows, what, "float64")
    return rows.astype(np.float64)


def labels_of(y: ArrayLike, rows: int) -> Array:
    """Class labels (N,) from labels, or from rows with a 1 (the largest number) at the label."""
    labels = checks.numbers(y, "y")
    if labels.ndim == 2:
        labels = labels.argmax(axis=1) if labels.shape[1] > 1 else labels[:, 0]
    if labels.shape != (rows,):
        raise ValueError(f"y: expected {rows} rows, as X has, got shape {np.shape(y)}")
    if np.any(labels != np.round(labels)):
        raise ValueError("y: expected class labels, got numbers that are not whole")
    return labels.astype(np.int64)


def predicted_labels(net: DenseNetwork, X: ArrayLike, function: str) -> Array:
    """Labels (N,): the largest of several outputs, or one output on either side of its middle."""
    config = net.config
    Y = net.forward(X)
    if Y.shape[1] > 1:
        labels: Array = Y.argmax(axis=1)
        return labels
    if str(config["loss"]).startswith("sigmoid_cross_entropy"):
        return (Y[:, 0] > 0).astype(np.int64)
    if str(config["output_activation"]).startswith("sigmoid"):
        return (Y[:, 0] > 0.5).astype(np.int64)
    raise ValueError(
        f"{function}: expected a network that classifies: several outputs, sigmoid_cross_entropy "
        f"or a sigmoid output; got {shown(net)}"
    )


def hidden(net: DenseNetwork, X: ArrayLike, layer: int) -> Array:
    """The outputs (N, H) of hidden layer `layer`, 0 being the first: those of a shorter network."""
    config, sizes = net.config, net.layer_sizes
    names = [*config["activation"], config["output_activation"]]
    short = DenseNetwork(
        **{
            **config,
            "layer_sizes": sizes[: layer + 2],
            "activation": names[:layer],
            "output_activation": names[layer],
            "loss": "squared_error",
            "init": "zeros",
            "compute_dtype": None,
            "dropout": 0.0,
        }
    )
    short.parameters = net.parameters[: short.parameter_count]
    return short.forward(X)


def principal_components(A: Array) -> tuple[Array, Array]:
    """The first two principal directions (2, D) of rows A (N, D), and their shares of variance.

    Signs are such that each direction's largest entry is positive.
    """
    _, S, directions = np.linalg.svd(A - A.mean(axis=0), full_matrices=False)
    kept = np.zeros((2, A.shape[1]))
    kept[: len(directions[:2])] = directions[:2]
    largest = np.abs(kept).argmax(axis=1)
    kept *= np.where(kept[[0, 1], largest] < 0, -1.0, 1.0)[:, None]
    shares = np.zeros(2)
    total = float((S**2).sum())
    shares[: len(S[:2])] = S[:2] ** 2 / total if total > 0 else 0.0
    return kept, shares
