"""Measure ours beside the peers and print Markdown.

python -m bench.peers --quick
python -m bench.peers --tasks A,B --peers torch,jax --rounds 9 --json figures.json
python -m bench.peers --write
python -m bench.peers --bfloat16 --write
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from .. import readme
from ..machine import description, environment
from .host import ROOT, Plan, measure
from .peers import PEERS
from .report import fastest, markdown
from .tasks import TASKS

_QUICK_SECONDS, _QUICK_ROUNDS = 0.12, 2


def main() -> None:
    """Parse the arguments, measure, print and write."""
    args = _arguments()
    quick = args.quick
    plan = Plan(
        rounds=args.rounds or (_QUICK_ROUNDS if quick else 5),
        seconds=args.seconds or (_QUICK_SECONDS if quick else 0.35),
        peers=args.peers,
        threads=args.threads,
        verbose=args.verbose,
    )
    results = {
        "machine": description(),
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "threads": plan.threads,
        "quick": quick,
        "tasks": [],
        "overhead": None,
    }
    for name in args.tasks:
        start = perf_counter()
        print(TASKS[name].title, file=sys.stderr, flush=True)
        result = measure(TASKS[name], plan)
        results["tasks"].append(result)
        _progress(name, result, perf_counter() - start)
    if not args.no_overhead:
        results["overhead"] = _overhead(plan)
    text = markdown(results)
    print(text)
    if args.json:
        readme.save(args.json, results)
    if args.write:
        readme.write("peers-bfloat16" if args.bfloat16 else "peers", text, results)


def _progress(name: str, result: dict, seconds: float) -> None:
    variants = result["variants"]
    best = fastest(TASKS[name], variants)
    ratio = f"{variants[best]['times_ours']:.2f} × faster than {best}" if best else "no peer"
    print(f"  {ratio} ({seconds:.0f} s)", file=sys.stderr, flush=True)


def _overhead(plan: Plan) -> dict | None:
    done = subprocess.run(
        [sys.executable, "-m", f"{__package__}.overhead"],
        cwd=ROOT,
        env=environment(plan.threads),
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout) if done.returncode == 0 else None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="a look: two rounds, short turns")
    parser.add_argument("--tasks", type=_names(TASKS), help=",".join(TASKS))
    parser.add_argument("--bfloat16", action="store_true", help="the tasks in bfloat16, not those")
    parser.add_argument("--peers", type=_names(PEERS), default=[*PEERS], help=",".join(PEERS))
    parser.add_argument("--rounds", type=int, help="of turns (5)")
    parser.add_argument("--seconds", type=float, help="of a turn (0.35)")
    parser.add_argument("--threads", type=int, help="of every library; their defaults if not given")
    parser.add_argument("--no-overhead", action="store_true", help="leave out the cost of a call")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--write", action="store_true", help="into README.md and results/")
    parser.add_argument("--verbose", action="store_true", help="show what the workers print")
    args = parser.parse_args()
    if args.tasks is None:
        args.tasks = [name for name, task in TASKS.items() if task.bfloat16 == args.bfloat16]
    args.no_overhead |= args.bfloat16
    return args


def _names(known: dict):
    def parse(text: str) -> list[str]:
        names = text.split(",") if text else []
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"unknown {unknown}; known: {','.join(known)}")
        return names

    return parse


if __name__ == "__main__":
    main()
