"""Every public entry refuses what it cannot use: it says what it expected and what came, and
changes nothing. Good input comes in many forms, which give one result."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eigenmlp as em
from eigenmlp._backends.core import core
from eigenmlp._backends.facade import BACKENDS, DTYPES
from eigenmlp.initializers import INITIALIZERS
from support.names import ACTIVATION_NAMES, ACTIVATIONS, OUTPUT_ACTIVATIONS
from support.names import LOSS_NAMES as LOSSES
from support.problems import make_data

N, D, K = 6, 3, 2
X, LABELS = make_data([D, K], "softmax_cross_entropy", N, "float32")
PROBABILITIES = np.full((N, K), 1 / K)
NAN, INF = float("nan"), float("inf")
backends = pytest.mark.parametrize("backend", BACKENDS)


def changed(array: Any, index: Any, value: Any) -> Any:
    array = np.array(array)
    array[index] = value
    return array


def make(backend: str = "native", loss: str = "softmax_cross_entropy", **options: Any) -> em.MLP:
    return em.MLP(**{"layer_sizes": [D, 4, K], "seed": 0, "loss": loss, **options}, backend=backend)


def refused(
    net: em.MLP | None, call: Callable[[], Any], kind: Any = (TypeError, ValueError), text: str = ""
) -> str:
    """The message of the refusal, which changed nothing."""
    before = None if net is None else net.parameters
    with pytest.raises(kind, match=text or None) as caught:
        call()
    message = str(caught.value)
    assert "expected" in message and re.search("got|does not|brings its own", message), message
    if net is not None and before is not None:
        assert net.parameters.tobytes() == before.tobytes(), "the parameters changed"
    return message


# ---- arrays

BAD_X = {
    "too few columns": (X[:, :2], ValueError, r"D = 3.*\(6, 2\)"),
    "too many columns": (np.ones((N, 4)), ValueError, r"D = 3.*\(6, 4\)"),
    "one row without its axis": (X[0], ValueError, r"D = 3.*\(3,\).*X\[None, :\]"),
    "three axes": (X[None], ValueError, r"\(1, 6, 3\)"),
    "a number": (1.0, ValueError, r"\(\)"),
    "no rows": (X[:0], ValueError, r"at least one row.*\(0, 3\)"),
    "an empty list": ([], ValueError, "got"),
    "NaN": (changed(X, (2, 1), NAN), ValueError, r"finite.*nan.*\[2, 1\]"),
    "Inf": (changed(X, (5, 0), -INF), ValueError, r"finite.*-inf.*\[5, 0\]"),
    "NaN in float64": (changed(X.astype("f8"), (0, 2), NAN), ValueError, r"nan.*\[0, 2\]"),
    "NaN in float16": (changed(X.astype("f2"), (0, 2), NAN), ValueError, r"nan.*\[0, 2\]"),
    "NaN in a list": (changed(X, (0, 0), NAN).tolist(), ValueError, r"nan.*\[0, 0\]"),
    "beyond float32": (changed(X.astype("f8"), (1, 1), 1e39), ValueError, r"float32.*1e\+39"),
    "beyond float64": (np.full((N, D), np.longdouble("1e4000")), ValueError, "finite"),
    "objects": (X.astype(object), TypeError, "numbers.*object"),
    "strings": (X.astype(str), TypeError, "numbers.*U"),
    "complex numbers": (X.astype(complex), TypeError, "numbers.*complex128"),
    "times": (np.zeros((N, D), "M8[s]"), TypeError, "numbers.*datetime64"),
    "ragged": ([[1.0, 2.0, 3.0], [1.0]], ValueError, "unequal length"),
    "None": (None, TypeError, "expected an array, got None"),
    "a dictionary": ({}, TypeError, "numbers.*object"),
}
if np.finfo(np.longdouble).max == np.finfo(np.float64).max:
    del BAD_X["beyond float64"]

READS_X: dict[str, Callable[[em.MLP, Any], Any]] = {
    "fit": lambda net, x: net.fit(x, LABELS),
    "validation": lambda net, x: net.fit(X, LABELS, validation=(x, LABELS)),
    "forward": lambda net, x: net.forward(x),
    "forward out": lambda net, x: net.forward(x, np.empty((N, K), np.float32)),
    "predict": lambda net, x: net.predict(x),
    "predict_proba": lambda net, x: net.predict_proba(x),
    "evaluate": lambda net, x: net.evaluate(x, LABELS),
    "loss": lambda net, x: net.loss(x, LABELS),
    "loss_and_gradient": lambda net, x: net.loss_and_gradient(x, LABELS),
    "vjp": lambda net, x: net.vjp(x, np.ones((N, K))),
    "step": lambda net, x: em.Trainer(net, em.SGD(0.1)).step(x, LABELS),
    "run": lambda net, x: em.Trainer(net, em.SGD(0.1)).run(x, LABELS, 1),
}


@backends
@pytest.mark.parametrize("entry", READS_X)
@pytest.mark.parametrize("bad", BAD_X)
def test_bad_X(bad: str, entry: str, backend: str) -> None:
    value, kind, text = BAD_X[bad]
    net = make(backend)
    message = refused(net, lambda: READS_X[entry](net, value), kind, text)
    assert message.startswith("validation: X:" if entry == "validation" else "X:")


BAD_LABELS = {
    "below": (changed(LABELS, 1, -1), ValueError, "0 to 1, got -1"),
    "above": (changed(LABELS, 1, K), ValueError, "0 to 1, got .* to 2"),
    "huge": (np.full(N, 2**63, np.uint64), ValueError, "0 to 1, got 9223372036854775808"),
    "floats": (LABELS.astype("f8"), TypeError, "integer labels.*float64"),
    "floats 32": (LABELS.astype("f4"), TypeError, "integer labels.*float32"),
    "too few": (LABELS[:-1], ValueError, r"6 rows.*\(5,\)"),
    "too many": (np.zeros(N + 1, int), ValueError, r"6 rows.*\(7,\)"),
    "no rows": (LABELS[:0], ValueError, r"6 rows.*\(0,\)"),
    "one number": (1, ValueError, r"6 rows.*\(\)"),
    "a column": (LABELS[:, None], ValueError, r"\(6, 2\).*\(6, 1\)"),
    "probabilities of other classes": (np.full((N, 3), 1 / 3), ValueError, r"\(6, 2\).*\(6, 3\)"),
    "not probabilities": (2 * PROBABILITIES, ValueError, "sum to 1"),
    "not probabilities 32": ((2 * PROBABILITIES).astype("f4"), ValueError, "sum to 1"),
    "negative": (changed(PROBABILITIES, 0, [1.5, -0.5]), ValueError, r"\[0, 1\].*-0.5"),
    "NaN": (changed(PROBABILITIES, (3, 1), NAN), ValueError, r"nan.*y\[3, 1\]"),
    "strings": (LABELS.astype(str), TypeError, "numbers.*U"),
    "objects": (LABELS.astype(object), TypeError, "numbers.*object"),
    "complex numbers": (LABELS.astype(complex), TypeError, "numbers.*complex"),
    "ragged": ([[0.5, 0.5], [1.0]] * 3, ValueError, "unequal length"),
    "None": (None, TypeError, "expected an array, got None"),
}
BAD_TARGETS = {
    "other K": (np.ones((N, 3)), ValueError, r"\(6, 2\).*\(6, 3\)"),
    "labels": (LABELS, ValueError, r"\(6, 2\).*\(6,\)"),
    "too few": (np.ones((5, K)), ValueError, r"6 rows.*\(5, 2\)"),
    "NaN": (changed(PROBABILITIES, (0, 0), NAN), ValueError, r"nan.*y\[0, 0\]"),
    "Inf": (changed(PROBABILITIES.astype("f4"), (5, 1), INF), ValueError, r"inf.*y\[5, 1\]"),
    "beyond float32": (changed(PROBABILITIES, (1, 1), -1e39), ValueError, "finite|0, 1"),
    "strings": (PROBABILITIES.astype(str), TypeError, "numbers.*U"),
}
BELOW_OR_ABOVE = {
    "below 0": (changed(PROBABILITIES, (0, 0), -0.1), ValueError, r"\[0, 1\].*-0.1"),
    "above 1": (changed(PROBABILITIES, (0, 0), 5), ValueError, r"\[0, 1\].*5"),
    "above 1, 32": (changed(PROBABILITIES.astype("f4"), (0, 0), 5), ValueError, r"\[0, 1\].*5"),
    "integers": (np.full((N, K), 2), ValueError, r"\[0, 1\].*2"),
}
BAD_Y = [
    pytest.param(loss, case, id=f"{loss}: {name}")
    for loss in LOSSES
    for name, case in (
        BAD_LABELS
        if loss == "softmax_cross_entropy"
        else BAD_TARGETS | (BELOW_OR_ABOVE if loss.endswith("cross_entropy") else {})
    ).items()
]
READS_Y: dict[str, Callable[[em.MLP, Any], Any]] = {
    "fit": lambda net, y: net.fit(X, y),
    "evaluate": lambda net, y: net.evaluate(X, y),
    "loss": lambda net, y: net.loss(X, y),
    "loss_and_gradient": lambda net, y: net.loss_and_gradient(X, y),
    "step": lambda net, y: em.Trainer(net, em.SGD(0.1)).step(X, y),
    "run": lambda net, y: em.Trainer(net, em.SGD(0.1)).run(X, y, 1),
}


@backends
@pytest.mark.parametrize("entry", READS_Y)
@pytest.mark.parametrize(("loss", "case"), BAD_Y)
def test_bad_y(loss: str, case: Any, entry: str, backend: str) -> None:
    value, kind, text = case
    net = make(backend, loss)
    assert refused(net, lambda: READS_Y[entry](net, value), kind, text).startswith("y:")


@backends
@pytest.mark.parametrize("entry", READS_Y)
def test_float_labels_of_a_single_class(entry: str, backend: str) -> None:
    net = make(backend, layer_sizes=[D, 1])
    refused(net, lambda: READS_Y[entry](net, np.zeros(N, "f4")), TypeError, "integer labels")


@backends
@pytest.mark.parametrize("entry", READS_X)
def test_rows_of_a_single_input_need_both_axes(entry: str, backend: str) -> None:
    net = make(backend, layer_sizes=[1, K])
    column = np.ones(N, "f4")
    if entry == "validation":
        refused(net, lambda: net.fit(column[:, None], LABELS, validation=(column, LABELS)))
    else:
        refused(net, lambda: READS_X[entry](net, column), ValueError, r"D = 1.*\(6,\)")


@backends
@pytest.mark.parametrize("entry", ["fit", "evaluate", "loss", "loss_and_gradient", "run"])
@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (np.ones(N - 1), r"\(6,\).*\(5,\)"),
        (np.ones((N, 1)), r"\(6,\).*\(6, 1\)"),
        (1.0, r"\(6,\).*\(\)"),
        (changed(np.ones(N), 2, NAN), r"nan.*sample_weight\[2\]"),
        (changed(np.ones(N), 2, INF), r"inf.*sample_weight\[2\]"),
        (changed(np.ones(N), 2, -1), "at least 0.*-1"),
        (np.zeros(N), "not all 0"),
        (np.full(N, 1e308), "sample_weight"),  # their sum is infinite
        (["a"] * N, "numbers"),
    ],
    ids=str,
)
def test_bad_sample_weight(bad: Any, text: str, entry: str, backend: str) -> None:
    net = make(backend)
    calls: dict[str, Callable[[], Any]] = {
        "fit": lambda: net.fit(X, LABELS, sample_weight=bad),
        "run": lambda: em.Trainer(net, em.SGD(0.1)).run(X, LABELS, 1, sample_weight=bad),
        "evaluate": lambda: net.evaluate(X, LABELS, sample_weight=bad),
        "loss": lambda: net.loss(X, LABELS, sample_weight=bad),
        "loss_and_gradient": lambda: net.loss_and_gradient(X, LABELS, sample_weight=bad),
    }
    assert refused(net, calls[entry], text=text).startswith("sample_weight:")


@backends
@pytest.mark.parametrize("entry", ["parameters", "loss_and_gradient", "apply"])
def test_bad_parameters_and_gradients(entry: str, backend: str) -> None:
    net = make(backend)
    P = net.parameter_count
    good = np.zeros(P)
    calls: dict[str, Callable[[Any], Any]] = {
        "parameters": lambda flat: setattr(net, "parameters", flat),
        "loss_and_gradient": lambda flat: net.loss_and_gradient(X, LABELS, parameters=flat),
        "apply": lambda flat: em.Trainer(net, em.SGD(0.1)).apply(flat),
    }
    for bad, text in [
        (good[:-1], rf"\({P},\).*\({P - 1},\)"),
        (np.append(good, 0), rf"\({P},\).*\({P + 1},\)"),
        (good[None], rf"\({P},\).*\(1, {P}\)"),
        (0.0, rf"\({P},\).*\(\)"),
        ([], rf"\({P},\).*\(0,\)"),
        (changed(good, 3, NAN), r"nan.*\[3\]"),
        (changed(good, 3, INF), r"inf.*\[3\]"),
        (changed(good, 3, 1e39), r"float32.*1e\+39"),
        (good.astype(str), "numbers"),
        (good.astype(complex), "numbers"),
        (good.astype(object), "numbers"),
        (None, "an array, got None") if entry != "loss_and_gradient" else (good[1:], "expected"),
    ]:
        refused(net, lambda bad=bad: calls[entry](bad), text=text)


@backends
def test_bad_l2(backend: str) -> None:
    net = make(backend)
    for bad in (-1.0, NAN, INF, "1", None, True, np.ones(2), 10**400):
        refused(net, lambda bad=bad: net.loss_and_gradient(X, LABELS, l2=bad), text="l2")


@backends
@pytest.mark.parametrize("bad", BAD_X)
def test_bad_dY(bad: str, backend: str) -> None:
    value, kind, _ = BAD_X[bad]
    net = make(backend, layer_sizes=[4, D])
    refused(net, lambda: net.vjp(np.ones((N, 4)), value), kind, "^dY:")
    refused(net, lambda: net.vjp(np.ones((N, 4)), np.ones((N + 1, D))), ValueError, "6 rows")


@backends
def test_bad_out(backend: str) -> None:
    net = make(backend)
    read_only = np.empty((N, K), np.float32)
    read_only.flags.writeable = False
    for bad in [
        np.empty((N, K)),
        np.empty((N, K), ">f4"),
        np.empty((N + 1, K), np.float32),
        np.empty((N, K + 1), np.float32),
        np.empty(N * K, np.float32),
        np.empty((K, N), np.float32).T,
        np.empty((N, 2 * K), np.float32)[:, ::2],
        read_only,
        [[0.0] * K] * N,
        "out",
    ]:
        text = refused(net, lambda bad=bad: net.forward(X, bad), text="^out: expected.*float32")
        assert "(6, 2)" in text
    kept = np.full((N, K), 7, np.float32)
    refused(net, lambda: net.forward(changed(X, (N - 1, 0), NAN), kept))
    np.testing.assert_array_equal(kept, 7)  # a refused call writes nothing


@backends
@pytest.mark.parametrize("entry", READS_X)
def test_inputs_that_overflow_when_scaled(entry: str, backend: str) -> None:
    net = make(backend, input_scale=1e30)
    refused(
        net, lambda: READS_X[entry](net, np.full((N, D), 1e30, "f4")), ValueError, "input_scale"
    )


# ---- settings


@backends
@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"epochs": -1}, "at least 0, got -1"),
        ({"epochs": 1.5}, "int, got 1.5"),
        ({"epochs": True}, "int, got True"),
        ({"epochs": None}, "int, got None"),
        ({"epochs": "3"}, "int, got '3'"),
        ({"batch_size": 0}, "at least 1, got 0"),
        ({"batch_size": -4}, "at least 1, got -4"),
        ({"batch_size": 2.0}, "int, got 2.0"),
        ({"batch_size": True}, "int, got True"),
        ({"batch_size": None}, "int, got None"),
        ({"optimizer": "SGD"}, "SGD.*got 'SGD'"),
        ({"optimizer": 0.1}, "SGD.*got 0.1"),
        ({"optimizer": em.SGD}, r"an object .*SGD.*such as em\.Adam\(1e-3\), got <class"),
        ({"optimizer": em.SGD(lambda step: -1.0)}, r"lr\(0\).*at least 0.*got -1"),
        ({"optimizer": em.SGD(lambda step: NAN if step == 1 else 1)}, r"lr\(1\).*finite.*nan"),
        ({"optimizer": em.SGD(lambda step: "a")}, r"lr\(0\).*number, got 'a'"),
        ({"validation": X}, "validation.*got ndarray"),
        ({"validation": (X,)}, "validation.*got"),
        ({"validation": (X, LABELS, 1)}, "validation.*got"),
        ({"validation": {"X": X, "y": LABELS}}, "validation.*got dict"),
        ({"validation": (X, LABELS[:2])}, "validation: y: expected 6 rows"),
        ({"validation": (X[:, 1:], LABELS)}, "validation: X: expected"),
        ({"validation": (X, changed(LABELS, 0, 9))}, "validation: y: expected labels"),
        ({"shuffle": 1}, "shuffle.*got 1"),
        ({"shuffle": None}, "shuffle.*got None"),
        ({"shuffle": "yes"}, "shuffle.*got 'yes'"),
        ({"seed": -1}, "seed.*got -1"),
        ({"seed": 1.0}, "seed.*got 1.0"),
        ({"seed": "a"}, "seed.*got 'a'"),
        ({"seed": True}, "seed.*got True"),
        ({"seed": np.random.RandomState(0)}, "seed.*got RandomState"),
        ({"callbacks": print}, "sequence of callables, got <built-in"),
        ({"callbacks": [None]}, "callables, got None"),
        ({"callbacks": None}, "sequence of callables, got None"),
        ({"callbacks": "abc"}, "callables, got 'a"),
        ({"progress": "always"}, "progress.*got 'always'"),
        ({"progress": None}, "progress.*got None"),
        ({"progress": 2}, "progress.*got 2"),
        ({"early_stopping": 0}, "at least 1, got 0"),
        ({"early_stopping": 1.5}, "int, got 1.5"),
        ({"early_stopping": True}, "int, got True"),
        ({"early_stopping": "auto"}, "int, got 'auto'"),
    ],
    ids=lambda x: "-".join(x) if isinstance(x, dict) else x,
)
def test_bad_settings_of_fit(options: dict[str, Any], text: str, backend: str) -> None:
    net = make(backend)
    refused(net, lambda: net.fit(X, LABELS, **options), text=text)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"lr": -0.1}, "lr.*at least 0, got -0.1"),
        ({"lr": NAN}, "lr.*finite.*nan"),
        ({"lr": INF}, "lr.*finite.*inf"),
        ({"lr": "0.1"}, "lr.*number, got '0.1'"),
        ({"lr": None}, "lr.*number, got None"),
        ({"lr": True}, "lr.*number, got True"),
        ({"lr": np.True_}, "lr.*number, got"),
        ({"lr": 1j}, "lr.*number, got 1j"),
        ({"lr": np.complex64(1j)}, "lr.*number, got"),
        ({"lr": np.ones(2)}, "lr.*number, got"),
        ({"lr": 10**400}, "lr.*got"),
        ({"lr": 0.1, "momentum": 1.0}, "momentum.*below 1, got 1.0"),
        ({"lr": 0.1, "momentum": -0.5}, "momentum.*at least 0.*got -0.5"),
        ({"lr": 0.1, "momentum": NAN}, "momentum.*nan"),
        ({"lr": 0.1, "momentum": "0.9"}, "momentum.*number, got '0.9'"),
        ({"lr": 0.1, "weight_decay": -1}, "weight_decay.*at least 0, got -1"),
        ({"lr": 0.1, "weight_decay": INF}, "weight_decay.*inf"),
        ({"lr": 0.1, "momentum": 0.9, "nesterov": 1}, "nesterov.*True or False, got 1"),
        ({"lr": 0.1, "nesterov": True}, "nesterov.*momentum.*got"),
    ],
    ids=lambda x: "" if isinstance(x, dict) else x,
)
def test_bad_sgd(options: dict[str, Any], text: str) -> None:
    refused(None, lambda: em.SGD(**options), text=text)


@pytest.mark.parametrize(
    ("optimizer", "text"),
    [
        (lambda: em.Adam(-1.0), "Adam: lr.*at least 0, got -1.0"),
        (lambda: em.Adam(betas=0.9), "Adam: betas.*two numbers, got 0.9"),
        (lambda: em.Adam(betas=(0.9,)), r"Adam: betas.*two numbers, got \(0.9,\)"),
        (lambda: em.Adam(betas=(0.9, 1.0)), "Adam: betas.*below 1, got 1.0"),
        (lambda: em.Adam(betas=("a", 0.9)), "Adam: betas.*number, got 'a'"),
        (lambda: em.Adam(eps=0.0), "Adam: eps.*above 0, got 0"),
        (lambda: em.Adam(eps=NAN), "Adam: eps.*finite.*nan"),
        (lambda: em.AdamW(weight_decay=-0.1), "AdamW: weight_decay.*at least 0, got -0.1"),
        (lambda: em.AdamW(betas=(-0.1, 0.9)), "AdamW: betas.*at least 0.*got -0.1"),
        (lambda: em.RMSprop(alpha=1.0), "RMSprop: alpha.*below 1, got 1.0"),
        (lambda: em.RMSprop(momentum=-0.5), "RMSprop: momentum.*at least 0.*got -0.5"),
        (lambda: em.RMSprop(centered=1), "RMSprop: centered.*True or False, got 1"),
        (lambda: em.RMSprop(eps=0), "RMSprop: eps.*above 0, got 0"),
    ],
)
def test_bad_optimizers(optimizer: Callable[[], Any], text: str) -> None:
    refused(None, optimizer, text=text)


def test_an_eps_too_small_for_float32() -> None:
    net = make()
    refused(net, lambda: em.Trainer(net, em.Adam(eps=1e-40)), text="eps.*float32, got 1e-40")


def test_a_learning_rate_beyond_float32() -> None:
    net = make()
    refused(net, lambda: net.fit(X, LABELS, optimizer=em.SGD(1e300)), text="lr")


@backends
@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"layer_sizes": [3]}, r"at least \[D, K\], got \[3\]"),
        ({"layer_sizes": []}, "at least"),
        ({"layer_sizes": 3}, "ints.*got 3"),
        ({"layer_sizes": "32"}, "ints.*got '32'"),
        ({"layer_sizes": None}, "ints.*got None"),
        ({"layer_sizes": [3, 0, 2]}, "at least 1, got 0"),
        ({"layer_sizes": [3, -4, 2]}, "at least 1, got -4"),
        ({"layer_sizes": [3, 4.0, 2]}, "int, got 4.0"),
        ({"layer_sizes": [3, True, 2]}, "int, got True"),
        ({"layer_sizes": [3, "4", 2]}, "int, got '4'"),
        ({"layer_sizes": [2**40, 2]}, "got"),
        ({"activation": "rleu"}, f"{list(ACTIVATION_NAMES)}.*got 'rleu'".replace("[", r"\[")),
        ({"activation": "softmax"}, "got 'softmax'"),
        ({"activation": ["relu", "tanh"]}, "one for each hidden layer, got"),
        ({"activation": []}, "one for each hidden layer, got"),
        ({"activation": ["rleu"]}, "got 'rleu'"),
        ({"activation": [None]}, "got None"),
        ({"activation": None}, "got None"),
        ({"activation": "sigmoid(slope=nan)"}, "activation: expected NAME.*got 'sigmoid"),
        ({"activation": "sigmoid(slope=1"}, r"expected NAME.*got 'sigmoid\(slope=1'"),
        ({"activation": "sigmoid(2)"}, r"expected NAME.*got 'sigmoid\(2\)'"),
        ({"activation": "sigmoid(alpha=2)"}, "activation.*slope.*sigmoid, got 'alpha'"),
        ({"activation": "sigmoid(slope=0)"}, "slope: expected a number above 0, got 0"),
        ({"activation": "sigmoid(slope='1')"}, "slope: expected a number, got '1'"),
        ({"activation": "relu(slope=2)"}, r"expected parameters \[\] of relu, got 'slope'"),
        ({"activation": "sigmoid(slope=1e300)", "dtype": "float32"}, "at most 3.4.*1e\\+300"),
        ({"activation": "leaky_relu(negative_slope=-1)"}, "at least 0, got -1"),
        ({"activation": "elu(alpha=-1)"}, "at least 0, got -1"),
        ({"activation": "rleu(slope=2)"}, "got 'rleu'"),
        ({"output_activation": em.SGD(0.1)}, "output_activation: expected one of.*got SGD"),
        ({"activation": 3}, "got 3"),
        ({"output_activation": "soft"}, "softmax.*got 'soft'"),
        ({"output_activation": None}, "softmax.*got None"),
        ({"output_activation": ["relu"]}, "got"),
        ({"loss": "mse"}, "squared_error.*got 'mse'"),
        ({"loss": None}, "squared_error.*got None"),
        ({"bias": 1}, "True or False, got 1"),
        ({"bias": "no"}, "True or False, got 'no'"),
        ({"init": "he"}, "he_normal.*got 'he'"),
        ({"init": None}, "got None"),
        ({"dtype": "float16"}, "float32.*float64.*got 'float16'"),
        ({"dtype": np.int32}, "float32.*got"),
        ({"dtype": "many"}, "float32.*got 'many'"),
        ({"dtype": 5}, "float32.*got 5"),
        ({"dtype": None}, "float32.*got None"),
        ({"compute_dtype": "float64"}, "float32.*got 'float64'"),
        ({"compute_dtype": "int8"}, "float32.*got 'int8'"),
        ({"input_scale": NAN}, "input_scale.*nan"),
        ({"input_scale": INF}, "input_scale.*inf"),
        ({"input_scale": 1e300}, "input_scale"),
        ({"input_scale": "1"}, "input_scale.*got '1'"),
        ({"input_scale": None}, "input_scale.*got None"),
        ({"input_scale": np.ones(3)}, "input_scale.*got"),
        ({"seed": -1}, "seed.*got -1"),
        ({"seed": 0.5}, "seed.*got 0.5"),
        ({"seed": "a"}, "seed.*got 'a'"),
        ({"init": lambda rng, D, K: rng.normal(size=(D, K))}, r"\(W, b\).*got ndarray"),
        ({"init": lambda rng, D, K: (np.zeros((K, D)), None)}, r"\(3, 4\).*got \(4, 3\)"),
        ({"init": lambda rng, D, K: (np.zeros((D, K)), np.zeros(D))}, "b of shape.*got"),
        ({"init": lambda rng, D, K: (np.full((D, K), NAN), None)}, "finite.*(nan|NaN)"),
        ({"init": lambda rng, D, K: (np.full((D, K), 1e300), None)}, "finite"),
        ({"init": lambda rng, D, K: ([["a"] * K] * D, None)}, "init"),
        ({"init": lambda rng, D, K: (np.zeros((D, K)), np.full(K, 1e300))}, "finite"),
    ],
    ids=lambda x: (
        str({k: v for k, v in x.items() if not callable(v)}) if isinstance(x, dict) else ""
    ),
)
def test_bad_networks(options: dict[str, Any], text: str, backend: str) -> None:
    refused(None, lambda: make(backend, **options), text=text)


def test_unknown_backend() -> None:
    for bad in ("torch", None, 1):
        refused(None, lambda bad=bad: make(bad), text=f"native.*numpy.*got {bad!r}")


@pytest.mark.parametrize("loss", [x for x in LOSSES if x.endswith("cross_entropy")])
@pytest.mark.parametrize("output", [x for x in OUTPUT_ACTIVATIONS if x != "identity"])
def test_cross_entropies_bring_their_own_output(output: str, loss: str) -> None:
    refused(None, lambda: make(loss=loss, output_activation=output), ValueError, "identity.*got")


def test_every_known_name_is_taken() -> None:
    for activation in ACTIVATIONS:
        make(activation=[activation])
    for init in ["auto", *INITIALIZERS]:
        assert np.isfinite(make(init=init).parameters).all()
    for dtype in (*DTYPES, *map(np.dtype, DTYPES), np.float32, float):
        for backend in BACKENDS:
            net = make(backend, dtype=dtype)
            assert net.parameters.dtype == np.dtype(dtype) == net.dtype
            assert make(backend, dtype=dtype, compute_dtype=dtype).dtype == net.dtype


def test_bad_trainers(tmp_path: Path) -> None:
    net = make()
    refused(None, lambda: em.Trainer("net", em.SGD(0.1)), TypeError, "MLP, got str")  # type: ignore[arg-type]
    refused(net, lambda: em.Trainer(net, "SGD"), TypeError, "SGD.*got 'SGD'")  # type: ignore[arg-type]
    for bad in (0, -1, 1.5, True, None, "8"):
        refused(net, lambda bad=bad: em.Trainer(net, em.SGD(0.1), bad), text="batch_size.*got")
    refused(net, lambda: em.Trainer(net, em.SGD(0.1), seed=-3), text="seed.*got -3")
    refused(net, lambda: em.Trainer(net, em.SGD(0.1)).run(X, LABELS, -1), text="epochs.*got -1")
    net.save(tmp_path / "net")
    refused(net, lambda: em.Trainer.load(tmp_path / "net"), ValueError, "Trainer, got a network")
    with pytest.raises(FileNotFoundError):
        em.MLP.load(tmp_path / "nothing")
    with pytest.raises(TypeError, match=r"path|Path|str"):
        net.save(None)  # type: ignore[arg-type]


@backends
def test_predict_proba_needs_probabilities(backend: str) -> None:
    for output in OUTPUT_ACTIVATIONS:
        net = make(backend, "squared_error", output_activation=output)
        if output.startswith(("softmax", "sigmoid")):
            assert net.predict_proba(X).shape == (N, K)
        else:
            refused(net, lambda net=net: net.predict_proba(X), ValueError, "got squared_error with")


# ---- good input


def misaligned(array: Any) -> Any:
    raw = np.zeros(array.nbytes + 1, np.uint8)
    view = raw[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    assert not view.flags.aligned or array.itemsize == 1
    return view


def forms(array: Any, folder: Path) -> dict[str, Any]:
    """The same numbers, laid out in all kinds of ways."""
    wide = np.zeros((2 * len(array), *(3 * n for n in array.shape[1:])), array.dtype)
    every_other = wide[(slice(None, None, 2), *(slice(None, None, 3) for _ in array.shape[1:]))]
    every_other[...] = array
    read_only = array.copy()
    read_only.flags.writeable = False
    path = folder / f"{len(list(folder.iterdir()))}.npy"
    np.save(path, array)
    backwards = tuple(slice(None, None, -1) for _ in array.shape)
    return {
        "list": array.tolist(),
        "tuple": tuple(map(tuple, array)) if array.ndim > 1 else tuple(array),
        "Fortran order": np.asfortranarray(array),
        "every other": every_other,
        "negative strides": array[backwards].copy()[backwards],
        "read-only": read_only,
        "memory-mapped": np.load(path, mmap_mode="r"),
        "other byte order": array.astype(array.dtype.newbyteorder()),
        "misaligned": misaligned(array),
        "long double": array.astype(np.longdouble) if array.dtype.kind == "f" else array,
        "subclass": array.view(type("Mine", (np.ndarray,), {})),
    }


def results(net: em.MLP, x: Any, y: Any, w: Any) -> list[Any]:
    """Of every entry that reads data; the network is as before."""
    before = net.parameters
    trainer = em.Trainer(net, em.SGD(0.1, momentum=0.5), 4, seed=1)
    history = trainer.run(x, y, 2, sample_weight=w, validation=(x, y))
    found = [net.parameters, np.array(history.loss), np.array(history.val_loss)]
    net.parameters = before
    found += [np.array(em.Trainer(net, em.SGD(0.1)).step(x, y)), net.parameters]
    net.parameters = before
    found += [net.forward(x), net.predict(x), np.array(net.evaluate(x, y, w).loss)]
    found += list(map(np.asarray, net.loss_and_gradient(x, y, sample_weight=w)))
    found += list(net.vjp(x, net.forward(x)))
    return found


def assert_same(found: list[Any], expected: list[Any], backend: str, what: str = "") -> None:
    """The same bits; NumPy's products add in an order that depends on strides."""
    for a, b in zip(found, expected, strict=True):
        if backend == "native":
            np.testing.assert_array_equal(a, b, what)
        else:  # some 20 terms a sum and four steps: 100 units in the last place of numbers near 1
            unit = 100 * float(np.finfo(np.float32).eps)
            np.testing.assert_allclose(a, b, rtol=unit, atol=unit, err_msg=what)


