"""Weights as images."""

from __future__ import annotations

from math import ceil, isqrt, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._basics.shown import shown
from .._inputs import checks
from .._network.network import DenseNetwork
from . import _common


def weights(net: DenseNetwork | ArrayLike, layer: int = 0, ax: Any = None) -> Any:
    """A layer's weight matrix W (in, out) as an image: red above zero, blue below, white at zero.

    Parameters
    ----------
    net : MLP or array_like (in, out)
        A network, or a matrix, such as one kept from before the training.
    layer : int
        Which layer of a network, 0 being the first.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import eigenmlp as em
    >>> from matplotlib.figure import Figure
    >>> ax = em.plot.weights(em.MLP([4, 3, 2], seed=0), layer=1, ax=Figure().add_subplot())
    >>> ax.get_ylabel()
    'hidden unit of layer 1'
    """
    W = _matrix(net, layer)
    ax = _common.axes(ax, height=6.5)
    largest = float(np.abs(W).max()) or 1.0
    image = ax.imshow(
        W,
        cmap=_common.DIVERGING,
        vmin=-largest,
        vmax=largest,
        aspect="auto" if not 1 / 3 < W.shape[0] / W.shape[1] < 3 else "equal",
        interpolation="nearest",
    )
    ax.figure.colorbar(image, ax=ax, label="weight", shrink=0.85)
    below, above, name = "input of the layer", "output of the layer", "W"
    if isinstance(net, DenseNetwork):
        last = layer == len(net.layer_sizes) - 2
        below = "input" if layer == 0 else f"hidden unit of layer {layer}"
        above = "output" if last else f"hidden unit of layer {layer + 1}"
        name = f"W{layer}"
    ax.set(ylabel=below, xlabel=above, title=f"{name}  ({W.shape[0]} × {W.shape[1]})")
    _common.closed_frame(ax)
    ticker = _common.matplotlib("ticker")
    for axis in (ax.xaxis, ax.yaxis):  # as many as there is room for, at whole numbers
        axis.set_major_locator(ticker.MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
    return ax


def first_layer(
    net: DenseNetwork | ArrayLike,
    shape: tuple[int, int] | None = None,
    ax: Any = None,
    columns: int | None = None,
) -> Any:
    """The first layer's weights as pictures, one for each hidden unit, on one common scale.

    Picture j shows what unit j looks for: W0[:, j] in the shape of an input image; red pixels
    excite it, blue ones inhibit it.

    Parameters
    ----------
    net : MLP or array_like (D, units)
    shape : (int, int), optional
        Rows and columns of the input images; if not given, they are taken as square.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    columns : int, optional
        Pictures in a row; as many as make the whole nearly square if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the inputs do not fill the shape.

    Examples
    --------
    >>> import eigenmlp as em
    >>> from matplotlib.figure import Figure
    >>> ax = em.plot.first_layer(em.MLP([64, 6, 10], seed=0), ax=Figure().add_subplot())
    >>> ax.images[0].get_array().shape  # two rows of three 8 × 8 pictures, a pixel between
    (17, 26)
    """
    W = _matrix(net, 0)
    rows, cols = image_shape(shape, len(W))
    units = W.shape[1]
    if columns is None:
        columns = ceil(sqrt(units * rows / cols))
    columns = min(checks.integer(columns, "columns"), units)
    lines = ceil(units / columns)
    sheet = np.full((lines * (rows + 1) - 1, columns * (cols + 1) - 1), np.nan)
    for unit in range(units):
        top, left = unit // columns * (rows + 1), unit % columns * (cols + 1)
        sheet[top : top + rows, left : left + cols] = W[:, unit].reshape(rows, cols)
    ax = _common.axes(ax, height=6.5 * lines * rows / (columns * cols) + 0.5)
    largest = float(np.abs(W).max()) or 1.0
    image = ax.imshow(
        sheet, cmap=_common.DIVERGING, vmin=-largest, vmax=largest, interpolation="nearest"
    )
    ax.figure.colorbar(image, ax=ax, label="weight", shrink=0.6)
    ax.set_title(f"incoming weights of {units} hidden units")
    _common.bare(ax)
    return ax


def image_shape(shape: tuple[int, int] | None, pixels: int) -> tuple[int, int]:
    """`shape`, or a square one, if it has that many pixels."""
    if shape is None:
        shape = (isqrt(pixels), isqrt(pixels))
        if shape[0] * shape[1] != pixels:
            raise ValueError(f"shape: expected (rows, columns), as {pixels} inputs make no square")
    sizes = checks.items(shape, "shape") if checks.is_several(shape) else []
    if len(sizes) != 2:
        raise ValueError(f"shape: expected (rows, columns), got {shown(shape)}")
    rows, cols = (checks.integer(size, "shape") for size in sizes)
    if rows * cols != pixels:
        raise ValueError(
            f"shape: expected {pixels} pixels, as there are inputs, got {shown(shape)}"
        )
    return rows, cols


def _matrix(net: DenseNetwork | ArrayLike, layer: int) -> Any:
    """W (in, out) as float64."""
    if not isinstance(net, DenseNetwork):
        return _common.rows_of(net, what="weights")
    layers = len(net.layer_sizes) - 1
    if checks.integer(layer, "layer", least=0) >= layers:
        raise ValueError(f"layer: expected 0 to {layers - 1}, got {layer}")
    return net.weights[layer].astype(np.float64)
