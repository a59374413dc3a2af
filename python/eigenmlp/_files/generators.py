"""The state of a NumPy generator as JSON holds it, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._basics.shown import shown

_GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")
_LIMITS = {"pos": 624, "buffer_pos": 4, "has_uint32": 1, "uinteger": 2**32 - 1}


def generator_state(rng: np.random.Generator) -> dict[str, Any]:
    """What JSON can hold of a NumPy generator's state."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, np.ndarray):
            return {"array": value.tolist(), "dtype": str(value.dtype)}
        return value.item() if isinstance(value, np.generic) else value

    state: dict[str, Any] = plain(rng.bit_generator.state)
    return state


def restored_generator(state: Any) -> np.random.Generator:
    """The generator whose state `generator_state` gave."""
    name = state.get("bit_generator") if isinstance(state, dict) else None
    if name not in _GENERATORS:
        raise ValueError(f"model file: expected a generator of {_GENERATORS}, got {shown(name)}")
    bits = getattr(np.random, name)()
    bits.state = _like(bits.state, state, "generator")
    return np.random.Generator(bits)


def _like(pattern: Any, state: Any, key: str) -> Any:
    """`state` in the form of another generator's state, if no index is out of range."""
    if isinstance(pattern, dict) and isinstance(state, dict) and state.keys() == pattern.keys():
        return {name: _like(pattern[name], state[name], name) for name in pattern}
    if isinstance(pattern, np.ndarray) and isinstance(state, dict):
        values, limit = state.get("array"), int(np.iinfo(pattern.dtype).max)
        if (
            state == {"array": values, "dtype": str(pattern.dtype)}
            and isinstance(values, list)
            and len(values) == len(pattern)
            and all(type(x) is int and 0 <= x <= limit for x in values)
        ):
            return np.array(values, dtype=pattern.dtype)
    if isinstance(pattern, (int, np.integer)):
        limit = _LIMITS.get(key, 2**128 - 1)
        if type(state) is int and 0 <= state <= limit:
            return state
    if isinstance(pattern, str) and state == pattern:
        return state
    raise ValueError(f"model file: {key}: expected a state of a generator, got {shown(state)}")
