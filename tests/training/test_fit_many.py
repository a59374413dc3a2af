"""Many networks at once: the bits of each alone, errors, interrupts, threads."""

import io
import os
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from eigenmlp._training import pool
from support.pressing import PRESS

backends = pytest.mark.parametrize("backend", BACKENDS)
rng = np.random.default_rng(0)
X = rng.normal(size=(150, 6))
Y = rng.integers(0, 3, 150)
VALIDATION = (rng.normal(size=(40, 6)), rng.integers(0, 3, 40))


INTERRUPTED = (
    """
import os, signal, threading, time
import numpy as np, eigenmlp as em
em.set_num_threads(3)
X = np.random.default_rng(0).normal(size=(5000, 50)).astype("float32")
y = np.arange(5000) % 4
nets = [em.MLP([50, 64, 4], seed=i) for i in range(8)]
"""
    + PRESS
    + """\
try:
    em.fit_many(nets, X, y, epochs=100_000)
except KeyboardInterrupt:
    took = time.perf_counter() - pressed[0]
presser.join()
print(took < 2, threading.active_count(), all(np.isfinite(n.parameters).all() for n in nets))
for net in nets:
    net.fit(X[:100], y[:100], epochs=1)
"""
)


def make(count: int = 5, **options: Any) -> list[em.MLP]:
    """Networks of several depths and widths."""
    return [em.MLP([6, *[4 + i] * (1 + i % 2), 3], seed=i, **options) for i in range(count)]


def same(nets: list[em.MLP], histories: list[em.History], alone: list[em.MLP], of: Any) -> None:
    for net, history, other, expected in zip(nets, histories, alone, of, strict=True):
        np.testing.assert_array_equal(net.parameters, other.parameters)
        for name in ("loss", "val_loss", "accuracy", "val_accuracy", "rows"):
            assert getattr(history, name) == getattr(expected, name), name


@backends
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("watched", [False, True])
def test_bits_of_each_alone(
    backend: str, threads: int, watched: bool, threads_as_before: None
) -> None:
    em.set_num_threads(threads)
    options: dict[str, Any] = {"epochs": 6, "batch_size": 16}
    if watched:
        options |= {"validation": VALIDATION, "early_stopping": 2}
    nets, alone = (make(backend=backend) for _ in range(2))
    optimizers = [em.Adam(0.01), em.SGD(0.1, momentum=0.9), em.Adam(), em.SGD(0.05), em.AdamW()]
    seeds = [1, 1, 2, None, np.random.default_rng(5)]
    histories = em.fit_many(nets, X, Y, optimizer=optimizers, seed=seeds, **options)
    seeds[-1] = np.random.default_rng(5)
    expected = [
        net.fit(X, Y, optimizer=optimizer, seed=seed, **options)
        for net, optimizer, seed in zip(alone, optimizers, seeds, strict=True)
    ]
    same(nets, histories, alone, expected)


def test_units_dropout_weights_and_values() -> None:
    y, w = X[:, :2] * 1e5 + 1e6, rng.random(150)
    nets, alone = (
        [em.MLP([6, 8, 2], loss=loss, dropout=0.2, standardize=standardize, seed=3)
         for loss in ("squared_error", "huber") for standardize in (True, False)]
        for _ in range(2)
    )  # fmt: skip
    options: dict[str, Any] = {"epochs": 3, "optimizer": em.Adam(), "seed": 4, "sample_weight": w}
    histories = em.fit_many(nets, X, y, **options)
    same(nets, histories, alone, [net.fit(X, y, **options) for net in alone])


def test_generators_end_where_fit_leaves_them() -> None:
    nets, alone = make(), make()
    for _ in range(2):
        em.fit_many(nets, X, Y, epochs=2)
        for net in alone:
            net.fit(X, Y, epochs=2)
    for net, other in zip(nets, alone, strict=True):
        np.testing.assert_array_equal(net.parameters, other.parameters)


def test_one_shuffle_serves_all_with_one_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    real = pool.shuffled

    def counted(*arguments: Any) -> Any:
        made.append(arguments[1])
        return real(*arguments)

    monkeypatch.setattr(pool, "shuffled", counted)
    em.set_num_threads(1)
    try:
        em.fit_many(make(), X, Y, epochs=4, seed=0)
    finally:
        em.set_num_threads(2)
    assert made == [4]


