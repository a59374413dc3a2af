"""What runs ask of the backend, and who answers: the backend for one, or for several side by side.

A run is a generator: it yields each `NativeRun` that it needs and is sent what came of it, so that
runs of networks of one shape can go on in one thread, and their native calls be one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

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


@dataclass(frozen=True)
class Failed:
    """What ended a run, and its history so far if it had begun: several may end by one error."""

    error: BaseException
    history: History | None


Outcome = History | Failed


def failed(error: BaseException) -> Failed:
    """As the run has just raised it."""
    return Failed(error, getattr(error, "history", None))


def side_by_side(runs: Sequence[Run], ended: Callable[[int, Outcome], None]) -> None:
    """Runs to their ends, in this thread; `ended` is told of each at once, and may stop others."""
    asked: dict[int, NativeRun] = {}
    left = set(range(len(runs)))

    def go_on(place: int, answer: RunResult | BaseException | None) -> None:
        asked.pop(place, None)
        outcome: Outcome | None
        try:
            if isinstance(answer, BaseException):
                request, outcome = thrown_into(runs[place], answer)
            else:
                request, outcome = next_of(runs[place], answer)
        except BaseException as error:
            request, outcome = None, failed(error)
        if request is not None:
            asked[place] = request
        elif outcome is not None:
            left.discard(place)
            ended(place, outcome)

    try:
        for place in range(len(runs)):
            go_on(place, None)
        while asked:
            first = next(iter(asked.values()))
            places = [place for place, request in asked.items() if request.is_like(first)]
            answers = _answers([asked[place] for place in places])
            for place, answer in zip(places, answers, strict=True):
                go_on(place, answer)
    except BaseException as error:  # Ctrl-C between two of them
        for place in list(left):
            with suppress(AttributeError):
                del error.history  # type: ignore[attr-defined]  # another run's
            go_on(place, error)
        raise
    finally:
        for run in runs:
            run.close()


def _answers(requests: Sequence[NativeRun]) -> Iterator[RunResult | BaseException]:
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
            yield from [error] * len(requests)
            return
    if answers is not None:
        yield from answers
        return
    for request in requests:
        try:
            if request.check is not None:
                request.check()  # the one before may have ended all
            answer: RunResult | BaseException = request()
        except BaseException as error:
            answer = error
        yield answer
