"""Threads: the same bits for every number of them, and nothing that hangs."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import eigenmlp as em
from eigenmlp._backends.core import core
from eigenmlp.optimizers import OPTIMIZERS, Optimizer
from support.names import COMBINATIONS, DTYPES
from support.problems import make_data, make_net

SGD = em.SGD(0.01, momentum=0.9)
OFFERED = em.get_num_threads()  # before any test changes it
Run = Callable[..., subprocess.CompletedProcess[str]]

# (sizes, rows, batch) of steps that several threads share by columns, that they share by rows, and
# that are work for one thread, as threads_for_step and weights_outweigh in cpp/ have it.
BY_COLUMNS = [
    ([784, 128, 10], 200, 64),
    ([784, 512, 512, 10], 256, 128),
    ([300, 170, 133, 5], 120, 97),
    ([1500, 900, 3], 8, 4),  # fewer rows than threads
]
BY_ROWS = [
    ([784, 128, 10], 480, 128),  # the last batch alone would go by columns
    ([333, 207, 150, 7], 800, 350),
    ([784, 256, 10], 1500, 1500),  # several chunks of rows a thread
]
BY_BLOCKS = [  # of rows
    ([2, 3, 1], 12, 4),
    ([64, 50, 10], 300, 100),
    ([40, 100, 100, 10], 130, 50),
]
SHAPES = [*BY_COLUMNS, *BY_ROWS, *BY_BLOCKS]


@pytest.fixture(autouse=True)
def all_threads() -> Iterator[None]:
    """As many as are allowed, whatever was measured."""
    before = em.get_num_threads()
    core.force_threads(1024)
    yield
    core.force_threads(0)
    em.set_num_threads(before)


def bits(
    sizes: list[int],
    rows: int,
    batch: int,
    optimizer: Optimizer = SGD,
    accumulate: int = 1,
    **options: Any,
) -> list[bytes]:
    """All that every kind of call gives."""
    net = make_net(sizes, **options)
    X, T = make_data(sizes, net._loss, rows, str(net.dtype))
    weights = np.random.default_rng(1).uniform(0, 2, rows)
    trainer = em.Trainer(net, optimizer, batch, 3, accumulate=accumulate)
    history = trainer.run(X, T, epochs=2)
    dY = np.random.default_rng(2).normal(0, 1, (rows, sizes[-1]))
    results = [
        net.parameters,
        np.array(history.loss),
        np.array(history.accuracy),
        net.forward(X),
        net.forward(X[:1]),
        np.array(net.evaluate(X, T, weights).loss),
        *map(np.asarray, net.loss_and_gradient(X, T, sample_weight=weights)),
        *net.vjp(X, dY),
    ]
    assert all(np.isfinite(result).all() for result in results)
    return [result.tobytes() for result in results]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("sizes", "rows", "batch"), SHAPES, ids=str)
def test_same_bits(sizes: list[int], rows: int, batch: int, dtype: str) -> None:
    em.set_num_threads(1)
    expected = bits(sizes, rows, batch, dtype=dtype)
    for n in (2, 3, 5, 8, 16):
        em.set_num_threads(n)
        assert em.get_num_threads() == n
        assert bits(sizes, rows, batch, dtype=dtype) == expected, f"{n} threads"


def test_same_bits_of_a_large_network() -> None:
    sizes, rows = [1024, 2048, 2048, 1000], 1024
    X, y = make_data(sizes, "softmax_cross_entropy", rows, "float32")
    results = []
    for n in (1, 2, 3):
        em.set_num_threads(n)
        net = em.MLP(sizes, seed=0)
        trainer = em.Trainer(net, SGD, rows)
        losses = [trainer.step(X, y) for _ in range(2)]
        results.append((losses, net.parameters.tobytes(), net.forward(X).tobytes()))
    assert all(result == results[0] for result in results)


def test_same_bits_of_many_rows() -> None:
    sizes = [784, 128, 10]
    net = make_net(sizes, dtype="float32")
    X, _ = make_data(sizes, "softmax_cross_entropy", 10_000, "float32")
    outputs = []
    for n in (1, 2, 3, 5):
        em.set_num_threads(n)
        outputs.append(net.forward(X))
    one = np.vstack([net.forward(x[None]) for x in X[:300]])
    assert all((outputs[0] == Y).all() for Y in outputs)
    assert (one == outputs[0][:300]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_of_steps_of_any_size(dtype: str) -> None:
    """Memory that was made for one batch serves, or makes way for, the next one."""
    sizes, rows = [784, 300, 200, 10], [64, 65, 66, 1, 400, 401, 64, 7, 500]
    X, y = make_data(sizes, "softmax_cross_entropy", max(rows), dtype)
    results = []
    for n in (1, 2, 3, 5):
        trainer = em.Trainer(make_net(sizes, dtype=dtype), em.SGD(0.01, momentum=0.9), 64, 0)
        losses = []
        for count in rows:
            em.set_num_threads(n)
            losses.append(trainer.step(X[:count], y[:count]))
            em.set_num_threads(n % 5 + 1)
            losses.append(trainer.step(X[-count:], y[-count:]))
        results.append((losses, trainer.net.parameters.tobytes()))
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize(("activation", "loss", "output"), COMBINATIONS)
def test_same_bits_for_every_activation_and_loss(activation: str, loss: str, output: str) -> None:
    options = {"activation": activation, "loss": loss, "output_activation": output}
    for shape in ([200, 130, 7], 90, 45), ([300, 200, 7], 150, 150):  # by columns, by rows
        em.set_num_threads(1)
        expected = bits(*shape, **options)
        em.set_num_threads(3)
        assert bits(*shape, **options) == expected


@pytest.mark.parametrize("optimizer", [kind(0.01) for kind in OPTIMIZERS.values()], ids=str)
@pytest.mark.parametrize(
    "options",
    [
        {"dropout": 0.4},
        {"limits": {"clip_norm": 0.1, "l1": 1e-3, "max_norm": 1.0}},
        {"dropout": 0.2, "accumulate": 3, "limits": {"max_norm": 1.0}},
    ],
    ids=str,
)
def test_same_bits_for_every_optimizer(options: dict[str, Any], optimizer: Optimizer) -> None:
    options = dict(options)
    optimizer = replace(optimizer, **options.pop("limits", {}))
    for shape in ([200, 130, 70, 7], 90, 25), ([300, 200, 7], 400, 150):  # by columns, by rows
        em.set_num_threads(1)
        expected = bits(*shape, optimizer, **options)
        em.set_num_threads(3)
        assert bits(*shape, optimizer, **options) == expected


# ---- Python threads


def together(*functions: Callable[[], Any]) -> list[Any]:
    """Runs functions at once, each in a thread; their results, or the first error."""
    results: list[Any] = [None] * len(functions)
    errors: list[BaseException] = []

    def call(i: int) -> None:
        try:
            results[i] = functions[i]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=call, args=(i,), daemon=True) for i in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]
    return results


@pytest.fixture
def problem() -> tuple[Any, Any]:
    return make_data([100, 64, 10], "softmax_cross_entropy", 2000, "float32")


def test_two_threads_train_two_networks(problem: tuple[Any, Any]) -> None:
    X, y = problem

    def train() -> bytes:
        net = em.MLP([100, 64, 10], seed=0)
        net.fit(X, y, epochs=15)
        return net.parameters.tobytes()

    alone = train()
    assert together(train, train) == [alone, alone]


def test_predict_while_training(problem: tuple[Any, Any]) -> None:
    X, y = problem
    net = em.MLP([100, 64, 10], seed=0)
    alone = em.MLP([100, 64, 10], seed=0)
    over = threading.Event()
    looks: list[float] = []

    def train() -> None:
        try:
            for _ in range(100):  # until somebody could look, on a machine that is busy too
                alone.fit(X, y, epochs=60, seed=1)
                net.fit(X, y, epochs=60, seed=1)
                if len(set(looks)) > 1:
                    break
        finally:
            over.set()

    def look() -> None:
        while not over.is_set():
            assert np.isfinite(net.forward(X[:50])).all()
            assert np.isfinite(net.parameters).all()
            looks.append(net.evaluate(X[:50], y[:50]).loss)
            assert np.isfinite(net.loss_and_gradient(X[:9], y[:9])[1]).all()

    together(train, look, look)
    assert len(set(looks)) > 1, "nobody could look before the training was over"
    np.testing.assert_array_equal(net.parameters, alone.parameters)


def test_two_trainers_on_one_network(problem: tuple[Any, Any]) -> None:
    X, y = problem
    net = em.MLP([100, 64, 10], seed=0)
    before = net.evaluate(X, y).loss
    trainers = [em.Trainer(net, em.SGD(0.01, momentum=0.5), 64, seed=i) for i in range(2)]
    histories = together(*(lambda t=t: t.run(X, y, 20) for t in trainers))
    assert all(len(h.loss) == 20 and np.isfinite(h.loss).all() for h in histories)
    assert np.isfinite(net.parameters).all()
    assert net.evaluate(X, y).loss < before


def test_one_trainer_in_two_threads(problem: tuple[Any, Any]) -> None:
    X, y = problem
    trainer = em.Trainer(em.MLP([100, 64, 10], seed=0), em.SGD(0.01, momentum=0.5), 64)
    steps = [lambda: [trainer.step(X[:64], y[:64]) for _ in range(200)]] * 2
    assert np.isfinite(together(*steps)).all()


def test_the_gil_is_released(problem: tuple[Any, Any]) -> None:
    """While one call computes for long, another thread counts."""
    X, y = problem
    net = em.MLP([100, 300, 10], seed=0)
    em.set_num_threads(1)
    counts: list[float] = []
    over = threading.Event()

    def count() -> None:
        while not over.is_set():
            counts.append(time.perf_counter())
            time.sleep(0.001)

    counter = threading.Thread(target=count)
    counter.start()
    began = time.perf_counter()
    # One epoch is one native call, longer than Python's 5 ms between switches.
    net.fit(np.tile(X, (30, 1)), np.tile(y, 30), epochs=1, optimizer=em.SGD(0.01), shuffle=False)
    ended = time.perf_counter()
    over.set()
    counter.join()
    during = sum(began < t < ended for t in counts)
    assert during >= (ended - began) / 0.02, f"{during} in {ended - began:.3f} s"


# ---- limits


def test_set_num_threads_is_refused() -> None:
    for bad, error in [(0, ValueError), (-1, ValueError), (10**6, ValueError)]:
        with pytest.raises(error, match="expected"):
            em.set_num_threads(bad)
    for wrong in (True, 1.0, "2", None):
        with pytest.raises(TypeError, match="set_num_threads: expected an int, got"):
            em.set_num_threads(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wanted", [None, 1, 3, 5])
@pytest.mark.parametrize("limit", sorted({1, 2, 3, OFFERED}))
def test_threadpoolctl(limit: int, wanted: int | None) -> None:
    before = em.get_num_threads()
    if wanted is not None:
        em.set_num_threads(wanted)
        before = wanted
    with threadpool_limits(limit):
        assert em.get_num_threads() <= limit
    assert em.get_num_threads() == before


def test_threadpoolctl_limits_the_threads_of_a_call(in_subprocess: Run) -> None:
    """Counted by the system."""
    program = """
