"""Runs whose bits are to be the same on any number of ranks and threads.

``python -m support.rank_runs`` prints them, on every rank of MPI.COMM_WORLD.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import numpy as np

import eigenmlp as em
from eigenmlp._core.loading import core
from eigenmlp._training import streamed
from eigenmlp.datasets import shards

THREADS = (1, 2, 3)


def _digest(*values: Any) -> str:
    code = hashlib.blake2b(digest_size=8)
    for value in values:
        code.update(np.ascontiguousarray(value))
    return code.hexdigest()


def _run(
    comm: Any,
    sizes: list[int],
    N: int,
    batch_size: int,
    optimizer: Any,
    accumulate: int = 1,
    weights: bool = False,
    sparse: bool = False,
    **network: Any,
) -> str:
    rng = np.random.default_rng(7)
    X = rng.standard_normal((N, sizes[0])).astype(network.get("dtype", "float32"))
    y: Any = rng.integers(0, sizes[-1], N)
    if network.get("loss") == "squared_error":
        y = rng.standard_normal((N, sizes[-1]))
    rows: Any = X
    if sparse:
        from scipy.sparse import csr_array

        rows = csr_array(np.where(rng.random(X.shape) < 0.03, X, 0).astype(np.float32))
    w = rng.random(N) if weights else None
    net = em.MLP(sizes, seed=0, **network)
    trainer = em.Trainer(net, optimizer, batch_size, seed=1, accumulate=accumulate, comm=comm)
    history = trainer.run(
        rows, y, 2, sample_weight=w, validation=(X[: N // 2], y[: N // 2]), early_stopping=5
    )
    losses = [*history.loss, *history.val_loss, *history.accuracy, *history.val_accuracy]
    losses += [trainer.step(X[:300], y[:300]), trainer.step(X[:1], y[:1])]
    return _digest(net.parameters, np.array(losses))


def _choices(comm: Any) -> str:
    rng = np.random.default_rng(3)
    offsets = np.arange(0, 301, 5)
    choices = em.Choices(offsets, offsets[:-1] + rng.integers(0, 5, 60))
    net = em.MLP([4, 8, 1], loss="segment_cross_entropy", seed=0)
    net.fit(
        rng.standard_normal((300, 4)),
        choices,
        epochs=2,
        batch_size=16,
        seed=0,
        progress=False,
        comm=comm,
    )
    return _digest(net.parameters)


def _larger_than_memory(comm: Any) -> str:
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal((1000, 30)), rng.integers(0, 3, 1000)
    net = em.MLP([30, 20, 3], seed=0, dtype="float64", dropout=0.1)
    trainer = em.Trainer(net, em.Adam(0.01), 128, seed=0, comm=comm)
    with patch.object(shards, "BLOCK_BYTES", 5000), patch.object(streamed, "POOL_BYTES", 60_000):
        rows = em.datasets.open_shards([X[:333], X[333:]])
        history = trainer.run(rows, y, 2, validation=(rows, y))
    return _digest(net.parameters, np.array(history.loss + history.val_loss))


def _given_batches(comm: Any) -> str:
    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((600, 30)), rng.integers(0, 3, 600)
    batches = [(X[a : a + 150], y[a : a + 150]) for a in range(0, 600, 150)]
    net = em.MLP([30, 20, 3], seed=0)
    net.fit(batches, epochs=2, progress=False, comm=comm)
    return _digest(net.parameters)


def runs(comm: Any) -> Iterator[tuple[str, str]]:
    """Name and digest of each run: parameters, losses and accuracies."""
    small, sgd = [30, 64, 10], em.SGD(0.01, momentum=0.9)
    yield "sgd", _run(comm, [30, 100, 100, 2], 1000, 512, sgd)
    yield "adam, dropout", _run(comm, small, 700, 128, em.Adam(), dropout=0.3)
    yield (
        "adamw, gathered, clipped",
        _run(comm, small, 700, 128, em.AdamW(clip_norm=0.5), accumulate=3, dropout=0.2),
    )
    yield (
        "rmsprop, float64, weights",
        _run(comm, small, 700, 256, em.RMSprop(l1=1e-4), weights=True, dtype="float64"),
    )
    yield "wide", _run(comm, [1100, 1000, 3], 700, 512, em.SGD(0.01, momentum=0.9, penalty=0.1))
    yield (
        "wide, float64, max-norm",
        _run(comm, [1100, 1000, 3], 700, 512, em.SGD(0.01, max_norm=1.0), dtype="float64"),
    )
    yield "one block", _run(comm, [200, 300, 10], 200, 64, sgd)
    yield "bfloat16", _run(comm, [64, 64, 10], 700, 512, sgd, compute_dtype="bfloat16")
    yield "sparse", _run(comm, [300, 20, 10], 400, 256, sgd, sparse=True)
    yield "units", _run(comm, [30, 50, 3], 700, 256, sgd, loss="squared_error", standardize=True)
    yield "twin", _run(comm, [30, 20, 10], 200, 64, sgd, backend="numpy")
    yield "choices", _choices(comm)
    yield "larger than memory", _larger_than_memory(comm)
    yield "batches", _given_batches(comm)


def with_threads(count: int, comm: Any = None) -> dict[str, str]:
    """The runs, by so many threads in each rank."""
    before = em.get_num_threads()
    em.set_num_threads(count)
    core.force_threads(count)
    try:
        return dict(runs(comm))
    finally:
        core.force_threads(0)
        em.set_num_threads(before)


if __name__ == "__main__":
    from mpi4py import MPI

    done = [with_threads(threads, MPI.COMM_WORLD) for threads in THREADS]
    of_all = MPI.COMM_WORLD.gather(done)
    if of_all is not None:  # on rank 0; lines of several would mix
        print(json.dumps(of_all))
