"""Training in the user's own units."""

from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from support.problems import both
from support.units import VALUES, by_hand, make, table

backends = pytest.mark.parametrize("backend", BACKENDS)


# ---- training


@backends
@pytest.mark.parametrize("loss", ["squared_error", "half_squared_error"])
@pytest.mark.parametrize(
    "optimizer", [em.SGD(0.05, momentum=0.9), em.Adam(0.01), em.SGD(0.1, weight_decay=0.01)]
)
def test_training_is_that_of_standardised_columns(loss: str, optimizer: Any, backend: str) -> None:
    X, y = table()
    net = make(loss, backend=backend).standardize(X, y)
    plain, Z, T = by_hand(net, X, y)
    history = net.fit(X, y, epochs=4, batch_size=16, optimizer=optimizer, seed=3)
    plain.fit(Z, T, epochs=4, batch_size=16, optimizer=optimizer, seed=3)
    np.testing.assert_allclose(net.parameters, plain.parameters, rtol=1e-7, atol=1e-9)
    assert history.loss[-1] < history.loss[0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", VALUES)
def test_trajectories_of_core_and_twin(loss: str, dtype: str) -> None:
    X, y = table()
    nets = both(make(loss, dtype=dtype).standardize(X, y))
    options: dict[str, Any] = {"epochs": 3, "batch_size": 32, "seed": 1}
    losses = [net.fit(X, y, optimizer=em.SGD(0.02, momentum=0.9), **options).loss for net in nets]
    bound = 1e-3 if dtype == "float32" else 1e-9
    np.testing.assert_allclose(losses[0], losses[1], rtol=bound)
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=bound, atol=bound)


def test_same_bits_for_any_threads(all_threads: None) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 40)) * 1e3 + 1e5
    y = rng.normal(size=(600, 3)) * 1e4
    found = []
    for threads in (1, 2, 3):
        em.set_num_threads(threads)
        net = em.MLP([40, 64, 3], loss="huber", standardize=True, seed=0)
        history = net.fit(X, y, epochs=2, batch_size=256, seed=0)
        found.append((net.parameters, net.forward(X), history.loss, net.vjp(X, y)[1]))
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_prices_train_with_the_defaults() -> None:
    """Targets around 8e5, columns of all sizes: the defaults diverge without `standardize`."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 4)) * [500, 1, 0.1, 1e4] + [1500, 3, 2, 1e5]
    y = 400 * X[:, 0] + 5e4 * X[:, 1] + X[:, 3] + rng.normal(size=1000) * 1e4
    net = em.MLP([4, 32, 1], loss="squared_error", standardize=True, seed=0)
    net.fit(X, y, epochs=30)
    assert 1 - ((net.predict(X) - y) ** 2).mean() / y.var() > 0.98


def test_sparse_rows_are_not_made_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    X = sparse.random(200, 300, 0.02, "csr", random_state=0) * 50.0
    y = np.asarray(X.sum(axis=1)).ravel()
    net = em.MLP([300, 4, 1], loss="squared_error", standardize=True, seed=0)
    net.fit(X, y, epochs=1)
    shifted = em.MLP(**{**net.config, "input_shift": 0.5, "input_scale": [1e30] * 300}, seed=0)
    X.data[7] = 1e20

    def refused(self: Any) -> None:
        raise AssertionError("made dense")

    monkeypatch.setattr(type(X), "toarray", refused)
    net.loss(X, y)
    row, column = int(np.searchsorted(X.indptr, 7, side="right")) - 1, X.indices[7]
    with pytest.raises(ValueError, match=rf"after standardising, got 1e\+20 at \[{row}, {column}"):
        shifted.loss(X, y)


def test_sparse_rows_keep_their_zeros() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    X = sparse.random(200, 300, 0.02, "csr", random_state=0, dtype=np.float64) * 50.0
    y = np.asarray(X.sum(axis=1)).ravel()
    net = em.MLP([300, 8, 1], loss="squared_error", standardize=True, dtype="float64", seed=0)
    net.fit(X, y, epochs=2, batch_size=32, seed=0)
    assert not np.any(net.input_shift)
    deviation = X.toarray().std(axis=0)
    varies = deviation > 0
    np.testing.assert_allclose(1 / net.input_scale[varies], deviation[varies], rtol=1e-10)
    dense = em.MLP(**net.config, seed=0)
    assert dense.input_scale is not net.input_scale
    dense.fit(X.toarray(), y, epochs=2, batch_size=32, seed=0)
    np.testing.assert_allclose(net.parameters, dense.parameters, rtol=1e-9, atol=1e-12)
    shifted = em.MLP(**{**net.config, "input_shift": 0.5}, seed=0)
    np.testing.assert_allclose(shifted.forward(X), shifted.forward(X.toarray()), rtol=1e-12)
    shifted.fit(X, y, epochs=1, seed=0)
