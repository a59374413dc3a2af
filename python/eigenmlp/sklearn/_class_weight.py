"""The weights of rows by their classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

Array = NDArray[Any]


def by_row(class_weight: Any, y: Any, classes: Array) -> Array:
    """Of rows with labels (N,) or indicators (N, K), as `compute_sample_weight` has them.

    Of dicts, that function wants every class among the rows; here it need be one of `classes`.
    """
    if isinstance(class_weight, dict) and y.ndim == 1:
        weights = compute_class_weight(class_weight, classes=classes, y=y)
        return np.asarray(weights[np.searchsorted(classes, y)])
    if isinstance(class_weight, list) and y.ndim == 2 and len(class_weight) == y.shape[1]:
        dense = y if isinstance(y, np.ndarray) else y.toarray()
        product = np.ones(len(dense))
        for chosen, labels in zip(class_weight, dense.T.astype(np.int64), strict=True):
            product *= compute_class_weight(chosen, classes=np.arange(2), y=labels)[labels]
        return product
    return np.asarray(compute_sample_weight(class_weight, y))
