"""Softmax and cross-entropy over segments, beside a loop and beside NumPy's reduceat.

python bench/segments.py

Turns alternate; a ratio is the median over neighbouring turns of theirs ÷ ours.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np

import eigenmlp as em

Array = np.ndarray
ROUNDS, SECONDS = 7, 0.05  # turns of each, and of one


def loop(z: Array, offsets: Array, chosen: Array) -> tuple[float, Array]:
    """Segment by segment, as people write it."""
    gradient, loss = np.empty_like(z), 0.0
    for s in range(len(offsets) - 1):
        segment = z[offsets[s] : offsets[s + 1]]
        e = np.exp(segment - segment.max())
        p = e / e.sum()
        at = chosen[s] - offsets[s]
        loss -= np.log(p[at])
        p[at] -= 1
        gradient[offsets[s] : offsets[s + 1]] = p / len(chosen)
    return loss / len(chosen), gradient


def loop_softmax(z: Array, offsets: Array, chosen: Array) -> Array:
    """The same without the loss."""
    p = np.empty_like(z)
    for s in range(len(offsets) - 1):
        segment = z[offsets[s] : offsets[s + 1]]
        e = np.exp(segment - segment.max())
        p[offsets[s] : offsets[s + 1]] = e / e.sum()
    return p


def reduceat_softmax(z: Array, offsets: Array, chosen: Array) -> Array:
    """Without a loop, in place where that is possible."""
    lengths, starts = np.diff(offsets), offsets[:-1]
    p = z - np.repeat(np.maximum.reduceat(z, starts), lengths)
    np.exp(p, out=p)
    p /= np.repeat(np.add.reduceat(p, starts), lengths)
    return p


def reduceat(z: Array, offsets: Array, chosen: Array) -> tuple[float, Array]:
    """The same with the loss."""
    lengths, starts = np.diff(offsets), offsets[:-1]
    p = z - np.repeat(np.maximum.reduceat(z, starts), lengths)
    shifted = p[chosen]
    np.exp(p, out=p)
    sums = np.add.reduceat(p, starts)
    p *= np.repeat(1 / (len(chosen) * sums), lengths)
    p[chosen] -= 1 / len(chosen)
    return float(np.mean(np.log(sums) - shifted)), p


def turn(call: Callable[[], object]) -> float:
    """The fastest of the calls in one turn, in seconds."""
    end, best = perf_counter() + SECONDS, np.inf
    while perf_counter() < end or best == np.inf:
        start = perf_counter()
        call()
        best = min(best, perf_counter() - start)
    return best


def compare(ours: Callable[[], object], theirs: list[Callable[[], object]]) -> list[float]:
    """Our microseconds, then the ratios."""
    turns = [[turn(ours), *(turn(call) for call in theirs)] for _ in range(ROUNDS)]
    times = np.array(turns)
    return [1e6 * np.median(times[:, 0]), *np.median(times[:, 1:] / times[:, :1], axis=0)]


def main() -> None:
    """Print a table."""
    rng = np.random.default_rng(0)
    print("| segments | dtype | what | µs | loop ÷ ours | reduceat ÷ ours |")
    print("| --- | --- | --- | --- | --- | --- |")
    problems = {"100 of 100": np.full(100, 100), "100,000 of 2 to 50": rng.integers(2, 51, 100_000)}
    for name, lengths in problems.items():
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        chosen = rng.integers(offsets[:-1], offsets[1:])
        for dtype in ("float64", "float32"):
            z = rng.normal(0, 3, offsets[-1]).astype(dtype)
            data = (z, offsets, chosen)
            np.testing.assert_allclose(
                em.segment_softmax(z, offsets), loop_softmax(*data), rtol=1e-4, atol=1e-30
            )
            rows = {
                "softmax": (
                    lambda: em.segment_softmax(z, offsets),  # noqa: B023 (called at once)
                    [loop_softmax, reduceat_softmax],
                ),
                "cross-entropy": (
                    lambda: em.segment_cross_entropy(z, offsets, chosen),  # noqa: B023
                    [loop, reduceat],
                ),
            }
            for what, (ours, others) in rows.items():
                calls = [lambda f=f: f(*data) for f in others]  # noqa: B023
                us, by_loop, by_reduceat = compare(ours, calls)
                figures = f"{us:,.1f} | {by_loop:,.0f} | {by_reduceat:.1f}"
                print(f"| {name} | {dtype} | {what} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
