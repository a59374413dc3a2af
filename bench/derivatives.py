"""What derivatives cost beside what they are made of: ``python -m bench.derivatives``.

A product with the Hessian in units of a gradient (aim: at most 4), and Taylor coefficients of the
loss and of the outputs to order n in units of 4 n² forward passes (aim: at most 1). Each figure is
the median of ratios of two times measured one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

import eigenmlp as em

ROUNDS, REPEATS = 15, 5


def best_time(function: Callable[[], Any]) -> float:
    """Seconds of the fastest of some calls."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def ratio(function: Callable[[], Any], unit: Callable[[], Any]) -> float:
    """How many times as long as `unit` a `function` takes."""
    return median(best_time(function) / best_time(unit) for _ in range(ROUNDS))


def problem(sizes: list[int], rows: int, dtype: str) -> tuple[em.MLP, Any, Any, Any]:
    """A tanh network, X, labels, and a direction of the parameters."""
    rng = np.random.default_rng(0)
    net = em.MLP(sizes, activation="tanh", dtype=dtype, seed=0)
    X = rng.normal(0, 1, (rows, sizes[0])).astype(dtype)
    v = rng.normal(0, 1, net.parameter_count).astype(dtype)
    return net, X, rng.integers(0, sizes[-1], rows), v


def main() -> None:
    """Prints both tables."""
    print(f"{em.get_num_threads()} threads\n\nH @ v, in gradients")
    for sizes in ([784, 128, 10], [64, 50, 10]):
        for dtype in ("float64", "float32"):
            cells = []
            for rows in (64, 1000):
                net, X, y, v = problem(sizes, rows, dtype)
                cost = ratio(
                    lambda: net.hessian_vector_product(X, y, v),  # noqa: B023
                    lambda: net.loss_and_gradient(X, y),  # noqa: B023
                )
                cells.append(f"{rows:5} rows {cost:5.2f}")
            print(f"  {'-'.join(map(str, sizes)):12} {dtype}  " + "  ".join(cells))
    print("\nTaylor coefficients of the loss and of the outputs, 64-50-10, in 4 n² forward passes")
    for dtype in ("float64", "float32"):
        for rows in (1, 100, 1000):
            net, X, y, v = problem([64, 50, 10], rows, dtype)
            cells = []
            for n in (2, 4, 8):
                forward = lambda: net.forward(X)  # noqa: B023, E731
                loss = ratio(lambda: net.taylor(X, y, v, n), forward)  # noqa: B023
                outputs = ratio(lambda: net.taylor_outputs(X, n, v), forward)  # noqa: B023
                cells.append(f"n = {n}: {loss / (4 * n * n):.2f} {outputs / (4 * n * n):.2f}")
            print(f"  {dtype} {rows:5} rows   " + "   ".join(cells))


if __name__ == "__main__":
    main()
