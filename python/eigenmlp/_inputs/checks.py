"""Checks of what users pass: every refusal names what was expected and what came."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Iterable, Mapping, Set
from numbers import Real
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._basics.shown import shown
from . import frames, odd
from .foreign import is_foreign, is_sparse, shared
from .mapped import intact

Array = NDArray[Any]

INT64 = 2**63 - 1
_LONGEST_PATH = 4095  # bytes on Linux
_BLOCK = 1 << 20  # bytes that a check reads at a time, so that they are read once
_LARGEST = {dtype: float(np.finfo(dtype).max) for dtype in ("float32", "float64")}


def integer(
    value: object, what: str, least: int = 1, most: int | None = INT64, expected: str = "an int"
) -> int:
    """`value` as an int from `least` to `most`."""
    try:
        refused = isinstance(value, (bool, np.bool_))
        number = operator.index(value)  # type: ignore[arg-type]
    except Exception:  # not only TypeError: `value` may be anything
        refused = True
    if refused:
        raise TypeError(f"{what}: expected {expected}, got {shown(value)}")
    if number < least:
        raise ValueError(f"{what}: expected at least {least}, got {shown(number)}")
    if most is not None and number > most:
        raise ValueError(f"{what}: expected at most {most}, got {shown(number)}")
    return number


def number(value: object, what: str, least: float = -math.inf, below: float = math.inf) -> float:
    """`value` as a float, if it is a finite number with ``least <= value < below``."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{what}: expected a number, got {shown(value)}")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not (math.isfinite(result) and least <= result < below):
        upper = f" and below {below:g}" if below < math.inf else ""
        lower = f" of at least {least:g}" if least > -math.inf else ""
        raise ValueError(f"{what}: expected a finite number{lower}{upper}, got {shown(value)}")
    return result


def is_several(value: object) -> TypeGuard[Iterable[Any]]:
    """Whether `value` has items in an order: no text, and no dict, whose keys they would be."""
    unordered = isinstance(value, (str, bytes, Mapping, Set))
    if not isinstance(value, Iterable) or unordered:
        return False
    return not isinstance(value, np.ndarray) or value.ndim > 0


def items(value: Iterable[Any], what: str) -> list[Any]:
    """What `value` gives, whatever it raises instead."""
    try:
        return list(value)
    except MemoryError:
        raise
    except Exception as error:
        came = f"{type(error).__name__}: {error!s:.80}"
        raise TypeError(
            f"{what}: expected a sequence, got {shown(value)}, which gives {came}"
        ) from None


def largest(dtype: str) -> float:
    """The largest finite number of float32 or float64."""
    return _LARGEST[dtype]


def known(name: object, names: Iterable[str], what: str) -> str:
    """`name`, if it is one of `names`."""
    names = list(names)
    if not isinstance(name, str):
        raise TypeError(f"{what}: expected one of {names}, got {shown(name)}")
    if name not in names:
        raise ValueError(f"{what}: expected one of {names}, got {shown(name)}")
    return name


def generator(seed: object, what: str = "seed") -> np.random.Generator:
    """A NumPy generator from an int, a generator, or None."""
    if isinstance(seed, np.random.Generator):
        return seed
    if seed is None:
        return np.random.default_rng()
    expected = "an int, a numpy.random.Generator or None"
    return np.random.default_rng(integer(seed, what, 0, None, expected))


def path(value: object, what: str = "path") -> Path:
    """The path of a file; a number would be a file that is open already."""
    try:
        text = os.fspath(value)  # type: ignore[call-overload]
    except Exception:  # not only TypeError: `value` may be anything
        text = None
    if not isinstance(text, str):
        raise TypeError(f"{what}: expected a str or an os.PathLike of one, got {shown(value)}")
    try:
        fits = "\0" not in text and len(os.fsencode(text)) <= _LONGEST_PATH
    except UnicodeEncodeError:
        fits = False
    if not fits:
        raise ValueError(f"{what}: expected a path that the system can have, got {shown(text)}")
    return Path(text)


def checked_bool(value: object, what: str) -> bool:
    """`value`, if it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{what}: expected True or False, got {shown(value)}")
    return bool(value)


def numbers(value: ArrayLike, what: str) -> Array:
    """`value` as an array of bool, integer or real numbers, in the machine's byte order."""
    if type(value) is np.ndarray and value.base is None and _is_plain(value):
        return value
    if value is None:
        raise TypeError(f"{what}: expected an array, got None")
    if is_sparse(value):
        raise TypeError(
            f"{what}: expected an array, got a sparse {type(value).__name__}: use {what}.toarray()"
        )
    if (library := frames.library(value)) is not None:
        value = frames.numbers(value, library, what)
    elif is_foreign(value):
        value = shared(value, what)
    array = as_array(value, what)
    if array.dtype.kind not in "biuf":
        came = f"an array of {array.dtype!s:.80}{_first_other(array, what)}"
        raise TypeError(f"{what}: expected numbers, got {came}")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array if array.flags.aligned else array.copy()


def _is_plain(array: Array) -> bool:
    """Whether an array is numbers already as the processor reads them."""
    dtype = array.dtype
    return dtype.kind in "biuf" and dtype.isnative and array.flags.aligned


def _first_other(array: Array, what: str) -> str:
    """Of an array of objects the first that is no number of 64 bits, and where."""
    if array.dtype.kind != "O":
        return ""
    if (found := odd.no_number(array.ravel())) is None:
        return ""
    place, item = found
    where = ", ".join(map(str, np.unravel_index(place, array.shape)))
    return f" with {shown(item)} at {what}[{where}]"


