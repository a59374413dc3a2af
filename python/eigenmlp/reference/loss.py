"""The table of losses, and the mean (or the sum) over rows.

To add a loss, write `losses/<name>.py` and give it a line in the table.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import numpy as np

from eigenmlp.reference.choice import parse, with_parameters
from eigenmlp.reference.losses import (
    absolute_error,
    half_squared_error,
    huber,
    poisson,
    quantile,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
    squared_error,
)
from eigenmlp.reference.types import Array, Bools, Doubles, Floats


class Loss(Protocol):
    """What a file in `losses/` contains: the loss of each row, summed over the outputs."""

    formula: str | None  # of one output, in SymPy's syntax in y, t and the names of the
    # parameters, or None if outputs mix
    parameters: dict[str, float]  # with their defaults; the functions take them last
    classifies: bool
    takes_logits: bool  # brings its own output activation
    degree: int  # l(a y, a t) = a^degree l(y, t); 0: outputs have no unit
    in_unit: tuple[str, ...]  # the parameters that are multiplied by a as well
    no_series: str | None  # why there are no Taylor coefficients, where there are none

    @property
    def value(self) -> Callable[..., Floats]:
        """(Y, T) -> the losses (N,) of outputs Y (N, K) and targets T."""

    @property
    def derivative(self) -> Callable[..., Floats]:
        """(Y, T) -> (N, K): of each row's loss with respect to that row's outputs."""

    @property
    def derivative_tangent(self) -> Callable[..., Floats]:
        """(Y, T, RY) -> (N, K): each row's Hessian times RY, how `derivative` moves along it."""

    @property
    def taylor(self) -> Callable[..., Floats] | None:
        """(Y, T) -> the series (order + 1, N) of the losses from that of Y (order + 1, N, K)."""

    @property
    def correct(self) -> Callable[..., Bools | None]:
        """(Y, T) -> (N,): which rows are classified right; None if the loss does not classify."""


LOSSES: dict[str, Loss] = {
    "softmax_cross_entropy": softmax_cross_entropy,
    "sigmoid_cross_entropy": sigmoid_cross_entropy,
    "squared_error": squared_error,
    "half_squared_error": half_squared_error,
    "absolute_error": absolute_error,
    "huber": huber,
    "quantile": quantile,
    "poisson": poisson,
}


@lru_cache(maxsize=1024)
def find(text: str) -> Loss:
    """The loss that a name means, or a name with parameters: "huber(delta=0.5, reduction='sum')".

    Its functions take the parameters already.

    Examples
    --------
    >>> find("huber(delta=0.5)").parameters
    {'delta': 0.5}
    """
    name, given = parse(text)
    loss = LOSSES[name]
    parameters = {key: x for key, x in given.items() if key != "reduction"}
    return with_parameters(loss, loss.parameters | parameters)


def is_sum(text: str) -> bool:
    """Whether it is a sum over rows instead of their mean.

    Examples
    --------
    >>> is_sum("squared_error(reduction='sum')")
    True
    """
    return bool(parse(text)[1].get("reduction") == "sum")


def mean_value(
    text: str,
    Y: Floats,
    T: Array,
    sample_weight: Array | None = None,
    total: float | None = None,
) -> float:
    """Σ wᵢ lᵢ / Σ wᵢ, summed in float64; Σ wᵢ lᵢ for a sum over rows.

    Here and below, rows that are part of a mean over more rows are given its `divisor` as `total`.

    Examples
    --------
    >>> Y = np.array([[1.0], [2.0]])
    >>> T = np.array([[0.0], [0.0]])
    >>> mean_value("squared_error", Y, T)
    2.5
    >>> mean_value("squared_error", Y, T, sample_weight=np.array([3.0, 1.0]))
    1.75
    >>> mean_value("squared_error(reduction='sum')", Y, T)
    5.0
    """
    return float(np.sum(_shares(text, len(Y), sample_weight, total) * find(text).value(Y, T)))


def mean_derivative(
    text: str,
    Y: Floats,
    T: Array,
    sample_weight: Array | None = None,
    total: float | None = None,
) -> Floats:
    """dY (N, K), the derivative of `mean_value` with respect to Y.

    Examples
    --------
    >>> mean_derivative("squared_error", np.array([[1.0], [2.0]]), np.array([[0.0], [0.0]]))
    array([[1.],
           [2.]])
    """
    shares = _shares(text, len(Y), sample_weight, total).astype(Y.dtype)
    dY: Floats = shares[:, None] * find(text).derivative(Y, T)
    return dY


def mean_derivative_tangent(
    text: str,
    Y: Floats,
    T: Array,
    RY: Floats,
    sample_weight: Array | None = None,
    total: float | None = None,
) -> Floats:
    """RdY (N, K): how `mean_derivative` moves when Y moves by RY.

    Examples
    --------
    >>> Y, T, RY = np.array([[1.0], [2.0]]), np.array([[0.0], [0.0]]), np.array([[1.0], [3.0]])
    >>> mean_derivative_tangent("squared_error", Y, T, RY)
    array([[1.],
           [3.]])
    """
    shares = _shares(text, len(Y), sample_weight, total).astype(Y.dtype)
    RdY: Floats = shares[:, None] * find(text).derivative_tangent(Y, T, RY)
    return RdY


def mean_series(text: str, Y: Floats, T: Array, sample_weight: Array | None = None) -> Doubles:
    """The Taylor coefficients (order + 1,) of `mean_value` from those of Y (order + 1, N, K).

    Raises
    ------
    ValueError
        If the loss has no Taylor series, with the reason.

    Examples
    --------
    >>> Y = np.array([1.0, 2.0, 0.0]).reshape(3, 1, 1)  # (1 + 2 t)²
    >>> mean_series("squared_error", Y, np.array([[0.0]]))
    array([1., 4., 4.])
    """
    chosen = find(text)
    if chosen.taylor is None:
        name, why = parse(text)[0], chosen.no_series
        raise ValueError(f"loss: expected one with a Taylor series, got {name!r}: {why}")
    coefficients: Doubles = chosen.taylor(Y, T) @ _shares(text, Y.shape[1], sample_weight)
    return coefficients


def count_correct(text: str, Y: Floats, T: Array) -> int:
    """The number of rows classified right, or -1 if the loss does not classify.

    Examples
    --------
    >>> count_correct("softmax_cross_entropy", np.array([[0.0, 1.0], [2.0, 0.0]]), np.array([1, 1]))
    1
    """
    correct = find(text).correct(Y, T)
    return -1 if correct is None else int(correct.sum())


def divisor(text: str, N: int, sample_weight: Array | None = None) -> float:
    """Σ wᵢ over a batch of N rows, each of weight 1 unless weights are given; 1 for a sum.

    Examples
    --------
    >>> divisor("squared_error", 3), divisor("squared_error(reduction='sum')", 3)
    (3.0, 1.0)
    """
    if is_sum(text):
        return 1.0
    return float(N if sample_weight is None else np.sum(sample_weight, dtype=np.float64))


def _shares(text: str, N: int, sample_weight: Array | None, total: float | None = None) -> Doubles:
    """wᵢ / divisor (N,): each row's share; 0 where no row of a batch has any weight."""
    w = np.ones(N) if sample_weight is None else sample_weight.astype(np.float64)
    total = divisor(text, N, w) if total is None else total
    return w / total if total > 0 else np.zeros(N)
