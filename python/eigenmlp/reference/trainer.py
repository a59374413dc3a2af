"""The trainer: the step (forward, loss, backward, update), and the epochs made of it."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eigenmlp.reference import dropout, limits, loss
from eigenmlp.reference.interrupt import ctrl_c_waits
from eigenmlp.reference.network import Network, at_one_moment
from eigenmlp.reference.optimizer import OPTIMIZERS
from eigenmlp.reference.types import (
    Array,
    Doubles,
    Floats,
    Ints,
)


@dataclass
class RunResult:
    """What `Trainer.run` did, in E epochs.

    Entries of epochs that were not completed are NaN in `losses`, -1 in `correct` and
    0 in `seconds`.
    """

    losses: Doubles  # (E,) mean over the epoch, each batch before its update
    correct: Ints  # (E,) rows classified right, before the updates; -1: the loss does not classify
    seconds: Doubles  # (E,)
    batch_losses: Doubles  # (E · batches,) before each update
    penalties: Doubles  # like batch_losses: what the penalty adds to them
    epochs: int = 0  # completed
    steps: int = 0  # completed
    diverged_step: int = -1  # the step, counted from 0, whose loss was not finite; -1 if none
    interrupted: bool = False  # by Ctrl-C
    refused: bool = False  # data were not as they had been checked: the core can tell
    diverged_loss: float = 0.0  # of that step; infinite if its update made a parameter infinite
    error: BaseException | None = (
        None  # what a signal's handler raised instead of KeyboardInterrupt
    )


class Trainer:
    """Trains a network by one optimizer, and keeps the optimizer's state.

    Parameters
    ----------
    network : Network
        Changed in place.
    rule : str
        The optimizer's name, as "sgd".
    hyper : dict of str to float
        The optimizer's hyperparameters, for "sgd" momentum, nesterov (0 or 1) and weight_decay;
        those left out have their defaults.
    clip_norm, l1, max_norm, penalty : float
        See `limits.py`; infinite or 0 where not wanted.
    accumulate : int
        Batches that make one update, as if they were one batch.
    dropout : sequence of float
        A rate for each hidden layer, or nothing; see `dropout.py`.
    dropout_key : int
        64 bits that set which units are dropped.

    Attributes
    ----------
    state_names : tuple of str
        What `get_state` and `set_state` know, ("velocity",) for "sgd".
    steps : int
        Updates done so far, which some optimizers count.
    batches, rows, weight : int, int, float
        Gathered for the next update: batches, their rows, and the sum of their weights.

    Examples
    --------
    >>> network = Network([1, 1], ["identity"], "squared_error", bias=False, input_scale=1.0)
    >>> trainer = Trainer(network, "sgd", {"momentum": 0.5})
    >>> X, T = np.array([[1.0]]), np.array([[1.0]])
    >>> trainer.step(X, T, lr=0.25)  # W = 0, so the loss is 1 and dW = -2
    1.0
    >>> network.get_parameters(), trainer.get_state("velocity")
    (array([0.5]), array([-2.]))
    >>> trainer.step(X, T, lr=0.25)
    0.25
    """

    def __init__(
        self,
        network: Network,
        rule: str,
        hyper: dict[str, float],
        clip_norm: float = math.inf,
        l1: float = 0.0,
        max_norm: float = math.inf,
        penalty: float = 0.0,
        accumulate: int = 1,
        dropout: Sequence[float] = (),
        dropout_key: int = 0,
    ) -> None:
        self.network = network
        self.turns = network.turns
        self.optimizer = OPTIMIZERS[rule]
        self.hyper = {name: float(x) for name, x in (self.optimizer.defaults | hyper).items()}
        self.clip_norm, self.l1, self.max_norm, self.penalty = clip_norm, l1, max_norm, penalty
        self.accumulate = accumulate
        self.dropout, self.dropout_key = tuple(dropout), dropout_key
        self.state_names = self.optimizer.state_names
        self.state: dict[str, Floats] = {
            name: np.zeros_like(network.parameters) for name in self.state_names
        }
        self.gathered: Floats = np.zeros_like(network.parameters)
        self.set_progress(0)

    @at_one_moment
    def get_progress(self) -> tuple[int, int, int, float]:
        """Updates done so far; and batches, rows and weight gathered for the next one."""
        return self.steps, self.batches, self.rows, self.weight

    @at_one_moment
    def set_progress(
        self,
        steps: int,
        batches: int = 0,
        rows: int = 0,
        weight: float = 0.0,
        gathered: Array | None = None,
    ) -> None:
        """Set what `get_progress` and `get_gathered` gave."""
        self.steps, self.batches, self.rows, self.weight = steps, batches, rows, weight
        if gathered is not None:
            self.gathered[:] = gathered

    @at_one_moment
    def get_gathered(self) -> Floats:
        """A copy of the gradient (P,) gathered for the next update, a sum over rows."""
        return self.gathered.copy()

    @at_one_moment
    def get_state(self, name: str) -> Floats:
        """A copy of one array of the optimizer's state (P,), ordered like the parameters."""
        return self.state[name].copy()

    @at_one_moment
    def set_state(self, name: str, flat: Array) -> None:
        """Set one array of the optimizer's state (P,)."""
        self.state[name][:] = flat

    @at_one_moment
    def step(self, X: Array, T: Array, lr: float, sample_weight: Array | None = None) -> float:
        """Train on one batch, of any size.

        Parameters
        ----------
        X, T, sample_weight
            As in `Network.evaluate`.
        lr : float
            The learning rate.

        Returns
        -------
        float
            The loss before the update. If it is not finite, nothing was updated; infinity may also
            mean that the update made a parameter infinite.
        """
        return self._step(X, T, lr, sample_weight, goes_on=False)[0]

    @np.errstate(over="ignore", invalid="ignore")
    def _step(
        self, X: Array, T: Array, lr: float, sample_weight: Array | None, goes_on: bool
    ) -> tuple[float, int]:
        """The step; also counts the rows classified right."""
        network = self.network
        T = network.as_targets(T)

        masks = self._masks(len(X))
        passes = network.forward_pass(X, masks)
        Y = passes[-1].Y

        rows_loss = network.loss_of(sample_weight)
        batch_loss = rows_loss.value(Y, T)
        n_correct = loss.count_correct(network.loss, Y, T)
        if not (math.isfinite(batch_loss) or goes_on):
            return batch_loss, n_correct

        dY = rows_loss.derivative(Y, T, trains=True)
        gradient, _ = network.backward_pass(passes, dY, masks)

        if self.accumulate == 1:
            divisor = loss.divisor(network.loss, len(X), sample_weight)
            finite = self.apply(gradient, lr, self._share_of_penalty(divisor), goes_on)
        else:
            weight = loss.divisor(network.loss, len(X), sample_weight)
            finite = self._gather(gradient, len(X), weight, lr, goes_on)
        return (batch_loss if finite else math.inf), n_correct

    def _masks(self, N: int) -> list[Floats]:
        """Of each hidden layer, for the next batch of N rows; none without dropout."""
        if not any(self.dropout):
            return []
        rows = np.arange(self.rows, self.rows + N)
        sizes = [W.shape[1] for W in self.network.weights]
        return [
            dropout.mask(rate, self.dropout_key, self.steps, layer + 1, rows, sizes[layer]).astype(
                self.network.dtype
            )
            for layer, rate in enumerate(self.dropout)
        ]

    def _gather(self, gradient: Floats, rows: int, weight: float, lr: float, goes_on: bool) -> bool:
        """Add a batch's gradient to those before it; the last one makes the update."""
        total = gradient * weight  # the batch's own sum
        self.gathered[:] = self.gathered + total if self.batches else total
        self.batches, self.rows, self.weight = (
            self.batches + 1, self.rows + rows, self.weight + weight
        )  # fmt: skip
        return self.flush(lr, goes_on) if self.batches == self.accumulate else True

    @at_one_moment
    def flush(self, lr: float, goes_on: bool = False) -> bool:
        """The update by what was gathered so far, if that is anything."""
        if self.batches == 0:
            return True
        weight = 1.0 if loss.is_sum(self.network.loss) else self.weight
        scale = 1 / weight if weight > 0 else 0.0
        if not self.apply(self.gathered * scale, lr, self._share_of_penalty(weight), goes_on):
            return False
        self.set_progress(self.steps)
        return True

    def _share_of_penalty(self, divisor: float) -> float:
        """What the penalty of a batch with this divisor has as its derivative, divided by W."""
        return self.penalty / divisor if divisor > 0 else 0.0

    @at_one_moment
    @np.errstate(over="ignore", invalid="ignore")
    def apply(self, gradient: Array, lr: float, l2: float = 0.0, goes_on: bool = False) -> bool:
        """Update the parameters once, with a gradient (P,); False if that made one infinite.

        `l2` times the weights is added to it. If it `goes_on`, infinite ones are as good as others.

        Examples
        --------
        >>> network = Network([1, 1], ["identity"], "squared_error", bias=True, input_scale=1.0)
        >>> Trainer(network, "sgd", {}).apply(np.array([1.0, 2.0]), lr=0.5)
        True
        >>> network.get_parameters()
        array([-0.5, -1. ])
        """
        network = self.network
        dW = gradient.astype(network.dtype)
        dW = limits.add_l1(dW, network.parameters, network.is_weight, self.l1)
        dW = limits.add_penalty(dW, network.parameters, network.is_weight, l2)
        dW = limits.clip(dW, self.clip_norm)
        t = self.steps + 1
        self.optimizer.update(
            network.parameters, dW, network.is_weight, self.state, float(lr), self.hyper, t
        )
        if not (goes_on or np.isfinite(network.parameters).all()):
            return False
        limits.bound_columns(network.weights, self.max_norm)
        self.steps = t
        return True

    def run(
        self,
        X: Array,
        T: Array,
        sample_weight: Array | None,
        batch_size: int,
        orders: Ints,
        learning_rates: Doubles,
        whole: bool = True,
        check: Callable[[], None] | None = None,
        goes_on: bool = False,
    ) -> RunResult:
        """Train for E epochs; stop early at Ctrl-C, or if the loss is no longer finite.

        Parameters
        ----------
        X, T, sample_weight
            As in `Network.evaluate`.
        batch_size : int
            Rows in a batch; the last batch of an epoch has what is left.
        orders : ndarray (E, N) of int64
            Epoch e visits the rows in the order orders[e]. (E, 0): as they are, each time.
        learning_rates : ndarray (1,) or (E * ceil(ceil(N / batch_size) / accumulate),)
            One learning rate for all updates, or one for each.
        whole : bool
            Whether an epoch's last batch makes an update, however few were gathered.
        check : callable, optional
            Called before each step; an error that it raises ends the run.
        goes_on : bool
            Whether the run goes on where the loss or a parameter is no longer finite.

        Examples
        --------
        >>> network = Network([1, 1], ["identity"], "squared_error", bias=False, input_scale=1.0)
        >>> X, T = np.array([[1.0], [2.0], [-1.0]]), np.array([[2.0], [4.0], [-2.0]])
        >>> orders = np.array([[0, 1, 2], [2, 0, 1]])
        >>> result = Trainer(network, "sgd", {}).run(X, T, None, 2, orders, np.array([0.1]))
        >>> result.losses, result.epochs
        (array([7.    , 0.9728]), 2)
        >>> network.get_parameters()
        array([1.872])
        """
        N, E = len(X), len(orders)
        batches = E * -(-N // batch_size)
        result = RunResult(
            np.full(E, np.nan),
            np.full(E, -1, np.int64),
            np.zeros(E),
            np.zeros(batches),
            np.zeros(batches),
        )
        batch = 0
        natural_order = np.arange(N)
        chosen_loss = self.network.loss
        step = 0
        with ctrl_c_waits() as ctrl_c:
            for epoch in range(E):
                began = time.perf_counter()
                order = orders[epoch] if orders.shape[1] > 0 else natural_order
                loss_sum, weight_sum, correct = 0.0, 0.0, 0
                for start in range(0, N, batch_size):
                    if ctrl_c.pressed:
                        result.interrupted = True
                        return result
                    self.turns.give_way()
                    if check is not None:
                        check()
                    rows = order[start : start + batch_size]
                    w = None if sample_weight is None else sample_weight[rows]
                    lr = learning_rates[0] if len(learning_rates) == 1 else learning_rates[step]

                    steps = self.steps
                    weight = loss.divisor(chosen_loss, len(rows), w)
                    with self.turns.lock:
                        result.penalties[batch] = limits.penalty(
                            self.network.parameters,
                            self.network.is_weight,
                            self._share_of_penalty(weight),
                        )
                        batch_loss, batch_correct = self._step(X[rows], T[rows], lr, w, goes_on)
                        if whole and start + batch_size >= N and not self.flush(lr, goes_on):
                            batch_loss = math.inf
                    if not (math.isfinite(batch_loss) or goes_on):
                        result.diverged_step = step
                        result.diverged_loss = batch_loss
                        return result

                    result.batch_losses[batch] = batch_loss
                    batch += 1
                    loss_sum += batch_loss * weight
                    weight_sum += weight
                    correct += batch_correct
                    step += self.steps - steps
                    result.steps = step

                mean = loss_sum / weight_sum if weight_sum > 0 else 0.0
                result.losses[epoch] = loss_sum if loss.is_sum(chosen_loss) else mean
                classifies = loss.find(chosen_loss).classifies
                result.correct[epoch] = correct if classifies else -1
                result.seconds[epoch] = time.perf_counter() - began
                result.epochs += 1
        result.interrupted = ctrl_c.pressed
        return result