def test_the_core_leaves_misaligned_arrays_to_their_callers() -> None:
    """To load from them as numbers do is undefined in C++."""
    net = make("native", "softmax_cross_entropy")
    x, y = make_data([D, K], "softmax_cross_entropy", N, "float32")
    network, trainer = net._network, em.Trainer(net, em.SGD(0.1))
    out = misaligned(np.zeros((N, K), np.float32))
    assert network.forward(x, None) is not None and network.forward(x, out) is None
    step = trainer._trainer.step
    w = np.ones(N)
    assert step(x, misaligned(y), 0.1) is None and step(x, y, 0.1, misaligned(w)) is None
    assert step(x, y, 0.1, w) is not None
    z, offsets, chosen = np.arange(6.0), np.array([0, 3, 6]), np.array([1, 5])
    entries = {
        core.segment_softmax: (z, offsets),
        core.segment_softmax_vjp: (z, z, offsets),
        core.segment_cross_entropy: (z, offsets, chosen, True, np.ones(2)),
    }
    for entry, arrays in entries.items():
        assert entry(*arrays) is not None
        for i in [i for i, array in enumerate(arrays) if isinstance(array, np.ndarray)]:
            assert entry(*arrays[:i], misaligned(arrays[i]), *arrays[i + 1 :]) is None
    with pytest.raises(TypeError, match="the core cannot read X, y or sample_weight"):
        network.evaluate(x, misaligned(y))
    with pytest.raises(TypeError, match="the core cannot read a direction"):
        core.derivatives.jvp(network, x, None, misaligned(net.parameters))


