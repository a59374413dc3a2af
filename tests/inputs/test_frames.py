"""Frames of pandas, Polars and PyArrow: taken wherever an array is, or refused by column."""

import decimal
import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from support.bounds import assert_same
from support.refusals import refused

N = 24
_rng = np.random.default_rng(0)
A, B, C = _rng.integers(0, 9, N), _rng.random(N) > 0.5, np.round(_rng.random(N), 3)
LABELS = (C > 0.5).astype(np.int64)
ROWS = np.stack([A, B, C], axis=1)
COLUMNS = {"a": A, "b": B, "c": C}
EUROS = [decimal.Decimal(str(c)) for c in C]
LIBRARIES = ("pandas", "polars", "pyarrow")
libraries = pytest.mark.parametrize("library", LIBRARIES)


def frames(library: str) -> dict[str, Any]:
    """The numbers of ROWS, in every dtype that a library has for such."""
    module = pytest.importorskip(library, reason=f"no {library} for this interpreter")
    if library == "pandas":
        plain = module.DataFrame(COLUMNS)
        nullable = dict(zip("abc", ("Int64", "boolean", "Float64"), strict=True))
        found = {
            "mixed": plain,
            "one dtype": plain.astype(np.float64),
            "small": plain.astype({"a": "uint8", "c": "float64"}),
            "nullable": plain.astype(nullable),
            "nullable beside plain": plain.astype({"a": "Int8"}),
            "sparse": plain.assign(a=module.arrays.SparseArray(A)),
            "names that are no text": plain.set_axis([0, ("x", 1), 0], axis=1),
        }
        if arrow := sys.modules.get("pyarrow"):
            money = module.ArrowDtype(arrow.decimal128(9, 3))
            found["arrow"] = plain.convert_dtypes(dtype_backend="pyarrow")
            found["decimals"] = plain.assign(c=module.array(EUROS, dtype=money))
        return found
    if library == "polars":
        plain = module.DataFrame(COLUMNS)
        return {
            "mixed": plain,
            "chunks": module.concat([plain[:5], plain[5:]], rechunk=False),
            "decimals": plain.with_columns(c=module.Series(EUROS)),
        }
    plain = module.table(COLUMNS)
    return {
        "table": plain,
        "batch": plain.to_batches()[0],
        "chunks": module.concat_tables([plain[:5], plain[5:]]),
        "decimals": plain.set_column(2, "c", module.array(EUROS)),
    }


def columns(library: str, values: Any) -> dict[str, Any]:
    """One column in every form that a library has for it."""
    module = pytest.importorskip(library, reason=f"no {library} for this interpreter")
    if library == "pandas":
        series = module.Series(values, name="y", index=np.arange(N)[::-1])
        nullable = series.convert_dtypes()
        return {"series": series, "nullable": nullable, "array": nullable.array,
                "index": module.Index(values)}  # fmt: skip
    if library == "polars":
        return {"series": module.Series("y", values)}
    return {"array": module.array(values), "chunks": module.chunked_array([values[:5], values[5:]])}


def make() -> em.MLP:
    return em.MLP([3, 4, 2], activation="tanh", dtype="float64", seed=0)


def results(X: Any, y: Any, weights: Any) -> list[Any]:
    net = make()
    trainer = em.Trainer(net, em.SGD(0.1), 8, seed=1)
    loss = trainer.step(X, y)
    history = trainer.run(X, y, 2, sample_weight=weights, validation=(X, y))
    fitted = net.fit(X, y, epochs=2, sample_weight=weights, seed=1, progress=False)
    report = em.check_gradients(net, X, y, sample_weight=weights)
    assert report.ok, str(report)
    numbers = [loss, *history.loss, *history.val_loss, *fitted.loss, report.max_relative_error]
    return [np.array(numbers), net.parameters, net.predict(X), net.forward(X)]


@libraries
def test_frames_give_what_their_numbers_give(library: str) -> None:
    expected = results(ROWS, LABELS, C)
    for name, frame in frames(library).items():
        for ours, theirs in zip(results(frame, LABELS, C), expected, strict=True):
            assert_same(ours, theirs, name)


@libraries
def test_columns_give_what_their_numbers_give(library: str) -> None:
    expected = results(ROWS, LABELS, A)
    weights = list(columns(library, A).values())
    for number, (name, y) in enumerate(columns(library, LABELS).items()):
        found = results(ROWS, y, weights[number % len(weights)])
        for ours, theirs in zip(found, expected, strict=True):
            assert_same(ours, theirs, name)


