"""Nothing is read behind a user's last number, where a page that nobody may read could begin."""

import signal
import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.quick

# Arrays whose last row in memory ends with a page: their first one, if rows stand the other way
# round. Further apart or not than rows are long.
GUARDED = """
import ctypes, mmap
import numpy as np

libc = ctypes.CDLL(None, use_errno=True)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def guarded(numbers, apart=0, turned=False):
    rows, columns = numbers.shape
    size = numbers.itemsize
    row = (columns + apart) * size
    used = (rows - 1) * row + columns * size
    pages = -(-used // mmap.PAGESIZE)
    memory = mmap.mmap(-1, (pages + 1) * mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert libc.mprotect(start + pages * mmap.PAGESIZE, mmap.PAGESIZE, 0) == 0  # PROT_NONE
    offset = pages * mmap.PAGESIZE - used
    array = np.ndarray(numbers.shape, numbers.dtype, memory, offset, (row, size))
    array = array[::-1] if turned else array
    array[...] = numbers
    return array
"""

CALLS = """
import sys
import eigenmlp as em

dtype = sys.argv[1]
for D in [*range(1, 36), 47, 48, 49, 65, 100]:
    for K in (1, 4, 18):
        net = em.MLP([D, K], loss="squared_error", dtype=dtype, seed=D)
        for rows in (1, 9, 16, 40):  # 16 and more are read where they are, with their last columns
            numbers = np.random.default_rng(rows).normal(size=(rows, D + K)).astype(dtype)
            X, T = numbers[:, :D].copy(), numbers[:, D:].copy()
            Y, gradient = net.forward(X), net.loss_and_gradient(X, T)[1]
            for apart, turned in ((0, False), (3, False), (0, True), (3, True))[:rows // 8 + 1]:
                at_end, targets = (guarded(x, apart, turned) for x in (X, T))
                assert np.array_equal(net.forward(at_end), Y)
                assert np.array_equal(net.loss_and_gradient(at_end, targets)[1], gradient)
"""


def run(program: str, *arguments: str) -> Any:
    command = [sys.executable, "-c", GUARDED + program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_that_end_with_their_page(dtype: str) -> None:
    done = run(CALLS, dtype)
    assert done.returncode == 0, done.stderr


def test_who_reads_on_is_ended() -> None:
    done = run("ctypes.string_at(guarded(np.ones((3, 5))).ctypes.data, 3 * 5 * 8 + 1)")
    assert done.returncode in (-signal.SIGSEGV, -signal.SIGBUS)