def test_segments_take_misaligned_arrays() -> None:
    z, offsets, chosen = np.arange(6.0), np.array([0, 3, 6]), np.array([1, 5])
    expected = em.segment_cross_entropy(z, offsets, chosen)
    found = em.segment_cross_entropy(*map(misaligned, (z, offsets, chosen)))
    assert found[0] == expected[0] and (found[1] == expected[1]).all()
    p = em.segment_softmax(z, offsets)
    assert (em.segment_softmax(misaligned(z), misaligned(offsets)) == p).all()


@backends
def test_misaligned_out_is_refused(backend: str) -> None:
    net = make(backend)
    out = misaligned(np.zeros((N, K), np.float32))
    with pytest.raises(ValueError, match="out: expected a writable, aligned C-order array"):
        net.forward(np.ones((N, D), np.float32), out=out)
    assert (out == 0).all()


@backends
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int16", "uint8", "bool"])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_form_of_good_input(loss: str, dtype: str, backend: str, tmp_path: Path) -> None:
    x, y = make_data([D, K], loss, N, "float32")
    x = np.minimum(abs(100 * x), 255).astype(dtype)
    y = (y > 0.5).astype("float32") if y.ndim == 2 else y
    w = np.arange(1.0, N + 1)
    net = make(backend, loss, input_scale=1 / 255)
    expected = results(net, x.astype("float32"), y, w)
    xs, ys, ws = forms(x, tmp_path), forms(y, tmp_path), forms(w, tmp_path)
    for name in xs:
        assert_same(results(net, xs[name], ys[name], ws[name]), expected, backend, name)
    if y.ndim == 2:
        for kind in ("float64", "float16", "int8", "bool", "uint8"):
            assert_same(results(net, x, y.astype(kind), w), expected, backend, kind)
    else:
        for kind in ("int8", "uint8", "int32", "uint64", "bool"):
            assert_same(results(net, x, y.astype(kind), w), expected, backend, kind)


