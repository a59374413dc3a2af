"""Losses, as frozen descriptions; the functions themselves are in the core and in the twin.

Wherever a network takes the name of a loss it takes one of these, or its text form; a bare name
means the defaults. Every loss is the sum over outputs, and over rows the mean (weighted by the
sample weights) or, with ``reduction="sum"``, the weighted sum.

>>> import eigenmlp as em
>>> net = em.MLP([2, 3, 1], loss=em.losses.Huber(delta=0.5, reduction="sum"))
>>> net.config["loss"]
"huber(delta=0.5, reduction='sum')"
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ._basics.shown import shown
from ._inputs import checks
from ._inputs.description import Bounds, Described


@dataclass(frozen=True)
class Loss(Described):
    """A loss.

    Parameters
    ----------
    reduction : str
        ``"mean"`` over rows, or ``"sum"``.
    """

    reduction: str = field(default="mean", kw_only=True)

    classifies: ClassVar[bool] = False
    takes_logits: ClassVar[bool] = False  # needs output_activation="identity"
    of_choices: ClassVar[bool] = False  # targets are `Choices`: its terms span several rows

    @property
    def of_values(self) -> bool:
        """Whether outputs are values in a unit, as targets are."""
        return not (self.takes_logits or self.of_choices or self.classifies)

    def __post_init__(self) -> None:
        checks.known(self.reduction, ("mean", "sum"), f"{type(self).__name__}: reduction")
        super().__post_init__()

    @property
    def core_text(self) -> str:
        """The text form for the backends: what they are to know of."""
        return self.text

    def divisor(self, count: int, weights: NDArray[Any] | None) -> float:
        """What the sum over so many rows, or choices, is divided by."""
        if self.reduction == "sum":
            return 1.0
        return float(count if weights is None else weights.sum())


@dataclass(frozen=True)
class SoftmaxCrossEntropy(Loss):
    """``-Σₖ tₖ log pₖ`` with p = softmax of the outputs: one class out of K, from logits.

    Targets are integer labels (N,) or rows of probabilities (N, K).

    Parameters
    ----------
    label_smoothing : float
        ε in [0, 1): the targets become ``(1 - ε) t + ε / K``.
    class_weight : sequence of K numbers, optional
        Not negative, not all 0. Multiplies the sample weight of each row by that of its label, so
        that a mean is ``Σ w l / Σ w``. Labels only.

    Examples
    --------
    >>> import eigenmlp as em
    >>> em.losses.SoftmaxCrossEntropy(class_weight=[1, 2]).text
    'softmax_cross_entropy(class_weight=[1.0, 2.0])'
    """

    label_smoothing: float = 0.0
    class_weight: Sequence[float] | None = None

    name: ClassVar[str] = "softmax_cross_entropy"
    _bounds: ClassVar[Bounds] = {"label_smoothing": {"least": 0.0, "below": 1.0}}
    classifies: ClassVar[bool] = True
    takes_logits: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.class_weight is None:
            return
        what = "SoftmaxCrossEntropy: class_weight"
        weights = _numbers(self.class_weight, what, 0.0, math.inf)
        with np.errstate(over="ignore"):
            total = float(np.sum(weights))
        if not np.finfo(np.float64).tiny <= total < math.inf:
            raise ValueError(
                f"{what}: expected numbers, not all 0, with a finite sum, got {[*weights]}"
            )
        object.__setattr__(self, "class_weight", weights)

    @property
    def core_text(self) -> str:
        """Without class weights, which become sample weights."""
        return replace(self, class_weight=None).text


@dataclass(frozen=True)
class SigmoidCrossEntropy(Loss):
    """``-Σₖ (tₖ log pₖ + (1 - tₖ) log(1 - pₖ))`` with p = sigmoid of the outputs, from logits.

    Targets (N, K) are in [0, 1].
    """

    name: ClassVar[str] = "sigmoid_cross_entropy"
    classifies: ClassVar[bool] = True
    takes_logits: ClassVar[bool] = True


@dataclass(frozen=True)
class SquaredError(Loss):
    """``Σₖ (yₖ - tₖ)²``, with no ½."""

    name: ClassVar[str] = "squared_error"


@dataclass(frozen=True)
class HalfSquaredError(Loss):
    """``½ Σₖ (yₖ - tₖ)²``, as scikit-learn's regressor has it."""

    name: ClassVar[str] = "half_squared_error"


@dataclass(frozen=True)
class AbsoluteError(Loss):
    """``Σₖ |yₖ - tₖ|``, whose derivative counts as 0 at 0."""

    name: ClassVar[str] = "absolute_error"