import os, numpy as np, eigenmlp as em
from threadpoolctl import threadpool_limits
from eigenmlp._backends.core import core
X, y = np.zeros((256, 784), np.float32), np.zeros(256, int)
em.set_num_threads(4)
core.force_threads(4)
net = em.MLP([784, 512, 10], seed=0)
count = lambda: len(os.listdir("/proc/self/task"))
start = count()
with threadpool_limits(1):
    net.fit(X, y, epochs=1)
print(count() - start)
net.fit(X, y, epochs=1)
print(count() - start)
"""
    if not os.path.isdir("/proc/self/task"):
        pytest.skip("needs /proc")
    done = in_subprocess(program)
    assert done.stdout.split() == ["0", "3"], done.stderr


@pytest.mark.parametrize("n", ["1", "3"])
def test_environment(n: str, in_subprocess: Run) -> None:
    program = "import eigenmlp as em; print(em.get_num_threads(), em.info()['threads'])"
    done = in_subprocess(program, env={**os.environ, "EIGENMLP_NUM_THREADS": n})
    assert done.stdout.split() == [n, n], done.stderr


@pytest.mark.parametrize("bad", ["0", "-2", "two", "1.5", "1000000"])
def test_bad_environment(bad: str, in_subprocess: Run) -> None:
    done = in_subprocess("import eigenmlp", env={**os.environ, "EIGENMLP_NUM_THREADS": bad})
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ValueError: EIGENMLP_NUM_THREADS: expected") and bad in last


# ---- threads that cannot start

AFTER_A_LIMIT = """
import os, resource, sys, numpy as np, eigenmlp as em
from eigenmlp._backends.core import core
extra, user = int(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(0)
X, y = rng.normal(size=(1024, 784)).astype(np.float32), rng.integers(0, 10, 1024)
z, offsets = np.linspace(0, 1, 300_000), np.arange(0, 300_001, 3)
def train():
    net = em.MLP([784, 512, 10], seed=0)
    net.fit(X, y, epochs=1, batch_size=512)
    p = em.segment_softmax(z, offsets)
    return net.parameters.tobytes() + net.forward(X).tobytes() + p.tobytes()
em.set_num_threads(1)
expected = train()
if user:
    os.setgroups([]); os.setresgid(user, user, user); os.setresuid(user, user, user)
count = lambda: len(os.listdir("/proc/self/task"))
before = count()
limit = before + extra if user else 1
resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))
em.set_num_threads(4)
core.force_threads(4)
same = [train() == expected for _ in range(3)]
print(*same, count() - before, em.get_num_threads())
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs Linux's /proc")
@pytest.mark.parametrize("extra", [0, 1, 2, 9])
def test_fewer_threads_where_no_more_can_start(extra: int, in_subprocess: Run) -> None:
    """OpenMP would end the process."""
    user = 61_000 + extra if os.getuid() == 0 else 0  # a user with no other process
    if extra and not user:
        pytest.skip("only root can become a user with no other process, to have room for some")
    done = in_subprocess(AFTER_A_LIMIT, str(extra), str(user))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True"] * 3 + [str(min(extra, 3)), "4"]


