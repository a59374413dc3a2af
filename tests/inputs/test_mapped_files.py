"""Data in mapped files, which need not fit in memory, and which may shrink."""

import mmap
import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from support.problems import make_data

backends = pytest.mark.parametrize("backend", BACKENDS)
SIZES, N = [6, 12, 3], 50
X, Y = make_data(SIZES, "softmax_cross_entropy", N, "float32")


def make(backend: str = "native", **options: Any) -> em.MLP:
    return em.MLP(**{"layer_sizes": SIZES, "seed": 0, **options}, backend=backend)


def mapped(path: Path, array: Any, offset: int = 0) -> Any:
    path.write_bytes(b"x" * offset + array.tobytes())
    return np.memmap(path, array.dtype, "r", offset, array.shape)


@backends
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_a_mapped_file_is_as_good_as_an_array(dtype: str, backend: str, tmp_path: Path) -> None:
    x = (10 * np.abs(X)).astype(dtype)
    nets = [make(backend) for _ in range(2)]
    for net, data in zip(nets, (x, mapped(tmp_path / "x", x, offset=24)), strict=True):
        net.fit(data, Y, epochs=2, batch_size=8, seed=0, optimizer=em.SGD(0.01))
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)


@backends
def test_copies_of_a_mapped_file(backend: str, tmp_path: Path) -> None:
    """NumPy calls them memmaps too, but they lie in no file."""
    x, net = mapped(tmp_path / "x", X), make(backend)
    for copied in (x.copy(), x.astype(X.dtype)):
        assert isinstance(copied, np.memmap)
        np.testing.assert_array_equal(net.forward(copied), net.forward(X))
        net.fit(copied, Y, epochs=1)


