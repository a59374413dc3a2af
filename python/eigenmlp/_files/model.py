"""Model files: safetensors, with the architecture (and a trainer's settings) as metadata.

A checksum over metadata and arrays tells a file that was altered, and a sample of rows and outputs
one that this installation would compute otherwise. A reader checks all that a file says of itself
before it takes memory for it; nothing is unpickled or evaluated.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._basics.shown import shown
from .._inputs import checks
from .._network.units import NAMES as UNITS
from . import container
from .container import Entry, parsed
from .replay import ROWS, X_NAME, Y_NAME
from .whole import replacing

Array = NDArray[Any]

# 3: no units but input_scale; 2: also no sample; 1: also no dropout, a trainer's "steps", not its
# "progress".
FORMAT = "4"
_OLDER = ("1", "2", "3")
_WITHOUT_SAMPLE = ("1", "2")
_METADATA_KEYS = {"format", "config", "sha256"}  # and a trainer's "trainer", a table's "table"
_CONFIG_KEYS = {
    *("layer_sizes", "activation", "output_activation", "loss", "bias", "init", "dtype"),
    *("compute_dtype", "dropout", "standardize", *UNITS),
}
_SETTING_KEYS = {
    *("optimizer", "lr", "plateau", "hyper", "limits", "batch_size", "accumulate", "progress"),
    *("epochs", "generator", "dropout_key"),
}
_TEXT_LIMIT = 256  # of an activation's text form; a loss may have numbers for each output


def write_model(
    path: str | Path,
    config: dict[str, Any],
    arrays: dict[str, Array],
    settings: dict[str, Any] | None = None,
    table: dict[str, Any] | None = None,
) -> None:
    """Write one file; `settings` are a trainer's, `table` is what a table's model knows of it."""
    metadata = {"format": FORMAT, "config": json.dumps(_saved(config, arrays), allow_nan=False)}
    if settings is not None:
        metadata["trainer"] = json.dumps(settings, allow_nan=False)
    if table is not None:
        metadata["table"] = json.dumps(table, allow_nan=False)
    _write(path, metadata, arrays)


def write_pack(
    path: str | Path,
    members: list[tuple[dict[str, Any], dict[str, Array]]],
    kind: str,
    description: dict[str, Any],
) -> None:
    """Write one file of several networks, each with its config and arrays.

    `kind` is ``"table"`` or ``"ensemble"``; `description` is what such a model knows beside them.
    """
    configs: list[dict[str, Any]] = []
    arrays: dict[str, Array] = {}
    for place, (config, own) in enumerate(members):
        configs.append(_saved(config, own))
        arrays |= {f"{place}.{name}": array for name, array in own.items()}
    metadata = {"format": FORMAT, "members": json.dumps(configs, allow_nan=False)}
    metadata[kind] = json.dumps(description, allow_nan=False)
    _write(path, metadata, arrays)


def _saved(config: dict[str, Any], arrays: dict[str, Array]) -> dict[str, Any]:
    saved = {key: value for key, value in config.items() if key in _CONFIG_KEYS}
    for name in UNITS:
        if name in arrays:
            saved[name] = None  # there
    if callable(saved["init"]):
        saved["init"] = "custom"
    return saved


def _write(path: str | Path, metadata: dict[str, str], arrays: dict[str, Array]) -> None:
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    metadata["sha256"] = _checksum(metadata, arrays)
    with replacing(path) as file:
        container.write(file, metadata, arrays)


def read_model(
    path: str | Path,
) -> tuple[dict[str, Any], dict[str, Array], dict[str, Any] | None]:
    """The architecture, the arrays by name, and a trainer's settings if there are any."""
    metadata, config, arrays, settings = _read(path)
    if "table" in metadata:
        raise ValueError(
            f"{path}: expected a network, got a model of tables: use "
            "eigenmlp.tables.TableClassifier.load or TableRegressor.load"
        )
    return config, arrays, settings


