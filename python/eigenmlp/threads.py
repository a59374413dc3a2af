"""How many threads native calls use.

In order: what `set_num_threads` said; ``EIGENMLP_NUM_THREADS``; ``OMP_NUM_THREADS``; as many as the
process may run on processors. The control group's CPU quota bounds the last two. A limit that
threadpoolctl sets on OpenMP is obeyed on top, in the thread that sets it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ._basics.control_groups import groups, read
from ._core.loading import core


def set_num_threads(n: int) -> None:
    """Use at most `n` threads from now on. The results are the same bits for every `n`.

    Raises
    ------
    TypeError, ValueError
        If `n` is not a positive int.

    Examples
    --------
    >>> import eigenmlp as em
    >>> before = em.get_num_threads()
    >>> em.set_num_threads(1)
    >>> em.get_num_threads()
    1
    >>> em.set_num_threads(before)
    """
    core.set_max_threads(_checked(n, "set_num_threads"))
    _chosen.append("set_num_threads")


def get_num_threads() -> int:
    """How many threads a native call started here may use."""
    return int(core.max_threads())


def is_chosen() -> bool:
    """Whether the user has said how many, not the number of processors."""
    named = ("EIGENMLP_NUM_THREADS", "OMP_NUM_THREADS")
    return bool(_chosen) or any(os.environ.get(name) for name in named)


@contextmanager
def limited(n: int | None) -> Iterator[None]:
    """At most `n` threads for what this thread calls inside; no limit of its own if None."""
    if n is None:
        yield
        return
    before = core.limit_threads(_checked(n, "n_threads"))
    try:
        yield
    finally:
        core.limit_threads(before)


@contextmanager
def helping() -> Iterator[None]:
    """Around what a thread beside the calls does, as reading ahead: they leave it a processor."""
    core.helper(True)
    try:
        yield
    finally:
        core.helper(False)


def _checked(n: object, where: str) -> int:
    from ._inputs.checks import integer  # not needed for an import of the package

    value = integer(n, where)
    if value > 1024:
        raise ValueError(f"{where}: expected 1 to 1024 threads, got {value}")
    return value


def _quota() -> float:
    """Processors that the control groups of this process grant; infinite without a quota."""
    return min([math.inf, *(_group_quota(group) for group in groups("cpu"))])


def _group_quota(group: str) -> float:
    """The quota of one group, of version 2 or 1 of control groups."""
    limit, _, period = read(f"{group}/cpu.max").partition(" ")
    if not limit:
        limit, period = (read(f"{group}/cpu.cfs_{name}_us") for name in ("quota", "period"))
    try:
        return int(limit) / int(period) if int(limit) > 0 else math.inf
    except (ValueError, ZeroDivisionError):  # not there, or "max": no quota
        return math.inf


def _set_default() -> None:
    named = os.environ.get("EIGENMLP_NUM_THREADS")
    if named:
        try:
            number = int(named)
        except ValueError:
            raise ValueError(
                f"EIGENMLP_NUM_THREADS: expected a positive int, got {named!r:.80}"
            ) from None
        core.set_max_threads(_checked(number, "EIGENMLP_NUM_THREADS"))
        return
    quota = _quota()
    if quota < core.max_threads():
        core.set_max_threads(max(1, math.ceil(quota)))


_chosen: list[str] = []
_set_default()
