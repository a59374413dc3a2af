"""Networks as C: compiled with strict warnings as errors, and compared with the twin."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp.sklearn import MLPClassifier, MLPRegressor
from support.bounds import ULPS, assert_within, probability_bounds, rounding_bounds
from support.names import COMBINATIONS, DTYPES, name_of
from support.problems import both, make_data, make_net

CC = next(filter(None, map(shutil.which, filter(None, [os.environ.get("CC"), "cc", "gcc"]))), None)
pytestmark = pytest.mark.skipif(CC is None, reason="no C compiler: neither $CC nor cc nor gcc")

WARNINGS = ["-Wall", "-Werror", "-pedantic", "-Wextra", "-Wconversion", "-Wdouble-promotion"]
WARNINGS += ["-Wshadow", "-Wmissing-prototypes"]
POINTERS = {"float32": ctypes.c_float, "float64": ctypes.c_double, "uint8": ctypes.c_uint8}


def compile_c(*arguments: str | Path) -> None:
    """Run the C compiler; what it says is the failure's message."""
    command = [str(CC), "-std=c99", "-O1", *WARNINGS, *map(str, arguments), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, f"{command}\n{done.stderr}"


class Compiled:
    """A network's C functions, for rows of arrays."""

    def __init__(self, net: em.MLP, folder: Path, input_dtype: str | None = None) -> None:
        self.net, self.input_dtype = net, input_dtype or net.dtype.name
        source, library = folder / "model.c", folder / f"{len(list(folder.iterdir()))}.so"
        em.codegen.to_c(net, source, input_dtype=input_dtype)
        compile_c("-shared", "-fPIC", source, "-o", library)
        self.library = ctypes.CDLL(str(library))

    def __call__(self, function: str, X: Any, dtype: Any = None) -> Any:
        """Rows (N, K) that a function writes, of the network's dtype unless given."""
        Y = np.full((len(X), self.net.layer_sizes[-1]), 77, dtype or self.net.dtype)
        x_type = ctypes.POINTER(POINTERS[self.input_dtype])
        y_type = ctypes.POINTER(ctypes.c_int if dtype else POINTERS[self.net.dtype.name])
        X = np.ascontiguousarray(X, self.input_dtype)
        call = getattr(self.library, function)
        for x, y in zip(X, Y, strict=True):
            call(x.ctypes.data_as(x_type), y.ctypes.data_as(y_type))
        return Y

    def labels(self, X: Any) -> Any:
        """What `predict` returns for a softmax_cross_entropy."""
        x_type = ctypes.POINTER(POINTERS[self.input_dtype])
        X = np.ascontiguousarray(X, self.input_dtype)
        return np.array([self.library.predict(x.ctypes.data_as(x_type)) for x in X])


def compare(net: em.MLP, X: Any, folder: Path, input_dtype: str | None = None) -> None:
    """Every function beside the twin's method of the same name."""
    compiled = Compiled(net, folder, input_dtype)
    _, twin = both(net)
    K, loss = net.layer_sizes[-1], name_of(net.config["loss"])
    bound = rounding_bounds(net, X, np.zeros((len(X), K))).Y
    Y = twin.forward(X)
    assert_within(compiled("forward", X), Y, bound, "forward")
    exact = Y.astype(np.float64)
    bounds = probability_bounds(net, exact, bound)
    if bounds is not None:
        assert_within(compiled("predict_proba", X), twin.predict_proba(X), bounds, "predict_proba")
    else:
        assert not hasattr(compiled.library, "predict_proba")
    if loss == "softmax_cross_entropy":
        Z = np.sort(exact, axis=1)
        clear = Z[:, -1] - Z[:, -2] > 2 * bound.max(axis=1)
        assert clear.mean() > 0.5
        np.testing.assert_array_equal(compiled.labels(X)[clear], twin.predict(X)[clear])
    elif loss == "sigmoid_cross_entropy":
        clear = np.abs(exact) > 2 * bound
        assert clear.mean() > 0.5
        labels = compiled("predict", X, ctypes.c_int)
        np.testing.assert_array_equal(labels[clear], twin.predict(X).reshape(Y.shape)[clear])
    else:
        u = float(np.finfo(net.dtype).eps)
        if loss == "poisson":  # exp(y), known as well as y is
            bound = np.exp(exact) * (np.expm1(bound) + 16 * u)
        assert_within(compiled("predict", X), twin.predict(X).reshape(Y.shape), bound, "predict")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("activation", "loss", "output"), COMBINATIONS)