@backends
@pytest.mark.parametrize("loss", [x for x in LOSSES if x != "softmax_cross_entropy"])
def test_one_output_takes_a_flat_target(loss: str, backend: str) -> None:
    net = make(backend, loss, layer_sizes=[D, 4, 1])
    x, y = make_data([D, 1], loss, N, "float32")
    w = np.ones(N)
    expected = results(net, x, y, w)
    for flat in (y[:, 0], y[:, 0].tolist(), y[:, 0].astype(">f4"), np.repeat(y[:, 0], 2)[::2]):
        assert_same(results(net, x, flat, w), expected, backend)


@backends
def test_parameters_in_every_form(backend: str) -> None:
    net = make(backend)
    flat = np.arange(net.parameter_count) / 8
    for form in (flat.tolist(), flat.astype(">f8"), np.repeat(flat, 2)[::2], misaligned(flat)):
        net.parameters = np.zeros(net.parameter_count)
        net.parameters = form
        np.testing.assert_array_equal(net.parameters, flat.astype(np.float32))
    net.parameters = np.ones(net.parameter_count, int)
    assert (net.parameters == 1).all()


@backends
def test_results_do_not_alias_the_network(backend: str) -> None:
    net = make(backend)
    before = net.parameters
    net.parameters[:] = 7
    assert all(not array.flags.writeable for array in [*net.weights, *net.biases])
    np.testing.assert_array_equal(net.parameters, before)
    assert [W.shape for W in net.weights] == [(D, 4), (4, K)]
    assert [b.shape for b in net.biases] == [(4,), (K,)]
    joined = np.concatenate(
        [a.ravel() for pair in zip(net.weights, net.biases, strict=True) for a in pair]
    )
    np.testing.assert_array_equal(joined, before)