@dataclass(frozen=True)
class Huber(Loss):
    """``Σₖ d² / 2`` where ``|d| ≤ delta``, else ``delta · (|d| - delta / 2)``, with d = yₖ - tₖ.

    Parameters
    ----------
    delta : float
        Above 0.
    """

    delta: float = 1.0

    name: ClassVar[str] = "huber"
    _bounds: ClassVar[Bounds] = {"delta": {"above": 0.0}}


@dataclass(frozen=True)
class Quantile(Loss):
    """``Σₖ q d`` where d = tₖ - yₖ is above 0, else ``(q - 1) d``: outputs are quantiles.

    Parameters
    ----------
    q : float or sequence of float
        In (0, 1). Several mean an output for each; the targets (N,) are then those of all of them.

    Examples
    --------
    The quartiles of some numbers, as biases:

    >>> import eigenmlp as em
    >>> import numpy as np
    >>> net = em.MLP([1, 3], loss=em.losses.Quantile([0.25, 0.5, 0.75]), init="zeros")
    >>> X, y = np.zeros((101, 1)), np.arange(101)
    >>> history = net.fit(X, y, epochs=2000, batch_size=101, optimizer=em.SGD(1.0))
    >>> bool(np.abs(net.predict(X[:1]) - [[25, 50, 75]]).max() < 1.5)
    True
    """

    q: float | Sequence[float] = 0.5

    name: ClassVar[str] = "quantile"

    def __post_init__(self) -> None:
        super().__post_init__()
        several = checks.is_several(self.q) or isinstance(self.q, (str, bytes))
        q = _numbers(self.q if several else [self.q], "Quantile: q", 0.0, 1.0)
        if min(q) == 0:
            raise ValueError(f"Quantile: q: expected numbers above 0, got {shown(self.q)}")
        object.__setattr__(self, "q", q if len(q) > 1 else q[0])


@dataclass(frozen=True)
class Poisson(Loss):
    """``Σₖ (exp(yₖ) - tₖ yₖ)``: counts tₖ ≥ 0 with rates exp(yₖ), which `predict` gives."""

    name: ClassVar[str] = "poisson"
    takes_logits: ClassVar[bool] = True


@dataclass(frozen=True)
class SegmentCrossEntropy(Loss):
    """``-log p`` of the chosen row of each group, with p = softmax of the group's scores.

    The network has one output, the score of a row; targets are `Choices`, over which, instead of
    rows, the loss is a mean or a sum, and of which sample weights (S,) are.

    Examples
    --------
    >>> import eigenmlp as em
    >>> net = em.MLP([3, 1], loss=em.losses.SegmentCrossEntropy(reduction="sum"), init="zeros")
    >>> round(net.loss([[1, 2, 3], [4, 5, 6]], em.Choices([0, 2], [1])), 4)  # log 2
    0.6931
    """

    name: ClassVar[str] = "segment_cross_entropy"
    classifies: ClassVar[bool] = True
    takes_logits: ClassVar[bool] = True
    of_choices: ClassVar[bool] = True


softmax_cross_entropy = SoftmaxCrossEntropy
sigmoid_cross_entropy = SigmoidCrossEntropy
squared_error = SquaredError
half_squared_error = HalfSquaredError
absolute_error = AbsoluteError
huber = Huber
quantile = Quantile
poisson = Poisson
segment_cross_entropy = SegmentCrossEntropy

LOSSES: dict[str, type[Loss]] = {
    kind.name: kind
    for kind in (
        *(SoftmaxCrossEntropy, SigmoidCrossEntropy, SquaredError, HalfSquaredError),
        *(AbsoluteError, Huber, Quantile, Poisson, SegmentCrossEntropy),
    )
}


def check_outputs(loss: Loss, K: int) -> None:
    """Refuse parameters that are not one for each of K outputs, and scores that are not one."""
    if loss.of_choices and K != 1:
        raise ValueError(
            f"layer_sizes: expected one output, an alternative's score, with {loss.name}, got {K}"
        )
    for name in ("q", "class_weight"):
        values = getattr(loss, name, None)
        if isinstance(values, tuple) and len(values) != K:
            raise ValueError(
                f"{type(loss).__name__}: {name}: expected {K} numbers, one for each output, "
                f"got {shown([*values])}"
            )


def _numbers(values: Any, what: str, least: float, below: float) -> tuple[float, ...]:
    if not checks.is_several(values):
        raise TypeError(f"{what}: expected a list of numbers, got {shown(values)}")
    numbers = tuple(checks.number(x, what, least, below) for x in checks.items(values, what))
    if not numbers:
        raise ValueError(f"{what}: expected at least one number, got none")
    return numbers
