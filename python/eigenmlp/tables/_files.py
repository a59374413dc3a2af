"""A table's model in a file: its network's, and what it knows of the table as JSON beside it."""

from __future__ import annotations

from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from .._basics.shown import shown
from .._files import model as model_file
from .._files import network as network_file
from .._inputs import checks
from .._inputs.description import described
from ..activations import ACTIVATIONS, Activation
from ..history import History
from ..mlp import MLP
from . import _defaults, _encoder
from ._defaults import Settings
from ._encoder import Encoder
from ._members import Member, of_one

_FORMAT = 1
_KEYS = {"format", "kind", "names", "named", "target", "columns", "parameters", "training", "state"}
_MEMBER = {
    *("number", "networks", "encoder", "settings", "loss", "weight", "seconds", "epoch"),
}
_TRAINING = {"rows", "validation_rows", "epochs", "best_epoch", "loss", "val_loss", "seconds"}


def save(estimator: Any, path: str | Path) -> None:
    """`TableEstimator.save`."""
    table = {
        "format": _FORMAT,
        "kind": type(estimator).__name__,
        "names": estimator._feature_names,
        "named": estimator._named,
        "target": estimator.target_name_,
        "columns": [_encoder.described(encoder) for encoder in estimator._encoders],
        "parameters": _parameters(estimator),
        "training": estimator.training_,
        "state": estimator._state(),
    }
    if estimator._labels is not None:
        table["labels"] = estimator._labels
    if "network_" in vars(estimator) and len(estimator.members_) == 1:  # as it always was
        table["columns"], table["member"] = table["columns"][0], _described(estimator.members_[0])
        net = estimator.network_
        model_file.write_model(path, net.config, network_file.named_arrays(net), table=table)
        return
    table["members"] = [_described(member) for member in estimator.members_]
    table["curve"] = list(estimator.validation_curve_)
    nets = [net for member in estimator.members_ for net in member.networks]
    arrays = [(net.config, network_file.named_arrays(net)) for net in nets]
    model_file.write_pack(path, arrays, "table", table)


def _described(member: Member) -> dict[str, Any]:
    return {
        "number": member.number,
        "networks": len(member.networks),
        "encoder": member.encoder,
        "settings": None if member.settings is None else asdict(member.settings),
        "loss": member.loss,
        "weight": member.weight,
        "seconds": member.seconds,
        "epoch": member.epoch,
    }


def load(kind: type[Any], path: str | Path) -> Any:
    """`TableEstimator.load`."""
    nets, table = model_file.read_pack(path, "table")
    with model_file.sensible(path):
        several = "members" in table
        if (
            table.keys() - {"labels", "member"}
            != _KEYS | ({"members", "curve"} if several else set())
            or table["format"] != _FORMAT
        ):
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
        labels = table.get("labels")
        if labels is not None:
            whole = isinstance(labels, list) and all(type(x) is int for x in labels)
            if not whole or len({*labels}) != len(names) or len(labels) != len(names):
                raise ValueError(
                    f"labels: expected {len(names)} integers, each once, got {shown(labels)}"
                )
        target = table["target"]
        if not (target is None or isinstance(target, str)):
            raise ValueError(f"target: expected a text or nothing, got {shown(target)}")
        estimator = kind(**_checked_parameters(table["parameters"], kind))
        named = checks.checked_bool(table["named"], "named")
        described = table["columns"] if several else [table["columns"]]
        if not isinstance(described, list) or not 1 <= len(described) <= len(nets):
            raise ValueError(f"columns: expected 1 to {len(nets)} lists, got {shown(described)}")
        encoders = [_encoder.restored(columns, names) for columns in described]
        training = _checked_training(table["training"])
        alone = table.get("member", _alone(training))
        members = _members(table["members"] if several else [alone], nets, encoders)
        history = History(loss=list(training["loss"]), val_loss=list(training["val_loss"]))
        history.rows = training["rows"]
        estimator.__dict__ |= {
            "members_": members,
            "validation_curve_": [
                checks.number(x, "curve") for x in (table["curve"] if several else [])
            ],
            "history_": history,
            "best_epoch_": training["best_epoch"],
            "training_": training,
            "n_features_in_": len(names),
            "target_name_": target,
            "_encoders": encoders,
            "_feature_names": names,
            "_named": named,
            "_labels": labels,
        }
        estimator.__dict__ |= of_one(members, encoders)
        if members[0].settings is not None:  # older files have none of one network
            estimator.settings_ = members[0].settings
        if named:
            estimator.feature_names_in_ = np.array(names, dtype=object)
        estimator._restore(table["state"])
        return estimator


