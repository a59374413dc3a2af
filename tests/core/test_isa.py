"""Every variant of the core that this machine can run, each in a process of its own."""

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import eigenmlp as em
from eigenmlp._core import _cpu, loading
from support.paths import ROOT

Run = Callable[..., subprocess.CompletedProcess[str]]

OBJECTS = loading._OBJECTS
BUILT = [x for x in OBJECTS if Path(loading._path_of(x)).exists()]
SUPPORTED = _cpu.supported_levels()
USABLE = [x for x in SUPPORTED if x in BUILT]

TRAIN_AND_COMPARE = f"""
import sys
sys.path.insert(0, {str(ROOT / "tests")!r})
import numpy as np, eigenmlp as em
from support.bounds import assert_within, rounding_bounds
from support.names import ACTIVATIONS, DTYPES, LOSSES
from support.problems import make_data, make_net, both
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

TRAIN_ROUNDED = """
import warnings
import numpy as np, eigenmlp as em
warnings.simplefilter("ignore")  # of v4 and below
X = np.linspace(-1, 1, 640, dtype=np.float32).reshape(64, 10)
net = em.MLP([10, 32, 3], compute_dtype="bfloat16", seed=0)
net.fit(X, np.arange(64) % 3, epochs=2)
print(em.info()["isa"], *em.info()["supported_isa"])
"""


@pytest.mark.quick
def test_there_is_a_variant_and_the_best_is_used() -> None:
    assert em.info()["isa"] == os.environ.get("EIGENMLP_ISA", USABLE[0])
    assert em.info()["supported_isa"] == SUPPORTED
    assert em.info()["build_flags"] and em.info()["compiler"] and em.info()["eigen"]


@pytest.mark.parametrize("level", USABLE)
def test_variant(level: str, in_subprocess: Run) -> None:
    done = in_subprocess(TRAIN_AND_COMPARE, env={**os.environ, "EIGENMLP_ISA": level})
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [level]


@pytest.mark.parametrize("level", [x for x in USABLE if x != em.info()["isa"]])
def test_rounded_operands_of_the_other_variants(level: str, in_subprocess: Run) -> None:
    tests = Path(__file__).parent / "test_bfloat16.py"
    program = f"""
