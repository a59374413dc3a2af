"""Arrays of other libraries, as PyTorch's tensors, read and written where they lie."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CPU = (1, 3)  # DLPack's numbers of the devices whose memory a program can read: CPU, pinned


def has(value: object, name: str) -> bool:
    """Whether a value has an attribute, whatever it raises instead."""
    try:
        return hasattr(value, name)
    except Exception:
        return False


def is_foreign(value: object) -> bool:
    """Whether a value is an array of another library, by the DLPack protocol."""
    return has(value, "__dlpack__") and not isinstance(value, np.ndarray)


def is_sparse(value: object) -> bool:
    """Whether a value is a sparse matrix or array of SciPy."""
    return has(value, "tocsr") and not isinstance(value, np.ndarray)


def unmasked(value: Any, what: str) -> None:
    """Refuse an array in which something is masked, and a list of arrays with such a one."""
    masked = sys.modules.get("numpy.ma")
    if masked is None:  # nobody has made one
        return
    parts = value if isinstance(value, (list, tuple)) else (value,)
    if is_sparse(value):
        parts = [getattr(value, name, None) for name in ("data", "indices", "indptr")]
    for part in parts:
        if isinstance(part, masked.MaskedArray) and (count := np.count_nonzero(part.mask)):
            raise ValueError(
                f"{what}: expected an array without masked elements, got {count} of {part.size} "
                "masked: leave their rows out, or fill them as with .filled(0)"
            )


def shared(value: Any, what: str) -> NDArray[Any]:
    """The same numbers as a NumPy array: the same memory, or an error.

    Raises
    ------
    TypeError
        For a tensor that has a gradient to record, lies in a GPU's memory, or has numbers that
        NumPy has not (bfloat16).
    """
    if has(value, "requires_grad") and value.requires_grad is True:
        raise TypeError(
            f"{what}: expected a tensor without requires_grad, since no gradient is recorded here, "
            f"got one with it: use {what}.detach()"
        )
    try:
        if has(value, "__dlpack_device__") and value.__dlpack_device__()[0] not in _CPU:
            raise TypeError(
                f"{what}: expected an array in the processor's memory, got one on "
                f"{getattr(value, 'device', 'another device')}: use {what}.cpu()"
            )
        array = np.asarray(value) if has(value, "__array__") else np.from_dlpack(value)
    except MemoryError:
        raise
    except Exception as error:  # whatever the other library raises
        if str(error).startswith(f"{what}: "):
            raise
        dtype = value.dtype if has(value, "dtype") else "unknown numbers"
        raise TypeError(
            f"{what}: expected an array that NumPy can read where it lies, got "
            f"{type(value).__name__} of {dtype!s:.80}: {error!s:.160}"
        ) from None
    return array
