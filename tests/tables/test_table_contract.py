"""The estimators of tables in scikit-learn's own checks and tools."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import eigenmlp as em
from eigenmlp.tables import TableClassifier, TableRegressor
from support.tables import ONE_CHOICE

KINDS = [TableClassifier, TableRegressor]
BRIEF = {"max_epochs": 30} | ONE_CHOICE


@pytest.mark.filterwarnings("ignore")  # the checks provoke them
@pytest.mark.parametrize("kind", KINDS)
def test_check_estimator(kind: type) -> None:
    found = check_estimator(kind(max_epochs=10), on_skip=None)
    statuses = {check["check_name"]: check["status"] for check in found}
    assert {name for name, status in statuses.items() if status != "passed"} <= {
        "check_array_api_input"
    }
    assert len(statuses) > 50


@pytest.mark.parametrize("kind", KINDS)
def test_not_fitted(kind: Any, tmp_path: Any) -> None:
    for call in (
        lambda: kind().predict([[1.0]]),
        lambda: kind().columns_,
        lambda: kind().save(tmp_path / "m"),
    ):
        with pytest.raises(NotFittedError):
            call()
    assert not [*tmp_path.iterdir()]


def test_searches_and_pipelines() -> None:
    X, y = load_diabetes(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), TableRegressor(random_state=0, **BRIEF))
    grid = {"tableregressor__hidden_layer_sizes": [(4,), (16, 8)]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert search.best_score_ > 0.2
    assert cross_val_score(clone(pipeline), X, y, cv=2).min() > 0.2


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bits(kind: Any) -> None:
    """For every number of threads, after a clone, and after another fit; another seed differs."""
    X, y = load_breast_cancer(return_X_y=True)
    model = kind(max_epochs=5, random_state=3, bins=8, dropout=0.1, hidden_layer_sizes=9).fit(X, y)
    expected = model.predict(X) if kind is TableRegressor else model.predict_proba(X)
    others = [
        clone(model).set_params(n_threads=1).fit(X, y),
        clone(model).set_params(random_state=np.random.RandomState(3)).fit(X, y),
        model.fit(X[:100], y[:100]).fit(X, y),
        pickle.loads(pickle.dumps(model)),
    ]
    for other in others:
        found = other.predict(X) if kind is TableRegressor else other.predict_proba(X)
        np.testing.assert_array_equal(found, expected)
    different = clone(model).set_params(random_state=4).fit(X, y)
    found = different.predict(X) if kind is TableRegressor else different.predict_proba(X)
    assert not np.array_equal(found, expected)


def test_class_weight_balanced_finds_the_few() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 3))
    y = (X[:, 0] + rng.normal(size=900) > 2.2).astype(int)
    plain = TableClassifier(random_state=0, **BRIEF).fit(X, y)
    balanced = TableClassifier(random_state=0, **BRIEF, class_weight="balanced").fit(X, y)
    found = [model.predict(X)[y == 1].mean() for model in (plain, balanced)]
    assert found[1] > found[0] + 0.2
    by_hand = TableClassifier(
        random_state=0, **BRIEF, class_weight={0: 1.0, 1: (y == 0).sum() / y.sum()}
    ).fit(X, y)
    assert by_hand.predict(X)[y == 1].mean() > found[0] + 0.2


def test_rows_of_weight_zero_are_not_there() -> None:
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    weights = np.ones(len(y))
    weights[::3] = 0
    wild = y.where(weights > 0, 1e6)
    model = TableRegressor(random_state=0, **BRIEF).fit(X, wild, sample_weight=weights)
    other = TableRegressor(random_state=0, **BRIEF).fit(
        X[weights > 0], y[weights > 0], sample_weight=weights[weights > 0]
    )
    np.testing.assert_array_equal(model.predict(X), other.predict(X))
    X.loc[200, "bp"] = np.inf
    with pytest.raises(ValueError, match=r"'bp', row 200: expected finite") as error:
        model.fit(X, y, sample_weight=weights)
    assert error.value.row == 200


def test_groups_stay_together() -> None:
    """A group's own offset cannot be known for another: a fair validation says so."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(40), 10)
    marks, y = rng.normal(size=(40, 20))[group], rng.normal(size=40)[group]
    frame = pd.DataFrame(marks).add_prefix("mark").assign(who=[f"p{g}" for g in group])
    model = TableRegressor(random_state=0, **BRIEF)
    apart = clone(model).fit(frame, y, groups="who")
    mixed = clone(model).fit(frame.drop(columns="who"), y)
    assert "who" not in apart.feature_names_in_
    assert apart.validation_score_ < mixed.validation_score_ - 0.5


def test_intervals_cover_what_they_say() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 2))
    y = X[:, 0] + rng.normal(size=3000) * 0.5
    model = TableRegressor(random_state=0, **BRIEF).fit(X[:1000], y[:1000])
    before = 0.0
    for coverage in (0.5, 0.8, 0.9, 0.95):
        low, high = model.predict_interval(X[1000:], coverage)
        inside = ((low <= y[1000:]) & (y[1000:] <= high)).mean()
        # Of 1,000 validation rows and 2,000 test rows: three standard errors are about 0.05.
        assert abs(inside - coverage) < 0.05
        assert (high - low).mean() > before
        before = (high - low).mean()
    with pytest.raises(ValueError, match="coverage: expected at most"):
        model.predict_interval(X, 0.9999)
    with pytest.raises(ValueError, match="which are too few"):
        TableRegressor().fit(X[:30], y[:30]).predict_interval(X)


def test_what_training_was_like() -> None:
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    model = TableRegressor(random_state=0, max_epochs=6).fit(X, y)
    assert model.training_["rows"] == model.training_["validation_rows"] == 442
    assert 1 <= model.best_epoch_ <= 6
    assert len(model.history_.loss) == model.training_["epochs"]
    assert isinstance(model.network_, em.MLP)
    assert model.network_.layer_sizes[0] == sum(column.width for column in model.columns_)
    assert model.training_["seconds"] > 0
