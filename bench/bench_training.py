"""Microseconds per training step and GF/s, for the four networks of the design's table.

    python bench/bench_training.py --dtype float32 --threads 1,2 --networks A,B,C,D --json out.json

A step is forward, loss, backward and SGD with momentum. The thread counts take turns, since a
shared machine changes its speed within minutes; the figures are medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import eigenmlp as em


@dataclass(frozen=True)
class Case:
    """A network, its batch size, and how many steps make an epoch of some 20 ms."""

    sizes: list[int]
    batch_size: int
    steps: int
    goal: float  # microseconds with 2 threads in float32, from the design

    @property
    def operations(self) -> float:
        """Of one step: 4 · in · out · N for the first layer, which needs no input gradient."""
        products = [a * b for a, b in zip(self.sizes, self.sizes[1:], strict=False)]
        return self.batch_size * (4.0 * products[0] + 6.0 * sum(products[1:]))


CASES = {
    "A": Case([64, 50, 10], 100, 1000, 15),
    "B": Case([784, 128, 10], 64, 150, 130),
    "C": Case([784, 512, 512, 10], 128, 10, 1900),
    "D": Case([1024, 2048, 2048, 1000], 1024, 1, 215_000),
}


def microseconds(case: Case, dtype: str, threads: list[int], repeats: int) -> dict[int, float]:
    """Of one step, for every number of threads."""
    net = em.MLP(case.sizes, activation="relu", loss="softmax_cross_entropy", dtype=dtype, seed=0)
    trainer = em.Trainer(net, em.SGD(0.01, momentum=0.9), batch_size=case.batch_size, seed=0)
    rng = np.random.default_rng(0)
    rows = case.batch_size * case.steps
    X = rng.random((rows, case.sizes[0]), dtype=np.float32).astype(dtype, copy=False)
    y = rng.integers(0, case.sizes[-1], rows)
    times: dict[int, list[float]] = {n: [] for n in threads}
    for repeat in range(repeats + 1):
        for n in threads:
            em.set_num_threads(n)
            (seconds,) = trainer.run(X, y, 1).seconds
            if repeat > 0:  # the first one warms up
                times[n].append(1e6 * seconds / case.steps)
    return {n: statistics.median(values) for n, values in times.items()}


def results(args: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Measure case by case, and print as it goes."""
    print(f"{'network':<26} {'batch':>5} {'threads':>7} {'µs/step':>10} {'GF/s':>7} {'goal µs':>9}")
    for name in args.networks:
        case = CASES[name]
        shape = f"{name}: " + "-".join(map(str, case.sizes))
        repeats = max(3, args.repeats // 3) if name == "D" else args.repeats
        for n, time in microseconds(case, args.dtype, args.threads, repeats).items():
            speed = case.operations / time * 1e-3
            goal = f"{case.goal:.0f}" if (n, args.dtype) == (2, "float32") else ""
            print(f"{shape:<26} {case.batch_size:>5} {n:>7} {time:>10.1f} {speed:>7.1f} {goal:>9}")
            yield {
                "network": name,
                "sizes": case.sizes,
                "batch_size": case.batch_size,
                "dtype": args.dtype,
                "threads": n,
                "microseconds_per_step": time,
                "gflops": speed,
            }


def _networks(text: str) -> list[str]:
    names = text.upper().split(",")
    if unknown := [name for name in names if name not in CASES]:
        raise argparse.ArgumentTypeError(f"unknown {unknown}; known: {', '.join(CASES)}")
    return names


def _threads(text: str) -> list[int]:
    counts = [int(part) for part in text.split(",")]
    if min(counts) < 1:
        raise argparse.ArgumentTypeError(f"expected positive numbers, got {text}")
    return counts


def main() -> None:
    """Parse the arguments, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--threads", type=_threads, default=[1, 2], help="e.g. 1,2")
    parser.add_argument("--networks", type=_networks, default=[*CASES], help="e.g. A,B,C,D")
    parser.add_argument("--repeats", type=int, default=15, help="runs for each median (D: a third)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    args = parser.parse_args()
    info = em.info()
    print(", ".join(f"{key} {info[key]}" for key in ("version", "isa", "compiler")), args.dtype)
    measured = list(results(args))
    if args.json:
        args.json.write_text(json.dumps({"info": info, "results": measured}, indent=2) + "\n")


if __name__ == "__main__":
    main()
