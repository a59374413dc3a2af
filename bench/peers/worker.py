"""One library and one task in a process of its own; the host says when it is its turn.

    python -m bench.peers.worker VARIANT TASK

Lines of JSON: at first one that says `ready`, `missing` or `error`, with the losses of the first
steps; then for each number of seconds that comes in, the quantiles of the times of a step.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import traceback
from importlib import metadata
from time import perf_counter_ns

import numpy as np

from .peers import MODULES
from .tasks import CHECK_LR, CHECK_STEPS, TIMED_LR, Data, Program, Task, output_loss, task_of

_BLOCK = 2_000_000  # nanoseconds of calls between two looks at the clock
_QUANTILES = {"q25": 25, "median": 50, "q75": 75, "p99": 99}


def main() -> None:
    """Make the program, then time it as often as asked."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print shall not come between the replies
    variant, task = sys.argv[1], task_of(sys.argv[2])
    try:
        program, state = _prepared(variant, task)
    except ImportError as error:
        replies.write(json.dumps({"status": "missing", "reason": str(error)}) + "\n")
        return
    except Exception as error:
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}"
        replies.write(json.dumps({"status": "error", "reason": reason}) + "\n")
        return
    replies.write(json.dumps(state) + "\n")
    for line in sys.stdin:
        replies.write(json.dumps(_turn(program, float(line), task.calls_one_by_one)) + "\n")


def _prepared(variant: str, task: Task) -> tuple[Program, dict[str, object]]:
    peer = importlib.import_module(f".{MODULES[variant]}", __package__)
    data = Data.of(task)
    if task.kind == "train":
        checked = peer.make(task, data, variant, CHECK_LR)
        losses = [float(checked.first()) for _ in range(CHECK_STEPS)]
        program = peer.make(task, Data.of(task), variant, TIMED_LR)
        program.first()
    else:
        program = peer.make(task, data, variant, TIMED_LR)
        losses = [output_loss(program.first(), data.y)]
    versions = {name: metadata.version(_DISTRIBUTIONS.get(name, name)) for name in peer.MODULES}
    notes = program.notes | {"steps_per_call": program.steps}
    return program, {"status": "ready", "losses": losses, "versions": versions, "notes": notes}


_DISTRIBUTIONS = {"sklearn": "scikit-learn"}


def _turn(program: Program, seconds: float, one_by_one: bool) -> dict[str, float]:
    """Nanoseconds of a step: quantiles over blocks of calls, or over single calls."""
    call, finish = program.call, program.finish or (lambda: None)
    gc.collect()
    gc.disable()
    # The processor's caches and clock, and the pool's threads, forgot us during the others' turns.
    start = now = perf_counter_ns()
    calls = 0
    while not calls or now - start < 0.1e9 * seconds:
        call()
        calls += 1
        now = perf_counter_ns()
    finish()
    each = (perf_counter_ns() - start) / calls
    block = 1 if one_by_one else max(1, int(_BLOCK / each))
    times: list[int] = []
    start = now = perf_counter_ns()
    end = start + int(seconds * 1e9)
    while now < end or len(times) < 2:
        before = perf_counter_ns()
        for _ in range(block):
            call()
        finish()
        now = perf_counter_ns()
        times.append(now - before)
    gc.enable()
    scale = block * program.steps
    values = np.percentile(np.array(times), list(_QUANTILES.values())) / scale
    result = dict(zip(_QUANTILES, map(float, values), strict=True))
    return result | {"steps": len(times) * scale, "seconds": (now - start) * 1e-9}


if __name__ == "__main__":
    main()
