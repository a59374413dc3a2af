"""Lets the workers of one task take turns, ours between each two others, and compares losses."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from ..machine import cores, environment
from . import peer_numpy
from .limit import Limit
from .peers import OURS, variants_of
from .tasks import CHECK_LR, CHECK_STEPS, Data, Task, output_loss

ROOT = Path(__file__).parents[2]
_LIMIT_SECONDS = 0.1  # of a turn of the multiply-add loop
_QUARTILES = ("q25", "median", "q75")


@dataclass(frozen=True)
class Plan:
    """How long to measure, and whom."""

    rounds: int
    seconds: float  # of a turn
    peers: list[str]
    ours: list[str] = field(default_factory=lambda: [*OURS])
    threads: int | None = None
    verbose: bool = False


class Worker:
    """A process that holds one library ready, stopped while it is not its turn."""

    def __init__(self, variant: str, task: Task, plan: Plan, python: str = sys.executable) -> None:
        self.variant = variant
        isa = variant.split()[-1] if task.isa else None
        self._process = subprocess.Popen(
            [python, "-m", f"{__package__}.worker", variant, task.name],
            cwd=ROOT,
            env=environment(plan.threads, isa),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if plan.verbose else subprocess.DEVNULL,
            text=True,
        )
        self.state = self._reply()
        self._stop()

    @property
    def is_ready(self) -> bool:
        return self.state["status"] == "ready"

    def turn(self, seconds: float) -> dict[str, float]:
        """Quantiles of the nanoseconds of a step; RuntimeError if the process ended."""
        # Stopped, no thread of its pool spins while others are measured.
        with contextlib.suppress(ProcessLookupError, BrokenPipeError):
            os.kill(self._process.pid, signal.SIGCONT)
            self._process.stdin.write(f"{seconds}\n")
            self._process.stdin.flush()
        result = self._reply()
        self._stop()
        if "median" not in result:
            raise RuntimeError(f"{self.variant}: {result['reason']}")
        return result

    def end(self) -> None:
        """Kill the process, which holds nothing worth keeping."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):  # a turn that it never began
            self._process.stdin.close()

    def _reply(self) -> dict:
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        return {"status": "error", "reason": f"ended with code {self._process.wait()}"}

    def _stop(self) -> None:
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGSTOP)


def measure(task: Task, plan: Plan) -> dict[str, object]:
    """All variants of a task: times, ratios to ours, shares of the limit, and who was refused."""
    expected = _expected_losses(task)
    with contextlib.ExitStack() as stack:
        workers, absent = [], {}
        for variant in variants_of(task, plan.ours, plan.peers):
            worker = Worker(variant, task, plan)
            stack.callback(worker.end)
            reason = _refusal(worker, workers, expected, task.tolerance)
            if reason:
                absent[variant] = reason
                print(f"  {variant}: {reason}", file=sys.stderr)
            if reason and not workers:
                break  # nothing to compare with
            if not reason:
                workers.append(worker)
        result = {"task": task.name, "title": task.title, "losses": expected, "absent": absent}
        if not workers:
            return result | {"variants": {}, "limit_gflops": None}
        isa = "v3" if task.isa else workers[0].state["notes"]["isa"]
        limit = Limit(isa, plan.threads or cores())
        stack.callback(limit.stop)
        turns, ended = _rounds(workers, limit, plan)
        absent |= ended
        variants = {
            w.variant: _figures(w, workers[0], turns[w.variant], task)
            for w in workers
            if w.variant not in ended
        }
        limits = [t.limit for t in turns[workers[0].variant] if t.limit]
        gflops = median(limits) if limits else None
        return result | {"variants": variants, "limit_gflops": gflops, "limit_isa": isa}


@dataclass(frozen=True)
class Turn:
    """One turn of a variant, with what was measured right before it."""

    times: dict[str, float]
    ours: dict[str, float]
    limit: float | None  # GF/s


def _rounds(
    workers: list[Worker], limit: Limit, plan: Plan
) -> tuple[dict[str, list[Turn]], dict[str, str]]:
    """The turns of each variant; and of the peers whose process ended on the way, why."""
    ours, *others = workers
    turns: dict[str, list[Turn]] = {worker.variant: [] for worker in workers}
    ended: dict[str, str] = {}
    for _ in range(plan.rounds):
        for other in [x for x in others if x.variant not in ended] or [None]:
            gflops = limit.turn(min(_LIMIT_SECONDS, plan.seconds))
            mine = ours.turn(plan.seconds)
            turns[ours.variant].append(Turn(mine, mine, gflops))
            if not other:
                continue
            try:
                turns[other.variant].append(Turn(other.turn(plan.seconds), mine, gflops))
            except RuntimeError as error:
                ended[other.variant] = str(error)
                print(f"  {error}", file=sys.stderr)
    return turns, ended


def _figures(worker: Worker, ours: Worker, turns: list[Turn], task: Task) -> dict[str, object]:
    """Medians over turns: microseconds, GF/s, the time as a multiple of ours, the share."""
    times = {name: median(t.times[name] for t in turns) * 1e-3 for name in _QUARTILES}
    ratios = sorted(t.times["median"] / t.ours["median"] for t in turns)
    shares = [task.operations / t.times["median"] / t.limit for t in turns if t.limit]
    if task.isa and worker is ours:
        shares = []  # the limit is that of the lower level
    return {
        "microseconds": times,
        "p99_microseconds": median(t.times["p99"] for t in turns) * 1e-3,
        "gflops": task.operations / times["median"] * 1e-3,
        "times_ours": None if worker is ours else median(ratios),
        "times_ours_range": None if worker is ours else [ratios[0], ratios[-1]],
        "share_of_limit": median(shares) if shares else None,
        "steps_timed": sum(t.times["steps"] for t in turns),
        "turns_microseconds": [round(t.times["median"] * 1e-3, 4) for t in turns],
        **{name: worker.state[name] for name in ("losses", "versions", "notes")},
    }


def _expected_losses(task: Task) -> list[float]:
    """Of NumPy in float64."""
    data = Data.of(task)
    program = peer_numpy.make(task, data, "numpy", CHECK_LR, "float64")
    if task.kind == "predict":
        return [output_loss(program.first(), data.y)]
    return [program.first() for _ in range(CHECK_STEPS)]


def _refusal(
    worker: Worker, ready: list[Worker], expected: list[float], tolerance: float
) -> str | None:
    """Why a worker takes no part: it is missing, or computes something else."""
    if not worker.is_ready:
        return f"{worker.state['status']}: {worker.state['reason']}"
    losses = worker.state["losses"]
    references = {"NumPy in float64": expected}
    if ready:
        references[ready[0].variant] = ready[0].state["losses"]
    for name, right in references.items():
        for step, (a, b) in enumerate(zip(losses, right, strict=True), 1):
            # A single row may be learnt in one step: near 0, a loss is a difference of logits.
            if not math.isclose(a, b, rel_tol=tolerance, abs_tol=1e-6 * expected[0]):
                return f"refused: loss {a:.6g} at step {step}, {b:.6g} with {name}"
    return None
