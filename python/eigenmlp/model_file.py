"""Model files: safetensors, with the architecture (and a trainer's settings) as metadata.

A checksum over metadata and arrays tells a file that was altered; files are written beside their
place and then renamed, so that a crash never leaves half a file or loses the old one.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as decode
from safetensors.numpy import save as encode

Array = NDArray[Any]

FORMAT = "2"  # 1: without dropout, and a trainer's "steps" instead of its "progress"
_CONFIG_KEYS = {
    *("layer_sizes", "activation", "output_activation", "loss", "bias", "init", "dtype"),
    *("compute_dtype", "input_scale", "dropout"),
}
_SETTING_KEYS = {
    *("optimizer", "lr", "plateau", "hyper", "limits", "batch_size", "accumulate", "progress"),
    *("epochs", "generator", "dropout_key"),
}
_GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")


def write_model(
    path: str | Path,
    config: dict[str, Any],
    arrays: dict[str, Array],
    settings: dict[str, Any] | None = None,
) -> None:
    """Write one file; `settings` are a trainer's."""
    saved = {key: value for key, value in config.items() if key in _CONFIG_KEYS}
    if callable(saved["init"]):
        saved["init"] = "custom"
    metadata = {"format": FORMAT, "config": json.dumps(saved)}
    if settings is not None:
        metadata["trainer"] = json.dumps(settings)
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    metadata["sha256"] = _checksum(metadata, arrays)
    write_whole(Path(path), encode(arrays, metadata))


def read_model(
    path: str | Path,
) -> tuple[dict[str, Any], dict[str, Array], dict[str, Any] | None]:
    """The architecture, the arrays by name, and a trainer's settings if there are any."""
    content = Path(path).read_bytes()
    try:
        metadata = _metadata(content)
        arrays = decode(content)
    except (
        *(SafetensorError, ValueError, TypeError, KeyError, OverflowError, RecursionError),
    ) as error:
        raise ValueError(f"{path}: expected an eigenmlp model file: {error}") from None
    number = metadata.get("format")
    if number not in ("1", FORMAT):
        raise ValueError(f"{path}: expected a model file of format 1 or {FORMAT}, got {number!r}")
    if metadata.pop("sha256", None) != _checksum(metadata, arrays):
        raise ValueError(f"{path}: the file was altered or damaged: its checksum does not match")
    config = _object(metadata.get("config"), path)
    settings = None if "trainer" not in metadata else _object(metadata["trainer"], path)
    if number == "1":
        _update(config, settings)
    _check_keys(config, _CONFIG_KEYS, path)
    if settings is not None:
        _check_keys(settings, _SETTING_KEYS, path)
    return config, arrays, settings


@contextmanager
def sensible(path: str | Path) -> Iterator[None]:
    """What a file says may make no sense: whatever that breaks is a ValueError with its path."""
    try:
        yield
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as error:
        raise ValueError(f"{path}: expected a sensible model file: {error!s}") from None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place, then rename it: all of it, or nothing."""
    try:
        mode = path.stat().st_mode & 0o777
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        mode = 0o666 & ~umask
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def named_arrays(sizes: list[int], bias: bool, flat: Array, prefix: str) -> dict[str, Array]:
    """The flat vector W0, b0, W1, b1, … as arrays by name; refused if a number is not finite."""
    arrays: dict[str, Array] = {}
    at = 0
    for name, shape in _shapes(sizes, bias, prefix).items():
        count = int(np.prod(shape))
        arrays[name] = flat[at : at + count].reshape(shape)
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"save: expected finite numbers in {name}, got NaN or Inf")
        at += count
    return arrays


def flat_vector(sizes: list[int], bias: bool, arrays: dict[str, Array], prefix: str) -> Array:
    """The flat vector from arrays by name, whose shapes are checked."""
    parts = []
    for name, shape in _shapes(sizes, bias, prefix).items():
        if name not in arrays or arrays[name].shape != shape:
            came = arrays[name].shape if name in arrays else "nothing"
            raise ValueError(f"model file: expected {name} of shape {shape}, got {came}")
        parts.append(arrays[name].ravel())
    return np.concatenate(parts)


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


def restored_generator(state: dict[str, Any]) -> np.random.Generator:
    """The generator whose state `generator_state` gave."""

    def arrays(value: Any) -> Any:
        if isinstance(value, dict) and set(value) == {"array", "dtype"}:
            return np.array(value["array"], dtype=value["dtype"])
        if isinstance(value, dict):
            return {key: arrays(item) for key, item in value.items()}
        return value

    name = state.get("bit_generator")
    if name not in _GENERATORS:
        raise ValueError(f"model file: expected a generator of {_GENERATORS}, got {name!r}")
    bits = getattr(np.random, name)()
    restored = arrays(state)
    if not _fits(restored, bits.state):
        raise ValueError(f"model file: expected a state of {name}, got {state}")
    bits.state = restored
    return np.random.Generator(bits)


_LIMITS = {"pos": 624, "buffer_pos": 4, "has_uint32": 1, "uinteger": 2**32 - 1}


def _fits(state: Any, pattern: Any, key: str = "") -> bool:
    """Whether a generator's state has the form of another, and no index out of range."""
    if isinstance(pattern, dict):
        return (
            isinstance(state, dict)
            and state.keys() == pattern.keys()
            and all(_fits(state[name], pattern[name], name) for name in pattern)
        )
    if isinstance(pattern, np.ndarray):
        return (
            isinstance(state, np.ndarray)
            and state.shape == pattern.shape
            and state.dtype == pattern.dtype
        )
    if isinstance(pattern, int):
        limit = _LIMITS.get(key, 2**128 - 1)
        return isinstance(state, int) and not isinstance(state, bool) and 0 <= state <= limit
    return bool(state == pattern)


def _shapes(sizes: list[int], bias: bool, prefix: str) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (D, K) in enumerate(pairwise(sizes)):
        shapes[f"{prefix}W{layer}"] = (D, K)
        if bias:
            shapes[f"{prefix}b{layer}"] = (K,)
    return shapes


def _checksum(metadata: dict[str, str], arrays: dict[str, Array]) -> str:
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _metadata(content: bytes) -> dict[str, str]:
    """The header's ``__metadata__``; a safetensors file starts with its header's length."""
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > len(content) - 8:
        raise ValueError(f"its header ends beyond its {len(content)} bytes")
    header = json.loads(content[8 : 8 + length])
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    if not isinstance(metadata, dict):
        raise ValueError("it has no metadata")
    return metadata


def _object(text: str | None, path: str | Path) -> dict[str, Any]:
    value = json.loads(text or "null")
    if not isinstance(value, dict):
        raise ValueError(f"{path}: expected metadata with names and values, got {value!r}")
    return value


def _update(config: dict[str, Any], settings: dict[str, Any] | None) -> None:
    """What format 1 did not say in the course of time, as it was then."""
    config.setdefault("dropout", 0.0)
    if settings is None:
        return
    added: dict[str, Any] = {"plateau": None, "limits": {}, "accumulate": 1, "dropout_key": 0}
    settings |= {name: value for name, value in added.items() if name not in settings}
    if "steps" in settings:
        settings["progress"] = [settings.pop("steps"), 0, 0, 0.0]


def _check_keys(found: dict[str, Any], expected: set[str], path: str | Path) -> None:
    if missing := sorted(expected - set(found)):
        raise ValueError(f"{path}: expected metadata with {sorted(expected)}, got no {missing}")
    if unknown := sorted(set(found) - expected):
        raise ValueError(
            f"{path}: expected no other settings than {sorted(expected)}, got {unknown}, "
            "which a newer eigenmlp may have written"
        )
