"""Saves that fail, or that others see: the old file stays, and nothing is left behind."""

import os
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import eigenmlp as em
from support.saved_networks import assert_equal, make


@pytest.mark.parametrize("where", ["write", "fsync", "replace"])
@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()], ids=repr)
def test_a_failing_save_leaves_the_old_file(
    where: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = make(), make(seed=5)
    old.save(tmp_path / "net")

    def fail(*args: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        if where == "write":
            patch.setattr(os, "fdopen", fail)
        else:
            patch.setattr(os, where, fail)
        with pytest.raises(type(error)):
            new.save(tmp_path / "net")
    assert [p.name for p in tmp_path.iterdir()] == ["net"]
    assert_equal(em.MLP.load(tmp_path / "net"), old)
    new.save(tmp_path / "net")
    assert_equal(em.MLP.load(tmp_path / "net"), new)


def test_permissions(tmp_path: Path) -> None:
    """A new file has the usual ones, and one that is written again keeps its own."""
    (tmp_path / "usual").touch()
    make().save(tmp_path / "net")
    assert (tmp_path / "net").stat().st_mode == (tmp_path / "usual").stat().st_mode
    (tmp_path / "net").chmod(0o600)
    make().save(tmp_path / "net")
    assert (tmp_path / "net").stat().st_mode & 0o777 == 0o600


def test_the_umask_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It belongs to all threads: set for a moment, it would open the files of the others."""

    def refuse(mask: int) -> int:
        raise AssertionError(f"umask({mask:o})")

    monkeypatch.setattr(os, "umask", refuse)
    make().save(tmp_path / "net")
    assert_equal(em.MLP.load(tmp_path / "net"), make())


@pytest.mark.skipif(os.name != "posix", reason="folders are not written through here")
def test_the_file_and_its_new_name_reach_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    replace = os.replace

    def note(handle: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")

    def rename(*paths: Any) -> None:
        done.append("rename")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "replace", rename)
    make().save(tmp_path / "net")
    assert done == ["file", "rename", "folder"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for target in (tmp_path / "folder" / "net", tmp_path / "not there yet"):
        link = tmp_path / f"to {target.name}"
        link.symlink_to(target)
        make().save(link)
        make(seed=5).save(link)
        assert link.is_symlink() and not target.is_symlink()
        assert_equal(em.MLP.load(target), make(seed=5))


def test_names_of_any_length_and_script(tmp_path: Path) -> None:
    for name in ("n" * 250, "Σ" * 120, "two words\n", ".hidden"):
        make().save(tmp_path / name)
        assert_equal(em.MLP.load(tmp_path / name), make())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="regular file"):
        make().save(tmp_path / "pipe")
    with pytest.raises(ValueError, match="regular file"):
        em.MLP.load(tmp_path / "pipe")


def test_a_full_disk(tmp_path: Path) -> None:
    """A limit on the size of files stands for it: the system refuses to write the rest."""
    resource = pytest.importorskip("resource")
    make().save(tmp_path / "net")
    large = make(layer_sizes=[5, 100, 100, 3])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OSError, match="large"):  # EFBIG
            large.save(tmp_path / "net")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [p.name for p in tmp_path.iterdir()] == ["net"]
    assert_equal(em.MLP.load(tmp_path / "net"), make())


@pytest.mark.parametrize("path", [0, 3, True, b"net", None])
def test_paths_are_no_descriptors(path: Any) -> None:
    """A number would be a file that is open already."""
    trainer = em.Trainer(make(), em.SGD(0.1))
    for call in (em.MLP.load, em.Trainer.load, make().save, trainer.save):
        with pytest.raises(TypeError, match=r"^path: expected a str or an os\.PathLike .*, got "):
            call(path)


@pytest.mark.parametrize("case", ["no folder", "a folder", "a file as folder", "full disk"])
def test_a_failing_save_names_its_target(case: str, tmp_path: Path) -> None:
    """Not the file beside it, nor nothing."""
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").touch()
    names = {"no folder": "not there/net", "a folder": "taken", "a file as folder": "file/net"}
    target = tmp_path / names.get(case, "net")
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    net = make(layer_sizes=[5, 100, 100, 3])
    if case == "full disk":
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        for save in (net.save, em.Trainer(net, em.SGD(0.1)).save):
            with pytest.raises(OSError, match=re.escape(str(target))) as caught:
                save(target)
            assert caught.value.filename == str(target) and ".eigenmlp-" not in str(caught.value)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "taken"]


WRITES_AND_WAITS = """
import os, sys, time
import eigenmlp as em
os.fsync = lambda handle: (print("writing", flush=True), time.sleep(600))
em.MLP([5, 7, 3], seed=0).save(sys.argv[1])
"""


@pytest.mark.skipif(os.name != "posix", reason="no SIGKILL here")
def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    """By the next save into that folder, and not before its owner is gone."""
    command = [sys.executable, "-c", WRITES_AND_WAITS, str(tmp_path / "net")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "writing\n"
        (left,) = tmp_path.iterdir()
        make(seed=5).save(tmp_path / "net")
        assert {*tmp_path.iterdir()} == {left, tmp_path / "net"}
        writer.kill()
    assert left.exists()
    make(seed=6).save(tmp_path / "net")
    assert [*tmp_path.iterdir()] == [tmp_path / "net"]
    assert_equal(em.MLP.load(tmp_path / "net"), make(seed=6))


SAVES = """
import sys, eigenmlp as em
net = em.MLP([5, 7, 3], seed=int(sys.argv[2]))
for _ in range(150):
    net.save(sys.argv[1])
"""


def test_processes_that_save_the_same_file(tmp_path: Path) -> None:
    """None takes another's file for abandoned, between its making and its renaming."""
    command = [sys.executable, "-c", SAVES, str(tmp_path / "net")]
    writers = [subprocess.Popen([*command, str(seed)]) for seed in range(3)]
    assert [writer.wait(timeout=200) for writer in writers] == [0, 0, 0]
    assert [*tmp_path.iterdir()] == [tmp_path / "net"]
    em.MLP.load(tmp_path / "net")


@pytest.mark.skipif(os.name != "posix", reason="no such locks here")
def test_a_file_that_was_taken_for_abandoned_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if another process had removed it before there was a lock on it."""
    fcntl = pytest.importorskip("fcntl")
    removed: list[Path] = []

    def lock(handle: int, how: int) -> None:
        if not removed:
            removed.extend(tmp_path.iterdir())
            removed[0].unlink()

    monkeypatch.setattr(fcntl, "flock", lock)
    make().save(tmp_path / "net")
    assert len(removed) == 1 and [*tmp_path.iterdir()] == [tmp_path / "net"]
    assert_equal(em.MLP.load(tmp_path / "net"), make())


WITHOUT_MEMORY = """
import resource, sys
import eigenmlp as em
net = em.MLP([1500, 2000, 1500], init="zeros")
pages = int(open("/proc/self/statm").read().split()[0])
used = pages * resource.getpagesize()
for left in (1, 8, 24, 30, 40, 64, None):  # MiB; the parameters have 23
    limit = resource.RLIM_INFINITY if left is None else used + (left << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    try:
        net.save(sys.argv[1])
        print("saved")
    except MemoryError:
        print("MemoryError")
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc here")
def test_a_save_without_memory(in_subprocess: Any, tmp_path: Path) -> None:
    """Says so, or writes: no other error, nor the end of the process."""
    net = em.MLP([1500, 2000, 1500], init="zeros")
    net.save(tmp_path / "net")
    before = (tmp_path / "net").read_bytes()
    done = in_subprocess(WITHOUT_MEMORY, str(tmp_path / "net"))
    said = done.stdout.split()
    assert len(said) == 7 and {*said} <= {"saved", "MemoryError"}, done.stderr
    # between them it depends on what the threads of the machine take for their stacks
    assert said[0] == "MemoryError" and said[-1] == "saved"
    assert [*tmp_path.iterdir()] == [tmp_path / "net"]
    assert (tmp_path / "net").read_bytes() == before


def test_loading_while_it_is_replaced(tmp_path: Path) -> None:
    """Whoever reads gets one of the networks whole, never a bit of each."""
    nets = [make(layer_sizes=[5, width, 3], seed=width) for width in (7, 300)]
    nets[0].save(tmp_path / "net")
    done = threading.Event()

    def replace() -> None:
        while not done.is_set():
            for net in nets:
                net.save(tmp_path / "net")

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        for _ in range(200):
            loaded = em.MLP.load(tmp_path / "net")
            assert any(loaded.parameters.tobytes() == net.parameters.tobytes() for net in nets)
    finally:
        done.set()
        writer.join()