@libraries
def test_estimators_take_frames_of_every_dtype(library: str) -> None:
    pytest.importorskip("sklearn")
    from eigenmlp.sklearn import MLPClassifier

    options: dict[str, Any] = {"max_iter": 2, "random_state": 0, "tol": 0, "n_iter_no_change": 1}
    with pytest.warns(UserWarning, match="Maximum iterations"):
        expected = MLPClassifier(**options).fit(ROWS, LABELS).predict_proba(ROWS)
    for name, frame in frames(library).items():
        if name in ("names that are no text", "decimals", "sparse"):
            continue  # scikit-learn warns, or refuses them, itself
        with pytest.warns(UserWarning, match="Maximum iterations"):
            fitted = MLPClassifier(**options).fit(frame, LABELS)
        assert_same(fitted.predict_proba(frame), expected, name)


def test_what_narwhals_wraps_is_taken() -> None:
    narwhals = pytest.importorskip("narwhals")
    frame = narwhals.from_native(frames("pandas")["mixed"])
    assert_same(make().forward(frame), make().forward(ROWS), "narwhals")


def damaged(library: str, column: Any) -> Any:
    frame = next(iter(frames(library).values()))
    if library == "pandas":
        return frame.assign(b=column)
    if library == "polars":
        return frame.with_columns(b=sys.modules["polars"].Series(column))
    return frame.set_column(1, "b", sys.modules["pyarrow"].array(column))


TAKES_X: dict[str, Callable[[em.MLP, Any], Any]] = {
    "fit": lambda net, x: net.fit(x, LABELS),
    "step": lambda net, x: em.Trainer(net, em.SGD(0.1)).step(x, LABELS),
    "check_gradients": lambda net, x: em.check_gradients(net, x, LABELS),
    "predict": lambda net, x: net.predict(x),
}