def test_a_mapped_file_is_not_copied(tmp_path: Path) -> None:
    big = np.random.default_rng(0).random((40_000, 100), np.float32)
    x = mapped(tmp_path / "x", big)
    y = np.zeros(len(big), np.int64)
    net = em.MLP([100, 4, 2], seed=0)
    net.fit(x[:100], y[:100], epochs=1)
    tracemalloc.start()
    net.fit(x, y, epochs=1, batch_size=1000, shuffle=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < big.nbytes / 8  # 16 MB of data; checks take blocks of 1 MB


def grown_then_shrunk(path: Path, offset: int = 0) -> Any:
    array = mapped(path, np.ones((5000, 6), np.float32), offset)
    os.truncate(path, offset + array.nbytes // 2)
    return array


@backends
@pytest.mark.parametrize("offset", [0, 24, 3 * 4096])
@pytest.mark.parametrize(
    "view", [lambda x: x, np.asarray, lambda x: x[:4500]], ids=["map", "array", "part"]
)
def test_a_file_that_has_shrunk(view: Any, offset: int, backend: str, tmp_path: Path) -> None:
    """An error, and not the end of the process."""
    x, y = view(grown_then_shrunk(tmp_path / "x", offset)), np.zeros(5000, np.int64)
    net = make(backend)
    before = net.parameters
    for call in (
        lambda: net.fit(x, y[: len(x)]),
        lambda: net.evaluate(x, y[: len(x)]),
        lambda: net.fit(X, Y, validation=(x, y[: len(x)])),
        lambda: net.fit([(x, y[: len(x)])]),
        lambda: em.Trainer(net, em.SGD(0.1)).step(x, y[: len(x)]),
        lambda: net.forward(x),
    ):
        with pytest.raises(ValueError, match=r"X: expected a mapped file of at least .* shrunk"):
            call()
    np.testing.assert_array_equal(net.parameters, before)


@backends
def test_a_file_that_shrinks_between_two_epochs(backend: str, tmp_path: Path) -> None:
    x = mapped(tmp_path / "x", np.ones((5000, 6), np.float32))
    net = make(backend)

    def shrink(epoch: int, history: em.History, seen: em.MLP) -> None:
        os.truncate(tmp_path / "x", 1000)

    with pytest.raises(ValueError, match="it has shrunk"):
        net.fit(x, np.zeros(5000, np.int64), epochs=3, callbacks=[shrink])
    assert np.isfinite(net.evaluate(X, Y).loss)


@backends
def test_validation_data_that_shrink(backend: str, tmp_path: Path) -> None:
    x = mapped(tmp_path / "x", np.ones((5000, 6), np.float32))

    def shrink(epoch: int, history: em.History, seen: em.MLP) -> None:
        os.truncate(tmp_path / "x", 1000)

    with pytest.raises(ValueError, match=r"validation: X: .* it has shrunk"):
        make(backend).fit(X, Y, validation=(x, np.zeros(5000, np.int64)), callbacks=[shrink])


@backends
def test_targets_in_a_file_that_has_shrunk(backend: str, tmp_path: Path) -> None:
    y = mapped(tmp_path / "y", np.zeros(9000, np.int64))
    os.truncate(tmp_path / "y", 100)
    net, x = make(backend), np.ones((9000, 6), np.float32)
    for call in lambda: net.fit(x, y), lambda: em.Trainer(net, em.SGD(0.1)).step(x, y):
        with pytest.raises(ValueError, match="y: expected a mapped file"):
            call()


def view_of_map(file: mmap.mmap) -> Any:
    return np.frombuffer(file, np.float32).reshape(-1, 6)


def view_of_memoryview(file: mmap.mmap) -> Any:
    return np.frombuffer(memoryview(file)[24:], np.float32).reshape(-1, 6)


def no_memory_of_numpy(file: mmap.mmap) -> Any:
    """As other libraries' arrays are: nothing says that a file is behind it."""
    whole = np.frombuffer(file, np.float32).reshape(-1, 6)

    class Foreign:
        __array_interface__ = whole.__array_interface__
        held = file

    return np.asarray(Foreign())


@backends
@pytest.mark.parametrize("offset", [0, mmap.ALLOCATIONGRANULARITY])
@pytest.mark.parametrize("view", [view_of_map, view_of_memoryview, no_memory_of_numpy])
def test_views_of_a_file_that_has_shrunk(
    view: Any, offset: int, backend: str, tmp_path: Path
) -> None:
    with open(tmp_path / "x", "w+b") as file:
        file.truncate(offset + 24 * 5000)
        memory = mmap.mmap(file.fileno(), 24 * 5000, offset=offset)
    x = view(memory)
    net, y = make(backend), np.zeros(len(x), np.int64)
    assert np.isfinite(net.forward(x)).all()
    os.truncate(tmp_path / "x", offset + 100)
    for call in (
        lambda: net.forward(x),
        lambda: net.forward(x[::-1]),
        lambda: net.fit(x, y),
        lambda: net.fit(memoryview(x), y),
        lambda: net.forward([*x]),
        lambda: em.Trainer(net, em.SGD(0.1)).step(x, y),
    ):
        with pytest.raises(ValueError, match=r"X: expected .*: it has shrunk"):
            call()
    with pytest.raises(ValueError, match=r"out: expected .*: it has shrunk"):
        net.forward(np.ones((len(x) // 2, 6), np.float32), out=x.reshape(-1, 3)[: len(x) // 2])


@backends
def test_outputs_into_a_file_that_has_shrunk(backend: str, tmp_path: Path) -> None:
    out = np.memmap(tmp_path / "out", np.float32, "w+", shape=(5000, 3))
    net = make(backend)
    x = np.ones((5000, 6), np.float32)
    assert net.forward(x, out=out) is out and (out == net.forward(x)).all()
    os.truncate(tmp_path / "out", 100)
    with pytest.raises(ValueError, match=r"out: expected a mapped file of at least 60,000 bytes"):
        net.forward(x, out=out)


def test_segments_in_files_that_have_shrunk(tmp_path: Path) -> None:
    offsets = np.arange(0, 5001, 5)
    z, places = (mapped(tmp_path / n, a) for n, a in (("z", np.ones(5000)), ("places", offsets)))
    calls = {
        "softmax": lambda z, offsets: em.segment_softmax(z, offsets),
        "vjp": lambda z, offsets: em.segment_softmax_vjp(z, z, offsets),
        "loss": lambda z, offsets: em.segment_cross_entropy(z, offsets, np.arange(0, 5000, 5)),
    }
    for call in calls.values():
        call(z, places)
    for name in ("z", "places"):
        os.truncate(tmp_path / name, 100)
    for call in calls.values():
        with pytest.raises(ValueError, match=r"(z|p): expected a mapped file .* shrunk"):
            call(z, offsets)
        with pytest.raises(ValueError, match=r"offsets: expected a mapped file .* shrunk"):
            call(np.ones(5000), places)


def test_tensors_in_a_file_that_has_shrunk(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "x"
    np.ones((5000, 6), np.float32).tofile(path)
    x = torch.from_file(str(path), shared=True, size=30_000).reshape(5000, 6)
    net = make()
    assert np.isfinite(net.forward(x)).all()
    os.truncate(path, 100)
    for call in (lambda: net.forward(x), lambda: net.fit(x, np.zeros(5000, np.int64))):
        with pytest.raises(ValueError, match=r"X: expected .*: it has shrunk"):
            call()
    with pytest.raises(ValueError, match=r"out: expected .*: it has shrunk"):
        net.forward(np.ones((5000, 6), np.float32), out=x.reshape(-1)[-15_000:].reshape(5000, 3))
