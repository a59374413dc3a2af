"""How many threads there are: limits, threads that cannot start, forks."""

import os
import subprocess
from collections.abc import Callable

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import eigenmlp as em

pytestmark = pytest.mark.usefixtures("threads_as_before")

OFFERED = em.get_num_threads()  # before any test changes it
Run = Callable[..., subprocess.CompletedProcess[str]]


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
from eigenmlp._core.loading import core
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


def test_info_says_why_one_goes_alone() -> None:
    em.set_num_threads(1)
    em.MLP([784, 512, 10], seed=0).forward(np.zeros((2000, 784), np.float32))
    info = em.info()
    assert (info["threads"], info["threads_used"]) == (1, 1)
    assert info["threads_why"] == "no more are allowed or free"


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
from eigenmlp._core.loading import core
extra, user = int(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(0)
X, y = rng.normal(size=(1024, 784)).astype(np.float32), rng.integers(0, 10, 1024)
offsets = np.arange(0, 3_000_001, 3)
def train():
    net = em.MLP([784, 512, 10], seed=0)
    net.fit(X, y, epochs=2)
    p = em.segment_softmax(np.linspace(0, 1, 3_000_000), offsets)
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
