"""Tables of every library give the same model; columns are matched by name."""

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from eigenmlp.tables import TableClassifier, TableRegressor
from support.tables import ONE_CHOICE

N = 160
RNG = np.random.default_rng(0)


def columns() -> dict[str, list[Any]]:
    """Every kind of column, with a missing one in each."""
    number = RNG.normal(size=N).tolist()
    start = datetime.datetime(2023, 1, 1)
    found: dict[str, list[Any]] = {
        "size": number,
        "rooms": RNG.integers(1, 6, N).tolist(),
        "new": (RNG.random(N) < 0.4).tolist(),
        "town": [["Ulm", "Bonn", "Köln"][i] for i in RNG.integers(0, 3, N)],
        "sold": [start + datetime.timedelta(hours=int(h)) for h in RNG.integers(0, 9000, N)],
    }
    for place, values in enumerate(found.values()):
        values[place] = None
    return found


COLUMNS = columns()
PRICE = np.array(
    [
        (s or 0.0) + (r or 0) + 2.0 * (t == "Ulm") + (n or 0)
        for s, r, n, t in zip(*[*COLUMNS.values()][:4], strict=True)
    ]
)


def pandas() -> pd.DataFrame:
    frame = pd.DataFrame(COLUMNS)
    return frame.astype({"rooms": "Int64", "new": "boolean", "town": "category"})


FRAMES = {
    "pandas": pandas(),
    "pandas of objects": pd.DataFrame(COLUMNS, dtype=object),
    "pandas of arrow": pandas().convert_dtypes(dtype_backend="pyarrow"),
    "polars": pl.DataFrame(COLUMNS),
    "polars categorical": pl.DataFrame(COLUMNS).with_columns(pl.col("town").cast(pl.Categorical)),
    "pyarrow": pa.table(COLUMNS),
}
QUICK = {"max_epochs": 3, "random_state": 0, **ONE_CHOICE}


@pytest.fixture(scope="module")
def model() -> TableRegressor:
    return TableRegressor(**QUICK).fit(FRAMES["polars"], PRICE)


@pytest.mark.parametrize("name", FRAMES)
def test_every_library_gives_the_same_model(name: str, model: TableRegressor) -> None:
    other = TableRegressor(**QUICK).fit(FRAMES[name], PRICE)
    assert [column.kind for column in other.columns_] == [
        *("number", "number", "boolean", "category", "time")
    ]
    assert other.feature_names_in_.tolist() == [*COLUMNS]
    for frame in FRAMES.values():
        np.testing.assert_array_equal(other.predict(frame), model.predict(FRAMES["polars"]))


