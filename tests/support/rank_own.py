"""Rows that each rank has for itself, in unequal numbers: ``python -m support.rank_own``.

Rank 0 prints what is compared with runs over all rows.
"""

import json
from typing import Any

import numpy as np
from mpi4py import MPI

import eigenmlp as em

COMM = MPI.COMM_WORLD
RANK, SIZE = COMM.Get_rank(), COMM.Get_size()
RNG = np.random.default_rng(0)
X = RNG.standard_normal((903, 20))
Y = RNG.integers(0, 4, 903)
W = RNG.random(903) + 0.1
COUNTS = [2, 601, 300][:SIZE]  # rank 0 has fewer rows than an epoch has batches
BEGIN = sum(COUNTS[:RANK])
OWN = slice(BEGIN, BEGIN + COUNTS[RANK])


def trained(rows: str, batch_size: int, epochs: int, weights: bool, **options: Any) -> Any:
    part = OWN if rows == "own" else slice(0, sum(COUNTS))
    net = em.MLP([20, 30, 4], seed=0, dtype="float64", **options)
    trainer = em.Trainer(net, em.SGD(0.05, momentum=0.9), batch_size, seed=1, comm=COMM, rows=rows)
    history = trainer.run(
        X[part],
        Y[part],
        epochs,
        sample_weight=W[part] if weights else None,
        validation=(X[part], Y[part]),
        shuffle=batch_size < 100,
    )
    return net.parameters, history, trainer


def difference(a: Any, b: Any) -> float:
    return float(np.max(np.abs(np.asarray(a) - np.asarray(b))))


if __name__ == "__main__":
    found: dict[str, Any] = {}
    for weights in (False, True):
        # One batch of all rows, in their order: the same as all rows on every rank, to rounding.
        own, of_own, _ = trained("own", 1000, 3, weights)
        all_, of_all, _ = trained("all", 1000, 3, weights)
        found[f"parameters, {weights}"] = difference(own, all_)
        for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
            numbers = getattr(of_own, name), getattr(of_all, name)
            found[f"{name}, {weights}"] = difference(*numbers)
    # Shuffled batches: all ranks agree, and it trains.
    own, history, trainer = trained("own", 32, 12, False, dropout=0.1)
    found["ranks differ by"] = max(difference(own, other) for other in COMM.allgather(own))
    found["losses"] = history.loss
    found["rows"] = history.rows
    found["steps"] = trainer.steps
    # Saved, loaded and finished: the bits of a run that was not stopped.
    path = COMM.bcast("own.safetensors")
    first = trained("own", 32, 2, False)[2]
    first.save(path)
    again = em.Trainer.load(path, comm=COMM, rows="own")
    for other in (first, again):
        other.run(X[OWN], Y[OWN], 2)
    found["resumed differs by"] = difference(first.net.parameters, again.net.parameters)
    # Validation rows of other numbers than those that are trained on.
    net = em.MLP([20, 4], seed=0, dtype="float64")
    few = em.Trainer(net, em.SGD(lambda step: 0.1), 64, 0, comm=COMM, rows="own")
    of_few = few.run(X[OWN], Y[OWN], validation=(X[OWN][: RANK + 1], Y[OWN][: RANK + 1]))
    seen = [np.concatenate(COMM.allgather(part[OWN][: RANK + 1])) for part in (X, Y)]
    found["validation"] = abs(of_few.val_loss[0] - few.net.loss(*seen))
    found["rows with validation"] = of_few.rows
    # A batch of a loop of the user's own.
    found["step"] = first.step(X[OWN][:1], Y[OWN][:1])
    found["first rows"] = again.net.loss(
        *[np.concatenate(COMM.allgather(part[OWN][:1])) for part in (X, Y)]
    )
    if RANK == 0:
        print(json.dumps(found))
