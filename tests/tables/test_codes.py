"""Columns of whole numbers that are names: what tells them, predictions, files, ONNX, C."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import eigenmlp as em
from eigenmlp.tables import TableClassifier, TableRegressor, _learning
from eigenmlp.tables._encoder import described, restored
from support.c_library import compiled, each
from support.onnx_runtime import runtime
from support.tables import ONE_CHOICE

N, CODES = 1200, 60
RNG = np.random.default_rng(0)
LEVELS = RNG.normal(size=CODES)  # of towns whose numbers say nothing
TOWN = RNG.integers(0, CODES, N)
FRAME = pd.DataFrame({"town": 100 + 7 * TOWN, "age": RNG.integers(0, 80, N)})
Y = LEVELS[TOWN] + 0.02 * FRAME.age + RNG.normal(size=N) / 4
QUICK = {"max_epochs": 8, "random_state": 0, "max_categories": 16} | ONE_CHOICE


def kinds(model: Any) -> dict[str, str]:
    return {column.name: column.kind for column in model.columns_}


@pytest.fixture(scope="module")
def model() -> TableRegressor:
    frame = FRAME.astype({"town": float})
    frame.loc[::50, "town"] = np.nan
    return TableRegressor(**QUICK).fit(frame, Y)


def unseen() -> pd.DataFrame:
    """Codes that are known, between, missing, and beyond what an integer holds."""
    town = [100.0, 107.0, 103.0, 107.5, np.nan, -1.0, 1e300, 100 + 7.0 * (CODES - 1)]
    return pd.DataFrame({"town": town, "age": 40.0})


def test_what_its_neighbours_do_not_tell_is_a_code(model: TableRegressor) -> None:
    assert kinds(model) == {"town": "code", "age": "number"}


@pytest.mark.parametrize(
    ("town", "y"),
    [
        (FRAME.town, 0.01 * FRAME.town + RNG.normal(size=N)),  # neighbours are alike
        (FRAME.town, RNG.normal(size=N)),  # it tells nothing
        (FRAME.town + 0.5, Y),  # no whole numbers
        (np.arange(N) // 3, LEVELS[np.arange(N) // 3 % CODES]),  # too few rows of each
        (TOWN % 20, LEVELS[TOWN % 20]),  # bins tell each from the others
    ],
)
def test_other_numbers_are_numbers(town: Any, y: Any) -> None:
    model = TableRegressor(**QUICK).fit(FRAME.assign(town=town), y)
    assert kinds(model)["town"] == "number"


@pytest.mark.parametrize("odd", [0.5, 1e300])
def test_every_row_is_looked_at(odd: float, tmp_path: Path, monkeypatch: Any) -> None:
    """Of large tables some rows tell whether numbers are codes, but all have to be whole."""
    monkeypatch.setattr(_learning, "_ROWS_LOOKED_AT", 600)
    frame = FRAME.astype({"town": float})
    frame.loc[1::400, "town"] = odd
    model = TableRegressor(**QUICK).fit(frame, Y)
    assert kinds(model)["town"] == "number"
    model.save(tmp_path / "model.safetensors")
    TableRegressor.load(tmp_path / "model.safetensors")


def test_codes_that_come_in_turn_are_codes(monkeypatch: Any) -> None:
    monkeypatch.setattr(_learning, "_ROWS_LOOKED_AT", 600)
    town = np.arange(N) % CODES
    assert (
        kinds(TableRegressor(**QUICK).fit(FRAME.assign(town=town), LEVELS[town]))["town"] == "code"
    )


@pytest.mark.parametrize("M", [1, 3])
def test_errors_are_those_of_the_other_folds_means(M: int) -> None:
    rng = np.random.default_rng(M)
    weights = rng.random(900) * (rng.random(900) > 0.3)
    teacher = _learning.Teacher(rng.normal(size=(900, M)), weights, 64, rng)
    rows, codes = rng.permutation(900)[:700], rng.integers(0, 60, 700)
    own = teacher._own_means(codes, 60, rows)
    expected = ((teacher.targets[rows] - own) ** 2).sum(axis=1)
    np.testing.assert_allclose(teacher._errors(codes, rows), expected, rtol=1e-9, atol=1e-12)


def test_a_few_far_targets_make_no_codes() -> None:
    """Of 100 columns that tell nothing of targets of which one in 50 is far from the others."""
    found = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        y = (rng.random((700, 1)) < 0.02).astype(float)
        teacher = _learning.Teacher((y - y.mean()) / y.std(), None, 64, rng)
        found += teacher._are_codes(rng.integers(0, 70, 700).astype(float))
    assert found <= 2


def test_codes_tell_what_numbers_alone_do_not() -> None:
    """Rows that the model has not seen; the noise is 0.25, and the towns' deviation 1."""
    settings = {**QUICK, "max_epochs": 40, "max_categories": 64}
    model = TableRegressor(**settings).fit(FRAME[:900], Y[:900])
    error = np.sqrt(np.mean((model.predict(FRAME[900:]) - Y[900:]) ** 2))
    plain = TableRegressor(**{**settings, "bins": 0}).fit(FRAME[:900], Y[:900])
    without = np.sqrt(np.mean((plain.predict(FRAME[900:]) - Y[900:]) ** 2))
    assert kinds(model)["town"] == "code" and kinds(plain)["town"] == "number"
    assert error < 0.5 < 0.8 < without


