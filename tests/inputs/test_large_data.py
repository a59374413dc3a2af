"""Data that need not fit in memory: mapped files, and batches from an iterable; killed runs."""

import mmap
import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from support.bounds import assert_within, rounding_bounds
from support.names import DTYPES
from support.problems import make_data

backends = pytest.mark.parametrize("backend", BACKENDS)
SIZES, N = [6, 12, 3], 50
X, Y = make_data(SIZES, "softmax_cross_entropy", N, "float32")


def make(backend: str = "native", **options: Any) -> em.MLP:
    return em.MLP(**{"layer_sizes": SIZES, "seed": 0, **options}, backend=backend)


# ---- mapped files


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


# ---- batches


@backends
def test_batches_do_what_arrays_do(backend: str) -> None:
    """In the same order, with the same bits."""
    nets, histories = [make(backend) for _ in range(2)], []
    optimizer = em.Adam(0.01)
    batches = [(X[i : i + 8], Y[i : i + 8].tolist()) for i in range(0, N, 8)]
    histories.append(nets[0].fit(X, Y, epochs=3, batch_size=8, optimizer=optimizer, shuffle=False))
    histories.append(nets[1].fit(batches, epochs=3, optimizer=optimizer))
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)
    assert histories[1].accuracy == histories[0].accuracy and histories[1].rows == N
    assert histories[1].loss == pytest.approx(histories[0].loss, rel=1e-15)
    assert len(histories[1].seconds) == 3 and min(histories[1].seconds) > 0


@backends
def test_batches_with_all_that_a_run_can_do(backend: str) -> None:
    trainer = em.Trainer(make(backend, dropout=0.3), em.SGD(0.05), seed=0, accumulate=2)
    batches = [(X[:20], Y[:20]), (X[20:27], Y[20:27]), (X[27:], Y[27:])]
    epochs: list[int] = []
    history = trainer.run(
        batches,
        epochs=4,
        validation=(X, Y),
        callbacks=[lambda epoch, *_: epochs.append(epoch)],
        early_stopping=3,
        progress=True,
    )
    assert len(history.val_loss) == len(history.loss) == 4 and epochs == [1, 2, 3, 4]
    assert (trainer.steps, trainer.epochs) == (8, 4)  # two updates an epoch, one by the last alone


def test_a_generator_gives_one_epoch() -> None:
    def generator() -> Iterator[tuple[Any, Any]]:
        for i in range(0, N, 10):
            yield X[i : i + 10], Y[i : i + 10]

    trainer = em.Trainer(make(), em.SGD(0.1))
    history = trainer.run(generator(), epochs=5)
    assert len(history.loss) == 1 and (trainer.steps, trainer.epochs) == (5, 1)


@backends
def test_a_loss_without_classes(backend: str) -> None:
    net = make(backend, loss="squared_error")
    history = net.fit([(X, np.zeros((N, 3)))], epochs=3, optimizer=em.SGD(0.01))
    assert history.accuracy == [] and history.loss[2] < history.loss[0]


def broken() -> Iterator[tuple[Any, Any]]:
    yield X, Y
    raise OSError("mine")


@backends
@pytest.mark.parametrize(
    ("batches", "error", "text"),
    [
        ([], ValueError, "at least one batch.*got none"),
        ([X], TypeError, "batch 1: expected .Xb, yb., got ndarray"),
        ([(X, Y, Y)], TypeError, "batch 1: expected .Xb, yb., got 3 parts"),
        ([(X, Y), (X[:, :5], Y)], ValueError, r"batch 2: X: .*D = 6, got \(50, 5\)"),
        ([(X, Y), (X, Y[:5])], ValueError, "batch 2: y: expected 50 rows"),
        ([(X, Y), (np.full((1, 6), np.nan), [0])], ValueError, "batch 2: X: .*finite"),
        ([(X, Y), (X[:0], Y[:0])], ValueError, "batch 2: X: .*at least one row"),
        (3, (TypeError, ValueError), "expected"),
        ("abc", (TypeError, ValueError), "expected"),
        (broken(), OSError, "mine"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_bad_batches(batches: Any, error: Any, text: str, backend: str) -> None:
    """The batches before the bad one are learned, and no part of it."""
    net, other = make(backend), make(backend)
    if isinstance(batches, Iterator):
        batches = broken()
    with pytest.raises(error, match=text):
        net.fit(batches, optimizer=em.SGD(0.1))
    if isinstance(batches, Iterator) or (isinstance(batches, list) and len(batches) == 2):
        other.fit([(X, Y)], epochs=1, optimizer=em.SGD(0.1))
    np.testing.assert_array_equal(net.parameters, other.parameters)


def test_weights_do_not_go_with_batches() -> None:
    with pytest.raises(ValueError, match=r"sample_weight.*None with batches"):
        make().fit([(X, Y)], sample_weight=np.ones(N))


@backends
def test_a_batch_that_diverges_is_named(backend: str) -> None:
    huge = np.full((4, 6), 3e38, np.float32)
    with pytest.raises(em.DivergenceError) as caught:
        make(backend).fit([(X, Y), (X, Y), (huge, Y[:4])], optimizer=em.SGD(0.1))
    assert (caught.value.epoch, caught.value.step) == (1, 3)


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_batch_of_all_rows_is_the_gradient(dtype: str) -> None:
    net = make(dtype=dtype)
    before, (_, gradient) = net.parameters, net.loss_and_gradient(X, Y)
    net.fit(iter([(X, Y)]), optimizer=em.SGD(1.0))
    bound = rounding_bounds(make(dtype=dtype), X, Y).gradient + np.finfo(dtype).eps * np.abs(before)
    assert_within(before - net.parameters, gradient, bound, "step")


# ---- killed

PROGRAM = """
import sys
import eigenmlp as em
path, backend = sys.argv[1:]
X, y = em.datasets.load_digits()
try:
    trainer = em.Trainer.load(path, backend=backend)
except FileNotFoundError:
    net = em.MLP([64, 20, 10], seed=0, dropout=0.2, backend=backend)
    lr = em.schedules.ReduceOnPlateau(0.01, factor=0.5, patience=0, threshold=0.3)
    trainer = em.Trainer(net, em.Adam(lr, clip_norm=1.0), batch_size=50, seed=1, accumulate=2)

def save(epoch, history, net):
    trainer.save(path)
    print(trainer.epochs, flush=True)

trainer.run(X[:400], y[:400], 30 - trainer.epochs, callbacks=[save])
print("end", trainer.net.parameters.tobytes().hex(), trainer.lr, trainer.steps)
"""


@backends
def test_a_killed_run_goes_on_with_the_same_bits(backend: str, tmp_path: Path) -> None:
    """SIGKILL a few times at any moment; a file is saved after every epoch."""

    def start(name: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / name), backend]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    whole = start("whole")
    expected = whole.communicate(timeout=120)[0].splitlines()[-1]
    for epochs in (2, 5, 9):
        killed = start("killed")
        assert killed.stdout is not None
        for line in killed.stdout:
            if int(line) >= epochs:
                break
        killed.send_signal(signal.SIGKILL)
        assert killed.wait() == -signal.SIGKILL
        killed.stdout.close()
    resumed = start("killed")
    lines = resumed.communicate(timeout=120)[0].splitlines()
    assert lines[-1] == expected and int(lines[0]) > 9