# ---- forks


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_after_fit(in_subprocess: Run) -> None:
    """The child trains, to the parent's bits, instead of waiting for threads it does not have."""
    program = """
import os, sys, warnings, numpy as np, eigenmlp as em
warnings.simplefilter("ignore", DeprecationWarning)  # "use of fork() may lead to deadlocks"
rng = np.random.default_rng(0)
X, y = rng.normal(size=(256, 784)).astype(np.float32), rng.integers(0, 10, 256)
em.set_num_threads(3)
def train():
    net = em.MLP([784, 512, 10], seed=0)
    net.fit(X, y, epochs=2)
    return net, net.parameters.tobytes()
net, first = train()
read, write = os.pipe()
child = os.fork()
if child == 0:
    again = train()[1] == first
    same = net.parameters.tobytes() == first and np.isfinite(net.forward(X)).all()
    os.write(write, b"%d%d" % (again, same))
    os._exit(0)
os.close(write)
print(os.read(read, 9).decode(), os.waitpid(child, 0)[1], int(train()[1] == first))
"""
    done = in_subprocess(program, timeout=60)
    assert done.stdout.split() == ["11", "0", "1"], done.stderr


# ---- Ctrl-C

FIT_UNTIL_CTRL_C = """
import os, signal, sys, threading, time, numpy as np, eigenmlp as em
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
backend, callbacks = sys.argv[1], sys.argv[2] == "callbacks"
rng = np.random.default_rng(0)
X, y = rng.normal(size=(2000, 100)).astype(np.float32), rng.integers(0, 10, 2000)
net = em.MLP([100, 64, 10], seed=0, backend=backend)
start = net.parameters
began = []
def press():
    time.sleep(0.5)
    began.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=press).start()
try:
    net.fit(X, y, epochs=10**6, optimizer=em.SGD(0.001),
            callbacks=[lambda epoch, history, net: None] if callbacks else [])
except KeyboardInterrupt:
    print(time.perf_counter() - began[0])
assert (net.parameters != start).any() and np.isfinite(net.parameters).all()
assert np.isfinite(net.forward(X)).all()
assert len(net.fit(X, y, epochs=2, optimizer=em.SGD(0.001)).loss) == 2
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
print("usable")
"""


