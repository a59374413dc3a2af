"""Models of tables, and pipelines of scalers, as ONNX and as C: the same answers."""

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

import eigenmlp as em
from eigenmlp.sklearn import MLPClassifier, MLPRegressor
from eigenmlp.tables import TableClassifier, TableRegressor
from support.c_library import compiled, each
from support.onnx_runtime import runtime
from support.tables import ONE_CHOICE

N = 200
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "size": np.where(RNG.random(N) < 0.1, np.nan, 1e6 + RNG.normal(size=N)),
        "labels": RNG.integers(0, 9, N),  # as an output is called
        "new": pd.Series(RNG.random(N) < 0.5, dtype="boolean"),
        "day": pd.Series(pd.date_range("2020-01-01", periods=N, freq="53h")),
        "town of birth": RNG.choice(["Ulm", "Bonn", "Köln", None], N),
        "id": [f"n{i % 20}" for i in range(N)],
    }
)
FRAME.loc[::7, "new"] = None
FRAME.loc[::11, "day"] = None
NUMBERS = FRAME[["size", "labels", "new", "day"]]
PRICE = (FRAME["size"].fillna(1e6) - 1e6) * 1e3 + FRAME.labels * 500
PRICE += (FRAME["town of birth"] == "Ulm") * 2e3 + 4e4
NEAR = {"rtol": 0, "atol": 1e-4 * float(PRICE.std())}
BRIEF = {"random_state": 0, "max_epochs": 6, "max_categories": 5} | ONE_CHOICE
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:X. expected columns of about one size"),
]


def inputs(model: Any, frame: pd.DataFrame) -> dict[str, Any]:
    """The columns as ONNX takes them."""
    found = {}
    for column in model.columns_:
        values = frame[column.name]
        if column.kind == "category":
            array = np.array(["" if pd.isna(x) else str(x) for x in values], dtype=object)
        elif column.kind == "time":
            seconds = (pd.to_datetime(values) - pd.Timestamp(0)).dt.total_seconds()
            array = seconds.to_numpy(np.float64)
        else:
            array = values.astype("Float64").to_numpy(np.float64, na_value=np.nan)
        name = "input:labels" if column.name == "labels" else column.name
        found[name] = array[:, None]
    return found


def run(path: Path, given: dict[str, Any]) -> dict[str, Any]:
    session = runtime.InferenceSession(path)
    assert {one.name for one in session.get_inputs()} == {*given}
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, given), strict=True))


@pytest.mark.parametrize("rows", [N, 45])  # 45: float64, without bins
def test_a_regressor_as_onnx(rows: int, tmp_path: Path) -> None:
    model = TableRegressor(**{**BRIEF, "bins": 4 if rows == N else 0})
    model.fit(FRAME[:rows], PRICE[:rows])
    em.onnx.export(model, tmp_path / "m.onnx")
    unseen = FRAME.assign(**{"town of birth": "Rom", "id": "nobody", "new": None, "day": None})
    for frame in (FRAME, unseen, FRAME[:1]):
        found = run(tmp_path / "m.onnx", inputs(model, frame))["outputs"][:, 0]
        expected = model.predict(frame)
        np.testing.assert_allclose(found, expected, **NEAR)


@pytest.mark.parametrize("classes", [["a", "b"], [3, 5, 8], [False, True]])
def test_a_classifier_as_onnx(classes: list[Any], tmp_path: Path) -> None:
    y = np.array(classes)[(FRAME.labels.to_numpy() % len(classes))]
    model = TableClassifier(**BRIEF).set_params(max_epochs=30).fit(FRAME, y)
    em.onnx.export(model, tmp_path / "m.onnx")
    found = run(tmp_path / "m.onnx", inputs(model, FRAME))
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(FRAME), atol=1e-5)
    assert found["labels"].tolist() == model.predict(FRAME).tolist()
    assert len({*found["labels"].tolist()}) == len(classes)


