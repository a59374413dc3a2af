"""Peak memory of training on 60,000 × 784 bytes: ours, scikit-learn and PyTorch.

python -m bench.memory [--quick] [--json FILE] [--write]

Each runs in a process of its own; the peak is the kernel's VmHWM. Ours takes the bytes as they are.
scikit-learn needs floats. PyTorch is shown with floats, as most code does it, and with bytes that
are converted batch by batch.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np

from . import readme
from .machine import description, environment, summary

ROWS, D, SIZES, BATCH = 60_000, 784, [784, 128, 10], 64
GOAL_MIB = 120


def ours(X: np.ndarray, y: np.ndarray) -> None:
    """`fit` on bytes, with input_scale."""
    import eigenmlp as em

    net = em.MLP(SIZES, input_scale=1 / 255, seed=0)
    sgd = em.SGD(0.01, momentum=0.9)
    net.fit(X, y, epochs=1, batch_size=BATCH, optimizer=sgd, progress=False, seed=0)


def sklearn_floats(X: np.ndarray, y: np.ndarray) -> None:
    """One epoch of MLPClassifier on float32."""
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore")
    floats = X.astype(np.float32)
    floats /= 255
    net = MLPClassifier(
        SIZES[1:-1], solver="sgd", batch_size=BATCH, learning_rate_init=0.01, max_iter=1
    )
    net.fit(floats, y)


def torch_floats(X: np.ndarray, y: np.ndarray) -> None:
    """One epoch on float32 rows."""
    import torch

    _torch_epoch(torch.from_numpy(X).float().div_(255), y, lambda rows: rows)


def torch_bytes(X: np.ndarray, y: np.ndarray) -> None:
    """One epoch on bytes that are converted batch by batch."""
    import torch

    _torch_epoch(torch.from_numpy(X), y, lambda rows: rows.float().div_(255))


def _torch_epoch(data: object, y: np.ndarray, prepare: Callable) -> None:
    import torch
    from torch import nn

    net = nn.Sequential(nn.Linear(D, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, fused=True)
    labels = torch.from_numpy(y)
    for rows in torch.randperm(len(data)).split(BATCH):
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(net(prepare(data[rows])), labels[rows]).backward()
        optimizer.step()


def nothing(X: np.ndarray, y: np.ndarray) -> None:
    """NumPy and the data alone."""


CASES = {
    "NumPy and the data alone": nothing,
    "eigenmlp, bytes": ours,
    "scikit-learn, float32": sklearn_floats,
    "PyTorch, float32": torch_floats,
    "PyTorch, bytes": torch_bytes,
}


def run_case(name: str, rows: int) -> None:
    """In the worker: train, and print the peak."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (rows, D), dtype=np.uint8)
    y = rng.integers(0, 10, rows)
    start = perf_counter()
    try:
        CASES[name](X, y)
    except ImportError as error:
        print(json.dumps({"missing": str(error)}))
        return
    seconds = perf_counter() - start
    print(json.dumps({"peak_mib": peak_mib(), "seconds": seconds, "data_mib": X.nbytes / 2**20}))


def peak_mib() -> float:
    """The most memory this process ever had in use."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 2**10
    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def markdown(results: dict) -> str:
    """A table of peaks."""
    lines = [
        summary(results["machine"]),
        "",
        f"One epoch, {results['rows']:,} × {D} bytes ({results['data_mib']:.0f} MiB), "
        f"{'-'.join(map(str, SIZES))}, batch {BATCH}. Goal for ours: {GOAL_MIB} MB in all.",
        "",
        "| library | peak, MiB | seconds with its import |",
        "| --- | --- | --- |",
    ]
    for name, case in results["cases"].items():
        if "peak_mib" in case:
            lines.append(f"| {name} | {case['peak_mib']:.0f} | {case['seconds']:.1f} |")
        else:
            lines.append(f"| {name} | {case.get('missing', 'failed')} | |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run every case in a process of its own."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.memory",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="6,000 rows")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--write", action="store_true", help="into README.md and results/")
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    rows = ROWS // 10 if args.quick else ROWS
    if args.case:
        run_case(args.case, rows)
        return
    results = {
        "machine": description(),
        "rows": rows,
        "data_mib": rows * D / 2**20,
        "cases": {},
    }
    for name in CASES:
        command = [sys.executable, "-m", "bench.memory", "--case", name]
        done = subprocess.run(
            command + ["--quick"] * args.quick,
            cwd=readme.HERE.parent,
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        results["cases"][name] = json.loads(done.stdout or "{}")
    text = markdown(results)
    print(text)
    if args.json:
        readme.save(args.json, results)
    if args.write:
        readme.write("memory", text, results)


if __name__ == "__main__":
    main()
