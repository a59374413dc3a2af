"""An error on one rank ends the run on all, within seconds, and names the rank."""

import json

import pytest

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
    "works_again": ("RuntimeError: it works",) * 2,
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


def test_an_error_that_nobody_catches_ends_all_ranks() -> None:
    program = """
import numpy as np, eigenmlp as em
from mpi4py import MPI
trainer = em.Trainer(em.MLP([2, 2], seed=0), em.SGD(0.1), 32, 0, comm=MPI.COMM_WORLD)
X, y = np.zeros((64, 2), np.float32), np.zeros(64, int)
trainer.run(X, y, 1)
if MPI.COMM_WORLD.Get_rank() == 1:
    raise LookupError("between two runs")
trainer.run(X, y, 1)
"""
    done = mpi.finish(mpi.start(3, "-c", program))
    assert done.returncode != 0
    for rank_error in (
        "LookupError: between two runs",
        "RankError: rank 1 has ended the run: LookupError: between two runs",
    ):
        assert rank_error in done.stderr
