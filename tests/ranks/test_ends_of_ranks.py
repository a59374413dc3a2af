"""An error on one rank ends the run on all, within seconds, and names the rank."""

import json
import time
from pathlib import Path

import pytest

from eigenmlp._training import channel
from support import mpi

pytestmark = mpi.needs_mpi

# What rank 0 and rank 1 raise.
ENDS = {
    "callback_raises": (
        "RankError: rank 1 has ended the run: LookupError: the callback's own",
        "LookupError: the callback's own",
    ),
    "callback_raises_where_ranks_do_not_exchange": (
        "RankError: rank 1 has ended the run: LookupError: the callback's own",
        "LookupError: the callback's own",
    ),
    "ctrl_c": ("RankError: rank 1 has ended the run: KeyboardInterrupt", "KeyboardInterrupt: "),
    "ctrl_c_while_waiting": (
        "RankError: rank 1 has ended the run: KeyboardInterrupt",
        "KeyboardInterrupt: ",
    ),
    "bad_data_on_one": (
        "RankError: rank 1 has ended the run: ValueError: X: expected finite",
        "ValueError: X: expected finite",
    ),
    "bad_setting_on_one": (
        "RankError: rank 1 has ended the run: ValueError: batch_size: expected at least 1",
        "ValueError: batch_size: expected at least 1",
    ),
    "other_networks": ("ValueError: layer_sizes: expected the same on all ranks",) * 2,
    "other_optimizers": ("ValueError: optimizer: expected the same on all ranks",) * 2,
    "other_learning_rates": ("ValueError: lr: expected the same on all ranks",) * 2,
    "other_shapes": ("ValueError: shape of X: expected the same on all ranks",) * 2,
    "other_numbers": ("ValueError: numbers of X: expected the same on all ranks",) * 2,
    "other_seeds": (
        "ValueError: parameters: expected the same on all ranks, got other ones on ranks 0 and 1: "
        "give all ranks the same seed=",
    )
    * 2,
    "other_shuffles": ("ValueError: seed: expected the same on all ranks",) * 2,
    "other_epochs": ("ValueError: epochs: expected the same on all ranks",) * 2,
    "other_rows": ("ValueError: rows: expected the same on all ranks",) * 2,
    "diverges": ("DivergenceError: the loss is no longer finite",) * 2,
    "other_steps": ("ValueError: batch: expected the same shape on all ranks, got another",) * 2,
    "other_sample_weights": ("ValueError: numbers of sample_weight: expected the same on all",) * 2,
    "other_functions_of_learning_rates": (
        "ValueError: learning rates: expected the same on all ranks",
    )
    * 2,
    "other_first_steps": ("ValueError: numbers of X: expected the same on all ranks",) * 2,
    "other_batches": ("ValueError: numbers of X: expected the same on all ranks",) * 2,
    "other_numbers_of_batches": (
        "ValueError: number of batches: expected the same on all ranks, got other ones on ranks 0 "
        "and 1: 'more than 3' and 3",
    )
    * 2,
    "other_shards": ("ValueError: numbers of X: expected the same on all ranks",) * 2,
    "other_trainers_after_an_error": ("RuntimeError: it works",) * 2,
    "a_second_error_of_a_trainer": (
        "RankError: rank 1 has ended the run: ValueError: X: expected shape",
        "ValueError: X: expected shape",
    ),
    "no_rows": (
        "RankError: rank 1 has ended the run: ValueError: X: expected at least one row",
        "ValueError: X: expected at least one row",
    ),
    "save_fails": (
        "FileNotFoundError: ",
        "RankError: rank 0 has ended the run: FileNotFoundError",
    ),
    "other_parameters_of_own_rows": ("ValueError: parameters: expected the same on all ranks",) * 2,
    "other_parameters_of_own_steps": ("ValueError: parameters: expected the same on all ranks",)
    * 2,
    "copies_of_own_rows": (
        "RuntimeError: Trainer.run: expected the trainer itself with rows='own', got a copy",
    )
    * 2,
    "bad_seed_of_fit_on_one": (
        "RankError: rank 1 has ended the run: TypeError: seed: expected an int",
        "TypeError: seed: expected an int",
    ),
    "no_network_on_one": (
        "RankError: rank 1 has ended the run: TypeError: net: expected an MLP",
        "TypeError: net: expected an MLP",
    ),
    "bad_rows_on_one": (
        "RankError: rank 1 has ended the run: ValueError: rows: expected one of",
        "ValueError: rows: expected one of",
    ),
    "no_memory_on_one": (
        "RankError: rank 1 has ended the run: MemoryError: no more",
        "MemoryError: no more",
    ),
    "no_file_on_one": (
        "RankError: rank 1 has ended the run: FileNotFoundError: ",
        "FileNotFoundError: ",
    ),
    "two_threads": ("RuntimeError: comm: expected calls of one thread at a time, got Trainer.run",)
    * 2,
    "works_again": ("RuntimeError: it works",) * 2,
}
# What ranks 0 and 1 call at the same time; either sees it first, and tells the other.
OTHER_CALLS = {
    "step_beside_run": ("Trainer.step", "Trainer.run"),
    "fit_beside_trainer": ("MLP.fit", "Trainer()"),
    "two_trainers_in_other_turns": ("Trainer.step", "Trainer.step"),
    "fewer_steps_then_run": ("Trainer.step", "Trainer.run"),
}


