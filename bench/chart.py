"""Draw the README's chart of speed from the figures of `python -m bench.peers --write`.

    python -m bench.chart          # docs/speed.png

A bar is how many times as long another library takes for the same work, on a logarithmic axis.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

import eigenmlp.plot

from .readme import RESULTS

OUT = Path(__file__).parents[1] / "docs" / "speed.png"
WORK = {  # of bench.peers: what the chart calls it
    "A": "train digits\n64-50-10, batch 100",
    "table-30": "train a table\n30-100-100-2, batch 200",
    "B": "train MNIST\n784-128-10, batch 64",
    "row-B": "predict one row\n784-128-10",
}
PEERS = {
    "torch": "PyTorch",
    "torch compile": "PyTorch, compiled",
    "jax": "JAX",
    "sklearn": "scikit-learn",
    "onnxruntime": "ONNX Runtime",
}


def main() -> None:
    figures = json.loads((RESULTS / "peers.json").read_text())
    tasks = {task["task"]: task for task in figures["tasks"]}
    shown = [key for key in WORK if key in tasks]
    with plt.rc_context(eigenmlp.plot.STYLE):
        figure, axes = plt.subplots(
            1, len(shown), figsize=(13, 3.4), dpi=120, layout="constrained", squeeze=False
        )
        for ax, key in zip(axes[0], shown, strict=True):
            draw(ax, WORK[key], tasks[key]["variants"])
        figure.supxlabel("times as long as eigenmlp (logarithmic)", fontsize=10)
        machine = figures["machine"]
        figure.text(
            *(0.995, 0.01),
            f"{machine['processor'].split('(')[0].strip()}, {machine['cores']} cores, "
            f"{machine['date'][:10]}",
            ha="right",
            fontsize=7,
            color="0.4",
        )
        figure.savefig(OUT)
    print(f"wrote {OUT}")


def draw(ax: Any, title: str, variants: dict[str, Any]) -> None:
    """One panel: a bar for each peer that was measured."""
    found = {
        label: variants[name]["times_ours"]
        for name, label in PEERS.items()
        if name in variants and variants[name]["times_ours"]
    }
    names, values = ["eigenmlp", *found], [1.0, *found.values()]
    colours = ["#d9480f", *["#9fb3c8"] * len(found)]
    ax.barh(names, values, color=colours)
    for place, value in enumerate(values):
        ax.text(value * 1.08, place, f"{value:.3g}", va="center", fontsize=9)
    ax.set(title=title, xscale="log", xlim=(0.7, max(values) * 3))
    ax.invert_yaxis()
    ax.grid(False)


if __name__ == "__main__":
    main()
