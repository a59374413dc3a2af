"""Data sets to train on: the bundled digits, MNIST from a folder, any IDX file, files larger than
memory.

Nothing here downloads anything, and nothing here needs the compiled core.
"""

from .digits import load_digits
from .idx import load_idx
from .mnist import load_mnist
from .shards import Shards, open_shards
from .split import stratified_split

__all__ = [
    "Shards",
    "load_digits",
    "load_idx",
    "load_mnist",
    "open_shards",
    "stratified_split",
]
