"""Two builds of eigenmlp against each other, by ratio: does a change make anything slower?

    python bench/perf.py BASE_PYTHON NEW_PYTHON [--rounds 7] [--limit 1.05]

Each argument is the interpreter of an environment with one build (`nox -s perf` makes both).
A worker of each build runs every task; the two take turns of a fifth of a second, the one that is
not at its turn being stopped, and the ratio is the median over neighbouring turns. Ends with exit
code 1 if a median is above the limit, so a noisy machine wants more rounds, not a higher limit.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

TURN = 0.2  # seconds
TRAINED = {
    "train 2-3-1, batch 4": ([2, 3, 1], 4),
    "train 64-50-10, batch 100": ([64, 50, 10], 100),
    "train 784-128-10, batch 64": ([784, 128, 10], 64),
    "train 784-512-512-10, batch 128": ([784, 512, 512, 10], 128),
    "train 1024-1024-1024-100, batch 512": ([1024, 1024, 1024, 100], 512),
}
PREDICTED = {
    "predict 1 row, 784-128-10": ([784, 128, 10], 1),
    "predict 1 row, 40-100-100-10": ([40, 100, 100, 10], 1),
    "predict 10,000 rows, 784-128-10": ([784, 128, 10], 10_000),
}
TASKS = [*TRAINED, *PREDICTED]


def work(task: str) -> Callable[[], object]:
    """What is timed: a step, or a forward pass, of the build that runs this."""
    import numpy as np

    import eigenmlp as em

    rng = np.random.default_rng(0)
    sizes, rows = (TRAINED | PREDICTED)[task]
    X = rng.random((rows, sizes[0]), dtype=np.float32)
    if task in PREDICTED:
        net = em.MLP(sizes, seed=0)
        return lambda: net.forward(X)
    if sizes[-1] == 1:
        net = em.MLP(sizes, activation="sigmoid", loss="squared_error", seed=0)
        y = rng.random((rows, 1), dtype=np.float32)
    else:
        net = em.MLP(sizes, activation="relu", seed=0)
        y = rng.integers(0, sizes[-1], rows)
    trainer = em.Trainer(net, em.SGD(1e-6, momentum=0.9), batch_size=rows, seed=0)
    return lambda: trainer.step(X, y)


def worker(task: str) -> None:
    """For each line on standard input, a turn, and a line with the seconds of one call."""
    call = work(task)
    call()
    for _ in sys.stdin:
        warm_up_ends = time.perf_counter() + TURN / 10
        while time.perf_counter() < warm_up_ends:
            call()
        calls, began = 0, time.perf_counter()
        while True:
            call()
            calls += 1
            passed = time.perf_counter() - began
            if passed > TURN:
                break
        print(passed / calls, flush=True)


class Build:
    """One build's worker, stopped while it is not its turn."""

    def __init__(self, python: str, task: str) -> None:
        self.process = subprocess.Popen(
            [python, os.path.abspath(__file__), "--worker", task],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def turn(self) -> float:
        """Seconds of one call."""
        assert self.process.stdin and self.process.stdout
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.process.args}: the worker ended")
        self.process.send_signal(signal.SIGSTOP)
        return float(answer)

    def end(self) -> None:
        """Stop it for good."""
        self.process.kill()
        self.process.wait()


def compare(pythons: list[str], task: str, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of a call with the base build, and the ratios new ÷ base of neighbouring turns."""
    base, new = builds = [Build(python, task) for python in pythons]
    try:
        for build in builds:  # both have started and warmed up before anything counts
            build.turn()
        turns = [(base.turn(), new.turn()) for _ in range(rounds)]
    finally:
        for build in builds:
            build.end()
    return [a for a, _ in turns], [b / a for a, b in turns]


def main() -> None:
    """Print a line for each task."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("base", help="interpreter with the build to compare with")
    parser.add_argument("new", help="interpreter with the build in question")
    parser.add_argument("--rounds", type=int, default=7, help="pairs of turns for each task")
    parser.add_argument("--limit", type=float, default=1.05, help="slower than this fails")
    args = parser.parse_args()
    slower = []
    print(f"{'task':<40} {'base, µs':>12} {'new ÷ base':>11}  range")
    for task in TASKS:
        times, ratios = compare([args.base, args.new], task, args.rounds)
        ratio = statistics.median(ratios)
        mark = ""
        if ratio > args.limit:
            slower.append(task)
            mark = "  slower"
        print(
            f"{task:<40} {1e6 * statistics.median(times):>12.2f} {ratio:>11.3f}  "
            f"{min(ratios):.3f}–{max(ratios):.3f}{mark}",
            flush=True,
        )
    if slower:
        raise SystemExit(f"slower than {args.limit} × base: {', '.join(slower)}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2])
    else:
        main()
