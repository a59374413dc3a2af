"""The metrics are scikit-learn's, the baseline is the best constant's."""

from __future__ import annotations

import numpy as np
import pytest

from eigenmlp.cli.metrics import judge_classes, judge_values

metrics = pytest.importorskip("sklearn.metrics")


@pytest.mark.parametrize("K", [2, 5])
def test_classes(K):
    rng = np.random.default_rng(K)
    P = rng.dirichlet(np.ones(K), 400).round(2) + 0.01  # with ties
    P /= P.sum(axis=1, keepdims=True)
    codes = rng.integers(0, K, 400)
    called = P.argmax(axis=1)
    shares = np.bincount(codes) / len(codes)
    judged = judge_classes(codes, P, np.arange(K), shares)
    expected = {
        "accuracy": metrics.accuracy_score(codes, called),
        "balanced_accuracy": metrics.balanced_accuracy_score(codes, called),
        "log_loss": metrics.log_loss(codes, P),
        "auc": metrics.roc_auc_score(codes, P[:, 1] if K == 2 else P, multi_class="ovr"),
    }
    assert judged.metrics == pytest.approx(expected, rel=1e-12)
    precision = metrics.precision_score(codes, called, average=None)
    recall = metrics.recall_score(codes, called, average=None)
    assert [one.precision for one in judged.classes] == pytest.approx(precision.tolist())
    assert [one.recall for one in judged.classes] == pytest.approx(recall.tolist())
    assert [one.rows for one in judged.classes] == np.bincount(codes).tolist()
    assert judged.baseline["accuracy"] == pytest.approx(shares.max())
    assert judged.baseline["log_loss"] == pytest.approx(-(shares * np.log(shares)).sum())
    assert judged.constant == shares.argmax()


def test_values():
    rng = np.random.default_rng(0)
    y = rng.normal(5, 3, 200)
    predicted = y + rng.normal(size=200)
    judged = judge_values(y, predicted, 4.0)
    expected = {
        "r2": metrics.r2_score(y, predicted),
        "mae": metrics.mean_absolute_error(y, predicted),
        "rmse": metrics.mean_squared_error(y, predicted) ** 0.5,
    }
    assert judged.metrics == pytest.approx(expected, rel=1e-12)
    assert judged.baseline["mae"] == pytest.approx(np.abs(y - 4).mean())
    assert judged.shortfall is None


def test_classes_that_no_row_is_of_or_is_called():
    P = np.array([[0.8, 0.1, 0.1], [0.7, 0.2, 0.1]])
    judged = judge_classes(np.array([0, 1]), P, np.array(["a", "b", "c"]), np.full(3, 1 / 3))
    assert judged.metrics["auc"] is None
    assert judged.metrics["balanced_accuracy"] == 0.5
    of_b, of_c = judged.classes[1:]
    assert (of_b.precision, of_b.recall) == (None, 0.0)
    assert (of_c.label, of_c.precision, of_c.recall, of_c.rows) == ("c", None, None, 0)


def test_probability_zero_is_finite():
    judged = judge_classes(np.array([0, 1]), np.eye(2)[[1, 0]], np.arange(2), np.full(2, 0.5))
    assert np.isfinite(judged.metrics["log_loss"]) and judged.metrics["log_loss"] > 100


class TestShortfall:
    def test_values(self):
        y = np.array([0.0, 1.0, 2.0])
        assert "RMSE" in judge_values(y, np.full(3, 1.0), 1.0).shortfall
        assert judge_values(y, y, 1.0).shortfall is None

    def test_accuracy(self):
        codes, shares = np.array([0, 0, 0, 1]), np.array([0.75, 0.25])
        P = np.array([[0.9, 0.1]] * 3 + [[0.6, 0.4]])
        text = judge_classes(codes, P, np.array(["no", "yes"]), shares).shortfall
        assert "accuracy 0.7500 is not above 0.7500, that of always 'no'" in text
        assert "--class-weight balanced" in text
        assert judge_classes(codes, np.eye(2)[codes], np.arange(2), shares).shortfall is None

    def test_balanced(self):
        """Classes that count alike are judged alike: less accuracy may be meant."""
        codes, shares = np.array([0] * 6 + [1] * 2), np.array([0.75, 0.25])
        P = np.array([[0.6, 0.4]] * 3 + [[0.4, 0.6]] * 3 + [[0.2, 0.8]] * 2)
        assert judge_classes(codes, P, np.arange(2), shares).shortfall is not None
        assert judge_classes(codes, P, np.arange(2), shares, balanced=True).shortfall is None

    def test_probabilities(self):
        codes, shares = np.array([0, 1, 0, 1]), np.array([0.5, 0.5])
        P = np.array([[0.6, 0.4], [0.4, 0.6], [0.6, 0.4], [1.0, 0.0]])
        assert "log loss" in judge_classes(codes, P, np.arange(2), shares).shortfall
