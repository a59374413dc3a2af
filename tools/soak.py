"""Mixed work for minutes, after which memory, threads and descriptors are what they were.

    python tools/soak.py                    # ten minutes
    python tools/soak.py --seconds 60 --seed 7

Fits, predictions, files, several threads at once, Ctrl-C, forks, errors, in a random order. A fifth
of the time is for what is taken once: imports, pools of threads, caches. Then the same is measured
twenty times, and the last quarter compared with the first. Prints what was done and measured;
ends with 1 if something grew, hung or gave other numbers than the first time. Linux only.
"""

from __future__ import annotations

import argparse
import ctypes
import faulthandler
import gc
import json
import os
import pickle
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

import eigenmlp as em
from eigenmlp.sklearn import MLPClassifier, MLPRegressor

ROOM = 4 << 20  # bytes by which the process may have grown between the first and the last quarter
LONG = 120  # seconds after which a child process counts as hanging
NUMBERS = np.random.default_rng(0)
X = NUMBERS.normal(size=(600, 20)).astype(np.float32)
Y = (X[:, :3] @ NUMBERS.normal(size=(3, 4))).argmax(axis=1)
NET = em.MLP([20, 64, 4], seed=0)
EXPECTED = NET.forward(X).tobytes()

Done = Counter[str]


def network(rng: random.Random) -> em.MLP:
    hidden = [rng.choice([3, 16, 33, 128]) for _ in range(rng.choice([0, 1, 2]))]
    dtype = rng.choice(["float32", "float64"])
    return em.MLP([20, *hidden, 4], dtype=dtype, seed=rng.randrange(99))


def optimizer(rng: random.Random) -> Any:
    return rng.choice([em.SGD(0.05, momentum=0.9), em.Adam(), em.AdamW(), em.RMSprop()])


# ---- the work


def fit(rng: random.Random) -> None:
    net = network(rng)
    rows = rng.choice([X, sp.csr_array(X), np.asfortranarray(X), X.astype(np.float64)])
    options = {"validation": (X[:100], Y[:100]), "early_stopping": 2} if rng.random() < 0.5 else {}
    net.fit(rows, Y, 3, rng.choice([16, 100]), optimizer(rng), progress=False, **options)
    assert 0 <= net.evaluate(rows, Y).accuracy <= 1  # type: ignore[operator]


def estimate(rng: random.Random) -> None:
    model = rng.choice([MLPClassifier, MLPRegressor])(
        hidden_layer_sizes=(rng.choice([8, 30]),),
        solver=rng.choice(["adam", "sgd", "lbfgs"]),
        max_iter=3,
        random_state=rng.randrange(99),
    )
    model.fit(X, Y)
    copy = pickle.loads(pickle.dumps(model))
    assert (copy.predict(X) == model.predict(X)).all()


def differentiate(rng: random.Random) -> None:
    net = em.MLP([20, 5, 4], "tanh", dtype="float64", seed=rng.randrange(99))
    v = np.ones(net.parameter_count)
    net.per_sample_gradients(X, Y)
    net.hessian_vector_product(X, Y, v)
    net.taylor(X, Y, v, 3)
    net.hessian(X[:50], Y[:50])


def files(rng: random.Random) -> None:
    trainer = em.Trainer(network(rng), optimizer(rng), batch_size=50, seed=0)
    trainer.run(X, Y, 1, progress=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trainer.save(folder / "run.safetensors")
        again = em.Trainer.load(folder / "run.safetensors")
        em.onnx.export(again.net, folder / "net.onnx")
        net = em.onnx.load(folder / "net.onnx")
        assert net.parameters.tobytes() == trainer.net.parameters.tobytes()
        (folder / "damaged").write_bytes((folder / "run.safetensors").read_bytes()[:-9])
        refused(lambda: em.Trainer.load(folder / "damaged"))
        np.save(folder / "X.npy", X)
        mapped = np.load(folder / "X.npy", mmap_mode="r")
        assert NET.forward(mapped).tobytes() == EXPECTED


def at_once(rng: random.Random) -> None:
    """Predictions of one network by several threads, while others train theirs."""
    wrong: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            wrong.append(error)

    def predict() -> None:
        for _ in range(20):
            assert NET.forward(X).tobytes() == EXPECTED

    nets = [network(rng) for _ in range(2)]
    works: list[Callable[[], object]] = [predict, predict]
    works += [lambda net=net: net.fit(X, Y, 2, progress=False) for net in nets]  # type: ignore[misc]
    works += [lambda: [nets[0].forward(X) for _ in range(20)], lambda: pickle.dumps(nets[1])]
    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]


def interrupt(rng: random.Random) -> None:
    """Ctrl-C in the middle of a long run."""
    net = network(rng)
    try:  # on a busy machine it comes before the run
        signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.001, 0.05))
        net.fit(X, Y, 10**6, 32, progress=False)
    except KeyboardInterrupt:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    assert np.isfinite(net.forward(X)).all()


