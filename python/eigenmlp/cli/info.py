"""``eigenmlp info``: what runs here, or what a model is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import eigenmlp as em

from . import models
from .commands import InfoCommand
from .report import Report

_LONGEST = 100  # characters of a value


def info(command: InfoCommand) -> None:
    """Print `em.info()`, or a model's description, one line for each entry."""
    report = Report(command.json)
    if command.model is None:
        entries: dict[str, Any] = em.info()
    else:
        model = models.load(command.model, None)
        of_table = models.is_of_tables(model)
        entries = _of_table(model) if of_table else _of_network(model)
        entries = {"model": str(command.model), **entries}
    lines = list(_flatten(entries))
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        report.say(f"{name:<{width}}  {value}")
    report.finish(entries)


def _of_network(net: em.MLP) -> dict[str, Any]:
    columns = f"{net.layer_sizes[0]:,} numbers, in their order, without names"
    return {"kind": "network", "columns": columns, **_architecture(net)}


def _architecture(net: em.MLP) -> dict[str, Any]:
    names = ("layer_sizes", "activation", "output_activation", "loss", "dtype", "dropout")
    config = {name: net.config[name] for name in names if name in net.config}
    return {**config, "parameters": int(net.parameters.size)}


def _of_table(model: Any) -> dict[str, Any]:
    used = {column.name: column for column in model.columns_}
    networks = [net for member in model.members_ for net in member.networks]
    described = _architecture(networks[0])
    if len(networks) > 1:
        described["parameters"] = sum(int(net.parameters.size) for net in networks)
        described = {"networks": len(networks), **described}
    columns = {}
    for name in models.features(model):
        column = used.get(name)
        columns[name] = "left out: told nothing" if column is None else _column(column)
    entries = {"kind": type(model).__name__, "target": model.target_name_, "columns": columns}
    if hasattr(model, "classes_"):
        entries["classes"] = model.classes_.tolist()
    training = model.training_
    return {
        **entries,
        "network": described,
        "training": {key: training[key] for key in training if key not in ("loss", "val_loss")},
        "validation_score": model.validation_score_,
    }


def _column(column: Any) -> str:
    details = column.details()
    if column.kind == "number":
        return f"number from {details['low']:g} to {details['high']:g}" + _missing(details)
    if column.kind == "code":
        count = len(details["category"]["categories"])
        return f"code, {count:,} from {details['low']:g} to {details['high']:g}{_missing(details)}"
    if column.kind == "category":
        names = details["categories"]
        listed = ", ".join(map(str, names[:4])) + (", …" if len(names) > 4 else "")
        return f"category, {len(names):,}: {listed}" + (
            ", may be missing" if details["missing"] else ""
        )
    return f"{column.kind}{_missing(details)}"


def _missing(details: Mapping[str, Any]) -> str:
    return ", may be missing" if details.get("indicator") else ""


def _flatten(entries: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in entries.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            yield prefix + name, _short(" ".join(map(str, value)))
        elif isinstance(value, float):
            yield prefix + name, f"{value:.4g}"
        else:
            yield prefix + name, _short(str(value))


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
