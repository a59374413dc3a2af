"""Files of tables' models: the same answers when they come back, and clear errors if altered."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import eigenmlp as em
from eigenmlp._files import container
from eigenmlp._files.model import _checksum
from eigenmlp.tables import TableClassifier, TableRegressor
from support.tables import ONE_CHOICE

N = 150
RNG = np.random.default_rng(1)
FRAME = pd.DataFrame(
    {
        "x": np.where(RNG.random(N) < 0.1, np.nan, RNG.normal(size=N)),
        "flag": RNG.random(N) < 0.5,
        "town": RNG.choice(["Ulm", "Bonn", "Köln", None], N),
        "id": [f"n{i % 60}" for i in range(N)],
        "day": pd.date_range("2024-01-01", periods=N, freq="37h"),
    }
)
Y = FRAME.x.fillna(0) + (FRAME.town == "Ulm") + RNG.normal(size=N) / 9
QUICK = {"max_epochs": 4, "random_state": 0, "max_categories": 16} | ONE_CHOICE
QUICK |= {"hidden_layer_sizes": (8, 4)}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "model.safetensors"
    TableRegressor(**QUICK).fit(FRAME, Y.rename("price")).save(path)
    return path


@pytest.mark.parametrize("bins", [0, 8])
def test_a_regressor_comes_back(bins: int, tmp_path: Path) -> None:
    model = TableRegressor(**{**QUICK, "bins": bins}).fit(FRAME, Y)
    model.save(tmp_path / "m")
    other = TableRegressor.load(tmp_path / "m")
    np.testing.assert_array_equal(other.predict(FRAME), model.predict(FRAME))
    for mine, its in zip(
        other.predict_interval(FRAME, 0.8), model.predict_interval(FRAME, 0.8), strict=True
    ):
        np.testing.assert_array_equal(mine, its)
    assert other.columns_ == model.columns_
    assert other.get_params() == {**model.get_params(), "hidden_layer_sizes": [8, 4]}
    for name in ("training_", "feature_names_in_", "n_features_in_", "validation_score_"):
        np.testing.assert_equal(getattr(other, name), getattr(model, name))
    assert other.history_.val_loss == model.history_.val_loss
    assert other.leaderboard() == model.leaderboard()
    assert other.leaderboard()[0]["loss"] == min(model.history_.val_loss)
    assert other.settings_ == model.settings_


@pytest.mark.parametrize("classes", [[3, 5, 8], ["a", "b", "ü"], [0.5, 1.5], [False, True]])
def test_a_classifier_comes_back(classes: list[Any], tmp_path: Path) -> None:
    y = np.array(classes)[np.arange(N) % len(classes)]
    if y.dtype.kind == "f":
        y = y.astype(str).astype(object)
    model = TableClassifier(**QUICK).fit(FRAME, y)
    model.save(tmp_path / "m")
    other = TableClassifier.load(tmp_path / "m")
    assert other.classes_.dtype == model.classes_.dtype
    np.testing.assert_array_equal(other.predict(FRAME), model.predict(FRAME))
    np.testing.assert_array_equal(other.predict_proba(FRAME), model.predict_proba(FRAME))


def test_a_model_of_arrays_has_no_names(tmp_path: Path) -> None:
    X = RNG.normal(size=(60, 3))
    model = TableRegressor(**QUICK).fit(X, X[:, 0])
    model.save(tmp_path / "m")
    other = TableRegressor.load(tmp_path / "m")
    assert not hasattr(other, "feature_names_in_")
    np.testing.assert_array_equal(other.predict(X), model.predict(X))


def test_other_kinds_of_files_say_what_reads_them(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"got a model of tables: use eigenmlp\.tables"):
        em.MLP.load(saved)
    with pytest.raises(ValueError, match="expected a TableClassifier, got a 'TableRegressor'"):
        TableClassifier.load(saved)
    em.MLP([2, 1], seed=0).save(tmp_path / "net")
    with pytest.raises(ValueError, match="expected a model of tables, got a network"):
        TableRegressor.load(tmp_path / "net")


def test_any_altered_byte_is_refused(saved: Path, tmp_path: Path) -> None:
    content = saved.read_bytes()
    for place in np.linspace(0, len(content) - 1, 300).astype(int).tolist():
        altered = bytearray(content)
        altered[place] ^= 0x11
        path = tmp_path / "altered"
        path.write_bytes(altered)
        with pytest.raises(ValueError, match=r"expected|altered") as caught:
            TableRegressor.load(path)
        assert len(str(caught.value)) < 400 + len(str(path))
    for length in (0, 7, 100, len(content) // 2, len(content) - 1):
        (tmp_path / "short").write_bytes(content[:length])
        with pytest.raises(ValueError, match="expected"):
            TableRegressor.load(tmp_path / "short")


def rewritten(source: Path, target: Path, change: Any) -> None:
    """The file with another description of the table, and the checksum that goes with it."""
    with container.opened(source) as file:
        header = container.read_header(file)
        arrays = container.read_arrays(file, header)
    table = json.loads(header.metadata["table"])
    change(table)
    metadata = {**header.metadata, "table": json.dumps(table)}
    del metadata["sha256"]
    metadata["sha256"] = _checksum(metadata, arrays)
    with target.open("wb") as file:
        container.write(file, metadata, arrays)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Where the values of a description are."""
    found = []
    inner = value.items() if isinstance(value, dict) else enumerate(value[:2])
    for key, item in inner:
        found.append((value, key))
        if isinstance(item, (dict, list)):
            found += places(item)
    return found


