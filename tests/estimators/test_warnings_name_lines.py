"""Each warning names the line that the user wrote, of estimators, networks and tables alike."""

import tempfile
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import eigenmlp as em
from eigenmlp._backends import facade
from eigenmlp._basics.warned import as_ours
from eigenmlp.sklearn import MLPClassifier, MLPEnsembleRegressor, MLPRegressor
from eigenmlp.tables import TableClassifier, TableRegressor
from support.tables import ONE_CHOICE

N = 60
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 2))
Y = X[:, 0]
LABELS = np.where(Y > 0, "a", "b")
FRAME = pd.DataFrame(X, columns=["a", "b"])
BRIEF: dict[str, Any] = {"random_state": 0, "max_epochs": 2} | ONE_CHOICE
TABLE = TableRegressor(**BRIEF).fit(FRAME, Y)
SHORT = MLPRegressor(max_iter=1, random_state=0)
WIDE = np.c_[X[:, 0], 1e6 * X[:, 1]]


def bfloat16() -> Any:
    facade._warned.clear()
    if facade.core.multiplies_bfloat16:
        pytest.skip("this variant multiplies bfloat16")
    return em.MLP([2, 1], compute_dtype="bfloat16", loss="squared_error")


def exported(model: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        em.codegen.to_c(model, f"{folder}/m.c")


WARNS: dict[str, tuple[Callable[[], Any], str]] = {
    "table, columns": (
        lambda: TableRegressor(**BRIEF).fit(FRAME.assign(same=1), Y),
        "got 1 in every row of 'same'",
    ),
    "table, other columns": (lambda: TABLE.predict(FRAME.assign(c=1)), "got also"),
    "table, other columns to validate with": (
        lambda: TableRegressor(**BRIEF).fit(FRAME, Y, validation=(FRAME.assign(c=1), Y)),
        "got also",
    ),
    "table, score": (lambda: TABLE.score(FRAME.assign(c=1), Y), "got also"),
    "table, interval": (lambda: TABLE.predict_interval(FRAME.assign(c=1)), "got also"),
    "table, importance": (lambda: TABLE.importance(FRAME.assign(c=1), Y), "got also"),
    "table, no names": (lambda: TABLE.predict(X), "which had names, got none"),
    "table, one row": (lambda: TABLE.score(FRAME[:1], Y[:1]), "score is not well-defined"),
    "table, groups": (
        lambda: TableRegressor(**BRIEF).fit(FRAME[:40], Y[:40], groups=[1] * 40),
        "groups tell nothing",
    ),
    "table, a column for y": (
        lambda: TableRegressor(**BRIEF).fit(FRAME, Y[:, None]),
        "A column-vector y was passed",
    ),
    "table, many classes": (
        lambda: TableClassifier(**BRIEF).fit(FRAME, [f"c{i % 40}" for i in range(N)]),
        "number of unique classes",
    ),
    "table, members": (
        lambda: TableRegressor(**BRIEF, members=2).fit(FRAME.assign(same=1), Y),
        "got 1 in every row",
    ),
    "table, exported": (
        lambda: exported(TableRegressor(**BRIEF).fit(FRAME, 1e6 + 1e-3 * Y)),
        "whose differences float32 can hold, got a mean of 1e+06 ± ",
    ),
    "max_iter": (lambda: clone(SHORT).fit(X, Y), "Maximum iterations"),
    "max_iter of a classifier": (
        lambda: MLPClassifier(max_iter=1, random_state=0).fit(X, LABELS),
        "Maximum iterations",
    ),
    "in a pipeline": (
        lambda: make_pipeline(StandardScaler(), clone(SHORT)).fit(X, Y),
        "Maximum iterations",
    ),
    "in a search": (
        lambda: GridSearchCV(clone(SHORT), {"alpha": [0.1]}, cv=2).fit(X, Y),
        "Maximum iterations",
    ),
    "lbfgs": (
        lambda: MLPRegressor(solver="lbfgs", max_iter=1, random_state=0).fit(X, Y),
        "lbfgs failed to converge",
    ),
    "batch size": (
        lambda: MLPRegressor(batch_size=10**6, max_iter=1, random_state=0).fit(X, Y),
        "Got `batch_size`",
    ),
    "partial_fit and batch size": (
        lambda: MLPRegressor(batch_size=10**6, random_state=0).partial_fit(X, Y),
        "Got `batch_size`",
    ),
    "column for y": (lambda: clone(SHORT).fit(X, Y[:, None]), "A column-vector y was passed"),
    "names": (lambda: clone(SHORT).fit(FRAME, Y).predict(X), "valid feature names"),
    "one row": (lambda: clone(SHORT).fit(X, Y).score(X[:1], Y[:1]), "is not well-defined"),
    "ensemble": (
        lambda: MLPEnsembleRegressor(clone(SHORT), n_members=2, random_state=0).fit(X, Y),
        "Maximum iterations",
    ),
    "columns of different sizes": (
        lambda: em.MLP([2, 1], loss="squared_error", seed=0).fit(WIDE, Y, epochs=1),
        "columns of about one size",
    ),
    "columns in a trainer": (
        lambda: em.Trainer(em.MLP([2, 1], loss="squared_error", seed=0), em.SGD(1e-9)).run(
            WIDE, Y, 1
        ),
        "columns of about one size",
    ),
    "a constant": (
        lambda: em.MLP([2, 3, 1], loss="squared_error", init="zeros").fit(X, Y, epochs=1),
        "expected outputs that depend on the row",
    ),
    "bfloat16": (bfloat16, "which brings no speed"),
}


@pytest.mark.parametrize("name", WARNS)
def test_the_line_of_the_user(name: str) -> None:
    call, text = WARNS[name]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    assert any(text in str(one.message) for one in caught), [str(one.message) for one in caught]
    for one in caught:
        assert one.filename == __file__, (one.filename, one.lineno, str(one.message))


def test_threads_leave_pythons_warnings_as_they_are() -> None:
    """One enters before the other leaves: caught in both, the process would keep the first's."""
    before = warnings.showwarning, list(warnings.filters)
    entered, left = threading.Event(), threading.Event()

    def first() -> None:
        with as_ours():
            entered.set()
            assert left.wait(10)

    def second() -> None:
        assert entered.wait(10)
        with as_ours():
            left.set()
            thread.join()

    thread, other = threading.Thread(target=first), threading.Thread(target=second)
    thread.start(), other.start()
    other.join(20)
    assert not thread.is_alive() and not other.is_alive()
    assert (warnings.showwarning, list(warnings.filters)) == before
