"""X, y, weights, parameters and outputs that cannot be used are refused, and change nothing."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._basics.shown import shown
from support.names import LOSS_NAMES as LOSSES
from support.refusals import (
    INF,
    LABELS,
    NAN,
    PROBABILITIES,
    READS_X,
    READS_Y,
    D,
    K,
    N,
    X,
    backends,
    changed,
    make,
    refused,
)

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
        refused(net, lambda: READS_X[entry](net, column), ValueError, r"D = 1.*\(6,\).*one column")


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
    for bad, what in (
        (read_only, "read-only"),
        (np.empty((K, N), np.float32).T, "not in C order"),
        (np.empty((N, 2 * K), np.float32)[:, ::2], "not in C order"),
        (np.zeros(4 * N * K + 1, np.uint8)[1:].view(np.float32).reshape(N, K), "not aligned"),
    ):
        assert refused(net, lambda bad=bad: net.forward(X, bad)).endswith(f"(6, 2), {what}")
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


# ---- losses


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


@pytest.mark.parametrize("odd", [10**400, -(2**63) - 1, "\ud800", None, 1j])
def test_objects_that_are_no_numbers_are_told_with_their_place(odd: Any) -> None:
    rows = np.array([[1, 2, 3]] * N, dtype=object)
    rows[2, 1] = odd
    text = re.escape(f"got an array of object with {shown(odd)} at ")
    refused(make(), lambda: make().fit(rows, LABELS), TypeError, rf"X: .*{text}X\[2, 1\]")
    labels = np.array(LABELS, dtype=object)
    labels[4] = odd
    refused(make(), lambda: make().fit(X, labels), TypeError, rf"y: .*{text}y\[4\]")
