"""What scikit-learn has around an estimator: pipelines whose other steps scale, and searches."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._basics.shown import shown
from ..mlp import MLP

Array = NDArray[Any]

_SCALERS = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler")


def inner(given: object) -> object:
    """The last step of a pipeline, or of that which a search has found."""
    while True:
        if _is_a(given, "sklearn.model_selection._search", "BaseSearchCV"):
            given = _best(given)
        elif _is_a(given, "sklearn.pipeline", "Pipeline"):
            given = given.steps[-1][1]  # type: ignore[attr-defined]
        else:
            return given


def parts(given: object, function: str) -> tuple[object, list[Any]]:
    """The estimator, and the scalers that rows pass before it."""
    scalers: list[Any] = []
    while True:
        if _is_a(given, "sklearn.model_selection._search", "BaseSearchCV"):
            given = _best(given, function)
        elif _is_a(given, "sklearn.pipeline", "Pipeline"):
            *before, (_, given) = given.steps  # type: ignore[attr-defined]
            steps = [step for _, step in before if step is not None and step != "passthrough"]
            scalers += [_checked(step, function) for step in steps]
        else:
            return given, scalers


def _best(search: Any, function: str = "export") -> object:
    try:
        return search.best_estimator_
    except AttributeError:
        raise ValueError(
            f"{function}: expected a fitted search with refit=True, got a "
            f"{type(search).__name__} without best_estimator_"
        ) from None


def _checked(step: Any, function: str) -> Any:
    kind = type(step).__name__
    if kind not in _SCALERS or not _is_a(step, "sklearn.preprocessing._data", kind):
        raise ValueError(
            f"{function}: expected no other steps before the network than {', '.join(_SCALERS)}, "
            f"got {shown(step)}"
        )
    if not hasattr(step, "n_features_in_"):
        raise ValueError(f"{function}: expected a fitted pipeline, got a {kind} that is not")
    if getattr(step, "clip", False):
        raise ValueError(f"{function}: expected a {kind} with clip=False, got clip=True")
    return step


def scaled(net: MLP, scalers: list[Any], function: str) -> MLP:
    """A network of the same parameters whose inputs are those of the first scaler."""
    D = net.layer_sizes[0]
    config = net.config
    shift, scale = np.zeros(D), np.ones(D)
    for scaler in scalers:  # ((x - shift) scale - m) s = (x - (shift + m / scale)) (scale s)
        m, s = _shift_and_scale(scaler, D)
        shift, scale = shift + m / scale, scale * s
    m, s = np.broadcast_to(config["input_shift"], D), np.broadcast_to(config["input_scale"], D)
    config |= {"input_shift": shift + m / scale, "input_scale": scale * s, "standardize": False}
    try:
        new = MLP(**{**config, "init": "zeros"})
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{function}: expected scalers of finite numbers: {error!s:.200}"
        ) from None
    new.parameters = net.parameters
    return new


def _shift_and_scale(scaler: Any, D: int) -> tuple[Array, Array]:
    """m and s of ``(x - m) s``, float64 (D,)."""
    kind = type(scaler).__name__
    if kind == "MinMaxScaler":  # x scale + min
        s = np.asarray(scaler.scale_, np.float64)
        return -np.asarray(scaler.min_, np.float64) / s, s
    m = None
    if kind == "StandardScaler" and scaler.with_mean:
        m = scaler.mean_
    if kind == "RobustScaler" and scaler.with_centering:
        m = scaler.center_
    scale = scaler.scale_  # None where it does not scale
    return (
        np.zeros(D) if m is None else np.asarray(m, np.float64),
        np.ones(D) if scale is None else 1.0 / np.asarray(scale, np.float64),
    )


def _is_a(value: object, module: str, kind: str) -> bool:
    """Whether it is of a class of scikit-learn, which is not imported for that."""
    found = getattr(sys.modules.get(module), kind, None)
    return isinstance(found, type) and isinstance(value, found)
