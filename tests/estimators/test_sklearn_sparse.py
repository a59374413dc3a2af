"""Sparse rows in the estimators: never dense, never changed, refused where they are broken."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

import scipy.sparse

import eigenmlp as em
import eigenmlp.sklearn
from eigenmlp.sklearn import (
    MLPClassifier,
)
from support.bounds import assert_within, rounding_bounds

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_sparse_rows_never_become_dense() -> None:
    """8 GB, if they did."""
    N, D = 20_000, 50_000
    rng = np.random.default_rng(0)
    columns = rng.integers(0, D, (N, 3))
    y = columns[:, 0] % 2
    columns[:, 0] = y  # one column for each class, among noise
    X = scipy.sparse.csr_array(
        (np.ones(3 * N), columns.ravel(), np.arange(0, 3 * N + 1, 3)), (N, D)
    )
    parameters: dict[str, Any] = {"batch_size": 100, "max_iter": 1, "random_state": 0}
    tracemalloc.start()
    classifier = MLPClassifier((2,), learning_rate_init=0.1, **parameters).fit(X[:2000], y[:2000])
    assert classifier.score(X, y) > 0.95
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 << 20


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["relu", "logistic", "tanh", "elu(alpha=0.5)", None])
def test_predictions_of_wide_rows_skip_the_zeros(activation: str | None, dtype: str) -> None:
    """They are those of dense rows to rounding."""
    X = scipy.sparse.random(90, 3000, 0.01, "csr", dtype, random_state=0)
    y = np.arange(90) % 3
    hidden = {"activation": activation} if activation else {"hidden_layer_sizes": ()}
    classifier = MLPClassifier(**{"hidden_layer_sizes": (9, 7), **hidden}, max_iter=2)
    net, T = classifier.fit(X, y)._network(), np.zeros((90, 3), dtype)
    dense = X.toarray()
    Z = classifier._forward(X)
    assert Z.dtype == dtype
    assert_within(Z, net.forward(dense), rounding_bounds(net, dense, T).Y, "Z")
    assert np.allclose(classifier.predict_proba(X), classifier.predict_proba(dense), atol=1e-5)
    X.data = X.data.astype(np.float64)
    X.data[5] = -1e300
    if dtype == "float32":
        with pytest.raises(ValueError, match="float32 can hold"):
            classifier.predict(X)
    else:
        assert classifier.predict(X).shape == (90,)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
@pytest.mark.parametrize("index", ["int32", "int64"])
def test_sparse_rows_in_the_core(dtype: str, index: str) -> None:
    """Unordered places, empty rows, and entries that come twice, which add up."""
    values = np.array([1, 2, 3, 4, 5], dtype)
    places, starts = np.array([4, 0, 2, 2, 5], index), np.array([0, 2, 2, 5], index)
    X = scipy.sparse.csr_matrix((values, places.astype("int32"), starts.astype("int32")), (3, 6))
    X.indices, X.indptr = places, starts
    net = em.MLP([6, 20, 3], seed=0, input_scale=0.5, dtype="float64")
    sparse, dense = (net._network.forward(rows) for rows in (X, X.toarray()))
    assert np.array_equal(sparse, dense)


def test_sparse_rows_stay_as_they_are() -> None:
    X = scipy.sparse.csr_matrix(np.eye(30, 6))
    X.indices, X.indptr = X.indices.astype("int32"), X.indptr.astype("int64")
    indices = X.indices
    MLPClassifier((4,), max_iter=2).fit(X, np.arange(30) % 3).predict(X)
    assert X.indices is indices and indices.dtype == np.int32


@pytest.mark.parametrize("columns", [6, 60])  # many numbers beside zeros, and few
@pytest.mark.parametrize(
    ("places", "starts"),
    [
        ([0, 60], [0, 1, 2]),
        ([0, -1], [0, 1, 2]),
        ([0, 1], [0, 2, 1]),
        ([0, 1], [0, 1, 3]),
        ([0, 1], [-1, 1, 2]),
        ([0, 1], [0, 9, 2]),
    ],
    ids=str,
)
def test_broken_sparse_rows_are_refused(places: list[int], starts: list[int], columns: int) -> None:
    """By the core, which looks at each index when it uses it."""
    X = scipy.sparse.csr_matrix((2, columns))
    X.data = np.ones(2)
    X.indices, X.indptr = np.array(places, "int32"), np.array(starts, "int32")
    net = em.MLP([columns, 3], seed=0)
    before = net.parameters
    assert net._network.forward(X) is None
    trainer = em.Trainer(net, em.SGD(0.1))
    y = np.zeros(2, np.int64)
    result = trainer._trainer.run(X, y, None, 2, np.empty((1, 0), np.int64), np.array([0.1]))
    assert result.refused and np.array_equal(net.parameters, before)