@libraries
@pytest.mark.parametrize("call", TAKES_X)
def test_what_is_no_number_is_refused_by_name(library: str, call: str) -> None:
    cases: dict[str, tuple[list[Any], Any, list[str]]] = {
        "words": (["x"] * N, TypeError, ["column 'b' of ", "make numbers"]),
        "words and gaps": (["x", None] * (N // 2), TypeError, ["12 missing", "row 1 (from 0)"]),
        "gaps": ([1, 2, None, 4] * (N // 4), ValueError, ["6 missing", "row 2 (from 0)"]),
        "gaps in bools": ([True, None] * (N // 2), (TypeError, ValueError), ["row 1 (from 0)"]),
        "nan": ([1.0, 2.0, np.nan, 4.0] * (N // 4), ValueError, ["6 missing", "row 2 (from 0)"]),
        "infinite": ([1.0] * (N - 1) + [-np.inf], ValueError, ["-inf", f"row {N - 1} (from 0)"]),
        "lists": ([[1, 2]] * N, TypeError, ["column 'b' of "]),
    }
    for values, kind, parts in cases.values():
        net, frame = make(), damaged(library, values)
        message = refused(net, lambda net=net, frame=frame: TAKES_X[call](net, frame), kind)
        assert len(message) < 400 and message.startswith("X: expected") and "'b'" in message
        assert all(part in message for part in parts), message
        assert ("eigenmlp.tables.Table" in message) != ("inf" in message), message


@pytest.mark.parametrize("dtype", ["Int64", "boolean", "Float64", "int64[pyarrow]", "category"])
def test_nullable_columns_of_pandas_name_their_gaps(dtype: str) -> None:
    pandas = pytest.importorskip("pandas")
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    frame = damaged("pandas", pandas.array([1, 0, None, 1] * (N // 4), dtype=dtype))
    message = refused(make(), lambda: make().predict(frame))
    assert f"column 'b' of {dtype} with 6 missing, the first in row 2 (from 0)" in message


def test_several_columns_and_long_names_fit_into_one_message() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({f"{'very ' * 50}{i}": ["x", None] for i in range(3000)})
    message = refused(make(), lambda: make().predict(frame), TypeError)
    assert len(message) < 400 and "2,999 more such columns" in message


@libraries
def test_targets_and_weights_name_the_remedy(library: str) -> None:
    for what, call in {
        "y": lambda y: make().fit(ROWS, y),
        "sample_weight": lambda w: make().fit(ROWS, LABELS, sample_weight=w),
    }.items():
        frame = damaged(library, [1, None] * (N // 2))
        column = frame.column("b") if library == "pyarrow" else frame["b"]
        message = refused(None, lambda call=call, column=column: call(column), ValueError)
        assert message.startswith(what) and "12 missing, the first in row 1" in message
        assert "tables" not in message
        words = damaged(library, ["x"] * N)
        column = words.column("b") if library == "pyarrow" else words["b"]
        message = refused(None, lambda call=call, column=column: call(column), TypeError)
        assert ("numpy.unique" in message) == (what == "y")


@libraries
def test_estimators_name_the_column(library: str) -> None:
    pytest.importorskip("sklearn")
    from eigenmlp.sklearn import MLPClassifier, MLPRegressor

    for values, begins in ((["x"] * N, "could not convert"), ([1, None] * (N // 2), "Input X")):
        frame = damaged(library, values)
        with pytest.raises(ValueError, match="column 'b' of ") as caught:
            MLPClassifier(max_iter=2).fit(frame, LABELS)
        assert str(caught.value).startswith(begins) and len(str(caught.value)) < 400
    frame = damaged(library, [1.0, None] * (N // 2))
    y = frame.column("b") if library == "pyarrow" else frame["b"]
    with pytest.raises(ValueError, match=r"Input y contains NaN\. y: expected a number"):
        MLPRegressor(max_iter=2).fit(ROWS, y)


def test_a_query_is_no_frame_yet() -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(COLUMNS).lazy()
    refused(make(), lambda: make().predict(frame), TypeError, r"LazyFrame: use X.collect\(\)")


def test_empty_frames_and_other_columns_are_refused() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(COLUMNS)
    refused(make(), lambda: make().predict(frame[["a", "b"]]), ValueError, r"got \(24, 2\)")
    refused(make(), lambda: make().predict(frame[:0]), ValueError, "at least one row")
    refused(make(), lambda: make().predict(pandas.DataFrame()), ValueError, r"got \(0, 0\)")
    column = frame[["b"]].astype(int)
    refused(make(), lambda: make().fit(frame, column), ValueError, r"numpy\.ravel\(y\)")


def test_none_of_the_libraries_is_imported(in_subprocess: Any) -> None:
    program = """
import sys, eigenmlp as em
em.MLP([2, 2], seed=0).fit([[0, 1], [1, 0]], [0, 1], epochs=1)
assert not {"pandas", "polars", "pyarrow", "narwhals"} & set(sys.modules)
"""
    done = in_subprocess(program)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("odd", [10**400, "\ud800", [1]])
def test_objects_of_pandas_that_are_no_numbers(odd: Any) -> None:
    pandas = pytest.importorskip("pandas")
    values = pandas.Series([*A[:7], odd, *A[8:]], dtype=object)
    net = em.MLP([1, 1], loss="squared_error", seed=0)
    for call in (
        lambda: net.fit(pandas.DataFrame({"a": values}), C),
        lambda: net.fit(C[:, None], values),
    ):
        refused(net, call, TypeError, r"column.* of object, .* in row 7 \(from 0\)")


def test_integers_that_no_float_holds_in_the_estimators() -> None:
    sklearn = pytest.importorskip("eigenmlp.sklearn")
    rows = [[1.0, 2], *[[3.0, 4 + i] for i in range(N - 2)], [5.0, 10**400]]
    targets = [*C[1:], 10**400]
    for X, y, place in ((rows, C, "X[23, 1]"), (ROWS, targets, "y[23]")):
        with pytest.raises(ValueError, match=f"a float can hold, got 1000.* at {re.escape(place)}"):
            sklearn.MLPRegressor(max_iter=1).fit(X, y)
    with pytest.raises(ValueError, match=r"Unknown label type: y: expected .*got 1000.* in row 23"):
        sklearn.MLPClassifier(max_iter=1).fit(ROWS, [*LABELS[1:].tolist(), 10**400])
    with pytest.raises(ValueError, match=r"y: expected numbers, got '\\ud800' in row 23"):
        sklearn.MLPRegressor(max_iter=1).fit(ROWS, [*map(str, C[1:]), "\ud800"])
