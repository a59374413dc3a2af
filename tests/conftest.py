"""Fixtures of every folder; what else tests share is imported from the package `support`.

Folders are named after rooms of the library, but never as a package that one can install: this
folder is on the path, where a folder `sklearn` would make it seem that scikit-learn is installed.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy.typing as npt
import pytest

import eigenmlp as em
from eigenmlp._core.loading import core

pytest.register_assert_rewrite("support")

# A shell that starts the tests in the background has them ignore Ctrl-C, which many are about.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def in_subprocess() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a program in a fresh interpreter, with warnings as errors."""

    def run(program: str, *args: str, timeout: float = 60, **options: Any) -> Any:
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", program, *args],
            capture_output=True,
            text=True,
            timeout=timeout,
            **options,
        )

    return run


@pytest.fixture(scope="module")
def digits() -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """500 of scikit-learn's digits in [0, 1], and their labels."""
    X, y = pytest.importorskip("sklearn.datasets").load_digits(return_X_y=True)
    return X[:500] / 16, y[:500]


@pytest.fixture
def all_threads(threads_as_before: None) -> Iterator[None]:
    """As many threads as are allowed, whatever was measured."""
    core.force_threads(1024)
    yield
    core.force_threads(0)


@pytest.fixture
def threads_as_before() -> Iterator[None]:
    """Whatever a test sets, the number of threads is what it was."""
    before = em.get_num_threads()
    yield
    em.set_num_threads(before)
