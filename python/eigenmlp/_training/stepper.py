"""An optimizer's state under a network: single steps, and what a copy or a pickle holds of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._backends.facade import make_trainer
from .._backends.protocols import RunResult
from .._basics.turns import Turns
from .._basics.unmoved import unmoved_if
from .._inputs import checks, mapped
from .._network.network import DenseNetwork
from ..choices import Choices
from ..errors import DivergenceError
from ..optimizers import Optimizer, checked_optimizer, learning_rates
from ..schedules import ReduceOnPlateau
from ..threads import limited
from . import agreement
from .ranks import Copied, Ranks, alike

Array = NDArray[Any]
Kind = TypeVar("Kind", bound="Stepper")

_CHANGED = "X, y: expected data that stay as they were checked, got NaN, Inf or labels out of range"


class Stepper:
    """A network, an optimizer with its state, and a generator: `eigenmlp.Trainer` without runs."""

    def __init__(
        self,
        net: DenseNetwork,
        optimizer: Optimizer | str,
        batch_size: int = 64,
        seed: int | np.random.Generator | None = None,
        *,
        accumulate: int = 1,
        comm: object = None,
        rows: str = "all",
    ) -> None:
        self._ranks = Ranks.of(comm, rows, "Trainer()")
        with self._together("Trainer()"):
            self._set(net, optimizer, batch_size, seed, accumulate)

    def _set(
        self,
        net: DenseNetwork,
        optimizer: Optimizer | str,
        batch_size: int,
        seed: int | np.random.Generator | None,
        accumulate: int,
    ) -> None:
        optimizer = checked_optimizer(optimizer)
        self._turns, self._changing = Turns(), False
        self.net = net
        self.optimizer: Optimizer = optimizer
        self.batch_size = checks.integer(batch_size, "batch_size")
        self.accumulate = checks.integer(accumulate, "accumulate")
        self.epochs = 0
        if not callable(optimizer.lr):
            learning_rates(optimizer.lr, 0, 1, checks.largest(net._dtype))
        limits = {name: x for name, x in optimizer.limits().items() if x is not None}
        _check_hyper({**optimizer.hyper(), **limits}, net._dtype)
        if optimizer.penalty and net._of_choices:
            raise ValueError(
                f"penalty: expected 0 with a loss over choices, got {optimizer.penalty}"
            )
        schedule = optimizer.lr if isinstance(optimizer.lr, ReduceOnPlateau) else None
        self._plateau = schedule.start() if schedule else None
        self._rng = net._rng if seed is None else checks.generator(seed)
        # Takes users' arrays as they are, or says None.
        self._direct = net._backend == "native" and not (net._has_class_weights or net._of_choices)
        if self._ranks is not None and self._ranks.own:
            _check_own_rows(net)
        with unmoved_if(lambda: True, self._rng):
            self._dropout_key = int(self._rng.integers(2**64, dtype=np.uint64)) if net._drops else 0
            self._make_trainer()

    def _make_trainer(self) -> None:
        net = self.net
        self._trainer = make_trainer(
            net._backend,
            net._network,
            self.optimizer,
            net._dtype,
            self.accumulate,
            net._dropout,
            self._dropout_key,
        )
        ranks = self._ranks
        if ranks is None:
            return
        ranks.agreed = False
        if ranks.size > 1 and hasattr(self._trainer, "set_ranks"):
            self._trainer.set_ranks(ranks.index, ranks.size, ranks.own, ranks.swap)

    @contextmanager
    def _together(self, name: str) -> Iterator[None]:
        """Around what all ranks do, with a rank's share of this machine's processors."""
        if self._ranks is None:
            yield
            return
        inner = self.__dict__.get("_trainer")
        with self._ranks.together(name, inner), limited(self._ranks.threads):
            yield

    @contextmanager
    def _changes(self) -> Iterator[None]:
        """Around what leaves parameters, state, counters and generator of different moments."""
        with self._turns.lock:
            self._changing = True
            try:
                yield
            finally:
                self._changing = False

    @contextmanager
    def _at_rest(self) -> Iterator[None]:
        """Around what reads several of them: waits for other threads, not for itself."""
        with self._turns, self._turns.lock:
            if self._changing:
                raise RuntimeError(
                    "this trainer is in the middle of a run; it can be used again when that has "
                    "ended"
                )
            yield

    @property
    def _has_begun(self) -> bool:
        """Whether anything was updated, or gathered for an update."""
        steps, batches = self._trainer.get_progress()[:2]
        return steps > 0 or batches > 0

    @property
    def steps(self) -> int:
        """Updates done so far."""
        return self._trainer.steps

    @property
    def lr(self) -> float:
        """The learning rate of the next update."""
        return self._learning_rates(1)[0]

    # ---- one step

    def step(self, Xb: ArrayLike, yb: ArrayLike | Choices) -> float:
        """Train on one batch of any size; returns its loss before the update.

        With `accumulate`, every so many batches make an update.

        Raises
        ------
        TypeError, ValueError
            For unusable data; nothing is changed then.
        DivergenceError
            If the loss is not finite; nothing is changed then.
        """
        if self._ranks is None:  # what the others take would be a twentieth of a small step
            return self._step(Xb, yb)
        with self._together("Trainer.step"):
            return self._step(Xb, yb)

    def _step(self, Xb: ArrayLike, yb: ArrayLike | Choices) -> float:
        lr, net = self.optimizer.lr, self.net
        if callable(lr):
            lr = self._learning_rates(1)[0]
        if net._to_be_measured:
            net._refuse_unmeasured("Xb")
        if self._ranks is not None:
            self._agree_once(Xb, yb)
            if self._ranks.own:
                return self._step_of_own(Xb, yb, float(lr))
        # Two calls less for arrays as most are: they would be a tenth of a tiny step.
        if type(Xb) is not np.ndarray or Xb.base is not None:
            mapped.intact(Xb, "X")
        if type(yb) is not np.ndarray or yb.base is not None:
            mapped.intact(yb, "y")
        with self._turns.lock:
            loss = self._trainer.step(Xb, yb, lr) if self._direct else None  # type: ignore[arg-type]
        if loss is None:
            X, T, weights = net._data(Xb, yb, None)
            with self._turns.lock:
                loss = self._trainer.step(X, T, lr, weights)
            if loss is None:
                raise ValueError(_CHANGED)
        if not math.isfinite(loss):
            raise alike(DivergenceError(self.epochs + 1, self.steps + 1, loss))
        return loss

    def _agree_once(self, Xb: ArrayLike, yb: ArrayLike | Choices) -> None:
        """Before the first step of several ranks: they have the same trainer, and batch."""
        assert self._ranks is not None
        if not self._ranks.agreed:
            facts = agreement.of_trainer(self)
            if not self._ranks.own:
                facts |= agreement.of_data(Xb, yb, None, own=False)
            agreement.check_alike(self._ranks, facts)
            self._ranks.agreed = True

    def _step_of_own(self, Xb: ArrayLike, yb: ArrayLike | Choices, lr: float) -> float:
        """A step on a batch of which each rank has its own rows."""
        assert self._ranks is not None
        X, T, weights = self.net._data(Xb, yb, None)
        divisor = self.net._loss_object.divisor(len(T), weights)
        of_all = self._ranks.gather((len(T), divisor))
        counts = [count for count, _ in of_all]
        is_sum = self.net._loss_object.reduction == "sum"
        divisor = 1.0 if is_sum else sum(share for _, share in of_all)
        before = sum(counts[: self._ranks.index])
        with self._turns.lock:
            loss = self._trainer.step(  # type: ignore[call-arg]  # the core's
                X, T, lr, weights, divisor=divisor, rows_before=before, rows_of_all=sum(counts)
            )
        if loss is None:
            raise ValueError(_CHANGED)
        if not math.isfinite(loss):
            raise alike(DivergenceError(self.epochs + 1, self.steps + 1, loss))
        return loss

    def apply(self, gradient: ArrayLike) -> None:
        """One optimizer step with a gradient (P,) of the user's own."""
        net = self.net
        net._refuse_unmeasured("gradient")
        vector = checks.flat(gradient, net.parameter_count, net._dtype, "gradient")
        with self._turns.lock:
            done = self._trainer.apply(vector, self._learning_rates(1)[0])
        if not done:
            raise DivergenceError(self.epochs + 1, self.steps + 1, math.inf)

    def _flush(self) -> None:
        """The update by what earlier calls of `step` have gathered, if anything."""
        with self._turns.lock:
            if self._trainer.get_progress()[1] == 0:
                return
            done = self._trainer.flush(self._learning_rates(1)[0])
        if not done:
            raise DivergenceError(self.epochs + 1, self.steps + 1, math.inf)

    def _refuse(self, result: RunResult, step: int) -> None:
        """What kept a native run from its end, as an error; `step` counts within the epoch."""
        if result.diverged_step >= 0:
            raise alike(DivergenceError(self.epochs + 1, step, result.diverged_loss))
        if result.refused:
            raise ValueError(_CHANGED)
        if result.interrupted:
            # Its traceback leads to `result`, into which Python's collector of cycles cannot look.
            error, result.error = result.error or KeyboardInterrupt(), None
            try:
                raise error
            finally:
                del error

    def _learning_rates(self, count: int) -> list[float]:
        limit = checks.largest(self.net._dtype)
        lr = self.optimizer.lr if self._plateau is None else self._plateau.lr
        return learning_rates(lr, self.steps, count, limit)

    # ---- copies

    def __getstate__(self) -> dict[str, Any]:
        """Of one moment, also what pickle and deepcopy will ask of `net` and generator later."""
        with self._at_rest():
            state = self._state()
            now = {"parameters": self.net.parameters, "generator": self._rng.bit_generator.state}
            return {**state, **now}

    def __copy__(self: Kind) -> Kind:
        with self._at_rest():
            new = type(self).__new__(type(self))
            new.__setstate__(self._state())  # shares net and generator, which stay as they are
            return new

    def _state(self) -> dict[str, Any]:
        inner = self._trainer
        gathered = inner.get_gathered() if inner.get_progress()[1] else None
        left_out = ("_trainer", "_turns", "_changing", "_ranks", "_own")
        state = {k: v for k, v in self.__dict__.items() if k not in left_out}
        memory = {name: inner.get_state(name) for name in inner.state_names}
        own = self._ranks is not None and self._ranks.own
        progress = (*inner.get_progress(), gathered)
        return {**state, "memory": memory, "progress": progress, "rows are own": own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        memory, progress = state.pop("memory"), state.pop("progress")
        parameters, rng = state.pop("parameters", None), state.pop("generator", None)
        own = state.pop("rows are own", False)
        self.__dict__.update(state)
        self._turns, self._changing = Turns(), False
        self._ranks = Copied() if own else None  # a copy runs alone, if it can
        if parameters is not None:
            self.net.parameters = parameters
        if rng is not None:
            self._rng.bit_generator.state = rng
        self._make_trainer()
        for name, flat in memory.items():
            self._trainer.set_state(name, flat)
        self._trainer.set_progress(*progress)


def _check_own_rows(net: DenseNetwork) -> None:
    """Refuse what each rank would measure or compute by its own rows alone."""
    if net._backend != "native":
        raise ValueError(f"rows: expected 'all' with backend={net._backend!r}, got 'own'")
    if net._of_choices:
        raise ValueError(f"rows: expected 'all' with {net._loss}, got 'own'")
    if net._to_be_measured:
        raise ValueError(
            "rows: expected 'all' with units that are to be measured, got 'own': call "
            "net.standardize on the same rows on every rank first"
        )


def _check_hyper(hyper: dict[str, float], dtype: str) -> None:
    """Refuse what `dtype` cannot hold, and an eps that it would take for 0."""
    least, most = float(np.finfo(dtype).tiny), checks.largest(dtype)
    for name, value in hyper.items():
        if value > most:
            raise ValueError(f"{name}: expected at most {most:g} in {dtype}, got {value}")
    if hyper.get("eps", least) < least:
        raise ValueError(f"eps: expected at least {least:g} in {dtype}, got {hyper['eps']}")
