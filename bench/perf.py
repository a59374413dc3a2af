"""Two builds of eigenmlp against each other, by ratio: does a change make anything slower?

    python -m bench.perf BASE_PYTHON NEW_PYTHON [--rounds 7] [--limit 1.05]

Each argument is the interpreter of an environment with one build (`nox -s perf` makes both).
The workers are those of `bench.peers`: the two take turns, the one that is not at its turn being
stopped, and the ratio is the median over neighbouring turns. Ends with exit code 1 if a median is
above the limit, so a noisy machine wants more rounds, not a higher limit.
"""

from __future__ import annotations

import argparse
import statistics

from .peers.host import Plan, Worker
from .peers.tasks import Task, task_of

TASKS = ("xor", "A", "B", "C", "train:1024-1024-1024-100:512", "row-B", "row-small", "rows-B")
_SECONDS = 0.2  # of a turn


def compare(pythons: list[str], task: Task, plan: Plan) -> tuple[list[float], list[float]]:
    """Nanoseconds of a step of the base build, and the ratios new ÷ base of neighbouring turns."""
    workers: list[Worker] = []
    try:
        for python in pythons:
            workers.append(Worker("eigenmlp", task, plan, python))
            if not workers[-1].is_ready:
                raise SystemExit(f"{python}: {task.title}: {workers[-1].state['reason']}")
        turns = [[w.turn(plan.seconds)["median"] for w in workers] for _ in range(plan.rounds)]
    finally:
        for worker in workers:
            worker.end()
    return [base for base, _ in turns], [new / base for base, new in turns]


def main() -> None:
    """Print a line for each task."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.perf", description=(__doc__ or "").split("\n", 1)[0]
    )
    parser.add_argument("base", help="interpreter with the build to compare with")
    parser.add_argument("new", help="interpreter with the build in question")
    parser.add_argument("--rounds", type=int, default=7, help="pairs of turns for each task")
    parser.add_argument("--limit", type=float, default=1.05, help="slower than this fails")
    args = parser.parse_args()
    plan = Plan(rounds=args.rounds, seconds=_SECONDS, peers=[])
    slower = []
    print(f"{'task':<40} {'base, µs':>12} {'new ÷ base':>11}  range")
    for name in TASKS:
        task = task_of(name)
        times, ratios = compare([args.base, args.new], task, plan)
        ratio = statistics.median(ratios)
        mark = ""
        if ratio > args.limit:
            slower.append(task.title)
            mark = "  slower"
        print(
            f"{task.title:<40} {1e-3 * statistics.median(times):>12.2f} {ratio:>11.3f}  "
            f"{min(ratios):.3f}–{max(ratios):.3f}{mark}",
            flush=True,
        )
    if slower:
        raise SystemExit(f"slower than {args.limit} × base: {', '.join(slower)}")


if __name__ == "__main__":
    main()
