"""Workers in processes of their own, which are told when it is their turn."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

_PAUSE = 0.2  # seconds before a turn: threads of the one before spin for a while


def take_turns(running: dict[str, subprocess.Popen[str]], rounds: int) -> dict[str, Any]:
    """What workers that are ready print for each line they read, by name and key, round by round.

    Every second round goes the other way. They end after that.
    """
    found: dict[str, dict[str, list[Any]]] = {name: {} for name in running}
    for turn in range(rounds):
        for name in [*running] if turn % 2 else [*running][::-1]:
            time.sleep(_PAUSE)
            process = running[name]
            assert process.stdin is not None and process.stdout is not None
            print("go", file=process.stdin, flush=True)
            for key, value in json.loads(process.stdout.readline()).items():
                found[name].setdefault(key, []).append(value)
    for process in running.values():
        process.communicate()  # closes its input, and waits
    return found