@backends
def test_out_is_filled_and_returned(backend: str) -> None:
    net = make(backend)
    out = np.empty((N, K), np.float32)
    for x in (X, X.tolist(), X.astype("f2")):
        out[:] = NAN
        assert net.forward(x, out) is out
        np.testing.assert_array_equal(out, net.forward(x))


# ---- Hypothesis

GOOD_DTYPES = ["float64", "float32", "float16", ">f4", "int8", "uint8", "int64", ">i2", "bool"]


@st.composite
def layouts(draw: Any) -> tuple[Any, Any]:
    """An array (N, D) of any dtype and strides, and the same numbers as plain float64."""
    rows, columns = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    dtype = np.dtype(draw(st.sampled_from(GOOD_DTYPES)))
    steps = [draw(st.sampled_from([1, 2, 3, -1, -2])) for _ in range(2)]
    whole = [rows * abs(steps[0]), columns * abs(steps[1])]
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    order = draw(st.sampled_from("CF"))
    big = np.asarray(rng.integers(0, 5, whole), dtype=dtype, order=order)
    array = big[:: steps[0], :: steps[1]][:rows, :columns]
    if draw(st.booleans()):
        array = np.broadcast_to(array[:1], array.shape)
    return array, np.ascontiguousarray(array, dtype="float64")


