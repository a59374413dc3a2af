"""Every variant of the core that this machine can run, each in a process of its own."""

import importlib.util
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import eigenmlp as em
from eigenmlp import _core, _cpu

Run = Callable[..., subprocess.CompletedProcess[str]]

BUILT = [x for x in _core._LEVELS if importlib.util.find_spec(f"eigenmlp._core_{x}")]
SUPPORTED = _cpu.supported_levels()
USABLE = [x for x in BUILT if x in SUPPORTED]

TRAIN_AND_COMPARE = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import numpy as np, eigenmlp as em
from conftest import *
from conftest import assert_within, make_data, make_net, both, rounding_bounds
for activation in ACTIVATIONS:
    for loss in LOSSES if activation == "tanh" else LOSSES[:1]:
        for dtype in DTYPES:
            sizes, rows = [37, 50, 17, 10], 29
            net = make_net(sizes, activation=activation, loss=loss, dtype=dtype)
            X, T = make_data(sizes, loss, rows, dtype)
            before = net.loss(X, T)
            net.fit(X, T, epochs=3, batch_size=8, optimizer=em.SGD(0.02, momentum=0.5))
            assert net.loss(X, T) < before
            net, twin = both(net)
            bounds = rounding_bounds(net, X, T)
            assert_within(net.forward(X), twin.forward(X), bounds.Y, activation)
            gradients = [x.loss_and_gradient(X, T)[1] for x in (net, twin)]
            assert_within(*gradients, bounds.gradient, activation + loss + dtype)
print(em.info()["isa"])
"""


def test_there_is_a_variant_and_the_best_is_used() -> None:
    assert em.info()["isa"] == os.environ.get("EIGENMLP_ISA", USABLE[0])
    assert em.info()["supported_isa"] == SUPPORTED
    assert em.info()["build_flags"] and em.info()["compiler"] and em.info()["eigen"]


@pytest.mark.parametrize("level", USABLE)
def test_variant(level: str, in_subprocess: Run) -> None:
    done = in_subprocess(TRAIN_AND_COMPARE, env={**os.environ, "EIGENMLP_ISA": level})
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [level]


def refused(run: Run, level: str, program: str = "import eigenmlp") -> str:
    """The last line of the error."""
    done = run(program, env={**os.environ, "EIGENMLP_ISA": level})
    assert done.returncode != 0 and not done.stdout
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: EIGENMLP_ISA=") and repr(level) in last
    return last


@pytest.mark.parametrize("level", ["v9", "avx2", "V3"])
def test_unknown(level: str, in_subprocess: Run) -> None:
    text = refused(in_subprocess, level)
    assert all(x in text for x in USABLE)


def hide(missing: list[str] | None = None, supported: list[str] | None = None) -> str:
    """A program that imports the package as if variants were missing, or the processor older."""
    return f"""
import importlib.util, sys, types
find_spec = importlib.util.find_spec
missing = {[f"eigenmlp._core_{x}" for x in missing or []]!r}
importlib.util.find_spec = lambda name, *rest: None if name in missing else find_spec(name, *rest)
supported = {supported!r}
if supported is not None:
    folder = find_spec("eigenmlp").submodule_search_locations[0]
    cpu = types.ModuleType("eigenmlp._cpu")
    cpu.version, cpu.supported_levels = "0", lambda: supported
    sys.modules["eigenmlp._cpu"] = cpu
import eigenmlp
print(eigenmlp.info()["isa"])
"""


def test_forced_but_not_built(in_subprocess: Run) -> None:
    level = USABLE[0]
    text = refused(in_subprocess, level, hide(missing=[level]))
    assert "not built" in text and str([x for x in BUILT if x != level]) in text


def test_forced_but_not_supported(in_subprocess: Run) -> None:
    text = refused(in_subprocess, USABLE[0], hide(supported=["v0"]))
    assert "processor" in text and "['v0']" in text


def test_none_is_usable(in_subprocess: Run) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "EIGENMLP_ISA"}
    done = in_subprocess(hide(supported=["v0"]), env=environment)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError") and str(BUILT) in last and "v0" in last


@pytest.mark.skipif(len(USABLE) < 2, reason="a single variant is installed")
def test_the_next_best_is_used(in_subprocess: Run) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "EIGENMLP_ISA"}
    done = in_subprocess(hide(supported=USABLE[1:]), env=environment)
    assert done.stdout.split() == [USABLE[1]], done.stderr
    done = in_subprocess(hide(missing=USABLE[:1]), env=environment)
    assert done.stdout.split() == [USABLE[1]], done.stderr
