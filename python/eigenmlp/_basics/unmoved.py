"""A NumPy generator that has drawn nothing where nothing was done with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def unmoved_if(nothing_done: Callable[[], bool], rng: np.random.Generator) -> Iterator[None]:
    """After an error the generator is as it was, if nothing was done with what it drew."""
    before = rng.bit_generator.state
    try:
        yield
    except BaseException:
        if nothing_done():
            rng.bit_generator.state = before
        raise
