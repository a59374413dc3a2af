"""Searches, packs of networks and predictions on a cluster of Dask: two workers of this machine.

`test_on_dask` runs these in a process of their own: Dask's threads outlive a cluster.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import eigenmlp as em

distributed = pytest.importorskip("distributed")
joblib = pytest.importorskip("joblib")

X, Y = (part[:300] for part in em.datasets.load_digits())

pytestmark = pytest.mark.filterwarnings("ignore")  # of Dask, and of fits of few epochs


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_many_networks_have_the_bits_of_their_own_fits(client: Any) -> None:
    def networks() -> list[em.MLP]:
        return [em.MLP([64, h, 10], seed=h, dropout=0.1) for h in (8, 16, 24)]

    options: dict[str, Any] = {"epochs": 3, "validation": (X[:50], Y[:50]), "progress": False}
    there, here = networks(), networks()
    optimizers = [em.SGD(0.1), em.Adam(), em.SGD(0.1, momentum=0.9)]
    with joblib.parallel_config("dask"):
        histories = em.fit_many(there, X, Y, optimizer=optimizers, **options)
    expected = em.fit_many(here, X, Y, optimizer=optimizers, **options)
    for net, other, history, of_other in zip(there, here, histories, expected, strict=True):
        np.testing.assert_array_equal(net.parameters, other.parameters)
        assert history.loss == of_other.loss and history.val_loss == of_other.val_loss
        assert net._rng.bit_generator.state == other._rng.bit_generator.state


def test_units_that_were_measured_there_come_back(client: Any) -> None:
    rng = np.random.default_rng(0)
    rows, values = rng.normal(50, 9, (200, 3)), rng.normal(1e4, 1e3, 200)
    nets = [em.MLP([3, 4, 1], loss="squared_error", standardize=True, seed=0) for _ in range(2)]
    with joblib.parallel_config("dask"):
        em.fit_many(nets[:1], rows, values, epochs=2, seed=1, progress=False)
    nets[1].fit(rows, values, epochs=2, seed=1, progress=False)
    np.testing.assert_array_equal(nets[0].predict(rows), nets[1].predict(rows))


def test_divergence_there_is_one_here(client: Any) -> None:
    def networks() -> list[em.MLP]:
        return [em.MLP([64, 8, 10], seed=0) for _ in range(2)]

    optimizers = [em.SGD(0.01), em.SGD(1e30)]
    with joblib.parallel_config("dask"):
        with pytest.raises(em.DivergenceError) as caught:
            em.fit_many(networks(), X, Y, epochs=2, optimizer=optimizers, progress=False)
        kept = em.fit_many(
            networks(), X, Y, epochs=2, optimizer=optimizers, on_divergence="keep", progress=False
        )
    assert caught.value.index == 1  # type: ignore[attr-defined]
    assert [len(history.loss) for history in kept] == [2, 0]


def test_searches_find_what_they_find_here(client: Any) -> None:
    from sklearn.model_selection import GridSearchCV

    from eigenmlp.sklearn import MLPClassifier, MLPSearchCV

    estimator = MLPClassifier(hidden_layer_sizes=(8,), max_iter=4, random_state=0)
    grid = {"alpha": [1e-4, 10.0], "learning_rate_init": [1e-3, 1e-2]}
    expected = GridSearchCV(estimator, grid, cv=2).fit(X, Y).cv_results_["mean_test_score"]
    with joblib.parallel_config("dask"):
        for kind in (GridSearchCV, MLPSearchCV):
            found = kind(estimator, grid, cv=2).fit(X, Y)
            np.testing.assert_array_equal(found.cv_results_["mean_test_score"], expected)


def test_tables_predict_frames_by_partitions(client: Any) -> None:
    pd = pytest.importorskip("pandas")
    dd = pytest.importorskip("dask.dataframe")
    from eigenmlp.tables import TableRegressor

    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(100, 20, 300), "town": rng.choice(["a", "b"], 300)})
    price = frame["size"] * 3 + (frame["town"] == "a") * 50
    model = TableRegressor(random_state=0, max_epochs=5).fit(frame, price)
    parts = dd.from_pandas(frame, npartitions=4)

    def predicted(part: Any) -> Any:
        return pd.Series(model.predict(part), part.index, dtype="float64")

    found = parts.map_partitions(predicted, meta=("price", "float64")).compute()
    np.testing.assert_allclose(found, model.predict(frame), rtol=1e-6)