def test_networks_measured_alike_share_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Integers become float64 for them: once, not once for each network."""
    nets = make(4, standardize=True)
    integers = (X * 100).astype(np.int64)
    em.fit_many(nets, integers, Y, epochs=1, seed=0)
    taken = []
    real = em.MLP._data

    def counted(net: em.MLP, *arguments: Any, **options: Any) -> Any:
        taken.append(net)
        return real(net, *arguments, **options)

    monkeypatch.setattr(em.MLP, "_data", counted)
    em.fit_many(nets, integers, Y, epochs=1, seed=0)
    assert taken == [nets[0]]


def test_divergence_raises_or_is_kept() -> None:
    rates = [em.SGD(0.1), em.SGD(1e30), em.SGD(0.1)]
    nets = make(3)
    with pytest.raises(em.DivergenceError) as raised:
        em.fit_many(nets, X, Y, epochs=3, optimizer=rates, seed=0)
    assert raised.value.index == 1
    assert len(raised.value.histories[1].loss) < 3 and len(raised.value.histories) == 3
    nets, alone = make(3), make(3)
    histories = em.fit_many(nets, X, Y, epochs=3, optimizer=rates, seed=0, on_divergence="keep")
    assert [len(history.loss) for history in histories] == [3, len(histories[1].loss), 3]
    assert len(histories[1].loss) < 3
    for i in (0, 2):
        expected = alone[i].fit(X, Y, epochs=3, optimizer=rates[i], seed=0)
        same([nets[i]], [histories[i]], [alone[i]], [expected])


def test_ctrl_c_ends_all_within_a_moment(in_subprocess: Any) -> None:
    done = in_subprocess(INTERRUPTED)
    assert done.stdout.split() == ["True", "1", "True"], done


def test_ctrl_c_pressed_again_leaves_no_thread_at_work(in_subprocess: Any) -> None:
    press = "os.kill(os.getpid(), signal.SIGINT)"
    again = "for _ in range(3): os.kill(os.getpid(), signal.SIGINT); time.sleep(0.003)"
    assert press in INTERRUPTED
    done = in_subprocess(INTERRUPTED.replace(press, again).replace("presser.join()\n", ""))
    assert done.stdout.split()[::2] == ["True", "True"], done
    assert int(done.stdout.split()[1]) <= 2, done  # who presses may still be there


class Broken(io.StringIO):
    """A terminal that is gone after a while."""

    def write(self, text: str) -> int:
        if self.tell() > 100:
            raise OSError("broken pipe")
        return super().write(text)


def test_a_bar_that_cannot_be_shown_ends_all(
    monkeypatch: pytest.MonkeyPatch, threads_as_before: None
) -> None:
    em.set_num_threads(2)
    monkeypatch.setattr(sys, "stderr", Broken())
    with pytest.raises(OSError, match="broken pipe"):
        em.fit_many(make(), X, Y, epochs=20_000, progress=True)


def test_warnings_are_at_the_callers_line_and_may_be_errors(threads_as_before: None) -> None:
    em.set_num_threads(2)
    wide = X * [1, 1e5, 1, 1, 1, 1]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        em.fit_many(make(2), wide, Y, epochs=2, optimizer=em.SGD(1e-9))
        em.fit_many(make(2, init="zeros", bias=False), X, Y, epochs=2)
    found = [w for w in caught if w.category is UserWarning]
    assert [str(w.message)[:5] for w in found] == ["X: ex", "X: ex", "after", "after"]
    assert all(w.filename == __file__ for w in found)
    nets = make(3)
    before = [net.parameters for net in nets]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="columns of about one size"):
            em.fit_many(nets, wide, Y, epochs=2)
    for net, parameters in zip(nets, before, strict=True):
        np.testing.assert_array_equal(net.parameters, parameters)


FORKED = """
import os, threading, time
import numpy as np, eigenmlp as em
em.set_num_threads(2)
X = np.random.default_rng(0).normal(size=(600, 6))
y = np.arange(600) % 3
for i in range(8):
    nets = [em.MLP([6, 4, 3], seed=i) for i in range(4)]
    running = threading.Thread(target=em.fit_many, args=(nets, X, y), kwargs={"epochs": 2000})
    running.start()
    time.sleep(0.01 + 0.002 * i)
    child = os.fork()
    if child == 0:
        em.fit_many(nets, X, y, epochs=2)
        os._exit(0)
    end = time.monotonic() + 5
    while not (ended := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < end:
        time.sleep(0.005)
    if not ended[0]:
        os.kill(child, 9)
        os.waitpid(child, 0)
    print("whole" if ended[0] and ended[1] == 0 else "lost")
    running.join()
    if not ended[0]:
        break
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_of_a_fork_meanwhile_can_go_on(in_subprocess: Any) -> None:
    """Where a shuffle was going on, NumPy's generator was locked in the child for good."""
    done = in_subprocess(FORKED)
    assert done.stdout.split() == ["whole"] * 8, done


def test_readers_and_savers_meet_whole_moments(tmp_path: Path) -> None:
    nets = make(4)
    running = threading.Thread(target=em.fit_many, args=(nets, X, Y), kwargs={"epochs": 300})
    running.start()
    for round_ in range(5):
        for i, net in enumerate(nets):
            net.save(tmp_path / f"{round_}-{i}")
            em.MLP.load(tmp_path / f"{round_}-{i}")
    running.join()


def test_threads_share_the_work_in_the_order_of_its_length(threads_as_before: None) -> None:
    em.set_num_threads(2)
    begun: list[int] = []

    def job(index: int, cost: float) -> pool.Job:
        def train(around: Any, advance: Any) -> em.History:
            begun.append(index)
            time.sleep(0.02)
            return em.History(rows=index)

        return pool.Job(train, 1, cost)

    costs = [1.0, 5.0, 3.0, 2.0]
    histories = pool.Pool([job(i, cost) for i, cost in enumerate(costs)], None).run()
    assert [history.rows for history in histories] == [0, 1, 2, 3]
    assert set(begun[:2]) == {1, 2} and set(begun[2:]) == {0, 3}


def test_progress_counts_all_epochs(capsys: pytest.CaptureFixture[str]) -> None:
    em.fit_many(
        make(3), X, Y, epochs=4, validation=VALIDATION, early_stopping=1, seed=0, progress=True
    )
    shown = capsys.readouterr().err
    assert "12/12" in shown and "best val_loss" in shown


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nets": []}, "nets: expected at least one"),
        ({"nets": em.MLP([6, 3])}, "nets: expected a sequence of MLP"),
        ({"nets": [em.MLP([6, 3]), "a"]}, "nets: expected MLP objects, got 'a' at 1"),
        ({"nets": [em.MLP([6, 3]), em.MLP([5, 3])]}, "network 1: X: expected shape"),
        ({"nets": [em.MLP([6, 3]), em.MLP([6, 2])]}, "network 1: y: expected labels 0 to 1"),
        ({"optimizer": [em.SGD(0.1)]}, "optimizer: expected one, or 2"),
        ({"optimizer": 3}, "network 0: optimizer"),
        ({"seed": [1, 2, 3]}, "seed: expected one, or 2"),
        ({"seed": np.random.default_rng(0)}, "seed: expected a generator of its own"),
        ({"seed": "a"}, "seed: expected an int"),
        ({"epochs": -1}, "epochs: expected at least 0"),
        ({"batch_size": 0}, "network 0: batch_size"),
        ({"validation": 3}, "network 0: validation"),
        ({"early_stopping": 0}, "early_stopping"),
        ({"on_divergence": "skip"}, "on_divergence: expected one of"),
        ({"shuffle": 2}, "shuffle: expected True or False"),
        ({"progress": "yes"}, "progress: expected"),
        ({"X": X[:10]}, "network 0: y: expected 10 rows"),
        ({"sample_weight": -np.ones(150)}, "network 0: sample_weight"),
    ],
)
def test_bad_input_changes_nothing(change: dict[str, Any], message: str) -> None:
    nets = [em.MLP([6, 3], seed=0), em.MLP([6, 4, 3], seed=0)]
    before = [net.parameters for net in nets]
    given: dict[str, Any] = {"nets": nets, "X": X, "y": Y, "epochs": 2, **change}
    with pytest.raises((TypeError, ValueError), match=message):
        em.fit_many(**given)
    for net, parameters in zip(nets, before, strict=True):
        np.testing.assert_array_equal(net.parameters, parameters)


