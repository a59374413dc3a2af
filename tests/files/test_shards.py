"""Rows in files larger than memory: how they are read, and that training on them is seeded."""

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._training import streamed
from eigenmlp.datasets import shards

N = 1003
RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (N, 6)).astype(np.uint8)
Y = (X[:, 0].astype(int) + X[:, 1] > 255).astype(np.int64)


@pytest.fixture(autouse=True)
def _small_pools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many blocks and pools of so few rows."""
    monkeypatch.setattr(shards, "BLOCK_BYTES", 200)
    monkeypatch.setattr(streamed, "POOL_BYTES", 14 * 190)


def npy_files(folder: Path, array: Any = X, name: str = "rows") -> Path:
    place = folder / name
    place.mkdir()
    for i, part in enumerate(np.split(array, [100, 101, 101, 640])):  # one of them is empty
        np.save(place / f"{i}.npy", part)
    return place


def sources(folder: Path) -> dict[str, Any]:
    np.save(folder / "one.npy", X)
    mapped = np.load(folder / "one.npy", mmap_mode="r")
    raw = np.memmap(folder / "raw", np.uint8, "w+", 100, X.shape)
    raw[:] = X
    raw.flush()
    return {
        "folder": npy_files(folder),
        "file": str(folder / "one.npy"),
        "list": [folder / "rows" / f"{i}.npy" for i in range(5)],
        "mapped": mapped,
        "raw": raw,
        "slice of mapped": [mapped[:500], mapped[500:]],
        "chunks": Chunks(X, 37),
    }


class Chunks:
    """What Zarr's arrays and HDF5's data sets have."""

    def __init__(self, array: Any, rows: int) -> None:
        self._array, self.shape, self.dtype = array, array.shape, array.dtype
        self.chunks = (rows, *array.shape[1:])
        self.asked: list[tuple[int, int]] = []

    def __getitem__(self, rows: slice) -> Any:
        self.asked.append((rows.start, rows.stop))
        return self._array[rows]


def test_all_forms_have_the_same_rows(tmp_path: Path) -> None:
    for name, source in sources(tmp_path).items():
        opened = em.datasets.open_shards(source)
        assert opened.shape == X.shape and opened.dtype == X.dtype, name
        for rows in (slice(None), slice(95, 110), slice(640, 640), slice(-3, None)):
            np.testing.assert_array_equal(opened[rows], X[rows], err_msg=name)
        np.testing.assert_array_equal(np.asarray(opened), X)
        blocks = opened.blocks()
        assert blocks[0][0] == 0 and blocks[-1][1] == N
        assert all(a[1] == b[0] and b[0] < b[1] for a, b in pairwise(blocks))


def test_blocks_of_many_rows_are_found_at_once(tmp_path: Path) -> None:
    """Not in a time that grows with rows times blocks."""
    with open(tmp_path / "large", "wb") as file:
        file.truncate(1 << 30)  # no byte of it is on the disk
    opened = em.datasets.open_shards(np.memmap(tmp_path / "large", np.uint8, shape=(1 << 25, 32)))
    shards.BLOCK_BYTES = 1 << 20
    began = time.process_time()
    assert len(opened.blocks()) == 1 << 10
    assert time.process_time() - began < 1


def test_what_comes_in_chunks_is_read_in_whole_ones() -> None:
    source = Chunks(X, 37)
    opened = em.datasets.open_shards(source)
    net = em.MLP([6, 2], seed=0, input_scale=1 / 255)
    net.fit(opened, Y, epochs=1, batch_size=16, seed=0, progress=False)
    assert sorted(source.asked) == [(i, min(i + 37, N)) for i in range(0, N, 37)]


def fitted(rows: Any, y: Any = Y, batch_size: int = 32, **options: Any) -> tuple[Any, Any]:
    net = em.MLP([6, 8, 2], seed=0, input_scale=1 / 255)
    options = {"epochs": 5, "seed": 1, "progress": False, **options}
    history = net.fit(rows, y, batch_size=batch_size, **options)
    return net, history


def test_without_shuffling_it_is_the_run_over_an_array(tmp_path: Path) -> None:
    opened = em.datasets.open_shards(npy_files(tmp_path))
    labels = em.datasets.open_shards(npy_files(tmp_path, Y, "labels"))
    weights = RNG.random(N) + 0.1
    for options in (
        {},
        {"batch_size": 48, "optimizer": em.Adam(em.schedules.Cosine(0.01, 105))},
        {"batch_size": 700},
        {"batch_size": 4000},
        {"sample_weight": weights},
    ):
        options |= {"shuffle": False, "validation": (X, Y)}
        net, history = fitted(X, **options)
        options["validation"] = (opened, labels)
        other, streamed_ = fitted(opened, labels, **options)
        np.testing.assert_array_equal(other.parameters, net.parameters)
        for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
            np.testing.assert_allclose(getattr(streamed_, name), getattr(history, name), rtol=1e-12)


def test_accumulated_batches_make_the_same_updates(tmp_path: Path) -> None:
    opened = em.datasets.open_shards(npy_files(tmp_path))
    results = []
    for rows in (X, opened):
        net = em.MLP([6, 8, 2], seed=0, input_scale=1 / 255, dropout=0.2)
        trainer = em.Trainer(net, em.SGD(0.1), 32, seed=0, accumulate=3)
        trainer.run(rows, Y, 3, shuffle=False)
        results.append((net.parameters, trainer.steps))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    assert results[0][1] == results[1][1]


def test_every_row_is_used_once_in_an_epoch_and_the_order_is_seeded(tmp_path: Path) -> None:
    rows = np.arange(N, dtype=np.float64)[:, None] / N
    opened = em.datasets.open_shards(npy_files(tmp_path, rows))
    net = em.MLP([1, 1], loss="squared_error", dtype="float64")
    source = streamed.Streamed(net, opened, rows[:, 0], None)
    orders = []
    for seed in (3, 3, 4):
        seen = [(pool.X[pool.order], pool.T[pool.order]) for pool in source._pools(32, seed)]
        assert len(seen) > 5
        assert [len(x) % 32 for x, _ in seen[:-1]] == [0] * (len(seen) - 1)
        order, targets = (np.concatenate(part)[:, 0] for part in zip(*seen, strict=True))
        np.testing.assert_array_equal(order, targets)
        np.testing.assert_array_equal(np.sort(order), rows[:, 0])
        orders.append(order)
    np.testing.assert_array_equal(orders[0], orders[1])
    assert (orders[0] != orders[2]).mean() > 0.9
    assert np.abs(np.corrcoef(orders[0], rows[:, 0])[0, 1]) < 0.2


def test_a_saved_run_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    opened = em.datasets.open_shards(npy_files(tmp_path))
    net = em.MLP([6, 8, 2], seed=0, input_scale=1 / 255)
    trainer = em.Trainer(net, em.SGD(0.1, momentum=0.9), 32, seed=0)
    trainer.run(opened, Y, 2)
    trainer.save(tmp_path / "trainer")
    trainer.run(opened, Y, 2)
    again = em.Trainer.load(tmp_path / "trainer")
    again.run(opened, Y, 2)
    np.testing.assert_array_equal(again.net.parameters, net.parameters)


def test_evaluations_and_predictions(tmp_path: Path) -> None:
    opened = em.datasets.open_shards(npy_files(tmp_path))
    net, history = fitted(opened, batch_size=16, epochs=30)
    assert history.rows == N and len(history.loss) == 30
    assert history.accuracy[-1] > 0.9
    np.testing.assert_array_equal(net.forward(opened), net.forward(X))
    np.testing.assert_array_equal(net.predict(opened), net.predict(X))
    np.testing.assert_array_equal(net.predict_proba(opened), net.predict_proba(X))
    found, expected = net.evaluate(opened, Y), net.evaluate(X, Y)
    assert found.accuracy == expected.accuracy
    assert found.loss == pytest.approx(expected.loss, rel=1e-6)
    twin = em.MLP([6, 8, 2], seed=0, input_scale=1 / 255, backend="numpy")
    twin.fit(opened, Y, epochs=1, batch_size=16, seed=0, progress=False)
    assert np.isfinite(twin.parameters).all()


def test_memory_maps_with_changes_in_memory_keep_them(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    changed = np.load(tmp_path / "x.npy", mmap_mode="c")
    changed[7] = 1
    np.testing.assert_array_equal(em.datasets.open_shards(changed)[:], changed)


def test_files_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for i in range(12):
        np.save(tmp_path / f"{i}.npy", X[i : i + 1])
    (tmp_path / "._0.npy").write_bytes(b"what a Mac leaves beside a file")
    np.testing.assert_array_equal(em.datasets.open_shards(tmp_path)[:], X[:12])


def test_pools_without_weight_count_for_accuracy() -> None:
    net, weights = em.MLP([6, 2], seed=0, input_scale=1 / 255), np.ones(N)
    weights[400:] = 0
    rows = em.datasets.open_shards([X])
    found, expected = net.evaluate(rows, Y, weights), net.evaluate(X, Y, weights)
    assert found.accuracy == expected.accuracy
    assert found.loss == pytest.approx(expected.loss, rel=1e-6)
    zeros = em.datasets.open_shards([np.zeros(N)])
    with pytest.raises(ValueError, match=r"sample_weight: expected numbers .*, not all 0"):
        net.evaluate(rows, Y, zeros)
    with pytest.raises(ValueError, match=r"sample_weight: expected numbers .*, not all 0"):
        net.fit(rows, Y, sample_weight=zeros, progress=False)


def test_parquet_columns_go_by_name(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table({"a": [1.0], "b": [10.0]}), tmp_path / "0.parquet")
    parquet.write_table(pa.table({"b": [20.0], "a": [2.0]}), tmp_path / "1.parquet")
    np.testing.assert_array_equal(em.datasets.open_shards(tmp_path)[:], [[1, 10], [2, 20]])
    parquet.write_table(pa.table({"b": [20.0], "c": [2.0]}), tmp_path / "2.parquet")
    with pytest.raises(ValueError, match=r"2.parquet: expected the columns of .*0.parquet"):
        em.datasets.open_shards(tmp_path)


def test_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    for i, rows in enumerate(np.array_split(np.arange(N), 3)):
        columns = {f"x{j}": X[rows, j].astype(np.float32) for j in range(6)}
        table = pa.table({**columns, "label": Y[rows], "name": ["a"] * len(rows)})
        parquet.write_table(table, tmp_path / f"{i}.parquet", row_group_size=50)
    names = [f"x{j}" for j in range(6)]
    opened = em.datasets.open_shards(tmp_path, names)
    labels = em.datasets.open_shards(tmp_path, "label")
    assert opened.shape == X.shape and labels.shape == Y.shape
    np.testing.assert_array_equal(opened[40:420], X[40:420])
    np.testing.assert_array_equal(labels[:], Y)
    net, _ = fitted(X.astype(np.float32), shuffle=False)
    other, _ = fitted(opened, labels, shuffle=False)
    np.testing.assert_array_equal(other.parameters, net.parameters)
    with pytest.raises(ValueError, match="expected a column 'x9'"):
        em.datasets.open_shards(tmp_path, "x9")
    with pytest.raises(ValueError, match="expected numbers in column 'name'"):
        em.datasets.open_shards(tmp_path)
    gap = pa.table({"x": pa.array([1.0, None, 3.0])})
    parquet.write_table(gap, tmp_path / "gap.pq")
    with pytest.raises(ValueError, match="missing numbers, got one in column 'x', row 1"):
        em.datasets.open_shards(tmp_path / "gap.pq", "x")[:]


def test_parquet_columns_that_are_no_numbers_are_named_with_their_types(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {
        "list": (pa.array([[1.0], [2.0]]), "list<"),
        "fixed": (pa.array([[1.0], [2.0]], pa.list_(pa.float32(), 1)), "fixed_size_list<"),
        "struct": (pa.array([{"x": 1}, {"x": 2}]), "struct<"),
        "text": (pa.array(["a", "b"]), "string"),
        "category": (pa.array(["a", "b"]).dictionary_encode(), "dictionary<values=string"),
        "empty": (pa.array([None, None]), "null"),
    }
    for name, (column, kind) in columns.items():
        parquet.write_table(pa.table({"x": [1.0, 2.0], name: column}), tmp_path / "0.parquet")
        for chosen in (None, name):
            with pytest.raises(
                ValueError, match=f"expected numbers in column '{name}', got {kind}"
            ):
                em.datasets.open_shards(tmp_path, chosen)
        assert em.datasets.open_shards(tmp_path, "x").shape == (2,)
    numbers = {"codes": pa.array([7, 5]).dictionary_encode(), "flags": [True, False]}
    parquet.write_table(pa.table(numbers), tmp_path / "0.parquet")
    np.testing.assert_array_equal(em.datasets.open_shards(tmp_path)[:], [[7, 1], [5, 0]])


def test_zarr(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    array = zarr.open(str(tmp_path / "a.zarr"), mode="w", shape=X.shape, chunks=(37, 6), dtype="u1")
    array[:] = X
    opened = em.datasets.open_shards(array)
    np.testing.assert_array_equal(opened[30:80], X[30:80])
    assert fitted(opened)[1].accuracy[-1] > 0.5


def test_bad_shards_are_refused(tmp_path: Path) -> None:
    def refused(text: str, source: Any, kind: type[Exception] = ValueError, **options: Any) -> None:
        with pytest.raises(kind, match=text) as caught:
            em.datasets.open_shards(source, **options)
        assert len(str(caught.value)) < 400 + 2 * len(str(tmp_path))

    good = npy_files(tmp_path)
    (tmp_path / "empty").mkdir()
    refused("expected .npy or Parquet files, got none", tmp_path / "empty")
    refused("expected a file or a folder, got none", tmp_path / "nothing")
    refused("at least one file or array", [])
    refused("expected paths or arrays, got 5", 5, TypeError)
    refused("expected None with what is not Parquet", good, columns="x")
    masked = np.ma.masked_greater(X, 200)
    refused("source: expected an array without masked elements", masked)
    np.save(tmp_path / "wide.npy", X[:, :5])
    refused(r"expected rows like those of .*, uint8 \(N, 6\), got", [good, tmp_path / "wide.npy"])
    np.save(tmp_path / "text.npy", np.array(["a"]))
    refused("expected numbers, got <U1", tmp_path / "text.npy")
    np.save(tmp_path / "f.npy", np.asfortranarray(X))
    refused("expected rows in C order", tmp_path / "f.npy")
    np.save(tmp_path / "one.npy", np.float64(1))
    refused(r"expected rows \(N,\) or \(N, D\), got a single number", tmp_path / "one.npy")
    (tmp_path / "no.npy").write_bytes(b"nothing")
    refused("expected a .npy file", tmp_path / "no.npy")
    whole = (good / "4.npy").read_bytes()
    (tmp_path / "short.npy").write_bytes(whole[:-1])
    refused("expected [0-9,]+ bytes, got", tmp_path / "short.npy")


def test_bad_rows_are_refused_and_named(tmp_path: Path) -> None:
    bad = X.astype(np.float32)
    bad[700, 3] = np.nan
    opened = em.datasets.open_shards(npy_files(tmp_path, bad))
    named = r"^X: expected finite numbers.*, got nan at X\[700, 3\]$"
    net = em.MLP([6, 2], seed=0)
    for use in (fitted, net.predict, net.forward, lambda rows: net.evaluate(rows, Y)):
        with pytest.raises(ValueError, match=named):
            use(opened)
    rows = em.datasets.open_shards(npy_files(tmp_path, name="good"))
    with pytest.raises(ValueError, match="y: expected 1003 rows, as X has, got 1000"):
        fitted(rows, Y[:1000])
    with pytest.raises(ValueError, match=r"X: expected shape \(N, D\) with D = 5"):
        em.MLP([5, 2], seed=0).fit(rows, Y)
    with pytest.raises(ValueError, match=r"^row 900: y: expected labels 0 to 1, got 5 to 5$"):
        fitted(rows, np.where(np.arange(len(Y)) == 900, 5, Y))
    with pytest.raises(ValueError, match=r"^row 900: y: expected labels 0 to 1"):
        net.evaluate(rows, np.where(np.arange(len(Y)) == 900, 5, Y))
    weights = np.ones(len(Y))
    weights[901] = -2
    with pytest.raises(ValueError, match=r"^row 901: sample_weight: expected .* 0, got -2.0$"):
        net.fit(rows, Y, 1, sample_weight=em.datasets.open_shards(weights), progress=False)
    with pytest.raises(TypeError, match="y: expected an array, got None"):
        fitted(rows, None)
    with pytest.raises(TypeError, match="X, y: expected arrays, got Shards"):
        em.fit_many([em.MLP([6, 2], seed=0)], rows, Y)
    with pytest.raises(ValueError, match="X: expected units that are known"):
        em.MLP([6, 2], seed=0, standardize=True).fit(rows, Y)
