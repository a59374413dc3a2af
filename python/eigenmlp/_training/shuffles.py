"""Orders of rows, as NumPy's generators draw them; by the core, without Python's lock."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._basics.drawing import drawing
from .._core.loading import core

Array = NDArray[Any]


def shuffled(rng: np.random.Generator, epochs: int, N: int) -> Array:
    """An order of N rows for each epoch (epochs, N): each is ``rng.permutation(N)``."""
    orders = np.empty((epochs, N), dtype=np.int64)
    if N == 0:
        return orders
    bits = rng.bit_generator
    with drawing(bits):
        if type(rng) is np.random.Generator and _core_draws_as_numpy():
            with bits.lock:
                core.permutations(bits, orders)
        else:
            for order in orders:
                order[:] = rng.permutation(N)
    return orders


@cache
def _core_draws_as_numpy() -> bool:
    """Whether this NumPy's shuffle is the one that the core has: NumPy may change it."""
    numpys, cores = (np.random.Generator(np.random.PCG64(0)) for _ in range(2))
    orders = np.empty((3, 67), dtype=np.int64)
    core.permutations(cores.bit_generator, orders)
    return (
        all(np.array_equal(order, numpys.permutation(67)) for order in orders)
        and cores.bit_generator.state == numpys.bit_generator.state
    )
