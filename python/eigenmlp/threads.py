"""How many threads native calls use.

In order: what `set_num_threads` said; ``EIGENMLP_NUM_THREADS``; as many as the process may run on
processors (affinity and the control group's CPU quota). Limits that threadpoolctl or
``OMP_NUM_THREADS`` sets on OpenMP are obeyed on top.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

from ._core import core


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


def get_num_threads() -> int:
    """How many threads a native call started here may use."""
    return int(core.max_threads())


def _checked(n: object, where: str) -> int:
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"{where}: expected a positive int, got {n!r}")
    value = int(n.__index__())
    if not 1 <= value <= 1024:
        raise ValueError(f"{where}: expected 1 to 1024 threads, got {value}")
    return value


def _quota() -> float:
    """Processors that the control group grants (cgroup v2, then v1); infinite without a quota."""
    try:
        limit, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            cpu = Path("/sys/fs/cgroup/cpu")
            limit = (cpu / "cpu.cfs_quota_us").read_text().strip()
            period = (cpu / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return math.inf
    try:
        return int(limit) / int(period) if int(limit) > 0 else math.inf
    except (ValueError, ZeroDivisionError):  # "max": no quota
        return math.inf


def _set_default() -> None:
    named = os.environ.get("EIGENMLP_NUM_THREADS")
    if named:
        try:
            number = int(named)
        except ValueError:
            raise ValueError(
                f"EIGENMLP_NUM_THREADS: expected a positive int, got {named!r}"
            ) from None
        core.set_max_threads(_checked(number, "EIGENMLP_NUM_THREADS"))
        return
    granted = max(1, math.ceil(_quota())) if math.isfinite(_quota()) else None
    if granted is not None and granted < core.max_threads():
        core.set_max_threads(granted)


_set_default()
