"""bfloat16: the upper half of a float32."""

import numpy as np

from eigenmlp.reference.types import Floats


def rounded(x: Floats) -> Floats:
    """`x` rounded to bfloat16 (8 bits of precision), to the nearest, ties to even; as float32.

    As processors with bfloat16 products do it, numbers too small for a normal float32 become 0 with
    their sign. NaN stays NaN, and what is too large becomes Inf.

    Parameters
    ----------
    x : ndarray of float32, any shape

    Notes
    -----
    A bfloat16 has the sign, the 8 bits of the exponent and the upper 7 bits of the fraction of a
    float32. Half a unit of its last place less one, and one more if its last bit is 1, is added to
    the whole before the lower half is cut off, so the relative error is at most 2⁻⁸.

    Examples
    --------
    >>> rounded(np.float32([1.0, 1.003, 1.005, 3.1415927, 1e-40])).tolist()
    [1.0, 1.0, 1.0078125, 3.140625, 0.0]
    """
    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32)
    even = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(
        0xFFFF0000
    )
    exponent = bits & np.uint32(0x7F800000)
    special = bits & np.uint32(0xFFFF0000)
    special = np.where(bits & np.uint32(0x007FFFFF), special | np.uint32(0x00400000), special)
    even = np.where(exponent == 0x7F800000, special, even)
    return np.where(exponent == 0, bits & np.uint32(0x80000000), even).view(np.float32)
