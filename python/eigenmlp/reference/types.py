"""The array types of the twin."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]  # inputs and targets, of any dtype
Floats: TypeAlias = npt.NDArray[np.floating[Any]]  # what is computed, in the network's dtype
Doubles: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Ints: TypeAlias = npt.NDArray[np.int64]
