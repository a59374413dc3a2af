"""Fuzz the readers of files, and networks by the thousand.

    python -m tools.fuzz                            # each for two minutes
    python -m tools.fuzz npz --seed 7 --seconds 600
    python -m tools.fuzz npz --seed 7 --count 1000 --way seeded

Each kind runs in a process of its own, so that a crash, an endless loop or a huge allocation shows.
Prints one line of JSON for each, with what was tried; ends with 1 if anything failed. A file that
failed is kept, and its name printed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from . import guided
from .targets import FILES

KINDS = [*FILES, "calls"]


def main() -> int:
    options = parsed()
    if options.child:
        return child(options)
    way = options.way or ("guided" if guided.is_installed() else "seeded")
    failed = []
    for kind in options.kinds or KINDS:
        result, code = apart(kind, "seeded" if kind == "calls" else way, options)
        print(json.dumps(result), flush=True)
        if code:
            failed.append(kind)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def apart(kind: str, way: str, options: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """One kind in its own process: what it tried, and its exit code."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        arguments = ["--seed", str(options.seed), "--count", str(options.count)]
        arguments += ["--seconds", str(options.seconds), "--way", way, "--child", str(report)]
        command = [sys.executable, "-m", __package__, kind, *arguments]
        # libFuzzer prints its progress; what it says of a fault is worth reading.
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace")
        if done.returncode:
            print(done.stderr, file=sys.stderr)
        tried = json.loads(report.read_text()) if report.exists() else {}
    return {"kind": kind, "way": way, "seed": options.seed, **tried}, done.returncode


def child(options: argparse.Namespace) -> int:
    (kind,) = options.kinds
    if options.way == "guided":
        guided.run(kind, options.seed, options.seconds, options.child)
    if kind == "calls":
        from . import calls

        tried = calls.run(options.seed, options.count, options.seconds)
    else:
        from . import seeded
        from .targets import find

        tried = seeded.run(find(kind), options.seed, options.count, options.seconds)
    options.child.write_text(json.dumps(tried))
    return 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tools.fuzz", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}; all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=10**9, help="files or networks of each kind")
    parser.add_argument("--seconds", type=float, default=120, help="for each kind")
    parser.add_argument(
        "--way",
        choices=["guided", "seeded"],
        help="guided by coverage (needs atheris; the default where it is), or seeded",
    )
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := [kind for kind in options.kinds if kind not in KINDS]:
        parser.error(f"KIND: expected some of {KINDS}, got {unknown}")
    return options


if __name__ == "__main__":
    sys.exit(main())
