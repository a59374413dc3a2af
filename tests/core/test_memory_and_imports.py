"""Images are trained on where they lie; an import brings only what it needs."""

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

import eigenmlp as em

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_images_are_never_copied_as_floats() -> None:
    """20,000 × 784 bytes are 15 MiB; as float32 they would be 60 MiB."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20_000, 784), dtype=np.uint8)
    y = rng.integers(0, 10, 20_000)
    net = em.MLP([784, 8, 10], input_scale=1 / 255, seed=0)
    tracemalloc.start()
    net.fit(images, y, 1, 256, em.SGD(0.01), validation=(images, y))
    net.evaluate(images, y)
    net.forward(images)
    net.loss_and_gradient(images, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux")
def test_images_take_no_memory_in_the_core_either(in_subprocess: Run) -> None:
    """tracemalloc sees what NumPy allocates; the system sees the core's memory too."""
    program = """
import resource, numpy as np, eigenmlp as em
images, y = np.ones((40_000, 784), np.uint8), np.zeros(40_000, int)
net = em.MLP([784, 8, 10], input_scale=1 / 255, seed=0)
net.fit(images[:256], y[:256], epochs=1)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
net.fit(images, y, epochs=1, batch_size=256, validation=(images, y))
net.evaluate(images, y), net.forward(images), net.loss_and_gradient(images, y)
print((peak() - before) / 1024)
"""
    done = in_subprocess(program)
    assert float(done.stdout) < 30, done.stderr  # MiB; as float32 the images would be 120


def test_parameters_are_read_beside_another_cxx_library(in_subprocess: Run) -> None:
    """SciPy loads the system's C++ library; the locales of ours fail from then on."""
    pytest.importorskip("scipy")
    program = """
import scipy.optimize, eigenmlp as em
print(em.MLP([1, 2, 1], activation="leaky_relu(negative_slope=0.125)", loss="squared_error"))
"""
    done = in_subprocess(program)
    assert "negative_slope=0.125" in done.stdout, done.stderr


def test_import_brings_none_of_the_extras(in_subprocess: Run) -> None:
    program = """
import sys, eigenmlp
extras = {"sklearn", "scipy", "onnx", "matplotlib", "sympy", "torch", "pandas", "IPython",
          "pytest", "hypothesis", "threadpoolctl", "nox"}
print(*sorted(extras & {name.partition(".")[0] for name in sys.modules}), "-",
      *sorted(n for n in sys.modules if n.startswith("eigenmlp.reference") or n == "tqdm"))
"""
    done = in_subprocess(program, env={**os.environ, "PYTHONWARNINGS": "error"})
    assert done.stdout.strip() == "-", done.stdout + done.stderr


def test_names_are_imported_at_first_use(in_subprocess: Run) -> None:
    program = """
import sys, eigenmlp as em
ours = [name for name in sys.modules if name.startswith("eigenmlp.")]
print(*(name for name in ours if not name.partition("_bindings")[2].count(".")))
listed = dir(em)
print([name for name in em.__all__ if name not in listed or getattr(em, name) is None])
print(callable(em.info), em.optimizers.SGD is em.SGD, hasattr(em, "Sgd"))
"""
    done = in_subprocess(program)
    modules, missing, answers = done.stdout.splitlines()
    assert set(modules.split()) == {
        *(f"eigenmlp.{name}" for name in ("_basics", "_core", "errors", "info", "threads")),
        "eigenmlp._basics.control_groups",
        *(f"eigenmlp._core.{name}" for name in ("_bindings", "_cpu", "loading")),
    }
    assert missing == "[]"
    assert answers == "True True False"
