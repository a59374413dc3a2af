"""A backend's network and trainer under the loss over choices, which spans several rows.

Either backend gives the scores and takes the loss's derivative by them back; a batch is whole
choices. The loop over batches is here, so it costs some microseconds a step.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._core.loading import core
from ..choices import Choices, best

if TYPE_CHECKING:
    from ..losses import Loss
    from .protocols import Network, Trainer

Array = NDArray[Any]


class ChoiceNetwork:
    """A network with one output, whose rows are alternatives."""

    def __init__(self, scores: Network, loss: Loss, native: bool) -> None:
        self.scores = scores  # the backend's own network
        self.loss, self.native = loss, native
        self.get_parameters = scores.get_parameters
        self.set_parameters = scores.set_parameters
        self.set_units = scores.set_units
        self.forward = scores.forward
        self.vjp = scores.vjp

    @property
    def parameter_count(self) -> int:
        """P."""
        return self.scores.parameter_count

    def evaluate(
        self,
        X: Array,
        T: Choices,
        sample_weight: Array | None = None,
        check: Callable[[], None] | None = None,
    ) -> tuple[float, int]:
        """The loss, and how many choices the largest score predicts."""
        if check is not None:
            check()
        z = self._forward(X)
        loss, _ = self._loss(z, T, sample_weight)
        if not math.isfinite(loss):
            return loss, 0
        return loss, int(np.count_nonzero(best(z, T.offsets) == T.chosen))

    def loss_and_gradient(
        self, X: Array, T: Choices, sample_weight: Array | None = None
    ) -> tuple[float, Array]:
        """The loss and its gradient (P,)."""
        loss, gradient, _ = self.step_of(X, T, sample_weight)
        return loss, gradient

    def step_of(self, X: Array, T: Choices, weights: Array | None) -> tuple[float, Array, int]:
        """What a step needs: loss, gradient, right predictions."""
        z = self._forward(X)
        loss, dz = self._loss(z, T, weights)
        if not math.isfinite(loss):
            return loss, np.full(self.parameter_count, math.nan, z.dtype), 0
        gradient, _ = self.scores.vjp(X, dz[:, None])
        return loss, gradient, int(np.count_nonzero(best(z, T.offsets) == T.chosen))

    def _forward(self, X: Array) -> Array:
        Z = self.scores.forward(X)
        if Z is None:
            raise ValueError("X: expected data that stay as they were checked, got NaN or Inf")
        z: Array = Z[:, 0]
        return z

    def _loss(self, z: Array, T: Choices, weights: Array | None) -> tuple[float, Array]:
        if not np.isfinite(z).all():
            return math.nan, np.full_like(z, math.nan)
        if weights is not None and not weights.any():  # nothing in this batch counts
            return 0.0, np.zeros_like(z)
        if self.native:
            result = core.segment_cross_entropy(
                np.ascontiguousarray(z), T.offsets, T.chosen, self.loss.reduction == "mean", weights
            )
            assert result is not None  # `T` was checked when it was made
            return result
        from ..reference import segments

        return segments.segment_cross_entropy(z, T.offsets, T.chosen, self.loss.reduction, weights)


@dataclass
class ChoiceRunResult:
    """As `_backend.RunResult`."""

    losses: Array
    correct: Array
    seconds: Array
    batch_losses: Array
    penalties: Array
    epochs: int = 0
    steps: int = 0
    diverged_step: int = -1
    interrupted: bool = False
    refused: bool = False
    diverged_loss: float = math.nan
    error: BaseException | None = field(default=None)


class ChoiceTrainer:
    """A backend's trainer, fed with gradients."""

    def __init__(self, trainer: Trainer, network: ChoiceNetwork, accumulate: int) -> None:
        self.trainer, self.network, self.accumulate = trainer, network, accumulate
        self.state_names = trainer.state_names
        self.get_progress, self.set_progress = trainer.get_progress, trainer.set_progress
        self.get_gathered, self.flush = trainer.get_gathered, trainer.flush
        self.get_state, self.set_state = trainer.get_state, trainer.set_state
        self.apply = trainer.apply

    @property
    def steps(self) -> int:
        """Updates done."""
        return self.trainer.steps

    def step(self, X: Array, T: Choices, lr: float, sample_weight: Array | None = None) -> float:
        """One batch; returns the loss before its update, or one that is not finite."""
        return self._step(X, T, sample_weight, lr)[0]

    def run(
        self,
        X: Array,
        T: Choices,
        sample_weight: Array | None,
        batch_size: int,
        orders: Array,
        learning_rates: Array,
        whole: bool = True,
        check: Callable[[], None] | None = None,
    ) -> ChoiceRunResult:
        """Epochs over batches of `batch_size` choices; `orders` (E, S) or (E, 0) are theirs."""
        from ..reference.interrupt import ctrl_c_waits

        S, E = len(T), len(orders)
        batches = E * -(-S // batch_size)
        result = ChoiceRunResult(
            np.full(E, np.nan),
            np.zeros(E, np.int64),
            np.zeros(E),
            np.zeros(batches),
            np.zeros(batches),
        )
        batch = 0
        with ctrl_c_waits() as ctrl_c:
            for epoch in range(E):
                began = time.perf_counter()
                order = orders[epoch] if orders.shape[1] else np.arange(S)
                loss_sum, divisors = 0.0, 0.0
                for start in range(0, S, batch_size):
                    if ctrl_c.pressed:
                        result.interrupted = True
                        return result
                    if check is not None:
                        check()
                    choices = order[start : start + batch_size]
                    if len(choices) == S:
                        Xb, Tb, w = X, T, sample_weight
                    else:
                        rows, Tb = T.take(choices)
                        Xb = X[rows]
                        w = None if sample_weight is None else sample_weight[choices]
                    lr = learning_rates[result.steps if len(learning_rates) > 1 else 0]
                    steps = self.steps
                    loss, correct = self._step(Xb, Tb, w, float(lr))
                    if whole and start + batch_size >= S and not self.flush(float(lr)):
                        loss = math.inf
                    if not math.isfinite(loss):
                        result.diverged_step, result.diverged_loss = result.steps, loss
                        return result
                    result.batch_losses[batch] = loss
                    batch += 1
                    divisor = self.network.loss.divisor(len(choices), w)
                    loss_sum += loss * divisor
                    divisors += divisor
                    result.correct[epoch] += correct
                    result.steps += self.steps - steps
                is_sum = self.network.loss.reduction == "sum"
                result.losses[epoch] = loss_sum if is_sum else loss_sum / divisors
                result.seconds[epoch] = time.perf_counter() - began
                result.epochs += 1
        result.interrupted = ctrl_c.pressed
        return result

    def _step(self, X: Array, T: Choices, weights: Array | None, lr: float) -> tuple[float, int]:
        loss, gradient, correct = self.network.step_of(X, T, weights)
        if not math.isfinite(loss):
            return loss, 0
        if self.accumulate == 1:
            finite = self.apply(gradient, lr)
        else:
            finite = self._gather(gradient, X, self.network.loss.divisor(len(T), weights), lr)
        return (loss if finite else math.inf), correct

    @np.errstate(over="ignore", invalid="ignore")
    def _gather(self, gradient: Array, X: Array, divisor: float, lr: float) -> bool:
        """Add a batch's gradient, as a sum, to those before it; the last one makes the update."""
        steps, batches, rows, weight = self.get_progress()
        total = gradient * gradient.dtype.type(divisor)
        if batches:
            total += self.get_gathered()
        self.set_progress(steps, batches + 1, rows + len(X), weight + divisor, total)
        return self.flush(lr) if batches + 1 == self.accumulate else True
