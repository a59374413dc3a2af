"""Estimators that are fitted at once: as many as there are threads, one thread of the core each."""

from __future__ import annotations

import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .._basics.warned import warn
from .._training.pool import Advance, Job, Pool
from .._training.progress import progress_bar
from .._training.training import Surroundings
from ..history import History
from . import _outside
from ._base import BaseMLP
from ._fitted import DivergedError

_telling = threading.Lock()  # of the process


@dataclass
class Work:
    """An estimator, how to fit it, how long that takes beside others, and what came of it."""

    estimator: BaseMLP
    fit: Callable[[BaseMLP], None]
    cost: float
    diverged: DivergedError | None = None

    def train(self, around: Surroundings, advance: Advance | None) -> History:
        """For the pool; a training that diverges ends only itself."""
        history = History()
        try:
            with _outside.watched(around.check or _nothing):
                self.fit(self.estimator)
            loss = vars(self.estimator).get("loss_")
            history.loss = [] if loss is None else [float(loss)]
        except DivergedError as error:
            self.diverged = error
        return history


def fit_all(works: Sequence[Work], progress: bool) -> None:
    """Do them all; the first error but of divergence ends the others and is raised, as Ctrl-C."""
    jobs = [Job(work.train, 1, work.cost) for work in works]
    with told_once("estimators"), progress_bar(len(jobs), progress) as bar:
        Pool(jobs, bar).run()


def cost(estimator: Any, rows: int, columns: int, outputs: int) -> float:
    """About in proportion to the time that a fit takes."""
    sizes = [columns, *estimator._hidden_sizes(), outputs]
    parameters = sum(a * b for a, b in pairwise(sizes))
    return float(parameters) * rows * float(estimator.max_iter)


@contextmanager
def told_once(what: str) -> Iterator[None]:
    """Warnings of all threads inside, each text once, with how many said it.

    The outermost or first one alone: Python catches warnings for the whole process, and of two that
    end in another order than they began, it would keep one's state, in which nothing is said.
    """
    if not _telling.acquire(blocking=False):
        yield
        return
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    finally:
        _telling.release()
    told = Counter((one.category, str(one.message)) for one in caught)
    for (category, text), count in told.items():
        more = f" ({count} {what})" if count > 1 else ""
        warn(f"{text}{more}", category)


def _nothing() -> None:
    """Where nobody looks."""
