"""How much memory there is for what is read."""

from __future__ import annotations

import math

from .._basics.control_groups import groups, read


def available_memory() -> float:
    """Bytes that this process may still use, those of the page cache counted as free; infinite
    where the system does not say.
    """
    found = [_numbers("/proc/meminfo").get("MemAvailable:", math.inf) * 1024]
    found += [_left(group) for group in groups("memory")]
    return max(0.0, min(found))


def _left(group: str) -> float:
    """Of the limit of one group, of version 2 or 1 of control groups."""
    stat = _numbers(f"{group}/memory.stat")
    limits = [_number(f"{group}/memory.{name}") for name in ("max", "high")]
    used, cached = _number(f"{group}/memory.current"), ("inactive_file", "active_file")
    if used is None:
        limits = [_number(f"{group}/memory.limit_in_bytes")]
        used = _number(f"{group}/memory.usage_in_bytes")
        cached = ("total_inactive_file", "total_active_file")
    limit = min((limit for limit in limits if limit is not None), default=math.inf)
    return limit - (used or 0.0) + sum(stat.get(name, 0.0) for name in cached)


def _number(path: str) -> float | None:
    try:
        return float(read(path))
    except ValueError:  # not there, or "max"
        return None


def _numbers(path: str) -> dict[str, float]:
    """Lines of a name and a number."""
    lines = (line.split() for line in read(path).splitlines())
    return {line[0]: float(line[1]) for line in lines if len(line) > 1 and line[1].isdigit()}
