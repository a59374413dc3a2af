"""The bundled digits; where they come from is in DIGITS.txt beside this file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

_FILE = Path(__file__).with_name("digits.npz")
_WHITE = np.float32(16)  # pixels count the dots set in a 4 x 4 block of the scan


def load_digits() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Load 1,797 handwritten digits of 8 x 8 pixels, bundled with the package.

    Returns
    -------
    X : ndarray of float32, shape (1797, 64)
        Pixels in C order, scaled to [0, 1]; multiples of 1/16, so the scaling is exact.
    y : ndarray of int64, shape (1797,)
        The digit shown, 0 to 9.

    Notes
    -----
    Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
    Repository, 1998, https://doi.org/10.24432/C50P49 (CC BY 4.0), the part that scikit-learn
    ships as ``load_digits``, in the same order.

    Examples
    --------
    >>> from eigenmlp.datasets import load_digits
    >>> X, y = load_digits()
    >>> X.shape, float(X.max()), y[:4].tolist()
    ((1797, 64), 1.0, [0, 1, 2, 3])
    """
    with np.load(_FILE, allow_pickle=False) as archive:
        return archive["X"].astype(np.float32, order="C") / _WHITE, archive["y"].astype(np.int64)