import sys, eigenmlp, pytest
assert eigenmlp.info()["isa"] == {level!r}
sys.exit(pytest.main(["-q", "-x", "-p", "no:xdist", {str(tests)!r}]))
"""
    environment = {**os.environ, "EIGENMLP_ISA": level}
    done = in_subprocess(program, timeout=600, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


# By vendor and what the processor and the system have, in the order of `_cpu.levels_of`.
CHOICES = {
    "AMD, Zen 5": ("AuthenticAMD", "v2 v3 v4 bf16", "bf16 v4 v3 v2"),
    "Hygon": ("HygonGenuine", "v2 v3 v4 bf16", "bf16 v4 v3 v2"),
    "AMD, Zen 3": ("AuthenticAMD", "v2 v3", "v3 v2"),
    "Intel with AMX": ("GenuineIntel", "v2 v3 v4 bf16 amx", "amx v4 bf16 v3 v2"),
    "Intel that hides or refuses AMX": ("GenuineIntel", "v2 v3 v4 bf16", "v4 bf16 v3 v2"),
    "Intel without bfloat16": ("GenuineIntel", "v2 v3 v4", "v4 v3 v2"),
    "an unknown one": ("Somebody Else", "v2 v3 v4 bf16", "v4 bf16 v3 v2"),
    "an old one": ("GenuineIntel", "", ""),
}


@pytest.mark.quick
@pytest.mark.parametrize("machine", CHOICES)
def test_order_of_the_levels(machine: str) -> None:
    vendor, has, expected = CHOICES[machine]
    flags = [level in has.split() for level in ("v2", "v3", "v4", "bf16", "amx")]
    assert _cpu.levels_of(vendor, *flags) == expected.split()


@pytest.mark.quick
def test_levels_are_those_of_the_kernels_list_of_flags() -> None:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        pytest.skip("needs Linux's /proc/cpuinfo")
    if _cpu.architecture == "aarch64":
        features = re.search(r"^Features\s*: (.*)$", text, re.MULTILINE)[1].split()
        expected = ["bf16", "baseline"] if "bf16" in features else ["baseline"]
        assert expected == SUPPORTED
        return
    if _cpu.architecture != "x86-64":
        assert SUPPORTED == ["baseline"]
        return
    fields = dict(re.findall(r"^(\w+)\s*: (.*)$", text.partition("\n\n")[0], re.MULTILINE))
    flags = set(fields["flags"].split())
    v2 = flags >= {"cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"}
    v3 = v2 and flags >= {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"}
    v4 = v3 and flags >= {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
    bf16 = v4 and "avx512_bf16" in flags
    amx = bf16 and flags >= {"amx_bf16", "amx_tile"}
    expected = _cpu.levels_of(fields["vendor_id"], v2, v3, v4, bf16, amx)
    assert [x for x in expected if x != "amx" or x in SUPPORTED] == SUPPORTED


@pytest.mark.skipif(
    not (sys.platform == "linux" and platform.libc_ver()[0] == "glibc"), reason="needs glibc"
)
@pytest.mark.parametrize("binary", ["_bindings", "_cpu", "_text", *BUILT])
def test_binaries_run_on_glibc_2_28(binary: str) -> None:
    """They name the versions of the functions that they take from it."""
    if platform.machine() != "x86_64" or "lang" in em.info()["compiler"]:
        pytest.skip("the old versions are asked for on x86-64 with GCC only")
    is_module = binary.startswith("_")
    found = importlib.util.find_spec(f"eigenmlp._core.{binary}") if is_module else None
    content = Path(found.origin if found else loading._path_of(binary)).read_bytes()
    versions = {tuple(map(int, x.split(b"."))) for x in re.findall(rb"GLIBC_([0-9.]+)", content)}
    assert versions and max(versions) <= (2, 28)


def test_a_variant_that_does_not_load(tmp_path: Path) -> None:
    """What is no such object, or not of this version, or another beside the one that is loaded."""
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"no object")
    with pytest.raises(ImportError, match=r"variant of the core does not load.*broken\.so"):
        loading.core.load(str(broken), "v3")
    with pytest.raises(ImportError, match=r"does not load: .*eigenmlp_variant"):
        loading.core.load(_cpu.__file__, "v3")
    loading.core.load(loading._path_of(loading.level), loading.level)  # the same again
    for other in set(USABLE) - {loading.level}:  # of the same object too
        with pytest.raises(ImportError, match=f"expected one variant.*{other} beside"):
            loading.core.load(loading._path_of(other), other)
    assert em.info()["isa"] == loading.level


def test_a_variant_exports_one_function_and_knows_no_python() -> None:
    """Else two of them, or two C++ libraries, would meet in one process."""
    if not sys.platform.startswith("linux") or shutil.which("nm") is None:
        pytest.skip("needs Linux and nm")
    for level in BUILT:
        command = ["nm", "--dynamic", loading._path_of(level)]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        symbols = [line.split()[-2:] for line in lines.splitlines()]
        assert [name for kind, name in symbols if kind not in "UwA"] == ["eigenmlp_variant"]
        taken = {name.partition("@")[0] for kind, name in symbols if kind == "U"}
        assert not any(name.startswith(("Py", "_Py", "_Z")) for name in taken)


def test_errors_of_a_variant_are_pythons() -> None:
    """What it throws crosses as a code and a text, from several threads too."""
    core = loading.core
    with pytest.raises(ValueError, match="unknown activation 'rélu'; known: identity, relu"):
        core.Network32([2, 1], ["rélu"], "squared_error", True, 1.0)
    with pytest.raises(ValueError, match="sizes must be positive"):
        core.Network64([2, 0], ["relu"], "squared_error", True, 1.0)
    with pytest.raises(ValueError, match="at least 2 sizes"):
        core.Network64([2], [], "squared_error", True, 1.0)
    with pytest.raises(MemoryError):
        core.Network32([2**30, 2**28], ["relu"], "squared_error", True, 1.0)
    net = core.Network64([2, 1], ["relu"], "squared_error", True, 1.0)
    with pytest.raises(IndexError, match="expected a number for momentum"):
        core.Trainer64(net, "sgd", {})
    with pytest.raises(ValueError, match="unknown optimizer"):
        core.Trainer64(net, "newton", {})

    def message(i: int) -> str:
        with pytest.raises(ValueError, match="unknown loss") as caught:
            core.Network64([2, 1], ["relu"], f"loss_{i}", True, 1.0)
        return str(caught.value)

    with ThreadPoolExecutor(4) as pool:
        messages = list(pool.map(message, range(200)))
    assert all(f"'loss_{i}'" in text for i, text in enumerate(messages))


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


def hide(
    missing: list[str] | None = None,
    supported: list[str] | None = None,
    architecture: str | None = None,
) -> str:
    """A program that imports the package as if variants were missing, or on another processor."""
    return f"""
import importlib.util, os, sys, types
exists = os.path.exists
missing = {[loading._path_of(x) for x in missing or []]!r}
os.path.exists = lambda path: path not in missing and exists(path)
supported, architecture = {supported!r}, {architecture!r}
if supported is not None:
    cpu = types.ModuleType("eigenmlp._core._cpu")
    cpu.version, cpu.supported_levels = "0", lambda: supported
    cpu.architecture = architecture or {_cpu.architecture!r}
    sys.modules["eigenmlp._core._cpu"] = cpu
