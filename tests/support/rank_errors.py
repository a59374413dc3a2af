"""What ends a run on one rank ends it on all: ``python -m support.rank_errors`` on two ranks.

Rank 0 prints, for every scenario and rank, the error and the seconds it took.
"""

import copy
import json
import os
import pickle
import signal
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from mpi4py import MPI

import eigenmlp as em
from eigenmlp._training.stepper import Stepper

COMM = MPI.COMM_WORLD
OTHER = COMM.Get_rank() == 1
RNG = np.random.default_rng(0)
X = RNG.standard_normal((600, 20)).astype(np.float32)
Y = RNG.integers(0, 3, 600)


def trainer(
    sizes: tuple[int, ...] = (20, 30, 3), optimizer: Any = None, seed: int = 0, **options: Any
) -> em.Trainer:
    net = em.MLP(list(sizes), seed=seed)
    options = {"batch_size": 256, "seed": 1, "comm": COMM, **options}
    return em.Trainer(net, optimizer or em.SGD(0.01), **options)


def _raises(epoch: int, history: Any, net: Any) -> None:
    if epoch == 3:
        raise LookupError("the callback's own")


def callback_raises() -> None:
    trainer().run(X, Y, 10_000, callbacks=[_raises] if OTHER else [])


def callback_raises_where_ranks_do_not_exchange() -> None:
    trainer(batch_size=8).run(X, Y, 10_000, callbacks=[_raises] if OTHER else [])


def ctrl_c() -> None:
    if OTHER:
        threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT]).start()
    trainer().run(X, Y, 100_000_000)


def ctrl_c_while_waiting() -> None:
    trainer_ = trainer()
    if OTHER:
        threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT]).start()
    else:
        time.sleep(1.0)
    trainer_.run(X, Y, 1)


def bad_data_on_one() -> None:
    bad = X.copy()
    bad[5, 5] = np.nan
    trainer().run(bad if OTHER else X, Y, 1)


def bad_setting_on_one() -> None:
    trainer(batch_size=-1 if OTHER else 256).run(X, Y, 1)


def other_networks() -> None:
    trainer((20, 31, 3) if OTHER else (20, 30, 3)).run(X, Y, 1)


def other_optimizers() -> None:
    trainer(optimizer=em.Adam() if OTHER else em.SGD(0.01)).run(X, Y, 1)


def other_learning_rates() -> None:
    trainer(optimizer=em.SGD(0.1 if OTHER else 0.01)).run(X, Y, 1)


def other_shapes() -> None:
    n = 599 if OTHER else 600
    trainer().run(X[:n], Y[:n], 1)


def other_numbers() -> None:
    trainer().run(X + 1 if OTHER else X, Y, 1)


def other_seeds() -> None:
    trainer(seed=1 if OTHER else 0).run(X, Y, 1)


def other_shuffles() -> None:
    trainer_ = trainer()
    trainer_._rng.random() if OTHER else None
    trainer_.run(X, Y, 1)


def other_epochs() -> None:
    trainer().run(X, Y, 2 if OTHER else 1)


def other_rows() -> None:
    trainer(rows="own" if OTHER else "all").run(X, Y, 1)


def diverges() -> None:
    trainer(optimizer=em.SGD(1e30)).run(X, Y, 10)


def other_steps() -> None:
    n = 256 if OTHER else 255
    trainer_ = trainer()
    trainer_.step(X[:300], Y[:300])
    trainer_.step(X[:n], Y[:n])


def other_trainers_after_an_error() -> None:
    first, second = trainer(), trainer(seed=5)
    for one in (first, second):
        one.step(X[:256], Y[:256])
    with suppress(ZeroDivisionError, em.RankError):
        first.run(X, Y, 2, callbacks=[_divides])
    second.step(X[:256], Y[:256])
    raise RuntimeError("it works")


def _divides(*_: Any) -> None:
    raise ZeroDivisionError


def a_second_error_of_a_trainer() -> None:
    trainer_ = trainer()
    with suppress(ZeroDivisionError, em.RankError):
        trainer_.run(X, Y, 10, callbacks=[_divides] if OTHER else [])
    trainer_.run(X[:, :3] if OTHER else X, Y, 1)


def other_sample_weights() -> None:
    trainer().run(X, Y, 1, sample_weight=np.arange(1, 601) + float(OTHER))


def other_functions_of_learning_rates() -> None:
    optimizer = em.SGD((lambda step: 0.1 / (step + 1)) if OTHER else (lambda step: 0.1))
    trainer(optimizer=optimizer).run(X, Y, 1)


def other_first_steps() -> None:
    trainer().step(X[:300] + float(OTHER), Y[:300])


def _batches(rows: int) -> list[tuple[Any, Any]]:
    return [(X[i : i + 100], Y[i : i + 100]) for i in range(0, rows, 100)]


def other_batches() -> None:
    batches = _batches(600)
    if OTHER:
        batches[4] = batches[3]
    trainer().run(batches, epochs=2)