def test_networks_that_share_a_generator_are_refused() -> None:
    shared = np.random.default_rng(0)
    nets = [em.MLP([6, 3], seed=shared) for _ in range(2)]
    with pytest.raises(ValueError, match="same for 0 and 1: give an int"):
        em.fit_many(nets, X, Y)
    em.fit_many(nets, X, Y, seed=0, epochs=1)


@pytest.mark.parametrize("backend", ["native", "numpy"])
def test_an_evaluation_ends_when_it_is_told_to(backend: str) -> None:
    """In any thread: a worker's large validation set does not outlast Ctrl-C."""
    net = em.MLP([64, 300, 300, 10], seed=0, backend=backend)
    X = np.zeros((50_000 if backend == "native" else 8, 64), np.float32)
    y, asked = np.zeros(len(X), np.int64), []

    def check() -> None:
        asked.append(threading.get_ident())
        raise Over

    class Over(Exception):
        pass

    def call() -> None:
        with pytest.raises(Over):
            net._network.evaluate(X, y, None, check)

    before = net.parameters
    call()
    worker = threading.Thread(target=call)
    worker.start()
    worker.join(20)
    assert len(asked) == 2 and asked[0] != asked[1]
    assert net.evaluate(X[:8], y[:8]).loss > 0  # it is usable, and as it was
    np.testing.assert_array_equal(net.parameters, before)


def test_validation_asks_whether_all_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    asks: set[str] = set()

    def check(self: pool.Pool) -> None:
        asks.add(sys._getframe(1).f_code.co_name)

    monkeypatch.setattr(pool.Pool, "_check", check)
    nets = [em.MLP([64, 300, 300, 10], seed=i) for i in range(2)]
    large = np.zeros((50_000, 64), np.float32), np.zeros(50_000, np.int64)
    few = large[0][:8], large[1][:8]
    em.fit_many(nets, *few, epochs=1, validation=large, progress=False)
    assert "evaluated" in asks
