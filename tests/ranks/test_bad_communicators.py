"""What is no communicator, and what is said where MPI is missing; needs none itself."""

import importlib.util
import sys
from typing import Any

import numpy as np
import pytest

import eigenmlp as em

X, Y = np.zeros((8, 2), np.float32), np.zeros(8, np.int64)


def trainer(**options: Any) -> em.Trainer:
    return em.Trainer(em.MLP([2, 2], seed=0), em.SGD(0.1), 4, seed=0, **options)


@pytest.mark.parametrize("comm", [5, "world", object(), np.zeros(3)])
def test_what_is_no_communicator_is_refused(comm: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())  # mpi4py is there
    for call in (trainer, lambda **o: em.MLP([2, 2], seed=0).fit(X, Y, progress=False, **o)):
        with pytest.raises(TypeError, match="comm: expected an mpi4py communicator such as MPI"):
            call(comm=comm)


def test_a_missing_mpi_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="comm= needs MPI: pip install mpi4py mpich"):
        trainer(comm=object())


def test_rows_are_all_or_own() -> None:
    with pytest.raises(ValueError, match="rows: expected 'all' without comm=, got 'own'"):
        trainer(rows="own")
    for rows, kind in (("some", ValueError), (5, TypeError)):
        with pytest.raises(kind, match="rows: expected one of"):
            trainer(rows=rows)