def other_numbers_of_batches() -> None:
    trainer().run(_batches(300 if OTHER else 600), epochs=2)


def other_shards() -> None:
    trainer().run(em.datasets.open_shards([X[:500], X[500:] + np.float32(OTHER)]), Y, 1)


def no_rows() -> None:
    n = 0 if OTHER else 600
    trainer(rows="own").run(X[:n], Y[:n], 1)


def save_fails() -> None:
    trainer_ = trainer()
    trainer_.run(X, Y, 1)
    trainer_.save("no/such/folder/trainer.safetensors")


def other_parameters_of_own_rows() -> None:
    trainer(seed=int(OTHER), rows="own").run(X, Y, 1)


def other_parameters_of_own_steps() -> None:
    trainer(seed=int(OTHER), rows="own").step(X, Y)


def copies_of_own_rows() -> None:
    trainer_ = trainer(rows="own")
    trainer_.run(X, Y, 1)
    for copied in (copy.copy(trainer_), copy.deepcopy(trainer_)):
        with suppress(RuntimeError):
            copied.step(X, Y)
            raise AssertionError
    assert copied.steps == trainer_.steps
    pickle.loads(pickle.dumps(copied)).run(X, Y, 1)


def bad_seed_of_fit_on_one() -> None:
    em.MLP([20, 3], seed=0).fit(X, Y, comm=COMM, progress=False, seed="a" if OTHER else 0)


def no_network_on_one() -> None:
    em.Trainer(None if OTHER else em.MLP([20, 3], seed=0), comm=COMM, optimizer="sgd").run(X, Y)


def bad_rows_on_one() -> None:
    trainer(rows="some" if OTHER else "all").run(X, Y)


def no_memory_on_one() -> None:
    if OTHER:
        with patch.object(Stepper, "_make_trainer", side_effect=MemoryError("no more")):
            trainer()
    trainer().run(X, Y)


def no_file_on_one() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trainer.safetensors"
        if not OTHER:
            trainer().save(path)
        else:
            trainer()
        em.Trainer.load(path.with_name("none") if OTHER else path, comm=COMM).run(X, Y)


def step_beside_run() -> None:
    trainer_ = trainer()
    trainer_.step(X[:256], Y[:256])
    (trainer_.run if OTHER else trainer_.step)(X[:256], Y[:256])


def fit_beside_trainer() -> None:
    if OTHER:
        trainer().run(X, Y)
    else:
        em.MLP([20, 3], seed=0).fit(X, Y, comm=COMM, progress=False)


def two_trainers_in_other_turns() -> None:
    trainers = [trainer(), trainer()]
    for one in trainers:
        one.step(X[:256], Y[:256])
    for one in reversed(trainers) if OTHER else trainers:
        one.step(X[:256], Y[:256])


def fewer_steps_then_run() -> None:
    trainer_ = trainer(batch_size=8)  # steps of one block, in which ranks tell each other nothing
    for _ in range(99 if OTHER else 100):
        trainer_.step(X[:8], Y[:8])
    trainer_.run(X, Y, 1)


def two_threads() -> None:
    trainers, errors = [trainer(), trainer()], []

    def run(one: em.Trainer) -> None:
        try:
            one.run(X, Y, 1_000_000)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=[one]) for one in trainers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 2
    raise errors[0]


def works_again() -> None:
    trainer_ = trainer()
    trainer_.run(X, Y, 2)
    raise RuntimeError("it works")


SCENARIOS: list[Callable[[], None]] = [
    callback_raises,
    callback_raises_where_ranks_do_not_exchange,
    ctrl_c,
    ctrl_c_while_waiting,
    bad_data_on_one,
    bad_setting_on_one,
    other_networks,
    other_optimizers,
    other_learning_rates,
    other_shapes,
    other_numbers,
    other_seeds,
    other_shuffles,
    other_epochs,
    other_rows,
    diverges,
    other_steps,
    other_sample_weights,
    other_functions_of_learning_rates,
    other_first_steps,
    other_batches,
    other_numbers_of_batches,
    other_shards,
    other_trainers_after_an_error,
    a_second_error_of_a_trainer,
    no_rows,
    save_fails,
    other_parameters_of_own_rows,
    other_parameters_of_own_steps,
    copies_of_own_rows,
    bad_seed_of_fit_on_one,
    no_network_on_one,
    bad_rows_on_one,
    no_memory_on_one,
    no_file_on_one,
    step_beside_run,
    fit_beside_trainer,
    two_trainers_in_other_turns,
    fewer_steps_then_run,
    two_threads,
    works_again,
]

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    done = []
    for scenario in SCENARIOS:
        began = time.monotonic()
        try:
            scenario()
            came = "nothing"
        except BaseException as error:
            came = f"{type(error).__name__}: {error}"
        took = time.monotonic() - began
        done += COMM.allgather((scenario.__name__, COMM.Get_rank(), came, took))  # users' own
    if not OTHER:
        print(json.dumps(done))