def test_outputs(activation: str, loss: str, output: str, dtype: str, tmp_path: Path) -> None:
    sizes = [7, 9, 5]
    options = {"activation": activation, "output_activation": output, "loss": loss}
    net = make_net(sizes, dtype=dtype, **options)
    compare(net, make_data(sizes, loss, 12, dtype)[0], tmp_path)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "sizes", [[1, 1], [3, 70], [70, 3], [3, 5, 40, 2, 60, 3, 2], [200, 1, 1, 9]], ids=str
)
def test_sizes(sizes: list[int], dtype: str, tmp_path: Path) -> None:
    """Hidden layers use two buffers in turn, each as large as its widest layer."""
    for bias in (True, False):
        net = make_net(sizes, bias=bias, activation="tanh", loss="squared_error", dtype=dtype)
        compare(net, make_data(sizes, "squared_error", 4, dtype)[0], tmp_path)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("input_dtype", em.codegen.INPUT_DTYPES)
def test_scaled_inputs(input_dtype: str, dtype: str, tmp_path: Path) -> None:
    net = make_net([6, 4, 3], dtype=dtype, input_scale=-1 / 255)
    X = np.random.default_rng(0).integers(0, 256, (20, 6)).astype(input_dtype)
    compare(net, X, tmp_path, input_dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_logits(dtype: str, tmp_path: Path) -> None:
    """Where exp would overflow, probabilities are 0 and 1."""
    for loss in ("softmax_cross_entropy", "sigmoid_cross_entropy"):
        net = em.MLP([1, 3], loss=loss, dtype=dtype)
        net.parameters = [1000.0, -1000.0, 0.0, 0.0, 0.0, 0.0]
        P = Compiled(net, tmp_path)("predict_proba", [[1.0]])
        expected = [1.0, 0.0, 0.0] if loss.startswith("softmax") else [1.0, 0.0, 0.5]
        np.testing.assert_array_equal(P, [expected])


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_comes_out_as_nan(dtype: str, tmp_path: Path) -> None:
    """Through every activation, as the file says."""
    hidden = [*em.activations.HIDDEN_ACTIVATIONS]
    net = make_net([3, *range(2, 2 + len(hidden)), 2], activation=hidden, dtype=dtype)
    compiled = Compiled(net, tmp_path)
    for function in ("forward", "predict_proba"):
        assert np.isnan(compiled(function, [[1.0, np.nan, 2.0]])).all()


def test_the_first_of_equal_classes(tmp_path: Path) -> None:
    net = em.MLP([1, 4], init="zeros")
    net.parameters = np.array([0, 0, 0, 0, 1, 2, 2, 0])
    assert Compiled(net, tmp_path).labels([[1.0]]) == [1] == net.predict([[1.0]])


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_are_exact(dtype: str, tmp_path: Path) -> None:
    """Largest, smallest normal, subnormal, random: x = 1 brings them out as they are."""
    info = np.finfo(dtype)
    bits = np.random.default_rng(1).integers(0, 2**62, 50, dtype=np.uint64).view(np.float64)
    values = [info.max, -info.max, info.tiny, info.smallest_subnormal, 1 / 3, 0.0, -0.0, 3.0]
    values += [x for x in bits if abs(x) < info.max]
    net = em.MLP([1, len(values)], bias=False, loss="squared_error", dtype=dtype)
    net.parameters = np.array(values, dtype)
    np.testing.assert_array_equal(Compiled(net, tmp_path)("forward", [[1.0]])[0], net.parameters)


@pytest.mark.parametrize("dtype", DTYPES)
def test_choices(dtype: str, tmp_path: Path) -> None:
    """One row is one alternative; the functions take those of a choice together."""
    net = make_net([3, 4, 1], loss="segment_cross_entropy", dtype=dtype)
    X = np.random.default_rng(0).normal(0, 1, (7, 3)).astype(dtype)
    compiled, real = Compiled(net, tmp_path), ctypes.POINTER(POINTERS[dtype])
    alike = em.MLP(**{**net.config, "loss": "squared_error"})  # as to one row
    alike.parameters = net.parameters
    bound, u = rounding_bounds(alike, X, np.zeros((7, 1))).Y, float(np.finfo(dtype).eps)
    assert_within(compiled("forward", X), net.forward(X), bound, "forward")
    compiled.library.predict.restype = ctypes.c_size_t
    offsets = [0, 1, 4, 7]
    P, chosen = np.empty(7, dtype), []
    for begin, end in pairwise(offsets):
        rows = ctypes.c_size_t(end - begin), X[begin:].ctypes.data_as(real)
        compiled.library.predict_proba(*rows, P[begin:].ctypes.data_as(real))
        chosen.append(begin + compiled.library.predict(*rows))
    expected = net.predict_proba(X, offsets=offsets)
    # exp of differences of scores, over a sum of at most 3 of them
    bounds = expected * (np.expm1(2 * bound.max()) + 2 * (3 + ULPS) * u)
    assert_within(P, expected, bounds, "predict_proba")
    assert chosen == net.predict(X, offsets=offsets).tolist()


CLASSES: dict[str, tuple[Any, Any]] = {
    "ints": ([-3, 7, 2**40], ctypes.c_longlong),
    "two ints": ([1, 2], ctypes.c_longlong),
    "one int": ([5], ctypes.c_longlong),
    "all ints": ([-(2**63), 0, 2**63 - 1], ctypes.c_longlong),
    "bytes of ints": (np.array([5, 200], np.uint8), ctypes.c_longlong),
    "above int64": (np.array([3, 2**63 + 9, 2**64 - 1], np.uint64), ctypes.c_ulonglong),
    "two above int64": (np.array([3, 2**63 + 9], np.uint64), ctypes.c_ulonglong),
    "bools": ([False, True], ctypes.c_int),
    "floats": ([0.0, 2.0, 5.0], ctypes.c_double),
    "negative floats": ([-1.0, -(2.0**31)], ctypes.c_double),
    "float16": (np.array([1, 2], np.float16), ctypes.c_double),
    "long doubles": (np.array([1, 2], np.longdouble), ctypes.c_double),
    "strings": (["ÄÖ 3", 'a"\\\n9??/', "", "%s"], ctypes.c_char_p),
    "beyond the BMP": (["😀", "'\r\t/* */ // ", "??='"], ctypes.c_char_p),
    "two strings": (["no", "yes"], ctypes.c_char_p),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", CLASSES)
def test_classes_of_an_estimator(kind: str, tmp_path: Path) -> None:
    """predict gives a place among them."""
    names, c_type = CLASSES[kind]
    X = np.random.default_rng(0).normal(0, 1, (40, 3))
    y = np.array(names)[np.arange(40) % len(names)]
    estimator = MLPClassifier((5,), max_iter=30, learning_rate_init=0.1, random_state=0).fit(X, y)
    compiled = Compiled(estimator._network(), tmp_path)
    assert not hasattr(compiled.library, "classes")
    em.codegen.to_c(estimator, tmp_path / "named.c", name="y")
    compile_c("-shared", "-fPIC", tmp_path / "named.c", "-o", tmp_path / "named.so")
    in_c = (c_type * max(2, len(names))).in_dll(
        ctypes.CDLL(str(tmp_path / "named.so")), "y_classes"
    )
    found = [x.decode() if isinstance(x, bytes) else x for x in in_c]
    several = len(names) > 2
    places = compiled.labels(X) if several else compiled("predict", X, ctypes.c_int)[:, 0]
    assert [found[place] for place in places] == estimator.predict(X).tolist()
    assert found[: len(names)] == estimator.classes_.tolist()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("names", "match"),
    [
        (["a\0b", "c"], r"expected classes without NUL, .*got 'a\\x00b'"),
        (["a", "\ud800"], r"expected classes that UTF-8 can hold, got '\\ud800'"),
        (["a", "é" * 2048], r"at most 4,095 bytes, as C99 has them, got 4,096: 'éé"),
        (
            np.array(["2020-01-01", "2021-01-01"], "M8[D]"),
            r"numbers or strings, got datetime64\[D\]",
        ),
    ],
    ids=["NUL", "surrogate", "long", "times"],
)
def test_classes_that_c_cannot_hold(names: Any, match: str, tmp_path: Path) -> None:
    X = np.eye(4)
    estimator = MLPClassifier((3,), max_iter=2).fit(X, np.array(names)[[0, 1, 0, 1]])
    with pytest.raises(ValueError, match=match) as caught:
        em.codegen.to_c(estimator, tmp_path / "model.c")
    assert len(str(caught.value)) < 400 and not [*tmp_path.iterdir()]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_classes_set_by_the_user_are_finite_in_c(value: float, tmp_path: Path) -> None:
    estimator = MLPClassifier((3,), max_iter=2).fit(np.eye(4), [0.0, 1.0, 0.0, 1.0])
    estimator.classes_ = np.array([0.0, value])
    with pytest.raises(ValueError, match=f"to_c: expected classes that are finite, got {value}"):
        em.codegen.to_c(estimator, tmp_path / "model.c")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimators_without_names_of_classes(tmp_path: Path) -> None:
    X = np.eye(4)
    several = MLPClassifier((3,), max_iter=2).fit(X, np.eye(4, dtype=int))
    for estimator in (several, MLPRegressor(max_iter=2).fit(X, X)):
        assert "classes" not in em.codegen.c_source(estimator).split("#include")[1]


def test_nothing_but_libm(tmp_path: Path) -> None:
    """No allocation, no file, no state: by what the object file needs, and what it has."""
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("no nm, the tool that lists symbols")
    hidden = [*em.activations.HIDDEN_ACTIVATIONS]
    net = em.MLP([5] * (len(hidden) + 2), activation=hidden)
    em.codegen.to_c(net, tmp_path / "model.c")
    compile_c("-c", "-fno-stack-protector", tmp_path / "model.c", "-o", tmp_path / "model.o")
    listed = subprocess.run([nm, tmp_path / "model.o"], capture_output=True, text=True, check=True)
    symbols = [line.split()[-2:] for line in listed.stdout.splitlines()]
    libm = {"expf", "expm1f", "log1pf", "tanhf", "erfcf", "fmaxf"}
    needed = {name for kind, name in symbols if kind == "U"}
    assert "expf" in needed and needed - {"_GLOBAL_OFFSET_TABLE_"} <= libm | {"memset", "memcpy"}
    assert not [name for kind, name in symbols if kind in "bBdDcC"]  # data that can change
    assert {name for kind, name in symbols if kind == "T"} == {
        *("forward", "predict", "predict_proba")
    }


def test_two_networks_in_a_program(tmp_path: Path) -> None:
    """Names with a prefix; a program of its own prints what the networks say."""
    X = np.array([[0.25, -1.0]])
    nets = {"one": make_net([2, 3, 2], 1), "two": make_net([2, 4, 1], 2, loss="poisson")}
    for name, net in nets.items():
        em.codegen.to_c(net, tmp_path / f"{name}.c", name)
    (tmp_path / "main.c").write_text(
        "#include <stdio.h>\n"
        "int one_predict(const float x[2]);\nvoid two_predict(const float x[2], float y[1]);\n"
        "int main(void) {\n  const float x[2] = {0.25f, -1.0f};\n  float y[1];\n"
        '  two_predict(x, y);\n  printf("%d %.9g\\n", one_predict(x), (double)y[0]);\n'
        "  return 0;\n}\n"
    )
    files = [tmp_path / f"{name}.c" for name in ("main", *nets)]
    compile_c(*files, "-o", tmp_path / "program")
    done = subprocess.run([tmp_path / "program"], capture_output=True, text=True, check=True)
    label, rate = done.stdout.split()
    assert int(label) == nets["one"].predict(X)[0]
    np.testing.assert_allclose(float(rate), nets["two"].predict(X)[0], rtol=1e-6)


def test_the_stack_is_as_large_as_the_file_says(tmp_path: Path) -> None:
    net = em.MLP([2, 30, 50, 20, 10], dtype="float64")
    source = em.codegen.c_source(net)
    assert f"{8 * (30 + 50 + 10)} bytes of stack" in source
    assert re.findall(r"double (?:h\d|y)\[(\d+)\];", source) == ["30", "50", "10"]


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"name": "1st"}, ValueError, r"name: expected a C identifier or '', got '1st'"),
        ({"name": "a b"}, ValueError, "C identifier"),
        ({"name": "_a"}, ValueError, "C identifier"),
        ({"name": "a\n"}, ValueError, "C identifier"),
        ({"name": None}, TypeError, "C identifier"),
        ({"input_dtype": "int8"}, ValueError, r"input_dtype: expected one of .*'uint8'.*'int8'"),
        ({"net": "net"}, TypeError, "to_c: expected an MLP or an estimator of .*, got str"),
    ],
)
def test_bad_arguments(arguments: Any, error: Any, match: str, tmp_path: Path) -> None:
    path = tmp_path / "model.c"
    with pytest.raises(error, match=match):
        em.codegen.to_c(**{"net": em.MLP([2, 1]), "path": path, **arguments})
    assert not list(tmp_path.iterdir())


def test_an_old_file_stays_if_writing_fails(tmp_path: Path) -> None:
    net = em.MLP([2, 1], loss="squared_error")
    em.codegen.to_c(net, tmp_path / "model.c")
    before = (tmp_path / "model.c").read_text()
    net._network.set_parameters(np.array([np.nan, 0, 0], np.float32))
    with pytest.raises(ValueError, match="to_c: expected finite parameters"):
        em.codegen.to_c(net, tmp_path / "model.c")
    assert (tmp_path / "model.c").read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model.c"]