@settings(deadline=None, max_examples=60)
@given(layouts(), st.sampled_from(BACKENDS), st.integers(1, 20), st.sampled_from(DTYPES))
def test_any_layout_gives_one_result(data: Any, backend: str, K: int, dtype: str) -> None:
    strange, plain = data
    net = em.MLP([plain.shape[1], K], seed=0, backend=backend, dtype=dtype, activation="tanh")
    y = np.arange(len(plain)) % K
    dY = np.ones((len(plain), K))
    twin = em.MLP(**net.config)
    twin.parameters = net.parameters
    passes, trained = [], []
    for one, x in ((net, strange), (twin, plain)):
        passes.append([one.forward(x), *one.vjp(x, dY), *one.loss_and_gradient(x, y)])
        em.Trainer(one, em.SGD(0.1), 3, seed=0).run(x, y, 2)
        trained.append([one.parameters])
    assert_same(passes[0], passes[1], backend)
    assert_same(trained[0], trained[1], backend)


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.complex_numbers(),
    st.lists(st.floats(), max_size=7),
    st.lists(st.lists(st.floats(width=32), max_size=4), max_size=7),
    st.lists(st.integers(-1, 3), min_size=5, max_size=7),
    st.dictionaries(st.integers(), st.integers(), max_size=2),
    st.builds(np.zeros, st.lists(st.integers(0, 7), max_size=3), st.sampled_from(["f8", "O", "U"])),
)


