"""Files larger than memory are read past the system's cache, to the same rows."""

import errno
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._basics import control_groups
from eigenmlp._training import streamed
from eigenmlp.datasets import direct, memory, shards
from support.pressing import PRESS

Run = Callable[..., subprocess.CompletedProcess[str]]

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _forced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of any size are larger than what the cache may hold."""
    monkeypatch.setattr(shards, "CACHED_SHARE", 0.0)


def written(folder: Path, rows: Any, offset: int | None = None) -> Any:
    """These rows opened as a .npy file, or as a part of a file without a header."""
    if offset is None:
        np.save(folder / "rows.npy", rows)
        return em.datasets.open_shards(folder / "rows.npy")
    (folder / "rows.raw").write_bytes(bytes(offset) + rows.tobytes())
    mapped = np.memmap(folder / "rows.raw", rows.dtype, "r", offset, rows.shape)
    return em.datasets.open_shards(mapped)


def reads_past_cache(folder: Path) -> bool:
    """Whether the place of the tests' files can; by the system alone."""
    (folder / "probe").write_bytes(bytes(8192))
    try:
        file = os.open(folder / "probe", os.O_RDONLY | os.O_DIRECT)
    except (AttributeError, OSError):
        return False
    buffer = direct._buffer()[:4096]
    try:
        return os.preadv(file, [buffer], 4096) == 4096
    except OSError:
        return False
    finally:
        os.close(file)


SHAPES: list[tuple[tuple[int, ...], str]] = [
    ((3000, 7), "u1"),
    ((1024, 1024), "f4"),  # whole blocks of the disk, but for the header
    ((5000, 13), "<f8"),
    ((5000, 3), ">i2"),
    ((100_003,), "i8"),
    ((1, 1), "u1"),
    ((7, 900_001), "u1"),  # a row is nearly as long as the buffer, three are longer
]