def fork(rng: random.Random) -> None:
    """A child works while a thread of the parent trains."""
    net, stop = network(rng), threading.Event()
    training = threading.Thread(
        target=lambda: net.fit(X, Y, 10**6, progress=False, callbacks=[lambda *_: stop.is_set()])
    )
    training.start()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        child = os.fork()
    if child == 0:
        try:
            right = NET.forward(X).tobytes() == EXPECTED
            network(rng).fit(X, Y, 2, progress=False)
            os._exit(0 if right else 3)
        finally:
            os._exit(4)
    try:
        for _ in range(LONG * 200):  # no clock, which goes on while both processes are stopped
            if (ended := os.waitpid(child, os.WNOHANG))[0]:
                break
            time.sleep(0.005)
        else:
            os.kill(child, signal.SIGABRT)  # faulthandler says where it is
            os.waitpid(child, 0)
            raise TimeoutError(f"a child hangs for {LONG} seconds")
    finally:
        stop.set()
        training.join()
    assert ended[1] == 0, f"a child ended with {os.waitstatus_to_exitcode(ended[1])}"


def errors(rng: random.Random) -> None:
    refused(lambda: NET.forward(X[:, 1:]))
    refused(lambda: NET.fit(X, Y + 9, progress=False))
    refused(lambda: NET.forward(np.full((3, 20), np.nan)))
    net = em.MLP([20, 4], loss="squared_error", seed=0)
    try:
        net.fit(X * 1e3, np.eye(4)[Y], 50, optimizer=em.SGD(1e3), progress=False)
    except em.DivergenceError:
        return
    raise AssertionError("a run that diverges ended well")


def refused(call: Callable[[], object]) -> None:
    try:
        call()
    except ValueError:
        return
    raise AssertionError("a wrong call was taken")


def numbers_of_threads(rng: random.Random) -> None:
    before = em.get_num_threads()
    em.set_num_threads(rng.choice([1, 2, 3, 5]))
    assert NET.forward(X).tobytes() == EXPECTED
    fit(rng)
    em.set_num_threads(before)


WORK = [
    *(fit, fit, estimate, differentiate, files, at_once, interrupt, interrupt, fork, errors),
    numbers_of_threads,
]

# ---- what is measured


def measured() -> tuple[int, int, int]:
    """Bytes in memory, threads, descriptors, once what can be given back is."""
    wide = em.MLP([200, 300, 4], seed=0)  # for as many threads as there may be
    wide.fit(np.ones((600, 200)), Y, 1, 300, progress=False)
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if trim is not None:
        trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    memory = pages * os.sysconf("SC_PAGE_SIZE")
    return memory, len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))


def soak(seconds: float, seed: int) -> tuple[dict[str, Any], list[str]]:
    """What was done and measured, and what is wrong with it."""
    rng, done = random.Random(seed), Done()
    one_arena = getattr(ctypes.CDLL(None), "mallopt", None)  # of glibc, which else makes one for
    if one_arena is not None:  # every thread that meets another, and gives none of them back
        one_arena(-8, 1)  # M_ARENA_MAX
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    em.set_num_threads(max(2, em.get_num_threads()))
    for work in dict.fromkeys(WORK):
        work(rng)
    began = time.monotonic()
    measurements: list[tuple[int, int, int]] = []
    while len(measurements) < 20:
        until = began + seconds * (0.2 + 0.04 * (len(measurements) + 1))
        while time.monotonic() < until:
            work = rng.choice(WORK)
            work(rng)
            done[work.__name__] += 1
        measurements.append(measured())

    memory, threads, descriptors = zip(*measurements, strict=True)
    grown = int(statistics.median(memory[-5:]) - statistics.median(memory[:5]))
    result = {
        "seconds": round(time.monotonic() - began),
        "done": dict(done.most_common()),
        "memory MB": [round(memory[0] / 2**20, 1), round(memory[-1] / 2**20, 1)],
        "grown MB": round(grown / 2**20, 2),
        "threads": [threads[0], threads[-1]],
        "descriptors": [descriptors[0], descriptors[-1]],
    }
    wrong = []
    if grown > ROOM:
        wrong.append(f"memory: expected at most {ROOM >> 20} MB more, got {memory}")
    if min(threads[-5:]) > max(threads[:5]):
        wrong.append(f"threads: expected no more than at first, got {threads}")
    if min(descriptors[-5:]) > max(descriptors[:5]):
        wrong.append(f"descriptors: expected no more than at first, got {descriptors}")
    return result, wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    faulthandler.enable()
    warnings.simplefilter("ignore")  # of estimators that have not converged
    result, wrong = soak(options.seconds, options.seed)
    print(json.dumps(result))
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    sys.exit(1 if wrong else 0)
