"""What is fuzzed: a kind of file, what reads it, and the ways to alter it that know its format."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Way = Callable[[random.Random, bytes], bytes]


def bytes_changed(rng: random.Random, content: bytes) -> bytes:
    altered = bytearray(content or b"\0")
    for _ in range(rng.choice([1, 1, 1, 2, 3, 20])):
        altered[rng.randrange(len(altered))] ^= 1 << rng.randrange(8)
    return bytes(altered)


def truncated(rng: random.Random, content: bytes) -> bytes:
    cut = rng.randrange(len(content) + 1)
    return rng.choice([content[:cut], content[cut:], content + content[:cut], content + b"\0"])


def spliced(rng: random.Random, content: bytes) -> bytes:
    i, j = rng.randrange(len(content) + 1), rng.randrange(len(content) + 1)
    size = rng.randrange(1, 40)
    return content[:i] + content[j : j + size] + content[i + rng.choice([0, size]) :]


ANY: dict[Way, int] = {bytes_changed: 300, truncated: 80, spliced: 120}


@dataclass(frozen=True)
class Target:
    """A kind of file.

    Attributes
    ----------
    suffix : str
        Of the files' names.
    originals : callable
        ``folder -> list of bytes``: small right files; the folder is for what writes them.
    load : callable
        ``path -> object``; anything but a `ValueError` is a fault.
    state : callable
        ``object -> value``: equal for equal objects.
    check : callable
        ``(object, folder) -> None``: fails if what was loaded of an altered file is not sound.
    ways : dict
        Way to alter a file → how often it is chosen.
    guarded : bool
        Whether a checksum guards the file, so that the ways of `ANY` cannot make it another's.
    """

    suffix: str
    originals: Callable[[Path], list[bytes]]
    load: Callable[[Path], Any]
    state: Callable[[Any], Any]
    check: Callable[[Any, Path], None]
    ways: dict[Way, int] = field(default_factory=lambda: ANY)
    guarded: bool = False


def altered(target: Target, rng: random.Random, content: bytes) -> tuple[bytes, Way]:
    """The file altered in one way."""
    (way,) = rng.choices([*target.ways], [*target.ways.values()])
    return way(rng, content), way


def written(folder: Path, suffix: str, content: bytes) -> Path:
    """A file of this content, at the same place each time."""
    path = folder / f"file{suffix}"
    with open(path, "r+b" if path.exists() else "wb") as file:
        file.write(content)  # emptied first, it would wait for the disk
        file.truncate()
    return path