def test_a_model_of_an_array_has_one_input(tmp_path: Path) -> None:
    X, y = load_diabetes(return_X_y=True)
    X[3, 4] = np.nan
    model = TableRegressor(**BRIEF).fit(X, y)
    em.onnx.export(model, tmp_path / "m.onnx")
    found = run(tmp_path / "m.onnx", {"X": X})["outputs"][:, 0]
    np.testing.assert_allclose(found, model.predict(X), rtol=1e-5, atol=1e-3)
    mixed = [[float(i), "ab"[i % 2]] for i in range(60)]
    model = TableRegressor(**BRIEF).fit(mixed, np.arange(60.0))
    em.onnx.export(model, tmp_path / "m.onnx")
    columns = [np.array([row[i] for row in mixed], object)[:, None] for i in range(2)]
    given = {"x0": columns[0].astype(np.float64), "x1": columns[1]}
    found = run(tmp_path / "m.onnx", given)["outputs"][:, 0]
    np.testing.assert_allclose(found, model.predict(mixed), rtol=1e-5, atol=1e-4)


def rows_of(frame: pd.DataFrame) -> Any:
    """Numbers as C takes them."""
    columns = []
    for name in frame.columns:
        values = frame[name]
        if name == "day":
            seconds = (pd.to_datetime(values) - pd.Timestamp(0)).dt.total_seconds()
            columns.append(seconds.to_numpy(np.float64))
        else:
            columns.append(values.astype("Float64").to_numpy(np.float64, na_value=np.nan))
    return np.ascontiguousarray(np.stack(columns, axis=1))


@pytest.mark.parametrize("bins", [0, 5])
def test_a_table_of_numbers_as_c(bins: int, tmp_path: Path) -> None:
    frame = NUMBERS.assign(same=3.0)
    with pytest.warns(UserWarning, match="left out"):
        model = TableRegressor(**{**BRIEF, "bins": bins}).fit(frame, PRICE)
    library = compiled(model, tmp_path)
    found = each(library.predict, rows_of(frame), 1, np.float32)[:, 0]
    np.testing.assert_allclose(found, model.predict(frame), **NEAR)
    text = (tmp_path / "model.c").read_text()
    assert "x[3] day" in text and "x[4] same, which is not read" in text


def test_a_classifier_of_numbers_as_c(tmp_path: Path) -> None:
    y = np.where(FRAME.labels > 4, "many", "few")
    model = TableClassifier(**BRIEF).set_params(max_epochs=30).fit(NUMBERS, y)
    library = compiled(model, tmp_path, name="m")
    X = rows_of(NUMBERS)
    P = each(library.m_predict_proba, X, 2, np.float32)
    np.testing.assert_allclose(P, model.predict_proba(NUMBERS), atol=1e-5)
    labels = [library.m_predict(x.ctypes.data_as(ctypes.c_void_p)) for x in X]
    np.testing.assert_array_equal(model.classes_[labels], model.predict(NUMBERS))
    assert len({*labels}) == 2


def rows_with_texts(library: Any, frame: pd.DataFrame) -> Any:
    """Rows as C takes them, the texts by its own function."""
    library.code.restype = ctypes.c_double
    library.code.argtypes = [ctypes.c_size_t, ctypes.c_char_p]
    found = {}
    for place, name in enumerate(frame.columns):
        if name in NUMBERS.columns:
            found[name] = rows_of(frame[[name]])[:, 0]
        else:
            texts = [None if pd.isna(x) else str(x).encode() for x in frame[name]]
            found[name] = np.array([library.code(place, text) for text in texts])
    return np.ascontiguousarray(np.stack([*found.values()], axis=1))


def test_a_table_with_texts_as_c(tmp_path: Path) -> None:
    frame = FRAME.assign(id=[f'"n{i % 20}\\\n??/é' for i in range(N)])
    model = TableRegressor(**{**BRIEF, "bins": 3}).fit(frame, PRICE)
    library = compiled(model, tmp_path)
    unseen = frame.assign(**{"town of birth": "Rom", "id": "nobody", "new": None, "day": None})
    for rows in (frame, unseen, frame.assign(id=None)):
        X = rows_with_texts(library, rows)
        found = each(library.predict, X, 1, np.float32)[:, 0]
        np.testing.assert_allclose(found, model.predict(rows), **NEAR)
    X[:, 4] = 1e300  # what is no code is another text
    found = each(library.predict, X, 1, np.float32)[:, 0]
    expected = model.predict(frame.assign(**{"town of birth": "Rom", "id": None}))
    np.testing.assert_allclose(found, expected, **NEAR)
    assert np.isnan(library.code(0, b"Ulm")), "a column of numbers has no texts"
    assert "x[4] town of birth, a text" in (tmp_path / "model.c").read_text()