@pytest.mark.parametrize("callbacks", ["callbacks", "plain"])
@pytest.mark.parametrize("backend", ["native", "numpy"])
def test_ctrl_c(backend: str, callbacks: str, in_subprocess: Run) -> None:
    """Within 100 ms, and as much again for a machine whose processors do other work meanwhile."""
    done = in_subprocess(FIT_UNTIL_CTRL_C, backend, callbacks)
    assert done.returncode == 0, done.stderr
    seconds, usable = done.stdout.split()
    assert usable == "usable" and float(seconds) < 0.2


CALL_UNTIL_CTRL_C = """
import os, signal, sys, threading, time, numpy as np, eigenmlp as em
signal.signal(signal.SIGINT, signal.default_int_handler)
backend, call, pressed = sys.argv[1], sys.argv[2], []
rng = np.random.default_rng(0)
# More than a second of work for two threads; but per_sample_gradients writes 400 MB.
small = call == "per_sample_gradients"
N, sizes, dtype = (10_000, [100, 100, 1], "float32") if small else (
    100_000, [50, 1000, 1000, 1], "float64")
if call in ("hessian", "taylor"):
    N, sizes = 200_000, [50, 20, 1]
activation = "tanh" if call == "taylor" else "relu"
net = em.MLP(sizes, activation, loss="squared_error", seed=0, dtype=dtype, backend=backend)
em.set_num_threads(2)
X, y = rng.normal(size=(N, sizes[0])).astype(dtype), rng.normal(size=(N, 1)).astype(dtype)
P, X10, y10 = np.ones(net.parameter_count), X[:10], y[:10]
start = net.parameters
functions = {
    "forward": lambda X, y: net.forward(X),
    "forward out": lambda X, y: net.forward(X, out=np.empty_like(y)),
    "predict": lambda X, y: net.predict(X),
    "evaluate": lambda X, y: net.evaluate(X, y),
    "loss": lambda X, y: net.loss(X, y),
    "loss_and_gradient": lambda X, y: net.loss_and_gradient(X, y),
    "vjp": lambda X, y: net.vjp(X, y),
    "jvp": lambda X, y: net.jvp(X, d_parameters=P),
    "input_gradient": lambda X, y: net.input_gradient(X, y),
    "per_sample_gradients": lambda X, y: net.per_sample_gradients(X, y),
    "hessian_vector_product": lambda X, y: net.hessian_vector_product(X, y, P),
    "hessian": lambda X, y: net.hessian(X, y),
    "taylor": lambda X, y: net.taylor(X, y, P, 8),
    "taylor_outputs": lambda X, y: net.taylor_outputs(X, 2, input_direction=X),
}
if call == "taylor_outputs":
    net = em.MLP(sizes, "tanh", loss="squared_error", seed=0, dtype=dtype, backend=backend)
    start = net.parameters
if call == "taylor":
    X, y = np.tile(X, (4, 1)), np.tile(y, (4, 1))
function = functions[call]
expected = function(X10, y10)
def press():
    time.sleep(0.02 if small else 0.3)
    pressed.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)
def as_bytes(value):
    return [np.asarray(part).tobytes() for part in (value if type(value) is tuple else (value,))]
threading.Thread(target=press).start()
try:
    function(X, y)
    time.sleep(10)  # on a machine that was faster
except KeyboardInterrupt:
    print(time.perf_counter() - pressed[0])
assert (net.parameters == start).all()
if not call == "evaluate":
    assert as_bytes(function(X10, y10)) == as_bytes(expected)
net.parameters = start * 2  # nobody holds its lock
print("usable")
"""