@settings(deadline=None, max_examples=150)
@given(ANYTHING, st.sampled_from(BACKENDS), st.data())
def test_anything_is_taken_or_refused(value: Any, backend: str, data: Any) -> None:
    """Never a crash, another error, or numbers that are not finite."""
    entries = {
        **READS_X,
        **{f"{k} y": v for k, v in READS_Y.items()},
        "parameters": lambda net, x: setattr(net, "parameters", x),
        "apply": lambda net, x: em.Trainer(net, em.SGD(0.1)).apply(x),
        "epochs": lambda net, x: net.fit(X, LABELS, epochs=min(x, 9) if isinstance(x, int) else x),
        "out": lambda net, x: net.forward(X, x),
        "lr": lambda net, x: em.SGD(x),
        "sizes": lambda net, x: em.MLP([3, x, 2]) if not (isinstance(x, int) and x > 99) else 0,
    }
    name = data.draw(st.sampled_from(sorted(entries)))
    net = make(backend)
    before = net.parameters
    try:
        entries[name](net, value)
    except (TypeError, ValueError):
        np.testing.assert_array_equal(net.parameters, before)
    except em.DivergenceError:
        pass
    assert np.isfinite(net.parameters).all()


# ---- losses


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        ("quantile(q=0)", "Quantile: q: expected numbers above 0, got 0"),
        ("quantile(q=1.0)", "Quantile: q: expected.*below 1, got 1.0"),
        ("quantile(q=-0.5)", "Quantile: q: expected.*got -0.5"),
        ("quantile(q=[0.5, 1.5])", "Quantile: q: expected.*below 1, got 1.5"),
        ("quantile(q=[])", "Quantile: q: expected at least one number, got none"),
        ("quantile(q='0.5')", "Quantile: q: expected a list of numbers, got '0.5'"),
        ("quantile(q=[0.1, 0.5, 0.9])", r"q: expected 2 numbers, one for each output, got \["),
        ("huber(delta=0)", "Huber: delta: expected a number above 0, got 0"),
        ("huber(delta=-1)", "Huber: delta: expected a number above 0, got -1"),
        ("huber(delta=1e39)", r"delta: expected at most 3.4.*got 1e\+39"),
        ("softmax_cross_entropy(label_smoothing=1)", "label_smoothing.*below 1, got 1"),
        ("softmax_cross_entropy(label_smoothing=-0.1)", "label_smoothing.*least 0.*got -0.1"),
        ("softmax_cross_entropy(class_weight=[1, 2, 3])", "class_weight: expected 2 numbers"),
        ("softmax_cross_entropy(class_weight=[1, -2])", "class_weight.*at least 0.*got -2"),
        ("softmax_cross_entropy(class_weight=[0, 0])", "class_weight.*not all 0"),
        (
            "softmax_cross_entropy(class_weight=3)",
            "class_weight: expected a list of numbers, got 3",
        ),
        ("softmax_cross_entropy(class_weight={0: 1, 1: 2})", "class_weight: expected a list of"),
        ("huber(delta=1e-320)", "delta: expected at least 1.17.*got 1e-320"),
        ("squared_error(reduction='max')", r"reduction: expected one of .*got 'max'"),
        ("squared_error(delta=1)", r"expected parameters \['reduction'\].*got 'delta'"),
        ("squred_error(reduction='sum')", "loss: expected one of .*got 'squred_error'"),
    ],
)
def test_bad_losses(loss: str, text: str) -> None:
    refused(None, lambda: make(loss=loss), (TypeError, ValueError), text)