@pytest.fixture(scope="module")
def came() -> dict[tuple[str, int], tuple[str, float]]:
    read = json.loads(mpi.run(2, "-m", "support.rank_errors"))
    return {(name, rank): (error, took) for name, rank, error, took in read}


@pytest.mark.parametrize("name", ENDS)
def test_an_error_on_one_rank_ends_the_run_on_all(
    name: str, came: dict[tuple[str, int], tuple[str, float]]
) -> None:
    for rank in (0, 1):
        error, took = came[name, rank]
        assert error.startswith(ENDS[name][rank])
        assert error != "nothing"
        assert len(error) < 400
        assert took < 20


@pytest.mark.parametrize("name", OTHER_CALLS)
def test_ranks_that_make_other_calls_say_which(
    name: str, came: dict[tuple[str, int], tuple[str, float]]
) -> None:
    for rank in (0, 1):
        error, took = came[name, rank]
        assert error.startswith(
            (
                "ValueError: calls: expected the same on all ranks, got ",
                f"RankError: rank {1 - rank} has ended the run: ValueError: calls: expected the ",
            )
        )
        for caller, call in enumerate(OTHER_CALLS[name]):
            assert f"{call} on rank {caller}" in error.replace(" of another trainer", "")
        assert len(error) < 400
        assert took < 20


