"""One file, whole whatever ends a rank, from which any number of ranks goes on to the same bits."""

import os
import signal
import time
from pathlib import Path

import pytest

import eigenmlp as em
from support import mpi, rank_saves

pytestmark = mpi.needs_mpi

EPOCHS = 8


def test_a_run_with_a_killed_rank_goes_on_with_another_number_of_them(tmp_path: Path) -> None:
    path, alone = tmp_path / "ranks.safetensors", tmp_path / "alone.safetensors"
    started = mpi.start(4, "-m", "support.rank_saves", str(path), str(EPOCHS), "0.05")
    assert started.stdout is not None
    for _ in range(2):  # it is in the middle then
        victim = int(started.stdout.readline())
    os.kill(victim, signal.SIGKILL)
    began = time.monotonic()
    assert mpi.finish(started).returncode != 0
    assert time.monotonic() - began < 30  # the others end too

    assert 0 < em.Trainer.load(path).epochs < EPOCHS
    (digest,) = mpi.run(2, "-m", "support.rank_saves", str(path), str(EPOCHS)).split()
    assert digest == rank_saves.trained(alone, EPOCHS)
    assert path.read_bytes() == alone.read_bytes()
    assert {file.name for file in tmp_path.iterdir()} == {path.name, alone.name}


@pytest.mark.parametrize("ranks", [2, 3])
def test_one_rank_may_save_and_copy_alone(ranks: int, tmp_path: Path) -> None:
    said = mpi.run(ranks, "-W", "ignore", "-m", "support.rank_alone", cwd=tmp_path)
    assert sorted(said.splitlines()) == [f"rank {rank} is done" for rank in range(ranks)]
