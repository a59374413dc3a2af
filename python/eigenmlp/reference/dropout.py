"""Dropout: which units of a batch count, from a counter-based generator.

Unit k of row r of a layer is dropped if its random word is below rate · 2³². The words come from
Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC
2011): a function of key and counter, so that any unit's word can be computed by itself. The units
that count are multiplied by 1 / (1 - rate), so that the expected output stays what it was.
"""

import numpy as np
import numpy.typing as npt

from eigenmlp.reference.types import Doubles, Ints

Words = npt.NDArray[np.uint32]

ROUNDS = 10
MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
KEY_STEPS = 0x9E3779B9, 0xBB67AE85
LOW = 0xFFFFFFFF


def mask(rate: float, key: int, step: int, layer: int, rows: Ints, columns: int) -> Doubles:
    """0 where a unit is dropped, 1 / (1 - rate) where it counts (N, columns).

    Parameters
    ----------
    rate : float
        In [0, 1).
    key : int
        64 bits.
    step : int
        Updates before this one.
    layer : int
        From 1.
    rows : ndarray (N,)
        The rows' places in their update, from 0.
    columns : int

    Notes
    -----
    Unit 64 g + 16 w + i of row r takes word w of the counter
    (16 g + i, r, step mod 2³², layer + 2¹⁶ · ⌊step / 2³²⌋).

    Examples
    --------
    >>> mask(0.5, key=1, step=0, layer=1, rows=np.arange(2), columns=5)
    array([[0., 0., 0., 2., 0.],
           [2., 2., 2., 0., 2.]])
    """
    k = np.arange(columns)
    group, word, i = k // 64, k // 16 % 4, k % 16
    counter = np.broadcast_arrays(
        16 * group + i, rows[:, None], step & LOW, layer + (step >> 32 << 16)
    )
    words = philox(np.array(counter, np.uint64), key)  # (4, N, columns)
    words = np.take_along_axis(words, word[None, None, :], axis=0)[0]
    dropped = words < min(rate * 2**32, 2**32 - 1)
    return np.where(dropped, 0.0, 1 / (1 - rate))


def philox(counter: npt.NDArray[np.uint64], key: int) -> Words:
    """The four words (4, …) of counters (4, …) below 2³².

    Examples
    --------
    A known answer of the authors' Random123 library:

    >>> philox(np.zeros(4, np.uint64), key=0)
    array([1713891541, 3781805453, 3159862348, 2600524760], dtype=uint32)
    """
    x0, x1, x2, x3 = counter
    k0, k1 = key & LOW, key >> 32
    for _ in range(ROUNDS):
        a, b = x0 * np.uint64(MULTIPLIERS[0]), x2 * np.uint64(MULTIPLIERS[1])
        x0 = (b >> np.uint64(32)) ^ x1 ^ np.uint64(k0)
        x2 = (a >> np.uint64(32)) ^ x3 ^ np.uint64(k1)
        x1, x3 = b & np.uint64(LOW), a & np.uint64(LOW)
        k0, k1 = (k0 + KEY_STEPS[0]) & LOW, (k1 + KEY_STEPS[1]) & LOW
    return np.array([x0, x1, x2, x3]).astype(np.uint32)