START = """
import sys, time
import numpy as np, eigenmlp as em
from mpi4py import MPI
X, y = np.zeros((128, 2), np.float32), np.zeros(128, int)
comm = MPI.COMM_WORLD
other = comm.Get_rank() == 1
def trainer():
    return em.Trainer(em.MLP([2, 2], seed=0), em.SGD(0.1), 128, 0, comm=comm)
"""
# Programs in which rank 1 ends before the others, and what these are told.
LEAVES = {
    "an error between two runs": (
        "one = trainer(); one.run(X, y)\nif other: raise LookupError('between')\none.run(X, y)",
        "rank 1 has ended the run: LookupError: between",
    ),
    "an error before there is a trainer": (
        "if other: raise LookupError('its data')\ntrainer().run(X, y)",
        "rank 1 has ended the run: LookupError: its data",
    ),
    "an error before fit": (
        "if other: raise LookupError('its data')\n"
        "em.MLP([2, 2], seed=0).fit(X, y, comm=comm, progress=False)",
        "rank 1 has ended the run: LookupError: its data",
    ),
    "an error before a communicator of some is used": (
        "comm = comm.Split(comm.Get_rank() // 2)\n"
        "if other: raise LookupError('its data')\ntrainer().run(X, y)",
        "rank 1 has ended the run: LookupError: its data",
    ),
    "exit before any call": (
        "if other: sys.exit()\ntrainer().run(X, y)",
        "rank 1 has ended the run: it has left Python without a call",
    ),
    "exit before any call on a communicator of some": (
        "comm = comm.Split(int(comm.Get_rank() == 0))\nif other: sys.exit()\ntrainer().run(X, y)",
        "rank 0 has ended the run: it has left Python without a call",
    ),
    "exit": (
        "one = trainer()\nif other: sys.exit('no data')\none.run(X, y)",
        "rank 1 has ended the run: it has left Python after Trainer(), with fewer calls than rank "
        "0, which is in Trainer.run",
    ),
    "fewer steps": (
        "one = trainer()\nfor _ in range(9 if other else 10): one.step(X, y)",
        "rank 1 has ended the run: it has left Python after Trainer.step, with fewer calls than "
        "rank 0, which is in Trainer.step",
    ),
    "fewer runs": (
        "one = trainer()\nfor _ in range(2 if other else 3): one.run(X, y)",
        "rank 1 has ended the run: it has left Python after Trainer.run, with fewer calls than "
        "rank 0, which is in Trainer.run",
    ),
}


def test_who_leaves_without_having_used_ranks_disturbs_nobody() -> None:
    """No message of the library's reaches a `recv` of any message."""
    program = (
        "if other:\n    comm.send('mine', 0)\n    sys.exit()\n"
        "if comm.Get_rank() == 0:\n    time.sleep(0.3)\n    print(comm.recv(), comm.iprobe())"
    )
    done = mpi.finish(mpi.start(3, "-c", START + program))
    assert done.stdout.split() == ["mine", "False"]
    assert done.returncode == 0


@pytest.mark.parametrize("name", LEAVES)
def test_a_rank_that_leaves_keeps_nobody_waiting(name: str) -> None:
    program, told = LEAVES[name]
    if "before any call" in name and not mpi.keeps_notes():
        pytest.skip("needs the mpiexec of MPICH, which keeps published names")
    began = time.monotonic()
    done = mpi.finish(mpi.start(3, "-c", START + program))
    assert time.monotonic() - began < 30
    assert f"RankError: {told}" in done.stderr


# Rank 1 is away until rank 0 has what it waited for, or an error.
AWAY = """
import os
def away():
    while not os.path.exists({path!r}):
        time.sleep(0.05)
def waits(call):
    try:
        call()
    finally:
        open({path!r}, "w").close()
"""


def test_what_cannot_be_known_to_have_left_is_waited_for_so_long(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EIGENMLP_COMM_TIMEOUT", "0.5")
    for program, waits in (
        (
            "away() if other else waits(trainer)",
            "Trainer() for other ranks, not all of which have ",
        ),
        (
            "one = trainer()\naway() if other else waits(lambda: one.run(X, y))",
            "Trainer.run for rank 1",
        ),
    ):
        away = AWAY.format(path=str(tmp_path / str(len(program))))
        done = mpi.finish(mpi.start(2, "-c", START + away + program))
        assert f"TimeoutError: rank 0 has waited 1 s in {waits}" in done.stderr


def test_a_wait_without_end_or_of_no_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for given in ("0", "-1", "soon", "nan"):
        monkeypatch.setenv("EIGENMLP_COMM_TIMEOUT", given)
        with pytest.raises(ValueError, match="EIGENMLP_COMM_TIMEOUT: expected seconds above 0"):
            channel._limit()
    monkeypatch.setenv("EIGENMLP_COMM_TIMEOUT", "inf")
    assert channel._limit() == float("inf")