CALLS = (
    "forward", "forward out", "predict", "evaluate", "loss", "loss_and_gradient", "vjp", "jvp",
    "input_gradient", "per_sample_gradients", "hessian_vector_product", "hessian", "taylor",
    "taylor_outputs",
)  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("backend", ["native", "numpy"])
def test_ctrl_c_ends_a_call(backend: str, call: str, in_subprocess: Run) -> None:
    """As soon as above, in one of three times: these are short, and other tests may run beside."""
    for _ in range(3):
        done = in_subprocess(CALL_UNTIL_CTRL_C, backend, call)
        assert done.returncode == 0, done.stderr
        seconds, usable = done.stdout.split()
        assert usable == "usable"
        if float(seconds) < 0.2:
            break
    assert float(seconds) < 0.2


def test_a_handler_of_ctrl_c_that_returns_and_uses_the_network(in_subprocess: Run) -> None:
    """The call goes on to its end, with the right values; in a thread it is left alone."""
    program = """
import os, signal, threading, time, numpy as np, eigenmlp as em
net = em.MLP([50, 1000, 1000, 1], loss="squared_error", dtype="float64", seed=0)
X = np.random.default_rng(0).normal(size=(30_000, 50))
expected, seen = net.forward(X), []
def handler(number, frame):
    net.parameters = net.parameters  # takes the lock that `forward` held
    seen.append((number, frame.f_code.co_name, time.perf_counter() - pressed))
signal.signal(signal.SIGINT, handler)
def press():
    global pressed
    time.sleep(0.05)
    pressed = time.perf_counter()
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=press).start()
def call():
    return net.forward(X)
assert (call() == expected).all()
while not seen:
    time.sleep(0.01)
(number, name, seconds), = seen
assert number == signal.SIGINT and seconds < 0.2, seen

def in_thread():
    seen.append((call() == expected).all())
thread = threading.Thread(target=in_thread)
thread.start()
threading.Thread(target=press).start()
thread.join()
while len(seen) < 3:
    time.sleep(0.01)
assert True in seen
print("done")
"""
    done = in_subprocess(program)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_ctrl_c_kills_a_program_that_does_not_catch_it(in_subprocess: Run) -> None:
    program = FIT_UNTIL_CTRL_C.replace("except KeyboardInterrupt", "except ZeroDivisionError")
    done = in_subprocess(program, "native", "plain")
    assert done.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in done.stderr and "usable" not in done.stdout


def test_another_handlers_error_reaches_the_user(in_subprocess: Run) -> None:
    program = """
import signal, numpy as np, eigenmlp as em
class Alarm(Exception): pass
def ring(number, frame): raise Alarm("time is up")
signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 0.3)
X, y = np.zeros((2000, 100), np.float32), np.zeros(2000, int)
net = em.MLP([100, 64, 10], seed=0)
try:
    net.fit(X, y, epochs=10**6)
except Alarm as alarm:
    print(alarm, np.isfinite(net.forward(X)).all())
"""
    done = in_subprocess(program)
    assert done.stdout.split() == ["time", "is", "up", "True"], done.stderr
