"""What a network is made of, as users give it: checked, and in one form."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .._backends.facade import DTYPES
from .._basics.shown import shown
from .._inputs import checks
from .._inputs.description import Described, described
from ..activations import HIDDEN_ACTIVATIONS, Activation


def checked_sizes(layer_sizes: object) -> list[int]:
    """[D, …, K], not so many that their product overflows."""
    if not checks.is_several(layer_sizes):
        raise TypeError(f"layer_sizes: expected ints [D, …, K], got {shown(layer_sizes)}")
    sizes = [
        checks.integer(size, "layer_sizes") for size in checks.items(layer_sizes, "layer_sizes")
    ]
    if len(sizes) < 2:
        raise ValueError(f"layer_sizes: expected at least [D, K], got {shown(sizes)}")
    count = sum((D + 1) * K for D, K in pairwise(sizes))
    if max(sizes) > 2**31 or count > 2**40:
        raise ValueError(f"layer_sizes: expected fewer than 2⁴⁰ parameters, got {shown(sizes)}")
    return sizes


def checked_activations(activation: object, hidden: int) -> list[Activation]:
    """One for each hidden layer."""
    if isinstance(activation, type) or not checks.is_several(activation):
        return [described(activation, HIDDEN_ACTIVATIONS, "activation")] * hidden
    chosen = [
        described(one, HIDDEN_ACTIVATIONS, "activation")
        for one in checks.items(activation, "activation")
    ]
    if len(chosen) != hidden:
        raise ValueError(
            f"activation: expected one or {hidden}, one for each hidden layer, got "
            f"{shown([one.text for one in chosen])}"
        )
    return chosen


def check_range(chosen: Described, dtype: str) -> None:
    """Refuse parameters that `dtype` cannot hold, and those that it would take for 0."""
    limit, least = checks.largest(dtype), float(np.finfo(dtype).tiny)
    for name, value in chosen.numbers().items():
        if abs(value) > limit:
            raise ValueError(
                f"{chosen.name}: {name}: expected at most {limit:g}, got {shown(value)}"
            )
        if 0 < value < least:
            raise ValueError(
                f"{chosen.name}: {name}: expected at least {least:g}, got {shown(value)}"
            )


def checked_dropout(dropout: object, hidden: int) -> list[float]:
    """A rate for each hidden layer."""
    if not checks.is_several(dropout):
        return [checks.number(dropout, "dropout", 0.0, below=1.0)] * hidden
    rates = [
        checks.number(rate, "dropout", 0.0, below=1.0) for rate in checks.items(dropout, "dropout")
    ]
    if len(rates) != hidden:
        raise ValueError(
            f"dropout: expected one number or {hidden}, one for each hidden layer, got "
            f"{shown(rates)}"
        )
    return rates


def checked_compute_dtype(compute_dtype: object, dtype: str) -> bool:
    """Whether products read operands rounded to bfloat16."""
    if compute_dtype is None:
        return False
    if isinstance(compute_dtype, str) and compute_dtype == "bfloat16" and dtype == "float32":
        return True
    expected = "'float32' or 'bfloat16'" if dtype == "float32" else repr(dtype)
    try:
        same = checked_dtype(compute_dtype, "compute_dtype") == dtype
    except ValueError:
        same = False
    except TypeError:
        raise TypeError(f"compute_dtype: expected {expected}, got {shown(compute_dtype)}") from None
    if not same:
        raise ValueError(
            f"compute_dtype: expected {expected} with dtype={dtype!r}, got {shown(compute_dtype)}"
        )
    return False


def checked_dtype(dtype: object, what: str = "dtype") -> str:
    """Its name."""
    if dtype is None or isinstance(dtype, str):
        return checks.known(dtype, DTYPES, what)
    try:
        name = np.dtype(dtype).name  # type: ignore[call-overload]
    except Exception:  # NumPy asks the object, which may raise anything
        raise TypeError(f"{what}: expected one of {list(DTYPES)}, got {shown(dtype)}") from None
    if name not in DTYPES:
        raise ValueError(f"{what}: expected one of {list(DTYPES)}, got {shown(name)}")
    return str(name)
