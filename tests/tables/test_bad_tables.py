"""What cannot be used is refused: what was expected, what came, in which column and row."""

import re
import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from eigenmlp.tables import TableClassifier, TableRegressor
from support.tables import ONE_CHOICE

N = 120
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "size": RNG.normal(size=N),
        "town": RNG.choice(["Ulm", "Bonn"], N),
        "new": RNG.random(N) < 0.5,
        "day": pd.date_range("2024-01-01", periods=N),
    }
)
PRICE = pd.Series(FRAME["size"] + (FRAME.town == "Ulm"))
LABELS = np.where(PRICE > 0, "dear", "cheap")
BRIEF = {"random_state": 0, "max_epochs": 3} | ONE_CHOICE


def regressor() -> TableRegressor:
    return TableRegressor(**BRIEF)


def replaced(column: str, row: int, value: Any) -> pd.DataFrame:
    frame = FRAME.astype({column: object})
    frame.loc[row, column] = value
    return frame


def refused(call: Callable[[], Any], text: str, kind: Any = ValueError) -> None:
    with pytest.raises(kind, match=text) as caught:
        call()
    message = str(caught.value)
    assert len(message) < 400
    assert "expected" in message and re.search("got", message), message


REFUSED = {
    "no rows": (lambda: (FRAME[:0], PRICE[:0]), "at least one row and one column, got 0 rows"),
    "no columns": (lambda: (FRAME[[]], PRICE), "at least one row and one column, got 120 rows"),
    "no columns but y": (
        lambda: (FRAME[["size"]], "size"),
        "got 120 rows and 0 columns beside 'size'",
    ),
    "one row": (lambda: (FRAME[:1], PRICE[:1]), "at least two rows, got 1 sample"),
    "missing target": (
        lambda: (FRAME, PRICE.mask(PRICE.index == 7)),
        "column 'y', row 7: expected a target in every row, got nan",
    ),
    "missing target by name": (
        lambda: (FRAME.assign(price=PRICE.mask(PRICE.index == 9)), "price"),
        "column 'price', row 9: expected a target in every row",
    ),
    "infinite target": (
        lambda: (FRAME, PRICE.where(PRICE.index != 3, np.inf)),
        "column 'y', row 3: expected finite numbers, got infinity",
    ),
    "texts as target": (lambda: (FRAME, LABELS), "for classes use TableClassifier"),
    "infinite number": (
        lambda: (replaced("size", 11, -np.inf), PRICE),
        "column 'size', row 11: expected finite numbers or none, got -inf",
    ),
    "nothing but missing and constant": (
        lambda: (pd.DataFrame({"a": [None] * N, "b": 3.0}), PRICE),
        "expected a column whose values differ, got",
    ),
    "names that come twice": (
        lambda: (FRAME.set_axis(["a", "b", "b", "c"], axis=1), PRICE),
        "expected each column's name once, got 'b' again",
    ),
    "several levels of names": (
        lambda: (pd.concat({"top": FRAME}, axis=1), PRICE),
        "got several levels",
    ),
    "a target that is a feature": (
        lambda: (FRAME, FRAME["size"]),
        "expected a target that is no feature, got 'size'",
    ),
    "no such target": (lambda: (FRAME, "prize"), "expected one of the columns .* got 'prize'"),
    "a name with an array": (
        lambda: (np.eye(4), "price"),
        "expected targets .* with an array X, got the name 'price'",
    ),
    "dates that do not parse": (
        lambda: (
            FRAME.assign(day=FRAME.day.astype(str).mask(FRAME.index == 5, "2024-13-45")),
            PRICE,
        ),
        "column 'day', row 5: expected dates as 2024-02-29 .* got '2024-13-45'",
    ),
    "a text among dates": (
        lambda: (FRAME.assign(day=FRAME.day.astype(str).mask(FRAME.index == 5, "soon")), PRICE),
        "column 'day', row 5: expected dates, as 99% of the column's texts are, .* got 'soon'",
    ),
    "a date with a month of 13": (
        lambda: (
            FRAME.assign(day="12/28/26").assign(day=lambda f: f.day.mask(f.index == 5, "13/13/26")),
            PRICE,
        ),
        "column 'day', row 5: expected dates as 2024-02-29 .* the month first, or none, got '13/13",
    ),
    "days and months that nothing tells apart": (
        lambda: (FRAME.assign(day=[f"0{1 + i % 9}/0{1 + i % 7}/2024" for i in range(N)]), PRICE),
        r"column 'day', row \d+: expected dates as 2024-02-29, got .* format=\"%d/%m/%Y\"",
    ),
    "an integer that no float holds": (
        lambda: (replaced("size", 11, 10**400), PRICE),
        "column 'size', row 11: expected numbers that a float can hold, got 1000",
    ),
    "complex numbers": (
        lambda: (FRAME.assign(size=FRAME["size"] + 1j), PRICE),
        "column 'size', row 0: expected numbers, texts or times, got .*j",
    ),
    "lists": (
        lambda: (FRAME.assign(size=[[1, 2]] * N), PRICE),
        r"column 'size', row 0: expected numbers, texts or times, got \[1, 2\]",
    ),
    "an enormous target": (
        lambda: (FRAME, PRICE.where(PRICE.index != 3, -1.7e308)),
        "column 'y', row 3: expected numbers up to ±1e.300, got -1.7e.308",
    ),
    "an enormous integer as target": (
        lambda: (FRAME, [10**400, *PRICE[1:]]),
        "column 'y', row 0: expected numbers up to ±1e.300, got 1000",
    ),
    "a lone surrogate as target": (
        lambda: (FRAME, ["\ud800", *PRICE[1:].astype(object)]),
        r"column 'y', row 0: expected numbers, got '\\ud800'",
    ),
    "a target that tells float32 nothing": (
        lambda: (FRAME, PRICE, np.r_[1e-30, np.ones(N - 1)], 1e20),
        "column 'y', row 0: expected targets of about the size of those trained on, .* got 1e.20",
    ),
    "too few targets": (lambda: (FRAME, PRICE[:50]), "y: expected 120 rows, as X has, got 50"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_unusable_tables_are_refused(name: str) -> None:
    make, text = REFUSED[name]
    X, y, *weights = make()
    if weights:
        y = np.r_[weights.pop(), y[1:]]
    refused(lambda: regressor().fit(X, y, *weights), text)


NO_TABLES = {
    "a name": ("t.csv", "expected a frame or an array .N, D., got 't.csv'"),
    "nothing": (None, "expected a frame or an array .N, D., got None"),
    "a dict": ({"a": [1, 2]}, "got {'a': .1, 2.}: use pandas.DataFrame"),
    "dicts": ([{"a": 1}] * N, r"Expected 2D array, got 1D .* has shape \(120,\).* have fields"),
    "fields": (np.zeros(N, [("a", "f8"), ("b", "i4")]), r"got 1D array .* or pandas\.DataFrame"),
    "a vector": (np.zeros(N), r"Expected 2D array, got 1D array .*array\.reshape\(-1, 1\)"),
    "names of PyArrow that come twice": (
        pa.Table.from_arrays([pa.array([1.0] * N)] * 2, names=["a", "a"]),
        "each column's name once, got 'a' again",
    ),
}


@pytest.mark.parametrize("name", NO_TABLES)
def test_what_is_no_table(name: str) -> None:
    X, text = NO_TABLES[name]
    with pytest.raises((TypeError, ValueError), match=text) as caught:
        regressor().fit(X, PRICE)
    assert len(str(caught.value)) < 400


def test_one_class_only() -> None:
    refused(
        lambda: TableClassifier(**BRIEF).fit(FRAME, ["dear"] * N),
        "expected at least two classes, got one class only: 'dear'",
    )


def test_weights_and_groups_that_cannot_be() -> None:
    for weights in (-np.ones(N), np.zeros(N), np.ones(9)):
        refused(lambda w=weights: regressor().fit(FRAME, PRICE, sample_weight=w), "sample_weight")


GROUPS = {
    "one alone": ([1] * N, "at least two, to validate with others than those trained on, got .1."),
    "too few": ([1] * 9, "groups: expected 120 rows, as X has, got 9"),
    "missing": ([None, *range(N - 1)], "groups: expected a group in every row, got None in row 0"),
    "NaN": (np.r_[np.zeros(5), np.nan, np.ones(N - 6)], "a group in every row, got nan in row 5"),
    "NA": (
        pd.Series([1, None] * (N // 2), dtype="Int64"),
        "a group in every row, got nan in row 1",
    ),
    "no such column": ("city", "groups: expected one of the columns .* got 'city'"),
    "two columns": (
        np.ones((N, 2)),
        r"groups should be a 1d array, got an array of shape \(120, 2",
    ),
}


@pytest.mark.parametrize("name", GROUPS)
def test_groups_that_cannot_be(name: str) -> None:
    groups, text = GROUPS[name]
    refused(lambda: regressor().fit(FRAME, PRICE, groups=groups), text)


def test_groups_and_rows_to_validate_with() -> None:
    """Either, or neither; in tables too small to validate they are checked, and told of."""
    pair = (FRAME[:30], PRICE[:30])
    refused(
        lambda: regressor().fit(FRAME, PRICE, groups="town", validation=pair),
        "groups: expected None where rows to validate with are given, got both",
    )
    refused(lambda: regressor().fit(np.eye(60), range(60), groups="town"), "got the name 'town'")
    refused(lambda: regressor().fit(*pair, groups=[None] * 30), "a group in every row")
    with pytest.warns(UserWarning, match="groups: expected 50 rows or more, got 30"):
        regressor().fit(*pair, groups="town")
    days = [*pd.date_range("2024-01-01", periods=6)] * (N // 6)
    for groups in (days, pd.Series(days), np.array(days, "M8[s]")):
        assert regressor().fit(FRAME, PRICE, groups=groups).training_["validation_rows"] == N


PARAMETERS = [
    ("hidden_layer_sizes", "wide", TypeError),
    ("hidden_layer_sizes", (0,), ValueError),
    ("bins", -1, ValueError),
    ("learning_rate", "fast", TypeError),
    ("weight_decay", -1.0, ValueError),
    ("dropout", 1.0, ValueError),
    ("batch_size", 0, ValueError),
    ("max_epochs", 2.5, TypeError),
    ("patience", 0, ValueError),
    ("max_categories", 10**6, ValueError),
    ("n_threads", 0, ValueError),
    ("learning_rate", 1e300, ValueError),
    ("random_state", -1, ValueError),
    ("random_state", "0", ValueError),
    ("random_state", np.random.default_rng(0), ValueError),
]


@pytest.mark.parametrize(("name", "value", "kind"), PARAMETERS)
def test_parameters_are_checked(name: str, value: Any, kind: type[Exception]) -> None:
    refused(lambda: regressor().set_params(**{name: value}).fit(FRAME, PRICE), name, kind)


@pytest.mark.parametrize(
    ("weight", "text"),
    [
        (3, 'class_weight: expected a dict, "balanced" or None, got 3'),
        ("even", "class_weight: expected a dict, .*got 'even'"),
        ({"dear": -1}, r"class_weight\['dear'\]: expected a finite number of at least 0, got -1"),
        ({"dear": np.nan}, r"class_weight\['dear'\]: expected a finite number .* got nan"),
        ({"dear": 0, "cheap": 0.0}, "class_weight: expected a weight above 0 .* got only {'dear'"),
        ({"dear": "2"}, r"class_weight\['dear'\]: expected a number, got '2'"),
    ],
)
def test_class_weights_that_cannot_be(weight: Any, text: str) -> None:
    model = TableClassifier(**BRIEF, class_weight=weight)
    refused(lambda: model.fit(FRAME, LABELS), text, (TypeError, ValueError))


def test_nothing_changes_when_a_fit_is_refused() -> None:
    model = regressor().fit(FRAME, PRICE)
    before = model.predict(FRAME)
    with pytest.raises(ValueError, match="row 7"):
        model.fit(FRAME, PRICE.mask(PRICE.index == 7))
    np.testing.assert_array_equal(model.predict(FRAME), before)


PREDICTED = {
    "a text for a number": (
        lambda: replaced("size", 4, "big"),
        "column 'size', row 4: expected numbers, got the text 'big'",
    ),
    "a date for a number": (
        lambda: FRAME.assign(size=FRAME.day),
        "column 'size': expected numbers, got dates or times",
    ),
    "an infinite number": (lambda: replaced("size", 4, np.inf), "column 'size', row 4: .* got inf"),
    "a text for a boolean": (
        lambda: FRAME.assign(new=["maybe"] * N),
        "column 'new', row 0: expected booleans .* got 'maybe'",
    ),
    "a number for a boolean": (
        lambda: FRAME.assign(new=3),
        "column 'new', row 0: expected booleans .* got 3",
    ),
    "a date for a category": (
        lambda: FRAME.assign(town=FRAME.day),
        "column 'town': expected texts or categories, got dates or times",
    ),
    "a text for a date": (
        lambda: FRAME.assign(day=["2024-05-01"] * 8 + ["then"] * (N - 8)),
        "column 'day', row 8: expected dates .* got 'then'",
    ),
    "a number for a date": (
        lambda: FRAME.assign(day=3),
        "column 'day': expected dates or times, got numbers",
    ),
    "no such column": (
        lambda: FRAME.drop(columns=["town", "new"]),
        "expected the columns of fit, got none named 'town', nor 1 others",
    ),
    "no rows": (lambda: FRAME[:0], "at least one row"),
}


@pytest.fixture(scope="module")
def model() -> TableRegressor:
    return regressor().fit(FRAME, PRICE)


@pytest.mark.parametrize("name", PREDICTED)
@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_other_values_than_those_of_fit(name: str, library: str, model: TableRegressor) -> None:
    make, text = PREDICTED[name]
    frame = make()
    if library != "pandas":
        mixed = [column for column in frame.columns if frame[column].dtype == object]
        frame = frame.astype(dict.fromkeys(mixed, str))  # numbers and texts, which pandas alone has
        frame = pl.from_pandas(frame) if library == "polars" else pa.Table.from_pandas(frame)
    refused(lambda: model.predict(frame), text)


def test_scores_of_nothing(model: TableRegressor) -> None:
    refused(lambda: model.score(FRAME, None), "y: expected one value for each row, .*got None")
    refused(lambda: model.importance(FRAME[:1], PRICE[:1]), "X: expected at least two rows, .*got")


def test_errors_tell_column_and_row_to_programs(model: TableRegressor) -> None:
    with pytest.raises(ValueError, match="size") as caught:
        model.predict(replaced("size", 4, "big"))
    assert (caught.value.column, caught.value.row) == ("size", 4)


def test_texts_of_numbers_and_dates_are_read(model: TableRegressor) -> None:
    """As files bring them where a column was read as text."""
    texts = FRAME.assign(size=[repr(x) for x in FRAME["size"].tolist()], day=FRAME.day.astype(str))
    texts = texts.assign(new=FRAME.new.astype(str))
    np.testing.assert_array_equal(model.predict(texts), model.predict(FRAME))


def test_columns_that_tell_nothing_are_left_out_with_a_warning() -> None:
    frame = FRAME.assign(same=1.5, none=None, id=[f"n{i}" for i in range(N)])
    with pytest.warns(UserWarning, match="got 1.5 in every row of 'same'; got none in 120 rows"):
        model = regressor().fit(frame, PRICE)
    assert [column.name for column in model.columns_] == ["size", "town", "new", "day"]
    assert model.n_features_in_ == 7
    expected = model.predict(frame)
    np.testing.assert_array_equal(model.predict(frame.assign(same=3, id="x")), expected)


def test_missing_values_that_were_not_in_fit(model: TableRegressor) -> None:
    frame = FRAME.astype(object)
    frame[:] = None
    assert np.isfinite(model.predict(frame)).all()


def test_unseen_categories(model: TableRegressor) -> None:
    """All of them are one, whatever they are called, and so are those that were rare."""
    found = [model.predict(FRAME.assign(town=name)) for name in ("Köln", "Rom")]
    np.testing.assert_array_equal(*found)
    rare = FRAME.assign(town=[f"t{i % 30}" if i < 60 else "Ulm" for i in range(N)])
    other = TableRegressor(**BRIEF, max_categories=4).fit(rare, PRICE)
    (town,) = (column for column in other.columns_ if column.name == "town")
    assert town.details()["shown"] == 4 and town.details()["others"]
    assert np.isfinite(other.predict(FRAME.assign(town="Rom"))).all()


def test_fifty_thousand_categories_take_little() -> None:
    """Columns for the frequent ones, the targets' means for the others; the model finds both."""
    rows = 100_000
    rng = np.random.default_rng(0)
    who = rng.integers(0, 50_000, rows)
    who[: rows // 2] = who[: rows // 2] % 100
    effect = rng.normal(size=50_000)
    y = effect[who] + 0.1 * rng.normal(size=rows)
    frame = pl.DataFrame({"who": [f"w{i}" for i in who.tolist()], "x": rng.normal(size=rows)})
    tracemalloc.start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = TableRegressor(**BRIEF).fit(frame, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300 * 2**20
    assert model.network_.layer_sizes[0] < 80
    (who_column, _) = model.columns_
    assert len(who_column.details()["categories"]) <= 10_000
    assert model.score(frame, y) > 0.4


def test_enormous_and_tiny_numbers_are_numbers() -> None:
    x = np.linspace(-1, 1, N)
    for size in (1e300, 1e-300, 1e30, 1e-30):
        model = regressor().set_params(max_epochs=60).fit(pd.DataFrame({"x": x * size}), x)
        assert model.score(pd.DataFrame({"x": x * size}), x) > 0.8, size
        assert np.isfinite(model.predict(pd.DataFrame({"x": [1.7e308, -1.7e308]}))).all()
    ends = pd.DataFrame({"x": np.sign(x) * 1.7e308})  # whose difference is no number
    model = regressor().set_params(max_epochs=60).fit(ends, np.sign(x))
    assert model.score(ends, np.sign(x)) > 0.8
    for size in (1e299, 1e-299):
        model = regressor().set_params(max_epochs=60).fit(pd.DataFrame({"x": x}), x * size)
        assert 0.8 < model.score(pd.DataFrame({"x": x}), x * size) < 1
        assert 0.5 < model.validation_score_ < 1
        low, high = model.predict_interval(pd.DataFrame({"x": x}))
        assert (low < high).all() and np.isfinite([low, high]).all()
    near = pd.DataFrame({"x": 1e6 + x})
    assert regressor().set_params(max_epochs=60).fit(near, x).score(near, x) > 0.8
    big = regressor().set_params(max_epochs=60).fit(pd.DataFrame({"x": x}), 8e5 + 1e5 * x)
    assert big.score(pd.DataFrame({"x": x}), 8e5 + 1e5 * x) > 0.8


def test_targets_to_validate_with_that_are_far_away() -> None:
    message = r"validation: column 'y', row 4: expected targets of about the size .* got 1e\+200"
    refused(
        lambda: regressor().fit(
            FRAME, PRICE, validation=(FRAME, PRICE.where(PRICE.index != 4, 1e200))
        ),
        message,
    )


@pytest.mark.parametrize("value", [0.0, 1e-5, -3e7])
@pytest.mark.parametrize("rows", [30, N])
def test_a_target_that_does_not_vary_is_what_is_predicted(value: float, rows: int) -> None:
    model = TableRegressor(**BRIEF).fit(FRAME[:rows], np.full(rows, value))
    np.testing.assert_allclose(model.predict(FRAME), value, rtol=1e-4, atol=1e-4 * (not value))


@pytest.mark.parametrize("low", [2**60, 2**64 - 3, -(2**63)])
def test_classes_keep_all_their_digits(low: int) -> None:
    labels = [low + i % 3 for i in range(N)]
    frame = pd.DataFrame({"x": [i % 3 for i in range(N)], "y": labels})
    targets = (labels, np.array(labels), pd.Series(labels), pl.Series(labels), "y")
    for y in (*targets, pd.Series(labels, dtype=object)):
        X = frame if isinstance(y, str) else frame[["x"]]
        model = TableClassifier(**{**BRIEF, "max_epochs": 80}).fit(X, y)
        assert model.classes_.tolist() == [low, low + 1, low + 2]
        assert model.predict(X).tolist() == labels
        assert model.score(X, labels) == 1.0


def test_classes_that_cannot_be() -> None:
    for label in (2**64, 10**400, -(2**63) - 1):
        labels = [label if i == 7 else i % 2 for i in range(N)]
        for y in (labels, pd.Series(labels, dtype=object)):
            text = "column 'y', row 7: expected classes of at most 64 bits, got "
            refused(lambda y=y: TableClassifier(**BRIEF).fit(FRAME, y), text)
    infinite = np.r_[0.0, np.inf, np.ones(N - 2)]
    refused(lambda: TableClassifier(**BRIEF).fit(FRAME, infinite), "row 1: expected finite classes")


def test_scores_of_labels_as_they_are() -> None:
    """Labels are compared as `fit` takes them; others than it met are wrong, and no error."""
    model = TableClassifier(**{**BRIEF, "max_epochs": 80})
    mixed = pd.Series([i % 2 if i % 4 < 2 else str(i % 2) for i in range(N)], dtype=object)
    X = pd.DataFrame({"x": np.arange(N) % 2})
    assert model.fit(X, mixed).classes_.tolist() == ["0", "1"]
    assert model.score(X, mixed) == 1.0
    assert model.score(X, mixed.where(mixed.index < N // 2, "2")) == 0.5
