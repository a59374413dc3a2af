"""Rows of each rank's own: as one run over all of them, to rounding, where nothing is shuffled."""

import json
from pathlib import Path

import pytest

from support import mpi

pytestmark = mpi.needs_mpi


@pytest.mark.parametrize("ranks", [2, 3])
def test_rows_of_their_own_train_as_all_rows_do(ranks: int, tmp_path: Path) -> None:
    found = json.loads(mpi.run(ranks, "-m", "support.rank_own", cwd=tmp_path))
    losses, rows = found.pop("losses"), sum([2, 601, 300][:ranks])
    assert found.pop("rows") == found.pop("rows with validation") == rows
    assert found.pop("steps") == 12 * -(-rows // 32)
    assert losses[-1] < 0.8 * losses[0]
    assert found.pop("ranks differ by") == 0
    assert found.pop("resumed differs by") == 0
    assert found.pop("step") == pytest.approx(found.pop("first rows"), rel=1e-9)
    assert found  # parameters, losses and accuracies
    for name, difference in found.items():
        assert difference < 1e-9, name
