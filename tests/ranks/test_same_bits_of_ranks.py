"""The same bits for every number of ranks and threads, which are those of one process."""

import json
import warnings

import pytest

from support import mpi, rank_runs

pytestmark = mpi.needs_mpi


@pytest.fixture(scope="module")
def alone() -> dict[str, str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of bfloat16, where it brings no speed
        return rank_runs.with_threads(1)


@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_ranks_and_threads_give_the_same_bits(ranks: int, alone: dict[str, str]) -> None:
    of_all = json.loads(mpi.run(ranks, "-W", "ignore", "-m", "support.rank_runs"))
    assert [len(of_one) for of_one in of_all] == [len(rank_runs.THREADS)] * ranks
    for of_one in of_all:
        for digests in of_one:
            assert digests == alone
