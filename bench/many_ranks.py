"""On paper: the time of a step against ranks and network, beside what is measured here.

    python -m bench.many_ranks [--rate 150] [--measure] [--json FILE]

A step on one rank takes its operations at `--rate` GF/s (one core of the machine of
bench/README.md; a rank of a cluster with 32 cores has some 20 times that: `--rate 3000`). Ranks
share the batch's blocks as step/exchange.hpp does: `sharing` ranks, a power of two, at most the
blocks. What they exchange, P numbers and the rows' losses, goes

    whole:  log2(R) messages of n bytes, or
    halves: 2 log2(R) messages, 2 n (1 - 1/R) bytes in all, for more than 32 KiB,

each message in latency + bytes / bandwidth, with the additions at the speed of memory; then every
rank updates all its weights. Where the networks' figures are from:

- shared memory: measured here with mpi4py on MPICH 5, 670,000 floats both ways in 0.47 ms;
- Ethernet, 10 Gb/s, TCP: the line's 1.25 GB/s less headers; 30 µs are assumed, of the system's
  sockets at both ends;
- Ethernet, 40 Gb/s, past the system: 1.93 µs and 37.2 Gb/s, half of a round trip of Open MPI by
  NetPIPE (J. Squyres, "MPI over 40Gb Ethernet", blogs.cisco.com, 2014);
- InfiniBand: 0.83 µs for 32 bytes, by ib_send_lat on a reliable connection (D. Potter, master's
  thesis, table "mtu_performance"), and 24 of the 25 GB/s that HDR's 200 Gb/s are.

Each rank sends and receives at full bandwidth, and nobody else uses the network: the best case.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from .readme import save

RANKS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_SHORT = 32768  # detail::short_message
_MEMORY = 10e9  # bytes a second that one core adds up or updates, three streams
_LEAST, _MOST = 32, 32  # blocks.hpp: rows of a block, blocks
_LEAST_OUTWEIGHED, _MOST_OUTWEIGHED = 256, 8


@dataclass(frozen=True)
class Net:
    """Seconds of a message, and bytes a second."""

    latency: float
    bandwidth: float


NETWORKS = {
    "shared memory": Net(1e-6, 5.7e9),
    "Ethernet 10 Gb/s, TCP": Net(30e-6, 1.15e9),
    "Ethernet 40 Gb/s, past the system": Net(1.93e-6, 4.65e9),
    "InfiniBand HDR": Net(0.83e-6, 24e9),
}
TASKS = {
    "small": ((30, 100, 100, 2), 512),
    "large": ((784, 512, 512, 10), 512),
    "huge": ((1024, 2048, 2048, 1000), 4096),
}


def parameters(sizes: tuple[int, ...]) -> int:
    return sum(a * b + b for a, b in pairwise(sizes))


def operations(sizes: tuple[int, ...], rows: int) -> float:
    """The first layer needs no input gradient."""
    weights = [a * b for a, b in pairwise(sizes)]
    return rows * (6.0 * sum(weights) - 2.0 * weights[0])


def blocks(sizes: tuple[int, ...], rows: int) -> int:
    """As blocks.hpp, for panels of 16 columns."""
    weight_lines = sum(a * -(-b // 16) for a, b in pairwise(sizes))
    few = weight_lines > rows * sum(-(-n // 16) for n in sizes)
    least, most = (_LEAST_OUTWEIGHED, _MOST_OUTWEIGHED) if few else (_LEAST, _MOST)
    fit = rows // least
    return min(most, 1 << (fit.bit_length() - 1)) if fit else 1


def exchange(net: Net, ranks: int, bytes_: float) -> float:
    rounds = math.log2(ranks)
    if bytes_ <= _SHORT:
        return rounds * (net.latency + bytes_ / net.bandwidth + bytes_ / _MEMORY)
    moved = bytes_ * (1 - 1 / ranks)
    return 2 * rounds * net.latency + 2 * moved / net.bandwidth + moved / _MEMORY


def step(sizes: tuple[int, ...], rows: int, ranks: int, net: Net, rate: float) -> float:
    """Seconds."""
    sharing = min(ranks, blocks(sizes, rows))
    P = parameters(sizes)
    compute = operations(sizes, rows) / sharing / (rate * 1e9)
    if sharing == 1:
        return compute
    update = 4.0 * P / _MEMORY * min(1.0, 150 / rate)  # all weights, by all threads
    return compute + update + exchange(net, sharing, 4.0 * (P + rows))


def table(name: str, rate: float) -> str:
    sizes, rows = TASKS[name]
    title = f"{'-'.join(map(str, sizes))}, batch {rows}, {blocks(sizes, rows)} blocks"
    lines = [
        f"**{title}**, µs a step at {rate:g} GF/s a rank",
        "",
        f"| ranks | {' | '.join(NETWORKS)} |",
        f"| --- |{' --- |' * len(NETWORKS)}",
    ]
    for ranks in RANKS:
        times = [step(sizes, rows, ranks, net, rate) * 1e6 for net in NETWORKS.values()]
        lines.append(f"| {ranks:,} | {' | '.join(f'{time:,.0f}' for time in times)} |")
    return "\n".join(lines)


def measured() -> dict[str, dict[int, float]]:
    """Microseconds a step of 1, 2 and 4 ranks of one thread on this machine."""
    from . import mpi

    found: dict[str, dict[int, float]] = {}
    for key in ("small", "large"):
        found[key] = {1: mpi.turn("alone", key)[0]}
        found[key] |= {ranks: mpi.turn(f"ranks{ranks}", key)[0] for ranks in (2, 4)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=150.0)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    for name in TASKS:
        print(table(name, arguments.rate), end="\n\n")
    here = measured() if arguments.measure else {}
    for name, times in here.items():
        one = times[1]
        said = ", ".join(f"{n}: {time:,.0f} µs ({one / time:.2f} ×)" for n, time in times.items())
        print(f"measured here, ranks of one thread, {name}: {said}")
    if arguments.json:
        save(arguments.json, {"rate": arguments.rate, "measured": here})
        print(json.dumps(here))


if __name__ == "__main__":
    main()