def as_array(value: Any, what: str) -> Array:
    """What NumPy makes of `value`, or an error of ours."""
    intact(value, what)
    try:
        array = np.asarray(value)
    except MemoryError:
        raise
    except ValueError as error:
        if "inhomogeneous" in str(error):  # ragged nested lists
            raise ValueError(f"{what}: expected an array, got rows of unequal length") from error
        raise ValueError(f"{what}: expected an array, got {shown(value)}: {error!s:.80}") from None
    except Exception as error:  # such as of tensors that have a gradient to record
        kind = type(value).__name__
        raise TypeError(
            f"{what}: expected an array, got a {kind} that NumPy cannot read: {error!s:.160}"
        ) from None
    if array is not value:
        intact(array, what)
    return array


def finite(array: Array, what: str, dtype: str, scale: float = 1.0) -> None:
    """Refuse NaN, Inf, and what `dtype` cannot hold, also after multiplication by `scale`.

    No temporary is as large as the array.
    """
    bad = first_not_finite(array, dtype, scale)
    if bad is not None:
        columns = array.size // len(array)
        row, column = divmod(bad, columns)
        where = f"{what}[{row}, {column}]" if array.ndim > 1 else f"{what}[{row}]"
        value = array.reshape(len(array), -1)[row, column]
        raise not_finite(value, where, what, dtype, scale)


def first_not_finite(array: Array, dtype: str, scale: float = 1.0) -> int | None:
    """Where in C order the first number is that `finite` refuses."""
    if array.dtype.kind != "f" or array.size == 0:
        return None
    limit = largest(dtype) / max(1.0, abs(scale))
    if array.dtype.itemsize <= 8:
        low, high = _extremes(array)  # NaN if any is
    else:
        with np.errstate(over="ignore"):  # long doubles become Inf
            low, high = _extremes(array)
    if -limit <= low and high <= limit:
        return None
    for row, line in enumerate(array.reshape(len(array), -1)):
        with np.errstate(over="ignore", invalid="ignore"):
            values = line.astype(np.float64)
        bad = np.flatnonzero(~(np.abs(values) <= limit))
        if bad.size:
            return row * len(line) + int(bad[0])
    return None


def not_finite(value: Any, where: str, what: str, dtype: str, scale: float) -> ValueError:
    """The error for such a number."""
    kind = f"finite {dtype} numbers" if np.isfinite(value) else "finite numbers"
    times = f" after multiplication by input_scale = {scale:g}" if scale != 1 else ""
    return ValueError(f"{what}: expected {kind}{times}, got {value} at {where}")


def _extremes(array: Array) -> tuple[float, float]:
    """Smallest and largest number, in one pass over memory or disk."""
    if array.nbytes <= _BLOCK:
        return float(array.min()), float(array.max())
    rows = max(1, _BLOCK * len(array) // max(1, array.nbytes))
    parts = [array[i : i + rows] for i in range(0, len(array), rows)]
    return float(np.min([x.min() for x in parts])), float(np.max([x.max() for x in parts]))


def inputs(
    value: ArrayLike,
    columns: int,
    dtype: str,
    scale: float = 1.0,
    what: str = "X",
    letter: str = "D",
    integers: str | None = None,
) -> Array:
    """Rows (N, `columns`) that the backends read as they are: float32, float64 or uint8.

    Integers become floats of the type `integers`, `dtype` if not given.
    """
    X = numbers(value, what)
    matrix(X.shape, columns, what, letter)
    finite(X, what, dtype, scale)
    return readable(X, integers or dtype)


def matrix(shape: tuple[int, ...], columns: int, what: str, letter: str) -> None:
    """Refuse what is not (N, `columns`) with at least one row."""
    if len(shape) != 2 or shape[1] != columns:
        hint = f"; for one row use {what}[None, :]" if shape == (columns,) else ""
        if len(shape) == 1 and columns == 1 and not hint:
            hint = f"; for one column use numpy.reshape({what}, (-1, 1))"
        raise ValueError(
            f"{what}: expected shape (N, {letter}) with {letter} = {columns}, got {shape}{hint}"
        )
    if shape[0] == 0:
        raise ValueError(f"{what}: expected at least one row, got shape {shape}")


def readable(X: Array, dtype: str) -> Array:
    """X as float32, float64 or uint8, which the backends read; else as `dtype`."""
    if X.dtype == np.bool_:
        return X.view(np.uint8)
    return X if X.dtype in (np.float32, np.float64, np.uint8) else X.astype(dtype)


def flat(value: ArrayLike, count: int, dtype: str, what: str) -> Array:
    """A finite vector of P numbers in `dtype`, contiguous."""
    vector = numbers(value, what)
    if vector.shape != (count,):
        raise ValueError(f"{what}: expected shape (P,) = ({count},), got {vector.shape}")
    finite(vector, what, dtype)
    return np.ascontiguousarray(vector, dtype=dtype)


def output_array(out: object, shape: tuple[int, int], dtype: str) -> None:
    """An array that results can be written into as they come."""
    intact(out, "out")
    if not isinstance(out, np.ndarray):
        came = type(out).__name__
    else:
        missing = {
            "read-only": not out.flags.writeable,
            "not aligned": not out.flags.aligned,
            "not in C order": not out.flags.c_contiguous,
        }
        properties = [name for name, is_so in missing.items() if is_so]
        if not properties and out.shape == shape and out.dtype == dtype:
            return
        came = ", ".join([f"{out.dtype!s:.80} {out.shape}", *properties])
    raise ValueError(f"out: expected a writable, aligned C-order array {dtype} {shape}, got {came}")
