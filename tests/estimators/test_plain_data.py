"""Data that need no look of scikit-learn's: the same results, and what it refuses is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import check_X_y

from eigenmlp.sklearn import MLPClassifier, MLPRegressor
from eigenmlp.sklearn._plain import binarizer, is_plain

ROWS = np.random.default_rng(0).standard_normal((40, 3))
WHOLE = np.arange(40) % 4


def with_one(value, dtype=np.float64):
    X = ROWS.astype(dtype)
    X[7, 1] = value
    return X


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "X", [ROWS, np.asfortranarray(ROWS), ROWS[::2], ROWS[:1], ROWS[:, ::-1]], ids=str
)
def test_plain_rows_are_what_sklearn_makes_of_them(X, dtype):
    X = X.astype(dtype, order="K")
    for y in (WHOLE[: len(X)], WHOLE[: len(X)].astype(np.uint8), ROWS[: len(X), 0].copy()):
        assert is_plain(X, y)
        theirs = check_X_y(X, y, dtype=(np.float64, np.float32), multi_output=True)
        assert theirs[0] is X
        assert theirs[1] is y


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (with_one(np.nan), WHOLE),
        (with_one(np.inf), WHOLE),
        (with_one(-np.inf, np.float32), WHOLE),
        (ROWS, with_one(np.nan)[:, 1]),
        (ROWS[:0], WHOLE[:0]),
        (ROWS[:, :0], WHOLE),
        (ROWS, WHOLE[:-1]),
        (ROWS[0], WHOLE),
        (ROWS.astype(np.float16), WHOLE),
        (ROWS.astype(">f8"), WHOLE),
        (ROWS.astype(np.int64), WHOLE),
        (ROWS.astype(complex), WHOLE),
        (ROWS.astype(object), WHOLE),
        (ROWS.tolist(), WHOLE),
        (np.ma.masked_array(ROWS), WHOLE),
        (ROWS, WHOLE.tolist()),
        (ROWS, WHOLE[:, None]),
        (ROWS, WHOLE.astype(str)),
        (ROWS, WHOLE.astype(object)),
        (ROWS, WHOLE.astype(bool)),
    ],
    ids=lambda x: f"{type(x).__name__}-{getattr(x, 'dtype', '')}-{getattr(x, 'shape', '')}",
)
def test_others_are_left_to_sklearn(X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not is_plain(X, y)


def test_sums_beyond_floats_are_left_to_sklearn():
    X = with_one(1e308)
    X[8, 1] = 1e308
    assert not is_plain(X, WHOLE)
    np.testing.assert_array_equal(check_X_y(X, WHOLE)[0], X)


def test_bad_rows_are_still_refused_by_fit():
    for X in (with_one(np.nan), with_one(np.inf, np.float32)):
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            MLPClassifier(max_iter=1).fit(X, WHOLE)
    with pytest.raises(ValueError, match="inconsistent"):
        MLPRegressor(max_iter=1).fit(ROWS, WHOLE[:-1])


def test_names_of_an_earlier_frame_are_forgotten():
    pd = pytest.importorskip("pandas")
    model = MLPClassifier(max_iter=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(pd.DataFrame(ROWS, columns=["a", "b", "c"]), WHOLE)
        assert list(model.feature_names_in_) == ["a", "b", "c"]
        model.fit(ROWS[:, :2].copy(), WHOLE)
    assert not hasattr(model, "feature_names_in_")
    assert model.n_features_in_ == 2


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, np.uint64, np.int32])
@pytest.mark.parametrize("classes", [[0, 1], [1, 7], [0, 1, 2], [3, 9, 100, 5]])
def test_classes_are_those_of_sklearn(classes, dtype):
    y = np.array(classes, dtype)[np.arange(40) % len(classes)]
    ours, theirs = binarizer(y), LabelBinarizer().fit(y)
    assert vars(ours).keys() == vars(theirs).keys()
    assert ours.y_type_ == theirs.y_type_
    assert ours.sparse_input_ == theirs.sparse_input_
    assert ours.classes_.dtype == theirs.classes_.dtype
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)


@pytest.mark.parametrize(
    "y",
    [
        np.zeros(40, int),
        np.arange(40),
        WHOLE.astype(float),
        WHOLE.astype(str),
        WHOLE.astype(object),
        WHOLE > 1,
        WHOLE.tolist(),
        np.eye(40, 4, dtype=int),
    ],
    ids=lambda y: f"{type(y).__name__}-{getattr(y, 'dtype', '')}-{getattr(y, 'shape', '')}",
)
def test_other_labels_are_left_to_sklearn(y):
    assert binarizer(y) is None


def test_two_classes_are_the_same_as_texts():
    for labels in (np.array([3, 8]), np.array([0, 1], np.uint8)):
        y = labels[np.arange(40) % 2]
        options = {"max_iter": 5, "random_state": 0, "hidden_layer_sizes": (4,)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            whole = MLPClassifier(**options).fit(ROWS, y)
            texts = MLPClassifier(**options).fit(ROWS, y.astype(str))
        for a, b in zip(whole.coefs_, texts.coefs_, strict=True):
            np.testing.assert_array_equal(a, b)
        assert whole.predict(ROWS).dtype == y.dtype
        np.testing.assert_array_equal(whole.predict(ROWS).astype(str), texts.predict(ROWS))


def test_labels_after_indicators_are_refused():
    model = MLPClassifier(max_iter=1, warm_start=True, hidden_layer_sizes=(4,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(ROWS, np.array([[0, 1], [1, 0]])[np.arange(40) % 2])
        with pytest.raises(ValueError, match="expected layers of the sizes"):
            model.fit(ROWS, np.arange(40) % 2)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("max_iter", 1, 1.0),
        ("shuffle", True, 1.5),
        ("alpha", 1, -1),
        ("alpha", 0.0, float("nan")),
        ("momentum", 1, 1.5),
        ("solver", "adam", "Adam"),
        ("n_threads", None, 0),
        ("early_stopping", False, None),
    ],
)
def test_a_parameter_that_was_good_once_lets_no_other_pass(name, good, bad):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2):
            MLPClassifier(**{"max_iter": 1, "hidden_layer_sizes": (2,), name: good}).fit(
                ROWS, WHOLE
            )
    with pytest.raises(InvalidParameterError, match=name):
        MLPClassifier(**{"max_iter": 1, name: bad}).fit(ROWS, WHOLE)
