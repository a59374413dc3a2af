"""What solvers know of an estimator: its settings, its network, and what fitting leaves in it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._basics.turns import Turns
from ._outputs import OutputsMixin

Array = NDArray[Any]


class DivergedError(ValueError):
    """A training that left numbers that are not finite."""


class Fitted(OutputsMixin):
    """An estimator between its first parameters and its last."""

    # What users set, and solvers read.
    solver: str
    alpha: float
    batch_size: int | str
    learning_rate: str
    learning_rate_init: float
    power_t: float
    max_iter: int
    max_fun: int
    shuffle: bool
    random_state: Any
    tol: float
    verbose: bool | str
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float  # also infinity
    callbacks: Sequence[Callable[[int, Any], bool | None]] | None

    # What fitting leaves, beside the network.
    n_iter_: int
    t_: int
    n_layers_: int
    n_outputs_: int
    out_activation_: str
    loss_: float
    loss_curve_: list[float]
    best_loss_: Any
    validation_scores_: Any
    best_validation_score_: Any
    stopped_: bool
    _learning_rate: float
    _random_state: np.random.RandomState
    _turns: Turns  # of the threads that fit this estimator or read all of it
    _policy: tuple[str, float, float]  # of the learning rate: its name, start and power_t
    _no_improvement_count: int
    _counts_calls: bool = False  # whether those are calls of `partial_fit`, not epochs of `fit`

    @abstractmethod
    def _score(self, X: Any, y: Any, sample_weight: Array | None = None) -> float:
        """Of rows that were checked before."""

    def _call_back(self, epoch: int) -> bool:
        """Tell the callbacks; True if one of them wants to end."""
        return any([call(epoch, self) for call in self.callbacks or ()])

    def _restore_best(self) -> None:
        """The parameters of the best validation score."""
        core = self._network()._network  # which takes what is not finite
        if self._best_parameters is None:
            self._best_parameters = core.get_parameters()
        core.set_parameters(self._best_parameters)
        self._parameters_changed()