@pytest.mark.parametrize("offset", [None, 0, 1, 4096, 4097])
@pytest.mark.parametrize(("shape", "dtype"), SHAPES)
def test_all_rows_come_as_they_are(
    tmp_path: Path, shape: tuple[int, ...], dtype: str, offset: int | None
) -> None:
    rows = RNG.integers(0, 100, shape).astype(dtype)
    opened = written(tmp_path, rows, offset)
    assert opened.past_cache
    N = len(rows)
    for begin, end in [(0, N), (0, 1), (N - 1, N), (N // 3, N // 2), (N // 2, N // 2), (1, N)]:
        np.testing.assert_array_equal(opened[begin:end], rows[begin:end])
    assert opened.past_cache == reads_past_cache(tmp_path)
    assert opened[:].dtype == opened.dtype


def test_a_place_that_reads_through_the_cache_alone(tmp_path: Path) -> None:
    """As tmpfs, on systems whose tmpfs refuses it."""
    shared = Path("/dev/shm")
    if not (shared.is_dir() and os.access(shared, os.W_OK)):
        pytest.skip("no /dev/shm that can be written to")
    rows = RNG.integers(0, 100, (3000, 7))
    file = shared / f"eigenmlp-test-{os.getpid()}.npy"
    try:
        np.save(file, rows)
        np.testing.assert_array_equal(em.datasets.open_shards(file)[:], rows)
    finally:
        file.unlink()


class System:
    """The calls of `os` that `direct` makes, one of which is replaced."""

    O_RDONLY = os.O_RDONLY

    def __init__(self, **replaced: Callable[..., Any]) -> None:
        self.open, self.close, self.preadv = os.open, os.close, getattr(os, "preadv", None)
        vars(self).update(replaced)


def refuse(*_: Any) -> int:
    raise OSError(errno.EINVAL, "Invalid argument")


@pytest.mark.parametrize("call", ["open", "preadv"])
def test_what_is_refused_is_read_as_usual(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    rows = RNG.integers(0, 100, (3000, 7))
    opened = written(tmp_path, rows)
    monkeypatch.setattr(direct, "os", System(**{call: refuse}))
    np.testing.assert_array_equal(opened[5:2000], rows[5:2000])
    assert not opened.past_cache


def test_systems_without_it_read_as_usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "_PAST_CACHE", None)
    rows = RNG.integers(0, 100, (3000, 7))
    opened = written(tmp_path, rows)
    np.testing.assert_array_equal(opened[:], rows)
    assert not opened.past_cache


@pytest.mark.parametrize("most", [512, 1000, 4096, 12_288])
def test_short_reads_are_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Whatever a read leaves in the buffer beyond the bytes that it counts is not taken."""
    rows = RNG.integers(0, 100, (3000, 7))
    opened = written(tmp_path, rows)

    def read(file: int, buffers: Any, offset: int) -> int:
        buffers[0][:] = b"\xff" * len(buffers[0])
        with open(tmp_path / "rows.npy", "rb") as usual:
            usual.seek(offset)
            return usual.readinto(buffers[0][:most])

    def open_(path: Path, flags: int) -> int:
        return os.open(path, os.O_RDONLY)

    monkeypatch.setattr(direct, "os", System(open=open_, preadv=read))
    monkeypatch.setattr(direct, "_PAST_CACHE", 0)
    for begin, end in ((0, 3000), (777, 2000)):
        np.testing.assert_array_equal(opened[begin:end], rows[begin:end])
    assert opened.past_cache


@pytest.mark.parametrize("left", [0, 128, 4096, 100_000, 8192 + 128 - 1])
def test_a_file_that_has_shrunk_is_an_error(tmp_path: Path, left: int) -> None:
    opened = written(tmp_path, RNG.integers(0, 100, (3000, 7)))
    os.truncate(tmp_path / "rows.npy", left)
    with pytest.raises(ValueError, match=r"rows.npy: expected the file as it was, it has shrunk"):
        opened[2000:]
    net = em.MLP([7, 1], loss="squared_error", seed=0)
    with pytest.raises(ValueError, match="it has shrunk"):
        net.fit(opened, np.zeros(3000), progress=False)
    (tmp_path / "rows.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"rows.npy"):
        opened[2000:]


def test_what_was_just_written_is_read(tmp_path: Path) -> None:
    """Also what is still in the cache alone."""
    rows = np.lib.format.open_memmap(tmp_path / "rows.npy", "w+", "i4", (50_000, 3))
    opened = em.datasets.open_shards(tmp_path / "rows.npy")
    for number in (1, 2):
        rows[:] = number
        assert (opened[:] == number).all()


def test_training_has_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "BLOCK_BYTES", 3000)
    monkeypatch.setattr(streamed, "POOL_BYTES", 14 * 2000)
    rows = RNG.integers(0, 256, (20_001, 7)).astype("u1")
    labels = rows[:, 0] // 128
    (tmp_path / "rows").mkdir()
    for i, part in enumerate(np.array_split(rows, 3)):
        np.save(tmp_path / "rows" / f"{i}.npy", part)
    results = []
    for share in (0.0, 1e9):
        shards.CACHED_SHARE = share
        opened = em.datasets.open_shards(tmp_path / "rows")
        assert opened.past_cache == (share == 0)
        net = em.MLP([7, 5, 2], input_scale=1 / 255, seed=0)
        history = net.fit(opened, labels, 3, 64, seed=1, validation=(opened, labels))
        results.append((net.parameters, history.val_loss, net.predict(opened)))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_many_threads_read_at_once(tmp_path: Path) -> None:
    rows = RNG.integers(0, 100, (300_000, 7)).astype("u1")
    opened = written(tmp_path, rows)
    good = []

    def read(thread: int) -> None:
        for begin in range(1000 * thread, 300_000 - 20_000, 9973):
            good.append((opened[begin : begin + 20_000] == rows[begin : begin + 20_000]).all())

    threads = [threading.Thread(target=read, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(good) > 100 and all(good)


FORKED = """
import os, sys, threading, warnings
import numpy as np, eigenmlp as em
warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads
em.datasets.shards.CACHED_SHARE = 0.0
rows = np.repeat(np.arange(100, dtype="u1"), 20_000)[:, None]
np.save(sys.argv[1], rows)
opened = em.datasets.open_shards(sys.argv[1])
opened[:]
def good(own):
    return all((opened[own] == rows[own]).all() for _ in range(30))
beside = []
reader = threading.Thread(target=lambda: beside.append(good(slice(500_000, 1_500_000))))
reader.start()
children = []
for i in range(4):
    child = os.fork()
    if child == 0:
        os._exit(0 if good(slice(400_000 * i, 400_000 * (i + 1))) else 1)
    children.append(child)
assert good(slice(1_000_000, None))
reader.join()
assert beside == [True]
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_forked_processes_read_for_themselves(tmp_path: Path, in_subprocess: Run) -> None:
    """All read different rows at once, into what was one thread's buffer, while another reads."""
    done = in_subprocess(FORKED, str(tmp_path / "rows.npy"))
    assert done.returncode == 0, done.stderr


SLOW_DISK = (
    """
import os, signal, sys, threading, time
import numpy as np, eigenmlp as em
signal.signal(signal.SIGINT, signal.default_int_handler)
em.datasets.shards.CACHED_SHARE = 0.0
np.save(sys.argv[1], np.zeros((200_000, 100), "u1"))
opened = em.datasets.open_shards(sys.argv[1])
read = type(opened._parts[0]).read
def slowly(*arguments):
    time.sleep(0.05)  # 19 of them are a pool
    read(*arguments)
type(opened._parts[0]).read = slowly
net = em.MLP([100, 2], seed=0)
"""
    + PRESS
    + """
try:
    net.fit(opened, np.zeros(200_000, int), epochs=100, progress=False)
except KeyboardInterrupt:
    print(time.perf_counter() - pressed[0])
presser.join()
"""
)


def test_ctrl_c_does_not_wait_for_all_blocks_of_a_pool(tmp_path: Path, in_subprocess: Run) -> None:
    done = in_subprocess(SLOW_DISK, str(tmp_path / "rows.npy"))
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[0]) < 0.2  # 100 ms, and as much for what others compute


def test_files_that_memory_holds_are_read_through_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    for i in range(2):
        np.save(tmp_path / f"{i}.npy", np.zeros((1000, 7), "u1"))
    for available, past in ((14_000 / 0.75 - 1, True), (14_000 / 0.75 + 1, False), (np.inf, False)):
        monkeypatch.setattr(shards, "available_memory", lambda available=available: available)
        assert em.datasets.open_shards(tmp_path).past_cache == past
    monkeypatch.setattr(shards, "available_memory", lambda: 0)
    assert not em.datasets.open_shards([np.zeros((5, 7))]).past_cache


def test_memory_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the system, and by groups of both versions, whose own cache counts as free."""
    files: dict[str, str] = {}
    for module in (control_groups, memory):
        monkeypatch.setattr(module, "read", lambda path: files.get(path, ""))
    assert memory.available_memory() == np.inf
    files["/proc/meminfo"] = "MemTotal: 24000 kB\nMemAvailable:   20000 kB\nHugePages_Total: 0\n"
    assert memory.available_memory() == 20_000 * 1024
    files["/proc/self/cgroup"] = "4:memory,cpu:/a/b\n2:cpuset:/\n0::/c/d\n"
    first = "/sys/fs/cgroup/memory/a"
    files[f"{first}/memory.limit_in_bytes"] = "9000000\n"
    files[f"{first}/memory.usage_in_bytes"] = "5000000\n"
    assert memory.available_memory() == 4_000_000
    files[f"{first}/memory.stat"] = (
        "active_file 1\ntotal_inactive_file 1000000\ntotal_active_file 500000\n"
    )
    assert memory.available_memory() == 5_500_000
    files["/sys/fs/cgroup/c/d/memory.max"] = "max\n"
    files["/sys/fs/cgroup/c/d/memory.current"] = "7000000\n"
    assert memory.available_memory() == 5_500_000
    files["/sys/fs/cgroup/c/memory.max"] = "3000000\n"
    files["/sys/fs/cgroup/c/memory.current"] = "2500000\n"
    files["/sys/fs/cgroup/c/memory.stat"] = "inactive_file 300000\nactive_file 200000\n"
    assert memory.available_memory() == 1_000_000
    files["/sys/fs/cgroup/c/memory.high"] = "1500000\n"
    assert memory.available_memory() == 0
