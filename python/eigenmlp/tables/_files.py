"""A table's model in a file: its network's, and what it knows of the table as JSON beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .._basics.shown import shown
from .._files import model as model_file
from .._files import network as network_file
from .._inputs import checks
from ..history import History
from ..mlp import MLP
from . import _defaults, _encoder

_FORMAT = 1
_KEYS = {"format", "kind", "names", "named", "target", "columns", "parameters", "training", "state"}
_TRAINING = {"rows", "validation_rows", "epochs", "best_epoch", "loss", "val_loss", "seconds"}


def save(estimator: Any, path: str | Path) -> None:
    """`TableEstimator.save`."""
    table = {
        "format": _FORMAT,
        "kind": type(estimator).__name__,
        "names": estimator._feature_names,
        "named": estimator._named,
        "target": estimator.target_name_,
        "columns": _encoder.described(estimator._encoder),
        "parameters": _parameters(estimator),
        "training": estimator.training_,
        "state": estimator._state(),
    }
    net = estimator.network_
    model_file.write_model(path, net.config, network_file.named_arrays(net), table=table)


def load(kind: type[Any], path: str | Path) -> Any:
    """`TableEstimator.load`."""
    config, arrays, table = model_file.read_table(path)
    with model_file.sensible(path):
        if table.keys() != _KEYS or table["format"] != _FORMAT:
            raise ValueError(
                f"expected the keys {sorted(_KEYS)} and format {_FORMAT}, got {shown([*table])}, "
                "which a newer eigenmlp may have written"
            )
        if table["kind"] != kind.__name__:
            raise ValueError(f"expected a {kind.__name__}, got a {shown(table['kind'])}: use that")
        names = table["names"]
        if not (isinstance(names, list) and names and all(isinstance(x, str) for x in names)):
            raise ValueError(f"names: expected texts, got {shown(names)}")
        if len({*names}) < len(names):
            raise ValueError("names: expected each once")
        target = table["target"]
        if not (target is None or isinstance(target, str)):
            raise ValueError(f"target: expected a text or nothing, got {shown(target)}")
        estimator = kind(**_checked_parameters(table["parameters"], kind))
        named = checks.checked_bool(table["named"], "named")
        encoder = _encoder.restored(table["columns"], names)
        if encoder.width != config["layer_sizes"][0]:
            raise ValueError(
                f"columns: expected {config['layer_sizes'][0]} inputs of the network, got "
                f"{encoder.width}"
            )
        net = network_file.restored(MLP, config, arrays, "native")
        training = _checked_training(table["training"])
        history = History(loss=list(training["loss"]), val_loss=list(training["val_loss"]))
        history.rows = training["rows"]
        estimator.__dict__ |= {
            "network_": net,
            "history_": history,
            "best_epoch_": training["best_epoch"],
            "training_": training,
            "n_features_in_": len(names),
            "target_name_": target,
            "_encoder": encoder,
            "_feature_names": names,
            "_named": named,
        }
        if named:
            estimator.feature_names_in_ = np.array(names, dtype=object)
        estimator._restore(table["state"])
        return estimator


def _parameters(estimator: Any) -> dict[str, Any]:
    """Those of the constructor that JSON holds, but for those of a machine and of a screen."""
    found = {}
    for name, value in estimator.get_params(deep=False).items():
        if name in ("n_threads", "progress"):
            continue
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, (tuple, list)):
            value = [int(x) for x in value]
        if value is None or isinstance(value, (bool, int, float, str, list)):
            found[name] = value
    return found


def _checked_parameters(found: Any, kind: type[Any]) -> dict[str, Any]:
    known = kind().get_params(deep=False).keys() - {"n_threads", "progress"}
    if not isinstance(found, dict) or not found.keys() <= known:
        raise ValueError(f"parameters: expected those of {kind.__name__}, got {shown(found)}")
    checks.integer(found.get("max_categories", 1), "max_categories", 1, _defaults.MOST_CATEGORIES)
    checks.integer(found.get("random_state") or 0, "random_state", 0, 2**32 - 1)
    if found.get("class_weight") not in (None, "balanced"):
        raise ValueError(f"class_weight: got {shown(found['class_weight'])}")
    asked = {name: found[theirs] for name, theirs in _defaults.NAMES.items() if theirs in found}
    _defaults.choices(1000, 1, asked)
    return found


def _checked_training(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict) or found.keys() != _TRAINING:
        raise ValueError(f"training: expected {sorted(_TRAINING)}, got {shown(found)}")
    for name in ("rows", "validation_rows", "epochs", "best_epoch"):
        checks.integer(found[name], name, 0)
    checks.number(found["seconds"], "seconds", 0.0)
    for name in ("loss", "val_loss"):
        for value in found[name]:
            checks.number(value, name)
    return found