import eigenmlp
print(eigenmlp.info()["isa"])
"""


def test_forced_but_not_built(in_subprocess: Run) -> None:
    level = USABLE[0]
    text = refused(in_subprocess, level, hide(missing=[level]))
    assert "not built" in text
    assert str([x for x in BUILT if OBJECTS[x] != OBJECTS[level]]) in text


def test_forced_but_not_supported(in_subprocess: Run) -> None:
    text = refused(in_subprocess, USABLE[0], hide(supported=["v0"]))
    assert "processor" in text and "['v0']" in text


def test_of_another_architecture(in_subprocess: Run) -> None:
    level = next(x for x in ("baseline", "v3") if x not in OBJECTS)
    text = refused(in_subprocess, level)
    assert f"this processor is of {_cpu.architecture};" in text and "unset EIGENMLP_ISA" in text
    assert all(x in text for x in USABLE)


def test_a_processor_of_another_architecture(in_subprocess: Run) -> None:
    """The names are those of the architecture, and no variant of another's is loaded."""
    other = {"aarch64": "x86-64"}.get(_cpu.architecture, "aarch64")
    environment = {k: v for k, v in os.environ.items() if k != "EIGENMLP_ISA"}
    supported = list(loading._OBJECTS_OF[other])
    done = in_subprocess(hide(supported=supported, architecture=other), env=environment)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: eigenmlp was built for []") and str(supported) in last


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
    others = [x for x in USABLE if OBJECTS[x] != OBJECTS[USABLE[0]]]
    if others:
        done = in_subprocess(hide(missing=USABLE[:1]), env=environment)
        assert done.stdout.split() == others[:1], done.stderr


@pytest.mark.quick
@pytest.mark.parametrize("module", ["_cpu", "_bindings"])
def test_modules_that_are_not_there(module: str, in_subprocess: Run) -> None:
    """As in the sources' own folder, or for another Python; what is left of one is stubs."""
    program = f"""
import sys, types
name = "eigenmlp._core.{module}"
class Missing:
    def find_spec(full, *_):
        if full == name: raise ModuleNotFoundError(name, name=name)
if {module == "_cpu"}: sys.meta_path.insert(0, Missing)
else: sys.modules[name] = types.ModuleType(name)
import eigenmlp
"""
    done = in_subprocess(program)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: eigenmlp: expected modules compiled for ")
    assert sys.implementation.cache_tag in last and "pip install" in last and len(last) < 400


def test_a_module_that_cannot_be_loaded_says_why(in_subprocess: Run) -> None:
    """For instance without libgomp, by whatever name Python gives the module in its error."""
    for name in ("_bindings", "eigenmlp._core._bindings"):
        program = f"""
import sys
class Broken:
    def find_spec(full, *_):
        if full == "eigenmlp._core._bindings":
            raise ImportError("no libgomp.so.1", name={name!r}, path="/somewhere/_bindings.so")
sys.meta_path.insert(0, Broken)
import eigenmlp
"""
        last = in_subprocess(program).stderr.strip().splitlines()[-1]
        assert last == "ImportError: no libgomp.so.1"


SUBINTERPRETER = """
import sys
if sys.version_info >= (3, 13):
    import _interpreters as interpreters
else:
    import _xxsubinterpreters as interpreters
program = "import eigenmlp"
try:
    failure = getattr(interpreters, "exec", interpreters.run_string)(interpreters.create(), program)
except Exception as error:
    failure = error
print(getattr(failure, "formatted", failure))
import eigenmlp
print(eigenmlp.info()["isa"])
"""


@pytest.mark.quick
@pytest.mark.skipif(sys.implementation.name != "cpython", reason="CPython's own module")
def test_a_subinterpreter_is_refused(in_subprocess: Run) -> None:
    """By an error, where pybind11 would wait for ever for a lock that its thread has."""
    done = in_subprocess(SUBINTERPRETER)
    said, level = done.stdout.strip().rsplit("\n", 1)
    assert "ImportError" in said and level == em.info()["isa"], done.stderr
    if sys.version_info < (3, 12):
        assert "expected the process's main interpreter" in said


NO_PERMISSION = """
import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True)
ALLOW, FAIL = 0x7FFF0000, 0x00050000 | 1  # EPERM
ARCH_PRCTL, ASKS = 158, 0x1023
rules = [(0x20, 0, 0, 0), (0x15, 0, 3, ARCH_PRCTL), (0x20, 0, 0, 16), (0x15, 0, 1, ASKS),
         (0x06, 0, 0, FAIL), (0x06, 0, 0, ALLOW)]
program = b"".join(struct.pack("HBBI", *rule) for rule in rules)
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("rules", ctypes.c_char_p)]
argument = Program(len(rules), program)
assert libc.prctl(38, 1, 0, 0, 0) == 0  # no new privileges: asked for before a filter
if libc.prctl(22, 2, ctypes.byref(argument), 0, 0):
    print("no filter"); raise SystemExit
"""


def test_amx_is_not_used_where_the_system_refuses_it(in_subprocess: Run) -> None:
    """Linux's own answer, with a filter of system calls in its place."""
    if "amx" not in USABLE:
        pytest.skip("this machine, or this installation, has no AMX")
    environment = {k: v for k, v in os.environ.items() if k != "EIGENMLP_ISA"}
    program = NO_PERMISSION + TRAIN_ROUNDED
    done = in_subprocess(program, env=environment)
    if done.stdout.startswith("no filter"):
        pytest.skip("this system takes no filter of system calls")
    assert done.returncode == 0, done.stderr
    level, *supported = done.stdout.split()
    assert level == next(x for x in USABLE if x in supported) and "amx" not in supported
    last = refused(in_subprocess, "amx", NO_PERMISSION + "import eigenmlp")
    assert "operating system" in last and str(supported) in last
