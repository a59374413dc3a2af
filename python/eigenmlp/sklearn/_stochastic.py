"""SGD and Adam as scikit-learn runs them: its shuffles, its losses, its reasons to stop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from .._basics.warned import warn
from .._inputs import mapped
from .._training.progress import Bar, progress_bar
from .._training.training import both
from ..errors import DivergenceError
from ..history import History
from ..optimizers import SGD, Adam, Optimizer
from ..trainer import Trainer
from . import _outside, _saved
from ._fitted import DivergedError
from ._orders import Orders

if TYPE_CHECKING:
    from ._fitted import Fitted
    from ._problem import Problem
    from ._validation import Validation

Array = NDArray[Any]

_AHEAD = 1 << 21  # row numbers that are shuffled ahead of a native call


def fit(
    estimator: Fitted, problem: Problem, validation: Validation | None, incremental: bool
) -> None:
    """Train until the loss (or the validation score) no longer improves, or for one epoch."""
    run = _Run(estimator, problem, validation)
    run.prepare(incremental)
    bar = progress_bar(estimator.max_iter, estimator.verbose == "bar" and not incremental)
    try:
        with bar as shown:
            for done in run.epochs(1 if incremental else estimator.max_iter, shown):
                if done:
                    break
            else:
                if not incremental and estimator.n_iter_ == estimator.max_iter:
                    warn(
                        f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) "
                        "reached and the optimization hasn't converged yet.",
                        ConvergenceWarning,
                    )
    except KeyboardInterrupt:
        if _outside.check() is not None:  # it is not for this one alone
            raise
        warn("Training interrupted by user.")
    finally:
        estimator._parameters_changed()
        lost = run.diverged is not None and not run.is_finite()
        if lost:
            estimator._trainer = None  # whose memories are not finite either
        if run.scores_stop and (lost or not incremental):  # also if a callback's error ends it
            estimator._restore_best()
            estimator.stopped_ = incremental
            lost = lost and not run.is_finite()
    if run.diverged is None:
        return
    if lost:
        raise DivergedError(
            "Solver produced non-finite parameter weights. The input data may contain large "
            f"values and need to be preprocessed. Here {run.diverged}"
        ) from run.diverged
    warn(str(run.diverged), RuntimeWarning)


class _Run:
    """The loop over epochs of one call of `fit` or `partial_fit`."""

    def __init__(self, estimator: Fitted, problem: Problem, validation: Validation | None) -> None:
        self.estimator, self.problem, self.validation = estimator, problem, validation
        self.scores_stop = bool(estimator.early_stopping)
        self.rows = problem.rows
        self.size = _batch_size(estimator.batch_size, self.rows)
        self.batches = -(-self.rows // self.size)
        self.batch_rows = np.full(self.batches, self.size)
        self.batch_rows[-1] = self.rows - (self.batches - 1) * self.size
        self.history = History(rows=self.rows)
        self.diverged: DivergenceError | None = None  # where a loss was first not finite

    def is_finite(self) -> bool:
        """Whether all parameters are."""
        return bool(np.isfinite(self.estimator._network().parameters).all())

    def prepare(self, incremental: bool) -> None:
        """A trainer: a fresh one, or the one that goes on."""
        e = self.estimator
        net = e._network()
        e._parameters_changed()
        if incremental and e._trainer is not None:
            # The optimizer stays as it began, whatever was set in between; alpha is the loss's.
            optimizer = e._trainer.optimizer
            if e._trainer.net is not net or optimizer.penalty != e.alpha:
                optimizer = replace(optimizer, penalty=e.alpha)
                e._trainer = _saved.continued(e._trainer, net, optimizer)
        else:
            # Draws only if it has to: with dropout, whose masks come from a key.
            seed = int(e._random_state.randint(2**31)) if net._drops else None
            e._trainer = Trainer(net, _make_optimizer(e), self.size, seed=seed)
            policy = e.learning_rate if e.solver == "sgd" else "constant"
            e._policy = (policy, float(e.learning_rate_init), float(e.power_t))
            e._learning_rate = float(e.learning_rate_init)
        e.n_iter_ = 0
        alone = type(e.random_state) is int and not e.callbacks
        self.orders = Orders(e._random_state, self.rows, alone)

    def epochs(self, most: int, bar: Bar | None) -> Iterator[bool]:
        """Runs epoch after epoch; after each, whether it was the last."""
        e = self.estimator
        while e.n_iter_ < most:
            count = self.epochs_ahead(most - e.n_iter_, bar is not None)
            e._turns.give_way()
            with e._turns.lock:  # from the shuffle to the last count
                losses, error = self.run(count)
                for loss in losses:
                    yield self.finish_epoch(loss, bar)
            if error is not None:
                raise error
            if self.diverged is not None and not (self.scores_stop or self.is_finite()):
                return  # they never will be again

    def epochs_ahead(self, left: int, bar: bool) -> int:
        """How many epochs nobody needs to look at before they are all done."""
        e = self.estimator
        if self.validation is not None or e.verbose or e.callbacks or bar:
            return 1
        until_stop = max(1, e.n_iter_no_change + 1 - e._no_improvement_count)
        return int(min(left, until_stop, max(1, _AHEAD // max(self.rows, self.batches))))

    def run(self, count: int) -> tuple[Array, BaseException | None]:
        """The losses of `count` epochs, or of those that were done before an error."""
        e, problem = self.estimator, self.problem
        trainer = e._trainer
        assert trainer is not None
        core: Any = trainer._trainer  # which goes on where a loss is not finite
        rates = np.repeat(self.learning_rates(count), self.batches)
        orders = np.empty((count, self.rows if e.shuffle else 0), dtype=np.int64)
        watch = mapped.watch(X=problem.X, y=problem.T, sample_weight=problem.weights)
        check = both(watch, _outside.check())
        if check is not None:
            check()
        began = 0
        try:
            if e.shuffle:
                self.orders.draw(orders)
            result = core.run(
                *(problem.X, problem.T, problem.weights, self.size, orders, rates),
                check=check,
                goes_on=True,
            )
            began = result.epochs + (result.steps > result.epochs * self.batches)
        finally:
            if e.shuffle and began < count:  # what did not happen has drawn nothing
                self.orders.take_back(count - began)
        error: BaseException | None = None
        try:
            trainer._refuse(result, 0)
        except BaseException as refused:
            error = refused
        shape = (count, self.batches)
        losses = problem.loss_scale * result.batch_losses.reshape(shape)
        losses += result.penalties.reshape(shape)
        if problem.constants is not None:
            for loss, order in zip(losses, orders, strict=True):
                loss += problem.batch_constants(order if e.shuffle else self.orders.last, self.size)
        if self.diverged is None and not (finite := np.isfinite(losses[: result.epochs])).all():
            epoch, batch = (int(i) for i in np.argwhere(~finite)[0])
            self.diverged = DivergenceError(
                e.n_iter_ + epoch + 1, batch + 1, float(losses[epoch, batch])
            )
        with np.errstate(over="ignore", invalid="ignore"):
            return (losses @ self.batch_rows / self.rows)[: result.epochs], error

    def learning_rates(self, count: int) -> Array:
        """Of the next epochs."""
        e = self.estimator
        rates = np.full(count, e._learning_rate)
        if e._policy[0] == "invscaling":
            rates[1:] = self.scaled_rate(e.t_ + self.rows * np.arange(1, count))
        return rates

    def scaled_rate(self, t: Any) -> Any:
        """Of `invscaling`, after t rows."""
        _, first, power = self.estimator._policy
        return first / (t + 1.0) ** power

    def finish_epoch(self, loss: float, bar: Bar | None) -> bool:
        """What follows an epoch; True if it was the last."""
        e = self.estimator
        e._parameters_changed()
        e.n_iter_ += 1
        e.loss_ = np.float64(loss)  # of the type that scikit-learn leaves
        e.t_ += self.rows
        e.loss_curve_.append(e.loss_)
        if e.verbose:  # to write it takes longer than the rest
            self.say(f"Iteration {e.n_iter_}, loss = {e.loss_:.8f}")
        self.count_improvement()
        if e._policy[0] == "invscaling":
            e._learning_rate = self.scaled_rate(e.t_)
        if bar is not None:
            self.history.loss.append(e.loss_)
            bar.advance(1, self.history)
        stopped = e._call_back(e.n_iter_)
        e._network()  # with what the callbacks changed in it
        if e._no_improvement_count > e.n_iter_no_change:
            if self.stops():
                return True
            e._no_improvement_count = 0
        return stopped

    def count_improvement(self) -> None:
        """Remember the best epoch, and count those since."""
        e = self.estimator
        if self.validation is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                score = e._score(self.validation.X, self.validation.y, self.validation.weights)
            e.validation_scores_.append(score)
            self.say(f"Validation score: {score:f}")
            worse = score < e.best_validation_score_ + e.tol
            if score > e.best_validation_score_:
                parameters = e._network().parameters
                if np.isfinite(parameters).all():
                    e.best_validation_score_, e._best_parameters = score, parameters
                else:  # labels come of NaN too
                    worse = True
        if not self.scores_stop:
            worse = e.loss_ > e.best_loss_ - e.tol
            e.best_loss_ = min(e.best_loss_, e.loss_)
        e._no_improvement_count = e._no_improvement_count + 1 if worse else 0

    def stops(self) -> bool:
        """Whether training is over; if not, the learning rate was made smaller."""
        e = self.estimator
        what = "Validation score" if self.scores_stop else "Training loss"
        message = (
            f"{what} did not improve more than tol={e.tol:f} for {e.n_iter_no_change} "
            "consecutive epochs."
        )
        if e._policy[0] != "adaptive":
            self.say(f"{message} Stopping.")
            return True
        if e._learning_rate <= 1e-6:
            self.say(f"{message} Learning rate too small. Stopping.")
            return True
        e._learning_rate /= 5.0
        self.say(f"{message} Setting learning rate to {e._learning_rate:f}")
        return False

    def say(self, message: str) -> None:
        """Print it, if the estimator is to talk."""
        if self.estimator.verbose and self.estimator.verbose != "bar":
            print(message)


def _batch_size(asked: int | str, rows: int) -> int:
    if asked == "auto":
        return min(200, rows)
    if int(asked) > rows:
        warn("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")
    return min(int(asked), rows)


def _make_optimizer(estimator: Fitted) -> Optimizer:
    e = estimator
    if e.solver == "sgd":
        return sgd(e.momentum, e.nesterovs_momentum, e.alpha)
    return adam(e.beta_1, e.beta_2, e.epsilon, e.alpha)


# scikit-learn's rules; the learning rate is given to each run.


def sgd(momentum: float, nesterov: bool, alpha: float) -> SGD:
    """With the learning rate inside the velocity."""
    nesterov = bool(nesterov) and momentum > 0
    return SGD(1.0, momentum=momentum, nesterov=nesterov, lr_in_velocity=True, penalty=alpha)


def adam(beta_1: float, beta_2: float, epsilon: float, alpha: float) -> Adam:
    """With an epsilon beside the root of what is not yet corrected for its bias."""
    return Adam(1.0, betas=(beta_1, beta_2), eps=epsilon, raw_eps=True, penalty=alpha)
