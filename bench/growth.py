"""Step time and GF/s against width and batch size, ours beside PyTorch and JAX, with plots.

python -m bench.growth [--quick] [--peers torch,jax] [--json FILE] [--plot FILE] [--write]
"""

from __future__ import annotations

import argparse
import math
import sys
from itertools import combinations, pairwise
from pathlib import Path

from . import readme
from .machine import description, summary
from .peers.host import Plan, measure
from .peers.peers import PEERS
from .peers.tasks import task_of

WIDTHS = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096]
BATCHES = [1, 4, 16, 64, 256, 1024, 4096]
QUICK_WIDTHS, QUICK_BATCHES = [16, 128, 1024], [1, 64, 1024]
BATCH_OF_WIDTHS, WIDTH_OF_BATCHES = 128, 512
OUTPUTS = 10
_SPREAD = 1.15 / 0.85  # of time per operation, to count as linear


def points(sweep: str, quick: bool) -> dict[int, list[int]]:
    """Of each value of the sweep: sizes and, last, the batch."""
    if sweep == "width":
        widths = QUICK_WIDTHS if quick else WIDTHS
        return {width: [width, width, width, OUTPUTS, BATCH_OF_WIDTHS] for width in widths}
    width = WIDTH_OF_BATCHES
    batches = QUICK_BATCHES if quick else BATCHES
    return {batch: [width, width, width, OUTPUTS, batch] for batch in batches}


def run_sweep(sweep: str, plan: Plan, quick: bool) -> list[dict]:
    """One measurement for each point."""
    results = []
    for value, (*sizes, batch) in points(sweep, quick).items():
        task = task_of(f"train:{'-'.join(map(str, sizes))}:{batch}")
        print(task.title, file=sys.stderr, flush=True)
        parameters = sum((a + 1) * b for a, b in pairwise(sizes))
        point = {"value": value, "parameters": parameters, "operations": task.operations}
        results.append(point | measure(task, plan))
    return results


def linear_decades(results: list[dict], size: str) -> tuple[float, int, int]:
    """The longest stretch where the time per size stays within 15 % of a line: decades, ends."""
    found = [point for point in results if "eigenmlp" in point["variants"]]
    measured = [
        (point[size], point["variants"]["eigenmlp"]["microseconds"]["median"]) for point in found
    ]
    best = (0.0, 0, 0)
    for i, j in combinations(range(len(measured)), 2):
        costs = [time / count for count, time in measured[i : j + 1]]
        decades = math.log10(measured[j][0] / measured[i][0])
        if max(costs) / min(costs) <= _SPREAD and decades > best[0]:
            best = (decades, found[i]["value"], found[j]["value"])
    return best


def markdown(results: dict) -> str:
    """Two tables, and how far each is a line."""
    parts = [summary(results["machine"])]
    texts = {
        "width": f"Width W: networks W-W-W-{OUTPUTS}, batch {BATCH_OF_WIDTHS}",
        "batch": f"Batch N: network {'-'.join([str(WIDTH_OF_BATCHES)] * 3)}-{OUTPUTS}",
    }
    for sweep, size in (("width", "parameters"), ("batch", "value")):
        data = results[sweep]
        decades, first, last = linear_decades(data, size)
        name = "P" if size == "parameters" else "N"
        plural = {"width": "widths", "batch": "batches"}[sweep]
        stretch = f"for {plural} {first} to {last}, {decades:.1f} decades of {name}"
        goal = "goal: three decades"
        parts.append(
            f"**{texts[sweep]}.** Ours is within 15 % of linear in {name} "
            f"{stretch if decades else 'nowhere'} ({goal})."
        )
        names = [n for n in ("eigenmlp", *PEERS) if any(n in p["variants"] for p in data)]
        head = [sweep, *(f"{n}, µs (GF/s)" for n in names)]
        lines = [head, ["---"] * len(head)]
        for point in data:
            lines.append([f"{point['value']:,}", *(_cell(point["variants"].get(n)) for n in names)])
        parts.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
    return "\n\n".join(parts) + "\n"


def _cell(figures: dict | None) -> str:
    if not figures:
        return ""
    time = figures["microseconds"]["median"]
    return f"{f'{time:,.0f}' if time >= 1000 else f'{time:.3g}'} ({figures['gflops']:.3g})"


def plot(results: dict, path: Path) -> None:
    """Step time above, GF/s below; width on the left, batch on the right."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from PIL import Image

    import eigenmlp as em

    pyplot.rcParams.update(em.plot.STYLE)
    figure, axes = pyplot.subplots(2, 2, figsize=(10, 7), sharex="col")
    for column, sweep in enumerate(("width", "batch")):
        data = results[sweep]
        time_axis, speed_axis = axes[0][column], axes[1][column]
        for name in ("eigenmlp", *PEERS):
            found = [p for p in data if name in p["variants"]]
            if not found:
                continue
            x = [p["value"] for p in found]
            values = [p["variants"][name] for p in found]
            style = {"marker": "o", "label": name, "linewidth": 2.5 if name == "eigenmlp" else 1.2}
            time_axis.plot(x, [v["microseconds"]["median"] for v in values], **style)
            speed_axis.plot(x, [v["gflops"] for v in values], **style)
        limits = [(p["value"], p["limit_gflops"]) for p in data if p["limit_gflops"]]
        if limits:
            speed_axis.plot(*zip(*limits, strict=True), "k:", label="multiply-add limit")
        time_axis.set(ylabel="µs a training step", xscale="log", yscale="log", title=f"by {sweep}")
        speed_axis.set(xlabel=sweep, ylabel="GF/s", xscale="log")
        speed_axis.set_xscale("log", base=2)
        for axis in (time_axis, speed_axis):
            axis.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    with Image.open(path) as image:  # 256 colours: small
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"wrote {path}")


def main() -> None:
    """Parse the arguments, measure, print and write."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.growth",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="three points each, short turns")
    parser.add_argument("--peers", default="torch,jax", help=",".join(PEERS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw there (PNG)")
    parser.add_argument("--write", action="store_true", help="into README.md and results/")
    args = parser.parse_args()
    peers = args.peers.split(",") if args.peers else []
    if unknown := [name for name in peers if name not in PEERS]:
        parser.error(f"unknown {unknown}; known: {','.join(PEERS)}")
    rounds, seconds = (1, 0.1) if args.quick else (3, 0.2)
    plan = Plan(rounds, seconds, peers, ours=["eigenmlp"])
    results = {"machine": description(), "rounds": rounds, "seconds": seconds}
    for sweep in ("width", "batch"):
        results[sweep] = run_sweep(sweep, plan, args.quick)
    text = markdown(results)
    print(text)
    if args.json:
        readme.save(args.json, results)
    if args.plot:
        plot(results, args.plot)
    if args.write:
        image = readme.RESULTS / "growth.png"
        plot(results, image)
        link = f"![step time and GF/s](results/{image.name})"
        readme.write("growth", f"{text}\n{link}", results)


if __name__ == "__main__":
    main()