def pack(kind: Any, frame: pd.DataFrame, y: Any, members: int = 3) -> Any:
    """Of several networks with encoders of their own, two of which are shared."""
    model = kind(random_state=0, members=members, max_epochs=3, max_categories=5)
    return model.fit(frame, y)


@pytest.mark.parametrize("rows", [N, 45])  # N: five networks a member; 45: one, of all rows
def test_a_pack_is_one_onnx_model(rows: int, tmp_path: Path) -> None:
    model = pack(TableRegressor, FRAME[:rows], PRICE[:rows])
    em.onnx.export(model, tmp_path / "m.onnx")
    unseen = FRAME.assign(**{"town of birth": "Rom", "id": "nobody", "new": None, "day": None})
    for frame in (FRAME, unseen, FRAME[:1]):
        found = run(tmp_path / "m.onnx", inputs(model, frame))
        np.testing.assert_allclose(found["outputs"][:, 0], model.predict(frame), **NEAR)
    # Columns are written once for each encoder, however many networks take them.
    networks = sum(len(member.networks) for member in model.members_)
    nodes = em.onnx.to_model(model).graph.node
    lookups = sum(node.op_type == "LabelEncoder" for node in nodes)
    assert lookups == 2 * len(model._encoders) < 2 * networks


@pytest.mark.parametrize("classes", [["a", "b"], [3, 5, 8]])
def test_a_pack_that_classifies_as_onnx(classes: list[Any], tmp_path: Path) -> None:
    y = np.array(classes)[(FRAME.labels.to_numpy() % len(classes))]
    model = pack(TableClassifier, FRAME, y)
    em.onnx.export(model, tmp_path / "m.onnx")
    found = run(tmp_path / "m.onnx", inputs(model, FRAME))
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(FRAME), atol=1e-5)
    clear = np.ptp(np.sort(model.predict_proba(FRAME))[:, -2:], axis=1) > 1e-4
    assert found["labels"][clear].tolist() == model.predict(FRAME)[clear].tolist()


def test_a_pack_of_an_array_has_one_input(tmp_path: Path) -> None:
    X, y = load_diabetes(return_X_y=True)
    model = TableRegressor(random_state=0, members=2, max_epochs=3).fit(X, y)
    em.onnx.export(model, tmp_path / "m.onnx")
    found = run(tmp_path / "m.onnx", {"X": X})["outputs"][:, 0]
    np.testing.assert_allclose(found, model.predict(X), rtol=1e-5, atol=1e-3)


def test_a_pack_is_one_c_file(tmp_path: Path) -> None:
    model = pack(TableRegressor, FRAME, PRICE)
    library = compiled(model, tmp_path)
    found = each(library.predict, rows_with_texts(library, FRAME), 1, np.float32)[:, 0]
    np.testing.assert_allclose(found, model.predict(FRAME), **NEAR)
    y = np.where(FRAME.labels > 4, "many", "few")
    classifier = pack(TableClassifier, NUMBERS, y, members=2)
    (tmp_path / "second").mkdir()
    library = compiled(classifier, tmp_path / "second", name="m")
    P = each(library.m_predict_proba, rows_of(NUMBERS), 2, np.float32)
    np.testing.assert_allclose(P, classifier.predict_proba(NUMBERS), atol=1e-5)


