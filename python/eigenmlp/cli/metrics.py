"""What people ask of predictions, beside what the best constant answer gets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .._basics.shown import shown

Array = npt.NDArray[Any]

_UNEVEN = 1.5  # times the share of each of K equal classes


@dataclass(frozen=True)
class OfClass:
    """Of the rows called so, how many are; of those that are, how many are called so."""

    label: Any
    precision: float | None  # None: no row was called so
    recall: float | None  # None: no row is
    rows: int


@dataclass(frozen=True)
class Judged:
    """Numbers by name, of the model and of the constant answer; None where there is none."""

    rows: int
    metrics: dict[str, float | None]
    baseline: dict[str, float | None]
    constant: Any  # the class or value that the baseline always answers
    classes: tuple[OfClass, ...] = ()  # none where values are predicted
    shortfall: str | None = None  # why the model is no better than the constant


def judge_classes(
    codes: Array, probabilities: Array, labels: Array, shares: Array, balanced: bool = False
) -> Judged:
    """How good probabilities (N, K) are for the classes `codes` (N,), places in `labels` (K,).

    `shares` (K,) are those of the classes where the constant answer is learnt. `balanced` judges by
    balanced accuracy: the training made all classes count alike.
    """
    N, K = probabilities.shape
    called = probabilities.argmax(axis=1)
    counts = np.bincount(codes, minlength=K)
    right = np.bincount(codes[called == codes], minlength=K)
    called_so = np.bincount(called, minlength=K)
    there = counts > 0
    most = int(np.argmax(shares))

    metrics: dict[str, float | None] = {
        "accuracy": float((called == codes).mean()),
        "balanced_accuracy": float((right[there] / counts[there]).mean()),
        "log_loss": _log_loss(codes, probabilities),
        "auc": _auc(codes, probabilities),
    }
    baseline: dict[str, float | None] = {
        "accuracy": float(counts[most] / N),
        "balanced_accuracy": float(there[most] / there.sum()),
        "log_loss": _log_loss(codes, np.broadcast_to(shares, (N, K))),
        "auc": None if metrics["auc"] is None else 0.5,
    }
    classes = tuple(
        OfClass(
            labels[k].item() if isinstance(labels[k], np.generic) else labels[k],
            float(right[k] / called_so[k]) if called_so[k] else None,
            float(right[k] / counts[k]) if counts[k] else None,
            int(counts[k]),
        )
        for k in range(K)
    )
    constant = classes[most].label
    shortfall = _shortfall_of_classes(metrics, baseline, constant, shares, balanced)
    return Judged(N, metrics, baseline, constant, classes, shortfall)


def judge_values(y: Array, predicted: Array, mean: float) -> Judged:
    """How good predicted values (N,) are for `y` (N,); the constant answer is `mean`."""
    metrics, baseline = _of_values(y, predicted), _of_values(y, np.full(len(y), mean))
    shortfall = None
    rmse, constant = metrics["rmse"], baseline["rmse"]
    assert rmse is not None and constant is not None
    if not rmse < constant:
        shortfall = f"RMSE {rmse:.6g} is not below {constant:.6g}, that of the mean {mean:.6g}"
    return Judged(len(y), metrics, baseline, mean, (), shortfall)


def _of_values(y: Array, predicted: Array) -> dict[str, float | None]:
    errors = predicted - y
    size = float(np.abs(errors).max(initial=0.0)) or 1.0  # so that no square overflows
    rmse = math.sqrt(float(np.mean((errors / size) ** 2))) * size
    spread = float(np.std(y))
    return {
        "r2": 1.0 - (rmse / spread) ** 2 if spread > 0 else None,
        "mae": float(np.mean(np.abs(errors))),
        "rmse": rmse,
    }


def _log_loss(codes: Array, probabilities: Array) -> float:
    of_class = probabilities[np.arange(len(codes)), codes].astype(np.float64)
    return float(-np.log(np.maximum(of_class, np.finfo(np.float64).tiny)).mean())


def _auc(codes: Array, probabilities: Array) -> float | None:
    """Area under the ROC curve of the second class; of more than two the mean, each against all."""
    K = probabilities.shape[1]
    if K == 2:
        return _area(codes == 1, probabilities[:, 1])
    areas = [_area(codes == k, probabilities[:, k]) for k in range(K)]
    found = [area for area in areas if area is not None]
    return float(np.mean(found)) if len(found) == K else None


def _area(positive: Array, score: Array) -> float | None:
    """The share of pairs, one positive and one not, whose scores are in order; ties are half."""
    n = int(positive.sum())
    others = len(positive) - n
    if not (n and others):
        return None
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2.0)[place]  # from 1; equal scores share their mean
    return float((ranks[positive].sum() - n * (n + 1) / 2.0) / (n * others))


def _shortfall_of_classes(
    metrics: dict[str, float | None],
    baseline: dict[str, float | None],
    constant: Any,
    shares: Array,
    balanced: bool,
) -> str | None:
    by = "balanced_accuracy" if balanced else "accuracy"
    got, always = metrics[by] or 0.0, baseline[by] or 0.0
    loss, constant_loss = metrics["log_loss"] or 0.0, baseline["log_loss"] or 0.0
    name = by.replace("_", " ")
    if got <= always:
        text = f"{name} {got:.4f} is not above {always:.4f}, that of always {shown(constant)}"
        if loss < constant_loss and not balanced and always >= _UNEVEN / len(shares):
            text += (
                f"; the probabilities do tell something (log loss {loss:.4f}, of the classes' "
                f"shares {constant_loss:.4f}): --class-weight balanced may help"
            )
        return text
    if loss >= constant_loss and not balanced:
        return f"log loss {loss:.4f} is not below {constant_loss:.4f}, that of the classes' shares"
    return None