def read_pack(
    path: str | Path, kind: str
) -> tuple[list[tuple[dict[str, Any], dict[str, Array]]], dict[str, Any]]:
    """The opposite of `write_pack`; a file with one network of a table gives that one.

    Raises
    ------
    ValueError
        If the file is truncated, was altered, or is something else.
    """
    path = checks.path(path)
    try:
        with container.opened(path) as file:
            header = container.read_header(file)
            if kind not in header.metadata:
                raise ValueError(
                    f"expected {_KINDS[kind]}, got {_words(header)}: use that one's load"
                )
            if "members" not in header.metadata:
                configs = [_described(header.metadata)[0]]
                _check_arrays(header, configs[0], False)
            else:
                configs = _pack_configs(header)
            description = _object(header.metadata[kind], "a description")
            arrays = container.read_arrays(file, header)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected an eigenmlp model file: {error!s:.300}") from None
    _check_sum(path, header, arrays)
    if "members" not in header.metadata:
        return [(configs[0], arrays)], description
    own: list[dict[str, Array]] = [{} for _ in configs]
    for name, array in arrays.items():
        place, _, base = name.partition(".")
        own[int(place)][base] = array
    return [*zip(configs, own, strict=True)], description


_KINDS = {"table": "a model of tables", "ensemble": "an ensemble"}


def _words(header: container.Header) -> str:
    found = [words for kind, words in _KINDS.items() if kind in header.metadata]
    return found[0] if found else "a network or a trainer"


def _pack_configs(header: container.Header) -> list[dict[str, Any]]:
    """The networks' architectures, which all the arrays are of."""
    metadata = header.metadata
    if metadata.get("format") != FORMAT:
        raise ValueError(f"expected format {FORMAT}, got {shown(metadata.get('format'))}")
    _check_keys(metadata, {"format", "members", "sha256"} | ({"table", "ensemble"} & {*metadata}))
    configs = parsed(metadata["members"])
    if not isinstance(configs, list) or not 1 <= len(configs) <= len(header.entries):
        raise ValueError(f"members: expected a list of architectures, got {shown(configs)}")
    own: list[dict[str, Entry]] = [{} for _ in configs]
    for name, entry in header.entries.items():
        place, _, base = name.partition(".")
        if not (place.isascii() and place.isdigit() and str(int(place[:9])) == place):
            raise ValueError(f"expected arrays of members, got {shown(name[:40])}")
        if int(place) >= len(configs):
            raise ValueError(f"expected {len(configs)} members, got {shown(name[:40])}")
        own[int(place)][base] = entry
    for config, entries in zip(configs, own, strict=True):
        if not isinstance(config, dict):
            raise ValueError(f"members: expected architectures, got {shown(config)}")
        _check_keys(config, _CONFIG_KEYS)
        _check_arrays(container.Header(metadata, entries, header.size), config, False)
    return configs


def _check_sum(path: Path, header: container.Header, arrays: dict[str, Array]) -> None:
    metadata = {name: text for name, text in header.metadata.items() if name != "sha256"}
    if header.metadata["sha256"] != _checksum(metadata, arrays):
        raise ValueError(f"{path}: the file was altered or damaged: its checksum does not match")


def _read(
    path: str | Path,
) -> tuple[dict[str, str], dict[str, Any], dict[str, Array], dict[str, Any] | None]:
    """Metadata, architecture, arrays, and a trainer's settings; the checksum is right."""
    path = checks.path(path)
    try:
        with container.opened(path) as file:
            header = container.read_header(file)
            config, settings = _described(header.metadata)
            _check_arrays(header, config, settings is not None)
            arrays = container.read_arrays(file, header)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected an eigenmlp model file: {error!s:.300}") from None
    _check_sum(path, header, arrays)
    metadata = {name: text for name, text in header.metadata.items() if name != "sha256"}
    return metadata, config, arrays, settings


@contextmanager
def sensible(path: str | Path) -> Iterator[None]:
    """What a file says may make no sense: whatever that breaks is a ValueError with its path."""
    try:
        yield
    except (
        *(TypeError, ValueError, LookupError, AttributeError, OverflowError, RecursionError),
    ) as error:
        raise ValueError(f"{path}: expected a sensible model file: {error!s:.300}") from None


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