def test_a_classifier_takes_them_too() -> None:
    y = np.where(Y > 0.8, "dear", "cheap")
    model = TableClassifier(**QUICK).fit(FRAME, y)
    assert kinds(model)["town"] == "code"
    assert (model.predict(FRAME) == y).mean() > 0.8


def test_a_class_that_weighs_nothing_may_have_all_the_values() -> None:
    y = np.where(Y > 0.8, "dear", "cheap")
    frame = FRAME.assign(town=FRAME.town.where(y == "cheap"))
    model = TableClassifier(**QUICK, class_weight={"dear": 1, "cheap": 0}).fit(frame, y)
    assert (model.predict(frame) == "dear").all()


def test_encoding_is_the_number_then_the_category(model: TableRegressor) -> None:
    column = next(c for c in model.columns_ if c.kind == "code")
    found = np.empty((8, column.width), np.float32)
    column.encode(unseen().town.to_numpy(), found)
    C = len(column.values)
    places = [
        *(int(np.flatnonzero(column.values == code)[0]) for code in (100, 107)),
        *(C, C, C + 1, C, C),
        int(np.flatnonzero(column.values == 100 + 7 * (CODES - 1))[0]),
    ]
    lookup = column.category.lookup()
    np.testing.assert_array_equal(found[:, column.number.width :], lookup[places])
    assert lookup.shape[1] == 16 + 1 + 1 + 1  # shown, others, missing, the mean


def test_files_keep_them(model: TableRegressor, tmp_path: Path) -> None:
    model.save(tmp_path / "model.safetensors")
    loaded = TableRegressor.load(tmp_path / "model.safetensors")
    for frame in (FRAME, unseen()):
        np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))


@pytest.mark.parametrize(
    "change",
    [
        {"category": None},
        {"category": {}},
        {"categories": ["1.5"]},
        {"categories": ["nan"]},
        {"categories": ["1"]},
        {"categories": []},
        {"categories": ["1.0", "1.0"]},
    ],
)
def test_odd_descriptions_are_refused(model: TableRegressor, change: dict[str, Any]) -> None:
    names = ["town", "age"]
    good = json.loads(json.dumps(described(model._encoder)))
    restored(good, names)
    bad = copy.deepcopy(good)
    part = bad[0] if "category" in change else bad[0]["category"]
    part.update(change)
    with pytest.raises((ValueError, KeyError, TypeError)):
        restored(bad, names)


def test_onnx(model: TableRegressor, tmp_path: Path) -> None:
    em.onnx.export(model, tmp_path / "m.onnx")
    session = runtime.InferenceSession(tmp_path / "m.onnx")
    for frame in (FRAME, unseen()):
        given = {name: frame[[name]].to_numpy(np.float64) for name in frame}
        (found,) = session.run(["outputs"], given)
        np.testing.assert_allclose(found[:, 0], model.predict(frame), rtol=0, atol=2e-5)


def test_c(model: TableRegressor, tmp_path: Path) -> None:
    library = compiled(model, tmp_path)
    for frame in (FRAME[:200], unseen()):
        X = np.ascontiguousarray(frame.to_numpy(np.float64))
        found = each(library.predict, X, 1, np.float32)[:, 0]
        np.testing.assert_allclose(found, model.predict(frame), rtol=0, atol=2e-5)
