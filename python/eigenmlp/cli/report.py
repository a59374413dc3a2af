"""What a command says: lines for people on stdout, or one JSON object; warnings on stderr."""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .._basics.shown import one_line
from . import launched
from .metrics import Judged

_NAMES = {"auc": "AUC", "r2": "R²", "mae": "MAE", "rmse": "RMSE"}
_LABELS, _VALUES = 24, 30  # characters of a column
_MOST_CLASSES = 30  # that are listed


class Report:
    """Collects what is said; with `as_json` all of it but warnings waits for `finish`."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.warnings: list[str] = []

    def say(self, text: str) -> None:
        if not self.as_json and launched.is_first():
            known = sys.stdout.encoding or "utf-8"  # an old terminal has no ² and no names in Greek
            print(text.encode(known, "backslashreplace").decode(known), flush=True)

    def warn(self, text: str) -> None:
        text = one_line(text)
        self.warnings.append(text)
        if launched.is_first():
            print(f"eigenmlp: warning: {text}", file=sys.stderr)

    def tell_of(self, assumed: str, is_odd: bool) -> None:
        """What was taken for granted, if anything: a warning where users should look."""
        self.warn_of(assumed, is_odd)
        if assumed and not is_odd:
            self.say(assumed)

    def warn_of(self, assumed: str, is_odd: bool) -> None:
        """The same, but only where users should look."""
        if is_odd:
            self.warn(assumed)

    @contextmanager
    def python_warnings(self) -> Iterator[None]:
        """What the library warns of, as one line each."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
        for text in dict.fromkeys(str(one.message) for one in caught):
            self.warn(text)

    def judge(self, judged: Judged, prefix: str = "") -> None:
        """Print the metrics beside the constant answer's, and warn if they are no better."""
        for line in lines_of(judged, prefix):
            self.say(line)
        if judged.shortfall:
            self.warn(f"the model is no better than a constant answer: {judged.shortfall}")

    def finish(self, content: dict[str, Any]) -> None:
        """Print the one JSON object, if that was asked for."""
        if self.as_json and launched.is_first():
            print(json.dumps(_plain({**content, "warnings": self.warnings}), allow_nan=False))


def lines_of(judged: Judged, prefix: str = "") -> Iterator[str]:
    """A metric a line, then a class a line."""
    constant = judged.constant
    what = _label(repr(constant)) if judged.classes else f"{constant:.6g}"
    yield f"{'':<{_LABELS}}{'model':<{_VALUES}}always {what}"
    for name, value in judged.metrics.items():
        if value is None:
            continue
        label = f"{prefix}{_NAMES.get(name, name.replace('_', ' '))}"
        form = ".4f" if judged.classes or name == "r2" else ".6g"
        text = f"{value:{form}}"
        if name == "accuracy":
            text += f" ({round(value * judged.rows):,} of {judged.rows:,})"
        beside = judged.baseline[name]
        against = "" if beside is None else f"{beside:{form}}"
        yield f"{label:<{_LABELS}}{text:<{_VALUES}}{against}".rstrip()
    if judged.classes:
        yield from _class_lines(judged)


def _class_lines(judged: Judged) -> Iterator[str]:
    shown_classes = sorted(judged.classes, key=lambda one: -one.rows)[:_MOST_CLASSES]
    if len(shown_classes) == len(judged.classes):
        shown_classes = list(judged.classes)
    labels = [_label(one.label) for one in shown_classes]
    width = max(_LABELS, *(len(label) + 2 for label in labels))
    yield f"{'class':<{width}}{'precision':>9}  {'recall':>6}  {'rows':>7}"
    for label, one in zip(labels, shown_classes, strict=True):
        precision = "-" if one.precision is None else f"{one.precision:.4f}"
        recall = "-" if one.recall is None else f"{one.recall:.4f}"
        yield f"{label:<{width}}{precision:>9}  {recall:>6}  {one.rows:>7,}"
    if len(judged.classes) > len(shown_classes):
        yield f"and {len(judged.classes) - len(shown_classes):,} classes of fewer rows"


def _label(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 30 else f"{text[:29]}…"


def judged_as_json(judged: Judged) -> dict[str, Any]:
    """`metrics`, `baseline`, whether the first is better, and `classes` where there are any."""
    content: dict[str, Any] = {
        "rows": judged.rows,
        "metrics": judged.metrics,
        "baseline": {"constant": judged.constant, **judged.baseline},
        "beats_baseline": judged.shortfall is None,
    }
    if judged.classes:
        content["classes"] = [
            {"label": c.label, "precision": c.precision, "recall": c.recall, "rows": c.rows}
            for c in judged.classes
        ]
    return content


def _plain(value: Any) -> Any:
    """What JSON has: no NaN, no NumPy."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return _plain(value.item()) if hasattr(value, "item") else str(value)