def _described(metadata: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The architecture and a trainer's settings, with the names that this version expects."""
    if "members" in metadata:
        use = "MLPEnsembleClassifier.load or MLPEnsembleRegressor.load of eigenmlp.sklearn"
        if "table" in metadata:
            use = "eigenmlp.tables.TableClassifier.load or TableRegressor.load"
        raise ValueError(f"expected one network, got several: use {use}")
    number = metadata.get("format")
    if number not in (*_OLDER, FORMAT):
        known = ", ".join(_OLDER)
        raise ValueError(f"expected format {known} or {FORMAT}, got {shown(number)}")
    _check_keys(metadata, _METADATA_KEYS | ({"trainer", "table"} & set(metadata)))
    config = _object(metadata["config"], "a config")
    settings = _object(metadata["trainer"], "settings") if "trainer" in metadata else None
    if number == "1":
        _update(config, settings)
    if number in _OLDER:
        no_units = {"standardize": False, "input_shift": 0.0, "output_shift": 0.0}
        config |= {**no_units, "output_scale": 1.0}
    _check_keys(config, _CONFIG_KEYS)
    if settings is not None:
        _check_keys(settings, _SETTING_KEYS)
    return config, settings


def _check_arrays(header: container.Header, config: dict[str, Any], trains: bool) -> None:
    """Whether the arrays are those of the architecture, all in its dtype."""
    entries = header.entries
    sizes, bias, dtype = config["layer_sizes"], config["bias"], config["dtype"]
    if not (isinstance(sizes, list) and 2 <= len(sizes) <= len(entries) + 1):
        raise ValueError(f"layer_sizes: expected of {len(entries)} arrays, got {shown(sizes)}")
    if not all(type(size) is int and 1 <= size <= 2**31 for size in sizes):
        raise ValueError(f"layer_sizes: expected ints of at least 1, got {shown(sizes)}")
    if not isinstance(bias, bool):
        raise ValueError(f"bias: expected True or False, got {shown(bias)}")
    if dtype not in ("float32", "float64"):
        raise ValueError(f"dtype: expected 'float32' or 'float64', got {shown(dtype)}")
    _check_texts(config, len(sizes) - 2, sizes[-1])
    kind = np.dtype(dtype).newbyteorder("<")
    own = {name: (kind, shape) for name, shape in _shapes(sizes, bias, "").items()}
    expected = dict(own)
    for name in UNITS:
        value = config[name]
        if value is None:
            columns = sizes[0] if name.startswith("input") else sizes[-1]
            expected[name] = np.dtype("<f8"), (columns,)
        elif isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{name}: expected a number or null, got {shown(value)}")
    if header.metadata["format"] not in _WITHOUT_SAMPLE:
        expected[X_NAME] = np.dtype(np.uint8), (ROWS, sizes[0])
        expected[Y_NAME] = kind, (ROWS, sizes[-1])
    for name, wanted in expected.items():
        _check_entry(name, entries.get(name), *wanted)
    for name in entries.keys() - expected.keys():  # such as "velocity.W0"
        of, _, base = name.rpartition(".")
        if not (trains and of.isidentifier() and base in own):
            raise ValueError(f"expected arrays of {shown(sizes)}, got also {shown(name[:40])}")
        _check_entry(name, entries[name], *own[base])


def _check_entry(
    name: str, entry: Entry | None, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> None:
    if entry is None or (entry.dtype, entry.shape) != (dtype, shape):
        came = "nothing" if entry is None else f"{entry.dtype} of shape {entry.shape}"
        raise ValueError(f"expected {name[:40]} as {dtype} of shape {shape}, got {came}")


def _check_texts(config: dict[str, Any], hidden: int, outputs: int) -> None:
    """Lengths, before anything is parsed or repeated for each layer."""
    for name in ("activation", "dropout"):
        value = config[name]
        if isinstance(value, list) and len(value) != hidden:
            raise ValueError(f"{name}: expected {hidden} for the hidden layers, got {len(value)}")
    activation = config["activation"]
    texts = [*(activation if isinstance(activation, list) else [activation])]
    texts += [config["output_activation"], config["init"]]
    for text in texts:
        if not isinstance(text, str) or len(text) > _TEXT_LIMIT:
            raise ValueError(f"activation, init: expected short texts, got {shown(text)}")
    loss, limit = config["loss"], _TEXT_LIMIT + 64 * outputs
    if not isinstance(loss, str) or len(loss) > limit:
        raise ValueError(f"loss: expected a text of at most {limit} characters, got {shown(loss)}")


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
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _object(text: str | None, what: str) -> dict[str, Any]:
    value = parsed(text or "null")
    if not isinstance(value, dict):
        raise ValueError(f"expected {what} with names and values, got {shown(value)}")
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


def _check_keys(found: dict[str, Any], expected: set[str]) -> None:
    if missing := sorted(expected - set(found)):
        raise ValueError(f"expected metadata with {sorted(expected)}, got no {missing}")
    if unknown := sorted(set(found) - expected):
        raise ValueError(
            f"expected no other settings than {sorted(expected)}, got {shown(unknown)}, "
            "which a newer eigenmlp may have written"
        )