def test_kinds_that_few_have() -> None:
    """Decimals, times of day, lengths of time, dates without time, a column of nothing."""
    frame = pl.DataFrame(
        {
            "dear": [Decimal(i) / 4 for i in range(N)],
            "clock": [datetime.time(i % 24, i % 60) for i in range(N)],
            "took": [datetime.timedelta(minutes=i) for i in range(N)],
            "day": [datetime.date(2020, 1, 1) + datetime.timedelta(days=3 * i) for i in range(N)],
            "level": pl.Series(["low", "high"] * (N // 2), dtype=pl.Enum(["low", "high"])),
        }
    )
    model = TableRegressor(**QUICK).fit(frame, PRICE)
    kinds = {column.name: column.kind for column in model.columns_}
    assert kinds == {
        "dear": "number",
        "clock": "number",
        "took": "number",
        "day": "time",
        "level": "category",
    }
    # A day has no time, so that only the week and the year go round.
    (day,) = (column for column in model.columns_ if column.name == "day")
    assert [period for period, _ in day.details()["cycles"]] == [604_800.0, 31_556_952.0]
    objects = frame.to_pandas().astype(object)
    np.testing.assert_array_equal(model.predict(objects), model.predict(frame))


def test_dates_that_are_texts() -> None:
    days = [f"2022-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in range(N)]
    frame = pd.DataFrame({"day": days, "x": PRICE})
    model = TableRegressor(**QUICK).fit(frame, PRICE)
    assert [column.kind for column in model.columns_] == ["time", "number"]
    as_times = frame.assign(day=pd.to_datetime(frame.day))
    np.testing.assert_array_equal(model.predict(as_times), model.predict(frame))


def test_time_zones_count_as_the_clock_on_the_wall() -> None:
    wall = pd.Series(pd.date_range("2024-01-01", periods=N, freq="7h"))
    model = TableRegressor(**QUICK).fit(pd.DataFrame({"t": wall}), PRICE)
    zoned = pd.DataFrame({"t": wall.dt.tz_localize("Asia/Tokyo")})
    np.testing.assert_array_equal(model.predict(zoned), model.predict(pd.DataFrame({"t": wall})))


@pytest.mark.parametrize("labels", [[0, 1, 2], [7, 3, 5]])
def test_order_of_columns_with_numbers_for_names(labels: list[int], tmp_path: Path) -> None:
    frame = pd.DataFrame(RNG.normal(size=(N, 3)), columns=labels)
    model = TableRegressor(**QUICK).fit(frame, 3 * frame[labels[0]])
    model.save(tmp_path / "m.safetensors")
    others = frame[labels[::-1]]
    for one in (model, TableRegressor.load(tmp_path / "m.safetensors")):
        expected = one.predict(frame)
        np.testing.assert_array_equal(one.predict(others), expected)
        np.testing.assert_array_equal(one.predict(frame.to_numpy()), expected)
        np.testing.assert_array_equal(one.predict(frame.set_axis([9, 8, 6], axis=1)), expected)


@pytest.mark.parametrize(
    "names",
    [[0.5, 1.5, 2.5], [*pd.date_range("2024", periods=3)], ["a", None, 3], [True, 0.5, "b"]],
)
def test_order_of_columns_with_other_names(names: list[Any]) -> None:
    """Whatever a name is, columns have their place by it."""
    frame = pd.DataFrame(RNG.normal(size=(N, 3)), columns=names)
    model = TableRegressor(**QUICK).fit(frame, 3 * frame.iloc[:, 0].rename("y"))
    np.testing.assert_array_equal(model.predict(frame.iloc[:, ::-1]), model.predict(frame))
    with pytest.raises(ValueError, match="expected the columns of fit, got none named"):
        model.predict(frame.set_axis([9.5, 8.5, 6.5], axis=1))


def test_batches_of_pyarrow_keep_their_names() -> None:
    columns = {"a": RNG.normal(size=N), "b": RNG.normal(size=N)}
    batch = pa.RecordBatch.from_pydict(columns)
    model = TableRegressor(**QUICK).fit(batch, PRICE)
    assert model.feature_names_in_.tolist() == ["a", "b"]
    np.testing.assert_array_equal(model.predict(batch.select(["b", "a"])), model.predict(batch))


def test_order_of_columns_does_not_matter(model: TableRegressor) -> None:
    expected = model.predict(FRAMES["polars"])
    for frame in (FRAMES["pandas"][[*COLUMNS][::-1]], FRAMES["polars"].select([*COLUMNS][::-1])):
        np.testing.assert_array_equal(model.predict(frame), expected)


def test_a_missing_column_is_named(model: TableRegressor) -> None:
    with pytest.raises(ValueError, match="expected the columns of fit, got none named 'town'"):
        model.predict(FRAMES["polars"].drop("town"))


def test_another_column_is_ignored_with_a_warning(model: TableRegressor) -> None:
    frame = FRAMES["polars"].with_columns(pl.lit(3).alias("colour"))
    with pytest.warns(UserWarning, match="got also \\['colour'\\], which are ignored"):
        found = model.predict(frame)
    np.testing.assert_array_equal(found, model.predict(FRAMES["polars"]))


def test_targets_by_name() -> None:
    """The target is no feature, and need not be there to predict; as an array it is the same."""
    frame = FRAMES["pandas"].assign(price=PRICE)
    named = TableRegressor(**QUICK).fit(frame, y="price")
    given = TableRegressor(**QUICK).fit(FRAMES["pandas"], pd.Series(PRICE, name="price"))
    assert named.target_name_ == given.target_name_ == "price"
    assert "price" not in named.feature_names_in_
    np.testing.assert_array_equal(named.predict(frame), given.predict(FRAMES["pandas"]))
    assert named.score(frame, "price") == given.score(FRAMES["pandas"], PRICE)


@pytest.mark.parametrize("kind", [pd.Series, pl.Series, np.array, list, pa.chunked_array])
def test_classes_of_every_library(kind: Any) -> None:
    labels = ["dear" if price > 3 else "cheap" for price in PRICE]
    y = kind([labels] if kind is pa.chunked_array else labels)
    model = TableClassifier(**QUICK).fit(FRAMES["polars"], y)
    assert model.classes_.tolist() == ["cheap", "dear"]
    P = model.predict_proba(FRAMES["polars"])
    assert P.shape == (N, 2)
    np.testing.assert_allclose(P.sum(axis=1), 1)
    np.testing.assert_array_equal(model.predict(FRAMES["polars"]), model.classes_[P.argmax(axis=1)])


def test_arrays_of_numbers_texts_and_nothing() -> None:
    rows = [[float(i), "ab"[i % 2], None if i % 7 == 0 else i % 3] for i in range(N)]
    model = TableRegressor(**QUICK).fit(rows, PRICE)
    assert [column.kind for column in model.columns_] == ["number", "category", "number"]
    assert not hasattr(model, "feature_names_in_") and model.n_features_in_ == 3
    objects = np.array(rows, dtype=object)
    np.testing.assert_array_equal(model.predict(objects), model.predict(rows))
    with pytest.warns(UserWarning, match="had none, got names: they are taken in their order"):
        model.predict(pl.DataFrame(rows, orient="row", strict=False))


def test_integers_as_names_are_no_names() -> None:
    X = RNG.normal(size=(N, 3))
    model = TableRegressor(**QUICK).fit(pd.DataFrame(X), PRICE)
    assert not hasattr(model, "feature_names_in_")
    np.testing.assert_array_equal(model.predict(X), model.predict(pd.DataFrame(X)))


def test_lazy_frames_say_what_to_do() -> None:
    with pytest.raises(TypeError, match=r"got a lazy one: use X\.collect\(\)"):
        TableRegressor().fit(FRAMES["polars"].lazy(), PRICE)


def test_narwhals_own_frames(model: TableRegressor, tmp_path: Path) -> None:
    frame = nw.from_native(FRAMES["polars"])
    np.testing.assert_array_equal(model.predict(frame), model.predict(FRAMES["polars"]))