def test_bad_loss_objects() -> None:
    for nan in (NAN, INF):
        with pytest.raises(ValueError, match=r"Huber: delta: expected a finite number.*got"):
            em.losses.Huber(delta=nan)
        with pytest.raises(ValueError, match=r"Quantile: q: expected a finite number.*got"):
            em.losses.Quantile(q=[0.5, nan])
        with pytest.raises(ValueError, match=r"label_smoothing: expected a finite number.*got"):
            em.losses.SoftmaxCrossEntropy(label_smoothing=nan)
    # The keys of a dict are no weights, and neither do sets have an order.
    for unordered in ({0: 1.0, 1: 2.0}, {1.0, 2.0}, np.array(1.0)):
        with pytest.raises(TypeError, match="class_weight: expected a list of numbers, got"):
            em.losses.SoftmaxCrossEntropy(class_weight=unordered)  # type: ignore[arg-type]
    for unordered in ({0.1: 1.0}, {0.1, 0.9}, np.array([[0.5]])):
        with pytest.raises(TypeError, match="Quantile: q: expected a"):
            em.losses.Quantile(q=unordered)  # type: ignore[arg-type]
    refused(None, lambda: make(dropout={0.5}), TypeError, "dropout: expected a number, got {0.5}")
    refused(None, lambda: make(dropout=np.array("a")), TypeError, "dropout: expected a number")
    refused(None, lambda: make(activation=np.array("tanh")), TypeError, "activation: expected one")
    refused(None, lambda: make(reduction="max"), ValueError, "reduction: expected.*got 'max'")
    refused(None, lambda: make(loss=3), TypeError, "loss: expected one of.*got 3")
    refused(
        None,
        lambda: make(loss="poisson", output_activation="softplus"),
        ValueError,
        "output_activation: expected 'identity' with poisson.*got 'softplus'",
    )


@backends
@pytest.mark.parametrize("reads", READS_Y)
def test_negative_counts(reads: str, backend: str) -> None:
    net = make(backend, "poisson")
    y = changed(np.ones((N, K)), (2, 1), -0.5)
    refused(net, lambda: READS_Y[reads](net, y), ValueError, "poisson.*at least 0, got -0.5")


@backends
@pytest.mark.parametrize("reads", READS_Y)
def test_class_weights_need_labels(reads: str, backend: str) -> None:
    net = make(backend, em.losses.SoftmaxCrossEntropy(class_weight=[1, 2]))
    call = lambda: READS_Y[reads](net, PROBABILITIES)  # noqa: E731
    refused(net, call, ValueError, r"expected integer labels \(N,\) with class_weight, got")