def test_no_description_crashes_the_reader(saved: Path, tmp_path: Path) -> None:
    """Anything in any place of the description, with a right checksum: an error, or a model."""
    with container.opened(saved) as file:
        table = json.loads(container.read_header(file).metadata["table"])
    count = len(places(table))
    assert count > 50
    errors = []
    for place in range(count):
        for value in (None, -1, 1e308, "x", [], {}, [[1]], True):

            def change(table: Any, place: int = place, value: Any = value) -> None:
                inside, key = places(table)[place]
                inside[key] = value

            rewritten(saved, tmp_path / "changed", change)
            errors.append(error_of(tmp_path / "changed"))
    assert all("expected" in error for error in errors if error is not None)
    assert sum(error is not None for error in errors) > 0.6 * len(errors)


def error_of(path: Path) -> str | None:
    """Of a file that is no sensible model; what is one can be used, or says why not."""
    try:
        model = TableRegressor.load(path)
        model.predict(FRAME)
        model.predict_interval(FRAME, 0.8)
    except ValueError as error:
        return str(error)
    return None


def test_a_file_without_a_key_is_refused(saved: Path, tmp_path: Path) -> None:
    for key in ("names", "columns", "state", "training"):
        rewritten(saved, tmp_path / "less", lambda table, key=key: table.pop(key))
        with pytest.raises(ValueError, match="expected"):
            TableRegressor.load(tmp_path / "less")
    rewritten(saved, tmp_path / "newer", lambda table: table.update(format=9))
    with pytest.raises(ValueError, match="a newer eigenmlp may have written"):
        TableRegressor.load(tmp_path / "newer")


def test_numbers_for_names_have_to_be_as_many(tmp_path: Path) -> None:
    X = pd.DataFrame(RNG.normal(size=(60, 3)), columns=[4, 2, 0])
    TableRegressor(**QUICK).fit(X, X[4]).save(tmp_path / "m")
    for labels in ([4, 2], [4, 2, 2], [4, 2, "0"], [4, 2, True], {}, "420", 3):
        rewritten(tmp_path / "m", tmp_path / "c", lambda table, x=labels: table.update(labels=x))
        with pytest.raises(ValueError, match="labels: expected 3 integers"):
            TableRegressor.load(tmp_path / "c")


def test_an_older_file_tells_what_its_training_does(saved: Path, tmp_path: Path) -> None:
    """Files had no description of a network that is alone."""
    rewritten(saved, tmp_path / "m", lambda table: table.pop("member"))
    model = TableRegressor.load(tmp_path / "m")
    (line,) = model.leaderboard()
    assert line["loss"] == min(model.training_["val_loss"]) and line["seconds"] > 0
    assert not hasattr(model, "settings_")


def test_an_order_of_dates_comes_back(tmp_path: Path) -> None:
    days = FRAME.assign(day=[f"{i % 12 + 1}/{i % 28 + 1}/26" for i in range(N)])
    model = TableRegressor(**QUICK).fit(days, Y)
    model.save(tmp_path / "m")
    other = TableRegressor.load(tmp_path / "m")
    row = days[:1].assign(day="3/4/26")
    assert other.predict(row) == model.predict(row)
    assert other.predict(row) == model.predict(row.assign(day=pd.Timestamp(2026, 3, 4)))
    rewritten(tmp_path / "m", tmp_path / "n", lambda t: t["columns"][-1].update(order="dym"))
    with pytest.raises(ValueError, match=r"order: expected one of .*got 'dym'"):
        TableRegressor.load(tmp_path / "n")
