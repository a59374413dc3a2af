"""Columns and targets of pandas' own kinds, wherever rows and targets are taken."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import eigenmlp as em
from eigenmlp.sklearn import MLPClassifier, MLPRegressor
from eigenmlp.tables import TableClassifier, TableRegressor
from support.tables import ONE_CHOICE

N = 60
X = pd.DataFrame({"x": np.linspace(-1, 1, N)})
ONES = (X.x > 0).astype(int)
WORDS = ONES.map({0: "a", 1: "b"})
BRIEF: dict[str, Any] = {"random_state": 0, "max_epochs": 30} | ONE_CHOICE


def arrow(values: Any, kind: Any) -> pd.Series:
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.array(values, kind)))


NUMBERS: dict[str, pd.Series] = {
    "Int64": ONES.astype("Int64"),
    "UInt8": ONES.astype("UInt8"),
    "Float64": ONES.astype("Float64"),
    "boolean": ONES.astype("boolean"),
    "sparse": ONES.astype(pd.SparseDtype("int64", 0)),
    "arrow int": arrow(ONES.tolist(), pa.int32()),
    "arrow float": arrow(ONES.astype(float).tolist(), pa.float64()),
    "arrow bool": arrow(ONES.astype(bool).tolist(), pa.bool_()),
    "arrow decimal": arrow([Decimal(x) for x in ONES.tolist()], pa.decimal128(9, 2)),
}
CATEGORIES: dict[str, pd.Series] = {
    "category of ints": ONES.astype("category"),
    "category of bools": ONES.astype(bool).astype("category"),
}
TEXTS: dict[str, pd.Series] = {
    "string": WORDS.astype("string"),
    "string of PyArrow": WORDS.astype("string[pyarrow]"),
    "object": WORDS.astype(object),
    "category": WORDS.astype("category"),
    "ordered category": pd.Series(pd.Categorical(WORDS, ["b", "z", "a"], ordered=True)),
    "arrow string": arrow(WORDS.tolist(), pa.string()),
    "arrow dictionary": pd.Series(
        pd.arrays.ArrowExtensionArray(pa.array(WORDS.tolist()).dictionary_encode())
    ),
    "period": pd.Series(pd.PeriodIndex([f"202{x}Q1" for x in ONES], freq="Q")),
    "interval": pd.Series(pd.cut(X.x, [-2, 0, 2])),
}
ALL = {name: y.rename(None) for name, y in {**NUMBERS, **CATEGORIES, **TEXTS}.items()}
NOT_OF_SKLEARN = ("period", "interval", "arrow decimal")  # which it has no labels of
FORMS: dict[str, Callable[[pd.Series], Any]] = {
    "series": lambda y: y,
    "array": lambda y: y.array,
    "shuffled index": lambda y: y.set_axis(range(N, 0, -1)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ALL)
def test_labels_of_tables(name: str, form: str) -> None:
    y = FORMS[form](ALL[name])
    model = TableClassifier(**BRIEF).fit(X, y)
    assert len(model.classes_) == 2 and model.score(X, y) > 0.9
    assert {*model.predict(X).tolist()} <= {*model.classes_.tolist()}
    if name in NUMBERS or name in CATEGORIES:
        assert model.classes_.tolist() == [0, 1]


@pytest.mark.parametrize("name", ALL)
def test_values_of_tables(name: str) -> None:
    y = ALL[name]
    model = TableRegressor(**BRIEF)
    if name in TEXTS:
        with pytest.raises(ValueError, match="column 'y', row 0: expected numbers, got '"):
            model.fit(X, y)
        return
    model.fit(X, y)
    assert model.score(X, y) > 0.5
    np.testing.assert_array_equal(model.predict(X), TableRegressor(**BRIEF).fit(X, ONES).predict(X))


@pytest.mark.parametrize("name", ALL)
def test_columns_of_tables(name: str) -> None:
    """A category is one, also of numbers; a quarter is a time."""
    kind = "category"
    if name in NUMBERS:
        kind = "boolean" if "bool" in name else "number"
    elif name == "period":
        kind = "time"
    frame = pd.DataFrame({"c": ALL[name]})
    model = TableRegressor(**BRIEF).fit(frame, ONES)
    assert [column.kind for column in model.columns_] == [kind]
    assert model.score(frame, ONES) > 0.5


@pytest.mark.parametrize("name", ALL)
def test_labels_of_networks(name: str) -> None:
    net = em.MLP([1, 4, 2], seed=0)
    if name in NUMBERS and name not in ("Float64", "arrow float", "arrow decimal"):
        expected = em.MLP([1, 4, 2], seed=0).fit(X, ONES, epochs=1, seed=0)
        assert net.fit(X, ALL[name], epochs=1, seed=0).loss == expected.loss
        return
    with pytest.raises(TypeError, match=r"y: expected (numbers|integer labels) .*|got a column of"):
        net.fit(X, ALL[name], epochs=1)


@pytest.mark.parametrize("name", ALL)
def test_values_of_networks(name: str) -> None:
    net = em.MLP([1, 4, 1], loss="squared_error", seed=0)
    if name in NUMBERS:
        expected = em.MLP([1, 4, 1], loss="squared_error", seed=0).fit(X, ONES, epochs=1, seed=0)
        assert net.fit(X, ALL[name], epochs=1, seed=0).loss == expected.loss
        return
    with pytest.raises(TypeError, match="y: expected numbers, got a column of"):
        net.fit(X, ALL[name], epochs=1)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("name", ALL)
def test_labels_of_the_drop_in(name: str) -> None:
    model = MLPClassifier((8,), learning_rate_init=0.1, max_iter=60, random_state=0)
    if name in NOT_OF_SKLEARN:
        with pytest.raises(ValueError, match=r"Unknown label type: y: expected .* in row 0: use y"):
            model.fit(X, ALL[name])
        model.fit(X, ALL[name].astype(str))
        return
    model.fit(X, ALL[name])
    assert len(model.classes_) == 2 and model.score(X, ALL[name]) > 0.9


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("name", ALL)
def test_values_of_the_drop_in(name: str) -> None:
    model = MLPRegressor(
        hidden_layer_sizes=(8,), learning_rate_init=0.1, max_iter=60, random_state=0
    )
    if name in TEXTS:
        with pytest.raises(ValueError, match="y: expected numbers, got "):
            model.fit(X, ALL[name])
        return
    assert model.fit(X, ALL[name]).score(X, ALL[name]) > 0.5


@pytest.mark.parametrize("name", [n for n in ALL if n != "sparse"])
@pytest.mark.parametrize(
    "fit",
    [
        lambda y: TableClassifier(**BRIEF).fit(X, y),
        lambda y: TableRegressor(**BRIEF).fit(X, y),
        lambda y: em.MLP([1, 2]).fit(X, y, epochs=1),
        lambda y: MLPClassifier(max_iter=2).fit(X, y),
        lambda y: MLPRegressor(max_iter=2).fit(X, y),
    ],
)
def test_a_missing_target_is_refused(fit: Callable[[Any], Any], name: str) -> None:
    y = ALL[name].copy()
    y = y.astype("Int64") if y.dtype == int else y
    y[7] = pd.NA if name != "period" else pd.NaT
    with pytest.raises((TypeError, ValueError)) as caught:
        fit(y)
    message = str(caught.value)
    assert re.search("expected|NaN|convert", message) and len(message) < 400, message
    assert "row 7" in message or "expected numbers, got" in message, message


@pytest.mark.parametrize("name", [n for n in TEXTS if n not in NOT_OF_SKLEARN])
def test_the_drop_in_says_which_label_is_missing(name: str) -> None:
    y = ALL[name].copy()
    y[7] = pd.NA
    text = r"y: expected a value in every row, got a column of .* with 1 missing, .* row 7"
    with pytest.raises(ValueError, match=text):
        MLPClassifier(max_iter=2).fit(X, y)


def test_times_are_no_values() -> None:
    days = pd.Series(pd.date_range("2024-01-01", periods=N))
    for y in (days, days.to_numpy(), days.astype(pd.ArrowDtype(pa.timestamp("us")))):
        for model in (TableClassifier(**BRIEF), TableRegressor(**BRIEF), MLPRegressor()):
            with pytest.raises((TypeError, ValueError), match=r"y: expected numbers.*got"):
                model.fit(X, y)
