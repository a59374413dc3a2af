"""What one rank does alone, as those do who come from PyTorch: ``python -m support.rank_alone``.

Run in an empty folder by two or three ranks; every rank prints its number when all is well.
"""

import copy
import os
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

import eigenmlp as em
from eigenmlp._training import ranks

COMM = MPI.COMM_WORLD
RANK, SIZE = COMM.Get_rank(), COMM.Get_size()
RNG = np.random.default_rng(0)
X = RNG.standard_normal((600, 20)).astype(np.float32)
Y = RNG.integers(0, 3, 600)
WRITTEN: list[str] = []


def saved_by_one(trainer: em.Trainer, rank: int, name: str) -> None:
    if rank != RANK:
        return
    trainer.save(name)
    trainer.net.save(f"{name}.net")
    trainer.net.predict(X)
    trainer.net.evaluate(X, Y)
    assert trainer.net.config["layer_sizes"] == [20, 30, 3]
    for copied in (copy.deepcopy(trainer), pickle.loads(pickle.dumps(trainer))):
        assert copied.net.parameters.tobytes() == trainer.net.parameters.tobytes()
    assert em.Trainer.load(name).net.parameters.tobytes() == trainer.net.parameters.tobytes()


def run(rows: str) -> None:
    part: Any = slice(RANK, None, SIZE) if rows == "own" else slice(None)
    net = em.MLP([20, 30, 3], seed=0, dropout=0.1)
    trainer = em.Trainer(net, em.Adam(0.01), 256, 1, comm=COMM, rows=rows)
    ranks._SOON = 0.2
    for rank in range(SIZE):
        trainer.run(X[part], Y[part], 1, callbacks=[lambda *_: saved_by_one(trainer, 0, "in")])
        saved_by_one(trainer, rank, f"{rows}{rank}")
        trainer.step(X[part], Y[part])
    # On all ranks: it is there when the call returns, and one has written it.
    ranks._SOON = 60.0
    for i in range(3):
        path = Path(f"{rows} all {i}")
        if i == 1 and RANK == 0:
            time.sleep(0.3)
        if i == 2:  # over an older file
            path = Path(f"{rows} all 0")
        trainer.run(X[part], Y[part], 1)
        trainer.save(path)
        loaded = em.Trainer.load(path)
        assert loaded.epochs == trainer.epochs
        assert loaded.net.parameters.tobytes() == trainer.net.parameters.tobytes()
    # Rank 0 does not come in time: the others have the same to write, and do.
    ranks._SOON = 0.1
    if RANK == 0:
        time.sleep(0.5)
    trainer.save(f"{rows} late")
    assert Path(f"{rows} late").exists()
    ranks._SOON = 60.0
    # What all have saved may be moved, and one rank save the same again.
    trainer.run(X[part], Y[part], 1)
    trainer.save(f"{rows} moved")
    COMM.Barrier()
    if RANK == 1:
        ranks._SOON = 0.1
        os.rename(f"{rows} moved", f"{rows} archive")
        trainer.save(f"{rows} moved")
        assert Path(f"{rows} moved").exists()
        ranks._SOON = 60.0
    # An error on rank 0 is told to the others, and ends nothing else.
    told = None
    try:
        trainer.save("no/such/folder")
        raise AssertionError
    except FileNotFoundError:
        assert RANK == 0
    except em.RankError as error:
        assert RANK > 0
        told = error
    if told is not None:
        assert told.rank == 0
        assert "FileNotFoundError" in told.reason
    trainer.run(X[part], Y[part], 1)
    trainer.save(f"{rows} last")
    bits = em.Trainer.load(f"{rows} last").net.parameters.tobytes()
    assert bits == trainer.net.parameters.tobytes()


if __name__ == "__main__":
    replace = os.replace

    def counted(source: Any, target: Any) -> None:
        WRITTEN.append(Path(target).name)
        replace(source, target)

    os.replace = counted
    run("all")
    run("own")
    for rows in ("all", "own"):
        by_rank = COMM.allgather(sum(name.startswith(f"{rows} all") for name in WRITTEN))
        assert by_rank == [3] + [0] * (SIZE - 1), by_rank
    print(f"rank {RANK} is done\n", end="", flush=True)