def _alone(training: dict[str, Any]) -> dict[str, Any]:
    """The one network of an older file, as far as its training tells."""
    losses, best = training["val_loss"], training["best_epoch"]
    return {
        "number": 0,
        "networks": 1,
        "encoder": 0,
        "settings": None,
        "loss": losses[best - 1] if 0 < best <= len(losses) else None,
        "weight": 1.0,
        "seconds": training["seconds"],
        "epoch": best,
    }


def _members(found: Any, nets: list[Any], encoders: list[Encoder]) -> list[Member]:
    """The members, each with its networks."""
    if not isinstance(found, list) or not found:
        raise ValueError(f"members: expected a list, got {shown(found)}")
    members, at = [], 0
    for one in found:
        if not isinstance(one, dict) or one.keys() != _MEMBER:
            raise ValueError(f"members: expected the keys {sorted(_MEMBER)}, got {shown(one)}")
        count = checks.integer(one["networks"], "networks", 0, len(nets) - at)
        encoder = checks.integer(one["encoder"], "encoder", 0, len(encoders) - 1)
        weight = checks.number(one["weight"], "weight", 0.0)
        if (weight > 0) != (count > 0):
            raise ValueError(f"members: expected networks where the weight is above 0, got {count}")
        loss = None if one["loss"] is None else checks.number(one["loss"], "loss")
        networks = []
        for config, arrays in nets[at : at + count]:
            width = encoders[encoder].width
            if config["layer_sizes"][0] != width:
                raise ValueError(
                    f"columns: expected {config['layer_sizes'][0]} inputs of the network, got "
                    f"{width}"
                )
            networks.append(network_file.restored(MLP, config, arrays, "native"))
        at += count
        members.append(
            Member(
                checks.integer(one["number"], "number", 0),
                networks,
                _settings(one["settings"]),
                loss,
                weight,
                checks.number(one["seconds"], "seconds", 0.0),
                encoder,
                epoch=checks.integer(one["epoch"], "epoch", 0),
            )
        )
    total = sum(member.weight for member in members)
    if at != len(nets) or abs(total - 1) > 1e-6 or not members[0].networks:
        raise ValueError(f"members: expected {len(nets)} networks and weights of a sum of 1")
    kinds = {(net.layer_sizes[-1], net.config["loss"]) for m in members for net in m.networks}
    if len(kinds) > 1:
        raise ValueError("members: expected networks of the same outputs and loss")
    return members


def _settings(found: Any) -> Any:
    if found is None:
        return None
    names = {one.name for one in fields(Settings)}
    later = {one.name for one in fields(Settings) if one.default is not MISSING}  # than the format
    if not isinstance(found, dict) or not names - later <= found.keys() <= names:
        raise ValueError(f"settings: expected those of a network, got {shown(found)}")
    hidden = tuple(checks.integer(size, "hidden") for size in found["hidden"])
    found = {**{one.name: one.default for one in fields(Settings) if one.name in later}, **found}
    for name in ("lr", "weight_decay", "dropout", "beta_1"):
        checks.number(found[name], name, 0.0)
    described(found["activation"], ACTIVATIONS, "activation")
    for name in ("bins", "batch_size", "epochs", "patience", "folds"):
        checks.integer(found[name], name, 0)
    checks.checked_bool(found["crosses"], "crosses")
    checks.known(found["dtype"], ["float32", "float64"], "dtype")
    return Settings(**{**found, "hidden": hidden})


def _parameters(estimator: Any) -> dict[str, Any]:
    """Those of the constructor that JSON holds, but for those of a machine and of a screen."""
    found = {}
    for name, value in estimator.get_params(deep=False).items():
        if name in ("n_threads", "progress"):
            continue
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, Activation):
            value = value.text
        if isinstance(value, (tuple, list)):
            value = [int(x) for x in value]
        if value is None or isinstance(value, (bool, int, float, str, list)):
            found[name] = value
    return found


def _checked_parameters(found: Any, kind: type[Any]) -> dict[str, Any]:
    known = kind().get_params(deep=False).keys() - {"n_threads", "progress"}
    if not isinstance(found, dict) or not found.keys() <= known:
        raise ValueError(f"parameters: expected those of {kind.__name__}, got {shown(found)}")
    _defaults.budget(found.get("members"), found.get("time_limit"))
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
