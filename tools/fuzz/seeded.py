"""Altered files by a seeded generator, in a process whose memory is bounded."""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from .target import ANY, Target, altered, written

ROOM = 256 << 20  # bytes that all of the altered files together may take beside what is loaded
SLOW = 10.0  # seconds of this process's own time that one file may take
LONGEST = 400  # characters of a message, beside the path
Found = Counter[str]


def run(target: Target, seed: int, count: int, seconds: float) -> dict[str, Any]:
    """Load altered files until either bound is met; what happened, or the first fault raised."""
    os.fsync = lambda handle: None  # thousands of saves; power failures are not what is tested
    found: Found = Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        contents = target.originals(folder)
        states = [target.state(target.load(written(folder, target.suffix, x))) for x in contents]
        before = peak_memory()
        limit_memory(ROOM)
        began = time.monotonic()
        number = 0
        while number < count and time.monotonic() < began + seconds:
            rng = random.Random(f"{seed} {number}")  # so that any can be made alone
            which = rng.randrange(len(contents))
            content, way = altered(target, rng, contents[which])
            path = written(folder, target.suffix, content)
            start = time.process_time()
            try:
                outcome = try_one(
                    target, path, folder, states[which], target.guarded and way in ANY
                )
            except BaseException:
                keep(content, target, f"seed {seed}, file {number}: {way.__name__}")
                raise
            took = time.process_time() - start
            slowest = max(slowest, took)
            if took > SLOW:
                keep(content, target, f"seed {seed}, file {number}: {way.__name__}")
                raise TimeoutError(f"{took:.1f} seconds for one file")
            found[outcome] += 1
            number += 1
        elapsed = time.monotonic() - began
    return {
        "files": number,
        **found,
        "seconds": round(elapsed, 1),
        "slowest": round(slowest, 3),
        "peak MB": round((peak_memory() - before) / 2**20, 1),
    }


def try_one(target: Target, path: Path, folder: Path, first: Any, guarded: bool) -> str:
    """Load one file; "refused", "equal" to the original whose state is `first`, or "another"."""
    try:
        loaded = target.load(path)
    except ValueError as error:
        length = len(str(error).replace(str(path), ""))
        if length >= LONGEST:
            raise AssertionError(f"a message of {length} characters: {error!s:.1000}") from None
        return "refused"
    if first is not None and target.state(loaded) == first:
        return "equal"
    assert not guarded, "the checksum did not see it"
    target.check(loaded, folder)
    return "another"


def keep(content: bytes, target: Target, what: str) -> None:
    """Leave the file that failed where it can be looked at."""
    with tempfile.NamedTemporaryFile(prefix="fuzz-", suffix=target.suffix, delete=False) as file:
        file.write(content)
    print(f"{what}; kept as {file.name}", file=sys.stderr)


def limit_memory(room: int) -> None:
    """Let allocations beyond what is taken now and `room` bytes fail."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):  # not Linux: without a limit
        return
    limit = pages * os.sysconf("SC_PAGE_SIZE") + room
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def peak_memory() -> int:
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(text.partition("VmHWM:")[2].split()[0]) * 1024
