"""What runs ask of the backend, and who answers: the backend for one, or for several side by side.

A run is a generator: it yields each `NativeRun` that it needs and is sent what came of it, so that
runs of networks of one shape can go on in one thread, and their native calls be one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._backends.facade import run_side_by_side
from .._backends.protocols import RunResult, Trainer
from ..history import History

Array = NDArray[Any]


@dataclass(frozen=True)
class NativeRun:
    """Epochs over rows, as `Trainer.run` of a backend takes them."""

    trainer: Trainer
    X: Any
    T: Any
    weights: Array | None
    batch_size: int
    orders: Array  # (epochs, N) or (epochs, 0)
    learning_rates: Array
    check: Callable[[], None] | None
    more: dict[str, Any] = field(default_factory=dict)  # of ranks with rows of their own

    def __call__(self) -> RunResult:
        return self.trainer.run(
            self.X,
            self.T,
            self.weights,
            self.batch_size,
            self.orders,
            self.learning_rates,
            whole=True,
            check=self.check,
            **self.more,
        )

    def is_like(self, other: NativeRun) -> bool:
        """Whether both want as many steps on the same arrays."""
        return (
            type(self.trainer) is type(other.trainer)
            and self.X is other.X
            and self.T is other.T
            and self.weights is other.weights
            and self.batch_size == other.batch_size
            and self.orders.shape == other.orders.shape
            and np.array_equal(self.learning_rates, other.learning_rates)
            and not (self.more or other.more)
        )


Run = Generator[NativeRun, RunResult, History]


def alone(run: Run) -> History:
    """A run to its end."""
    request, result = next_of(run, None)
    while request is not None:
        try:
            answer = request()
        except BaseException as error:
            request, result = thrown_into(run, error)
        else:
            request, result = next_of(run, answer)
    assert result is not None
    return result


def next_of(run: Run, answer: RunResult | None) -> tuple[NativeRun | None, History | None]:
    """What a run asks next, or what it ended with."""
    try:
        return (next(run) if answer is None else run.send(answer)), None
    except StopIteration as end:
        return None, end.value


def thrown_into(run: Run, error: BaseException) -> tuple[NativeRun | None, History | None]:
    """The same after an error."""
    try:
        return run.throw(error), None
    except StopIteration as end:
        return None, end.value


class Stopped(Exception):
    """What ends a run from outside."""


class Outcome(NamedTuple):
    """How a run ended: with a history, and an error if that ended it."""

    history: History | None
    error: BaseException | None = None

    @classmethod
    def of(cls, error: BaseException) -> Outcome:
        """With the history that the error has now: several runs may end with the same one."""
        return cls(getattr(error, "history", None), error)


def side_by_side(runs: Sequence[Run], keeps: tuple[type[Exception], ...] = ()) -> list[Outcome]:
    """Runs to their ends, in this thread.

    An error that is not one of `keeps` ends the others too: they are `Stopped`.
    """
    outcomes = [Outcome(None, Stopped()) for _ in runs]
    asked: dict[int, NativeRun] = {}

    def go_on(place: int, answer: RunResult | BaseException | None) -> bool:
        asked.pop(place, None)
        try:
            if isinstance(answer, BaseException):
                request, history = thrown_into(runs[place], answer)
            else:
                request, history = next_of(runs[place], answer)
        except BaseException as error:
            outcomes[place] = Outcome.of(error)
            return isinstance(error, keeps)
        if request is not None:
            asked[place] = request
        else:
            outcomes[place] = Outcome(history)
        return True

    def all_go_on() -> bool:
        for place in range(len(runs)):
            if not go_on(place, None):
                return False
        while asked:
            first = next(iter(asked.values()))
            places = [place for place, request in asked.items() if request.is_like(first)]
            answers = _answers([asked[place] for place in places])
            if not all([go_on(place, answers[i]) for i, place in enumerate(places)]):
                return False
        return True

    try:
        try:
            all_go_on()
        except BaseException as error:  # Ctrl-C that comes between two runs
            if not asked:
                raise
            go_on(next(iter(asked)), error)
        for place in list(asked):
            go_on(place, Stopped())
    finally:
        for run in runs:
            run.close()
    return outcomes


def _answers(requests: Sequence[NativeRun]) -> list[RunResult | BaseException]:
    """Of requests that are alike: at once if that can be and pays, else one by one."""
    first, answers = requests[0], None
    if len(requests) > 1:
        try:
            answers = run_side_by_side(
                [request.trainer for request in requests],
                first.X,
                first.T,
                first.weights,
                first.batch_size,
                [request.orders for request in requests],
                first.learning_rates,
                first.check,
            )
        except BaseException as error:
            return [error] * len(requests)
    if answers is not None:
        return list(answers)
    found: list[RunResult | BaseException] = []
    for request in requests:
        try:
            found.append(request())
        except BaseException as error:
            found.append(error)
    return found