def test_what_cannot_travel_says_so(tmp_path: Path) -> None:
    model = TableRegressor(**BRIEF).fit(FRAME, PRICE)
    nul = TableRegressor(**BRIEF).fit(FRAME.assign(id=["a\0b", "c"] * (N // 2)), PRICE)
    with pytest.raises(ValueError, match=r"categories without NUL, which ends C's, got 'a\\x00b'"):
        em.codegen.to_c(nul, tmp_path / "m.c")
    empty = TableRegressor(**BRIEF).fit(FRAME.assign(id=["", None] * (N // 2)), PRICE)
    with pytest.raises(ValueError, match=r"for a missing text alone.*column 'id'"):
        em.onnx.export(empty, tmp_path / "m.onnx")
    scaled = make_pipeline(StandardScaler(), pack(TableRegressor, NUMBERS[["labels"]], PRICE))
    scaled[0].fit(NUMBERS[["labels"]])
    for refuse in (em.onnx.export, em.codegen.to_c):
        with pytest.raises(TypeError, match="a model of tables without scalers before it"):
            refuse(scaled, tmp_path / "m")
    with pytest.raises(ValueError, match="input_dtype: expected None with a model of tables"):
        em.onnx.export(model, tmp_path / "m.onnx", input_dtype="float32")
    with pytest.raises(ValueError, match="input_dtype: expected None or 'float64'"):
        em.codegen.to_c(TableRegressor(**BRIEF).fit(NUMBERS, PRICE), tmp_path / "m", "", "uint8")
    X, y = load_diabetes(return_X_y=True)
    pipeline = make_pipeline(
        PCA(3), MLPRegressor(hidden_layer_sizes=(4,), max_iter=30, random_state=0)
    ).fit(X, y)
    with pytest.raises(ValueError, match=r"expected no other steps .* got PCA"):
        em.onnx.export(pipeline, tmp_path / "m.onnx")
    unfitted = make_pipeline(StandardScaler(), MLPRegressor())
    with pytest.raises(ValueError, match="expected a fitted pipeline"):
        em.onnx.export(unfitted, tmp_path / "m.onnx")
    with pytest.raises(ValueError, match="expected a fitted search with refit=True"):
        em.codegen.to_c(GridSearchCV(unfitted, {}), tmp_path / "m.c")
    clipped = make_pipeline(
        MinMaxScaler(clip=True), MLPRegressor(hidden_layer_sizes=(4,), random_state=0)
    ).fit(X, y)
    with pytest.raises(ValueError, match="clip=False, got clip=True"):
        em.onnx.export(clipped, tmp_path / "m.onnx")
    assert not [*tmp_path.iterdir()]


SCALERS = {
    "standard": [StandardScaler()],
    "standard without mean": [StandardScaler(with_mean=False)],
    "standard without scale": [StandardScaler(with_std=False)],
    "min and max": [MinMaxScaler((-2, 3))],
    "largest": [MaxAbsScaler()],
    "robust": [RobustScaler()],
    "two": [RobustScaler(), "passthrough", MinMaxScaler()],
}


@pytest.mark.parametrize("name", SCALERS)
def test_pipelines_with_scalers(name: str, tmp_path: Path) -> None:
    """The file takes rows as the pipeline does."""
    X, y = load_breast_cancer(return_X_y=True)
    X = X * np.logspace(-3, 3, 30) + 1e4
    mlp = MLPClassifier((7,), max_iter=30, random_state=0)
    pipeline = make_pipeline(*SCALERS[name], mlp).fit(X, np.array(["bad", "good"])[y])
    em.onnx.export(pipeline, tmp_path / "m.onnx")
    found = run(tmp_path / "m.onnx", {"X": X})
    expected = pipeline.predict_proba(X)
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-6)
    assert (found["labels"] == pipeline.predict(X)).mean() > 0.99
    library = compiled(pipeline, tmp_path)
    logits = each(library.forward, X, 1, np.float64)[:, 0]
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), expected[:, 1], atol=1e-6)


def test_a_search_exports_its_best(tmp_path: Path) -> None:
    X, y = load_breast_cancer(return_X_y=True)
    X = X.astype(np.float32)
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(max_iter=40, random_state=0))
    grid = {"mlpclassifier__hidden_layer_sizes": [(3,), (6, 5)]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    em.onnx.export(search, tmp_path / "m.onnx")
    found = run(tmp_path / "m.onnx", {"X": X})
    np.testing.assert_allclose(found["probabilities"], search.predict_proba(X), atol=1e-4)
    library = compiled(search, tmp_path)
    logits = each(library.forward, X, 1, np.float32)[:, 0]
    expected = search.predict_proba(X)[:, 1]
    np.testing.assert_allclose(1 / (1 + np.exp(-logits.astype(float))), expected, atol=1e-4)
