"""The calls that ranks make together, which have to be the same on all, in the same order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

_RUNS = 128  # of like calls, that are remembered
Run = tuple[str, int, int, int]  # like calls: their name, whose trainer's, first and last number


@dataclass(frozen=True)
class Difference:
    """A call of two ranks that is not the same."""

    number: int
    own: str
    other: str


class Calls:
    """The last calls of a rank, numbered from 1; many that are alike take no more room than one."""

    def __init__(self) -> None:
        self._runs: deque[list[object]] = deque(maxlen=_RUNS)
        self.last = 0

    def add(self, name: str, trainer: int) -> int:
        """Count a call of a trainer, which is told by the number of the call that made it."""
        self.last += 1
        latest = self._runs[-1] if self._runs else None
        if latest is not None and latest[0] == name and latest[1] == trainer:
            latest[3] = self.last
        else:
            self._runs.append([name, trainer, self.last, self.last])
        return self.last

    def runs(self) -> list[Run]:
        """As they go to other ranks."""
        return [tuple(run) for run in self._runs]  # type: ignore[misc]


def difference(own: Iterable[Run], other: Iterable[Run]) -> Difference | None:
    """The first call that two ranks have both made, and both still know, but not alike."""
    for name, trainer, first, last in own:
        for other_name, other_trainer, other_first, other_last in other:
            number = max(first, other_first)
            if number > min(last, other_last):
                continue
            if name != other_name:
                return Difference(number, name, other_name)
            if trainer != other_trainer:
                return Difference(number, name, f"{name} of another trainer")
    return None
