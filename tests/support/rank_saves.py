"""A run that is saved after each epoch: ``python -m support.rank_saves FILE EPOCHS [SECONDS]``.

Goes on from FILE if it is there; prints the digest of what came out. SECONDS are slept after each
epoch, and rank 2 tells its process number then, so that it can be killed.
"""

import hashlib
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import eigenmlp as em


def trained(path: Path, epochs: int, comm: Any = None, pause: float = 0.0) -> str:
    """Digest of parameters and optimizer after so many epochs in all."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((700, 20)).astype(np.float32)
    y = rng.integers(0, 4, 700)
    if path.exists():
        trainer = em.Trainer.load(path, comm=comm)
    else:
        net = em.MLP([20, 40, 4], seed=0, dropout=0.2)
        trainer = em.Trainer(net, em.Adam(0.01), batch_size=128, seed=1, comm=comm)
    while trainer.epochs < epochs:
        trainer.run(X, y, 1)
        trainer.save(path)
        if pause:
            if comm.Get_rank() == 2:
                print(os.getpid(), flush=True)
            time.sleep(pause)
    state = [trainer._trainer.get_state(name) for name in trainer._trainer.state_names]
    return hashlib.blake2b(np.concatenate([trainer.net.parameters, *state])).hexdigest()


if __name__ == "__main__":
    from mpi4py import MPI

    options = [float(number) for number in sys.argv[3:]]
    digest = trained(Path(sys.argv[1]), int(sys.argv[2]), MPI.COMM_WORLD, *options)
    if MPI.COMM_WORLD.Get_rank() == 0:
        print(digest)
