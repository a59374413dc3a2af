"""An ensemble in a file: its members' networks, and what it knows besides as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import LabelBinarizer

from .._basics.shown import shown
from .._files import classes as classes_file
from .._files import model as model_file
from .._files import network as network_file
from .._inputs import checks
from .._inputs.description import Described
from ..mlp import MLP

Array = NDArray[Any]

_FORMAT = 1
_KEYS = {
    *("format", "kind", "parameters", "estimator", "members", "weights", "curve", "features"),
    *("names", "state"),
}
_OF_A_MACHINE = ("n_threads", "verbose", "estimator", "sampling", "callbacks")


def save(ensemble: Any, path: str | Path) -> None:
    """`BaseEnsemble.save`."""
    names = getattr(ensemble, "feature_names_in_", None)
    base = ensemble.estimator
    description = {
        "format": _FORMAT,
        "kind": type(ensemble).__name__,
        "parameters": _parameters(ensemble),
        "estimator": None if base is None else _parameters(base),
        "members": [_parameters(member) for member in ensemble.members_],
        "weights": ensemble.weights_.tolist(),
        "curve": list(ensemble.validation_curve_),
        "features": ensemble.n_features_in_,
        "names": None if names is None else names.tolist(),
        "state": ensemble._state(),
    }
    nets = [member._network() for member in ensemble.members_]
    model_file.write_pack(
        path,
        [(net.config, network_file.named_arrays(net)) for net in nets],
        "ensemble",
        description,
    )


def load(kind: type[Any], path: str | Path) -> Any:
    """`BaseEnsemble.load`."""
    nets, found = model_file.read_pack(path, "ensemble")
    with model_file.sensible(path):
        if found.keys() != _KEYS or found["format"] != _FORMAT:
            raise ValueError(
                f"expected the keys {sorted(_KEYS)} and format {_FORMAT}, got {shown([*found])}, "
                "which a newer eigenmlp may have written"
            )
        if found["kind"] != kind.__name__:
            raise ValueError(f"expected a {kind.__name__}, got a {shown(found['kind'])}: use that")
        of_members = found["members"]
        if not isinstance(of_members, list) or len(of_members) != len(nets):
            raise ValueError(f"members: expected {len(nets)}, got {shown(of_members)}")
        ensemble = kind(**_checked(found["parameters"], kind))
        if found["estimator"] is not None:
            ensemble.estimator = kind._kind(**_checked(found["estimator"], kind._kind))
            ensemble.estimator._validate_params()
        ensemble._validate_params()
        features = checks.integer(found["features"], "features", 1)
        members = [
            _member(kind._kind, parameters, *net, features)
            for parameters, net in zip(of_members, nets, strict=True)
        ]
        weights = np.array([checks.number(w, "weights", 0.0) for w in found["weights"]])
        if len(weights) != len(members) or not np.isclose(weights.sum(), 1.0):
            raise ValueError(f"weights: expected {len(members)} of a sum of 1, got {len(weights)}")
        ensemble.__dict__ |= {
            "members_": members,
            "weights_": weights,
            "validation_curve_": [checks.number(x, "curve") for x in found["curve"]],
            "n_features_in_": features,
        }
        if (names := found["names"]) is not None:
            if len(names) != features or not all(isinstance(name, str) for name in names):
                raise ValueError(f"names: expected {features} texts, got {shown(names)}")
            ensemble.feature_names_in_ = np.array(names, dtype=object)
        ensemble._restore(found["state"])
        return ensemble


def _member(
    kind: type[Any],
    parameters: Any,
    config: dict[str, Any],
    arrays: dict[str, Array],
    features: int,
) -> Any:
    """A member with its network, but for what it predicts."""
    member = kind(**_checked(parameters, kind))
    member._validate_params()
    net = network_file.restored(MLP, config, arrays, "native")
    if net.layer_sizes[0] != features:
        raise ValueError(f"expected networks of {features} inputs, got {net.layer_sizes[0]}")
    member._net = net
    member.n_features_in_, member.n_outputs_ = features, net.layer_sizes[-1]
    member.n_layers_ = len(net.layer_sizes)
    return member


def restore_member(member: Any) -> None:
    """What a regressor says of its outputs."""
    member.out_activation_ = member._output_activation()
    _expect_loss(member)


def classes_as_json(classes: Array) -> dict[str, Any]:
    """Their dtype and values."""
    return classes_file.as_json(classes)


def restore_classes(members: list[Any], state: dict[str, Any]) -> Array:
    """The classes (K,), which all members get."""
    count = len(state["classes"]["values"])
    classes = classes_file.from_json(state["classes"], count)
    y: Any = classes
    if checks.checked_bool(state["multilabel"], "multilabel"):
        y = np.vstack([np.eye(count, dtype=int), np.zeros((1, count), int)])
    for member in members:
        member._label_binarizer = LabelBinarizer().fit(y)
        member.classes_ = classes
        member.out_activation_ = member._output_activation()
        wanted = 1 if member._label_binarizer.y_type_ == "binary" else count
        if member.n_outputs_ != wanted:
            raise ValueError(f"expected networks of {wanted} outputs, got {member.n_outputs_}")
        _expect_loss(member)
    return classes


def _expect_loss(member: Any) -> None:
    expected = type(member)._make_net(member, member._net.layer_sizes, member._net.dtype).config
    if member._net.config["loss"] != expected["loss"]:
        raise ValueError(
            f"expected networks with {expected['loss']}, got {shown(member._net.config['loss'])}"
        )


def _parameters(estimator: Any) -> dict[str, Any]:
    """Those of the constructor that JSON holds, but for those of a machine and of a screen."""
    found = {}
    for name, value in estimator.get_params(deep=False).items():
        if name not in _OF_A_MACHINE and (plain := _plain(value)) is not _NO_JSON:
            found[name] = plain
    return found


_NO_JSON = object()


def _plain(value: Any) -> Any:
    if isinstance(value, Described):
        return value.text
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, float) and not np.isfinite(value):
        return "inf" if value > 0 else _NO_JSON  # n_iter_no_change
    if isinstance(value, (list, tuple)):
        items = [_plain(item) for item in value]
        return _NO_JSON if any(item is _NO_JSON for item in items) else items
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return _NO_JSON


def _checked(found: Any, kind: type[Any]) -> dict[str, Any]:
    known = kind().get_params(deep=False).keys() - {*_OF_A_MACHINE}
    if not isinstance(found, dict) or not found.keys() <= known:
        raise ValueError(f"parameters: expected those of {kind.__name__}, got {shown(found)}")
    if found.get("n_iter_no_change") == "inf":
        found["n_iter_no_change"] = float("inf")
    return {**found}
