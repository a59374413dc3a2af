"""What must not hang or crash: locks, forks, signals, the process's end, memory that runs out."""

import os
import subprocess
import sys
import tempfile
import textwrap
import threading
import time

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._files import model as model_file
from support.problems import make_data, make_net

PREPARE = """
import os, signal, sys, threading, time
import numpy as np
import eigenmlp as em
rng = np.random.default_rng(0)
X = rng.random((2000, 64), dtype=np.float32)
y = rng.integers(0, 10, 2000)
net = em.MLP([64, 50, 10], seed=0)
trainer = em.Trainer(net, em.SGD(0.01, momentum=0.9), batch_size=100, seed=0)
"""


def run_script(script: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """A Python process of its own, in a folder of its own; a hang fails the test."""
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(
            [sys.executable, "-c", PREPARE + textwrap.dedent(script)],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            cwd=folder,
        )


def test_readers_do_not_keep_training_out() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.random((2000, 64), dtype=np.float32), rng.integers(0, 10, 2000)
    many = rng.random((60_000, 64), dtype=np.float32)
    net = em.MLP([64, 50, 10], seed=0)
    done = threading.Event()

    def predict() -> None:
        while not done.is_set():
            net.forward(many)

    readers = [threading.Thread(target=predict) for _ in range(3)]
    for reader in readers:
        reader.start()
    fitted = threading.Thread(target=lambda: net.fit(X, y, epochs=5, progress=False))
    fitted.start()
    fitted.join(30)  # it used to wait for as long as they read
    finished = not fitted.is_alive()
    done.set()
    for thread in (*readers, fitted):
        thread.join()
    assert finished


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX signals")
@pytest.mark.parametrize(
    "call", ["trainer.step(X, y)", "trainer.save('x')", "trainer.run(X, y, 1)"]
)
def test_a_signal_handler_that_uses_the_running_trainer(call: str) -> None:
    done = run_script(
        f"""
        refusals = []
        def handler(*_):
            try:
                {call}  # goes through where it comes between two runs
            except RuntimeError as error:
                refusals.append(str(error))
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        end = time.time() + 30
        while not refusals and time.time() < end:
            trainer.run(X, y, 500)
        signal.setitimer(signal.ITIMER_REAL, 0)
        trainer.run(X, y, 1)
        print("went on;", refusals[0])
        """
    )
    assert done.returncode == 0, done.stderr
    assert "went on; this trainer is in the middle of a run" in done.stdout


def test_a_daemon_thread_does_not_abort_the_process() -> None:
    done = run_script(
        """
        threading.Thread(target=lambda: net.fit(X, y, epochs=100_000), daemon=True).start()
        threading.Thread(target=lambda: [em.MLP([64, 5]).forward(X) for _ in range(10**6)],
                         daemon=True).start()
        time.sleep(0.3)
        print("end")
        """
    )
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr


def test_daemon_threads_that_wait_for_python_when_it_ends() -> None:
    done = run_script(
        """
        def work():
            net = em.MLP([64, 5])
            while True:
                net.forward(X)
        for _ in range(8):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(0.3)
        print("end")
        """
    )
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr


# Called in a __del__ when Python has begun to end; the thread that ends it has the global lock.
USE_IN_DEL = """
class Last:
    def __init__(self, net, trainer, X, y, np, em):
        v = net.parameters
        X64, y64 = X[:50].astype(float), np.zeros((50, 1))
        exact = em.MLP([64, 3, 1], loss="squared_error", dtype="float64")
        v64 = np.ones(exact.parameter_count)
        ends = em.segment_softmax
        def set_parameters():
            net.parameters = v
        self.calls = {
            "predict": lambda: net.predict(X),
            "forward": lambda: net.forward(X),
            "evaluate": lambda: net.evaluate(X, y),
            "parameters": lambda: net.parameters,
            "set parameters": set_parameters,
            "save": lambda: net.save("net"),
            "loss_and_gradient": lambda: net.loss_and_gradient(X, y),
            "vjp": lambda: net.vjp(X64, np.ones((50, 10))),
            "constructor": lambda: type(net)([64, 10]),
            "fit": lambda: net.fit(X, y, epochs=2),
            "step": lambda: trainer.step(X, y),
            "run": lambda: trainer.run(X, y, epochs=2),
            "save trainer": lambda: trainer.save("trainer"),
            "jvp": lambda: exact.jvp(X64, d_parameters=v64),
            "hessian": lambda: exact.hessian(X64, y64),
            "segments": lambda: ends([1.0, 2.0], [0, 2]),
        }
        for call in self.calls.values():  # imports what it needs
            call()
        self.ending = sys.is_finalizing

    def __del__(self):
        assert self.ending()
        for name, call in self.calls.items():
            try:
                call()
            except Exception as error:
                print("raised", name, type(error).__name__, error, flush=True)
            else:
                print("worked", name, flush=True)

# Modules go first; threads keep this one's names alive.
sys.modules["first"] = type(sys)("first")
sys.modules["first"].last = Last(net, trainer, X, y, np, em)
"""


def test_a_network_in_a_del_when_python_ends() -> None:
    done = run_script(USE_IN_DEL)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 16
    worked = {line.removeprefix("worked ") for line in lines}  # others may need a module that went
    assert worked >= {
        *("predict", "forward", "evaluate", "parameters", "set parameters", "step", "run"),
        *("loss_and_gradient", "vjp", "constructor", "jvp", "hessian"),
    }, done.stdout


def test_a_network_in_a_del_that_threads_use_when_python_ends() -> None:
    """Also where a thread that will never come back has taken the trainer: works, or raises."""
    done = run_script(
        USE_IN_DEL
        + """
np.save("rows", X)
threading.Thread(target=lambda: trainer.run(np.load("rows.npy", "r"), y, 10**9),
                 daemon=True).start()
threading.Thread(target=lambda: [net.forward(X) for _ in range(10**9)], daemon=True).start()
threading.Thread(target=lambda: net.fit(X, y, 10**9), daemon=True).start()
time.sleep(0.3)
"""
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 16
    assert {"worked predict", "worked parameters", "worked evaluate"} <= {*lines}, done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_while_another_thread_trains_the_net() -> None:
    done = run_script(
        """
        import warnings
        warnings.simplefilter("ignore")
        stop = threading.Event()
        def train():
            while not stop.is_set():
                trainer.run(X, y, 50)
        thread = threading.Thread(target=train)
        thread.start()
        time.sleep(0.2)
        for _ in range(5):
            child = os.fork()
            if child == 0:
                net.predict(X)
                net.parameters = net.parameters * 0
                trainer.step(X, y)
                os._exit(7)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        stop.set()
        thread.join()
        print("end")
        """
    )
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs RLIMIT_AS")
@pytest.mark.parametrize("threads", [1, 2])
def test_memory_that_runs_out(threads: int) -> None:
    done = run_script(
        f"""
        import resource
        em.set_num_threads({threads})
        trainer.step(X[:100], y[:100])
        large = np.broadcast_to(X[:1], (3_000_000, 64))
        labels = np.zeros(3_000_000, np.int64)
        wide = em.MLP([64, 3_000, 10], seed=0)
        small_forward = wide.forward(X[:1])
        now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + (1 << 20), resource.RLIM_INFINITY))
        for call in (lambda: trainer.step(large, labels), lambda: wide.forward(large[:50_000])):
            try:
                call()
                print("enough")
            except MemoryError:
                print("MemoryError")
        print(np.isfinite(trainer.step(X[:50], y[:50])), np.isfinite(wide.forward(X[:1])).all())
        """
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "MemoryError\nMemoryError\nTrue True\n"


def test_labels_that_change_during_evaluation() -> None:
    rng = np.random.default_rng(0)
    X, good = rng.random((4000, 32), dtype=np.float32), rng.integers(0, 10, 4000)
    y, net, done = good.copy(), em.MLP([32, 40, 10], seed=0), threading.Event()

    def change() -> None:
        while not done.is_set():
            y[:] = 10**9
            y[:] = good

    thread = threading.Thread(target=change)
    thread.start()
    refused = 0
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        for call in (net.evaluate, net.loss_and_gradient):
            try:
                call(X, y)
            except ValueError:
                refused += 1
    done.set()
    thread.join()
    assert refused > 0
    assert np.isfinite(net.loss(X, good))


def test_parameters_that_are_not_finite_are_not_saved(tmp_path) -> None:  # type: ignore[no-untyped-def]
    net = em.MLP([3, 2], seed=0)
    net.save(tmp_path / "net")
    with pytest.raises(em.DivergenceError):
        em.Trainer(net, em.SGD(3e38)).apply(np.full(8, 1e30))
    with pytest.raises(ValueError, match="expected finite"):
        net.save(tmp_path / "net")
    assert np.isfinite(em.MLP.load(tmp_path / "net").parameters).all()  # the old file is whole


@pytest.mark.parametrize(
    ("bits", "path", "value"),
    [
        ("MT19937", ("state", "pos"), 10**9),
        ("MT19937", ("state", "pos"), -1),
        ("MT19937", ("state", "key"), {"array": [1], "dtype": "uint32"}),
        ("Philox", ("buffer_pos",), 100),
        ("PCG64", ("has_uint32",), 5),
        ("PCG64", ("state", "inc"), 10**50),
    ],
)
def test_forged_generator_states(bits, path, value, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """NumPy takes some of these, and then reads outside its arrays."""
    generator = np.random.Generator(getattr(np.random, bits)(1))
    em.Trainer(em.MLP([3, 2], seed=0), em.SGD(0.1), 4, generator).save(tmp_path / "file")
    config, arrays, settings = model_file.read_model(tmp_path / "file")
    assert settings is not None
    inner = settings["generator"]
    for key in path[:-1]:
        inner = inner[key]
    assert path[-1] in inner
    inner[path[-1]] = value
    model_file.write_model(tmp_path / "file", config, arrays, settings)
    with pytest.raises(ValueError, match=r"expected a state|40 digits"):
        em.Trainer.load(tmp_path / "file")


def test_calls_leave_no_references_behind() -> None:
    X, z = np.zeros((1, 1), np.float32), np.zeros(8)
    offsets, chosen = np.array([0, 4, 8]), np.array([0, 5])
    net = em.MLP([1, 1], loss="squared_error")
    trainer = em.Trainer(net, em.SGD(0.1), batch_size=1)
    out = np.empty((1, 1), np.float32)

    def counts(calls: int) -> np.ndarray:
        for _ in range(calls):
            net.forward(X)
            net.forward(X, out=out)
            trainer.step(X, X)
            em.segment_softmax(z, offsets)
            em.segment_cross_entropy(z, offsets, chosen)
        return np.array([sys.getrefcount(kind) for kind in (np.ndarray, float, tuple)])

    before = counts(10)
    assert (counts(1000) - before < 100).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "squared_error"])
def test_new_parameters_leave_nothing_of_lost_ones(loss: str, dtype: str) -> None:
    """Nor in the padding of the core's panels, which sums over all weights see."""
    X, y = make_data([5, 3], loss, 40, dtype)
    fresh, lost = (make_net([5, 7, 3], loss=loss, dtype=dtype, activation="tanh") for _ in range(2))
    start = fresh.parameters
    trainer = em.Trainer(lost, em.SGD(1e-3, penalty=0.1), 10, seed=0)
    orders = np.empty((2, 0), np.int64)
    T = y if y.ndim == 1 else y.astype(dtype)
    trainer._trainer.run(X, T, None, 10, orders, np.array([float("inf")]), goes_on=True)
    assert np.isnan(lost.parameters).any()
    lost.parameters = start
    for optimizer in (em.SGD(0.1, penalty=0.1), em.SGD(0.1, clip_norm=0.5, max_norm=1.0)):
        histories = [net.fit(X, y, epochs=2, optimizer=optimizer, seed=0) for net in (fresh, lost)]
        assert histories[0].loss == histories[1].loss
        assert fresh.parameters.tobytes() == lost.parameters.tobytes()
    calls = [
        np.concatenate([net.per_sample_gradients(X, y).ravel(), net.taylor(X, y, start, 3)])
        for net in (fresh, lost)
    ]
    assert calls[0].tobytes() == calls[1].tobytes() and np.isfinite(calls[0]).all()
