"""Packs of networks for a table: members, time, what they say, files."""

import json
import signal
import threading
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_wine
from sklearn.metrics import log_loss
from sklearn.utils.estimator_checks import check_estimator

import eigenmlp as em
from eigenmlp._files import container
from eigenmlp._files.model import _checksum
from eigenmlp._training.training import Surroundings
from eigenmlp.errors import DivergenceError
from eigenmlp.tables import (
    TableClassifier,
    TableRegressor,
    _defaults,
    _draws,
    _fitting,
    _pack,
)

RNG = np.random.default_rng(0)
N = 3600  # above which one network's settings are fixed, and members differ from them
FRAME = pd.DataFrame(
    {
        "x": RNG.uniform(-2, 2, N),
        "z": RNG.uniform(-2, 2, N),
        "town": RNG.choice(["Ulm", "Bonn", "Köln"], N),
        "noise": RNG.normal(size=N),
    }
)
Y = 10 + np.sin(2 * FRAME.x) + (FRAME.town == "Ulm") + 0.3 * RNG.normal(size=N)
QUICK: dict[str, Any] = {"max_epochs": 3, "hidden_layer_sizes": (16,), "random_state": 0}


def test_a_pack_is_better_than_one_and_says_what_it_is() -> None:
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    model = TableRegressor(members=12, random_state=0).fit(X[:300], y[:300])
    one = TableRegressor(random_state=0).fit(X[:300], y[:300])
    assert model.score(X[300:], y[300:]) > one.score(X[300:], y[300:]) - 0.02
    assert model.validation_score_ >= one.validation_score_ - 0.01
    lines = model.leaderboard()
    assert len(lines) == 12 == len(pd.DataFrame(lines))
    assert sum(line["weight"] for line in lines) == pytest.approx(1)
    assert [line["weight"] for line in lines] == sorted((x["weight"] for x in lines), reverse=True)
    assert min(model.validation_curve_) <= min(line["loss"] for line in lines) + 1e-9
    assert str(lines).splitlines()[0].split()[:4] == ["member", "weight", "loss", "seconds"]
    assert "<table>" in lines._repr_html_()
    assert len(one.leaderboard()) == 1 and one.leaderboard()[0]["weight"] == 1


@pytest.mark.parametrize("kind", [TableRegressor, TableClassifier])
def test_the_same_bits_for_every_number_of_threads(kind: Any) -> None:
    y = Y if kind is TableRegressor else Y.round().astype(int)
    model = kind(members=6, **QUICK).fit(FRAME, y)
    others = [clone(model).set_params(n_threads=n).fit(FRAME, y) for n in (1, 3)]
    for other in others:
        np.testing.assert_array_equal(other._forward(FRAME), model._forward(FRAME))


def test_probabilities_are_the_mean_of_the_members() -> None:
    X, y = load_wine(return_X_y=True, as_frame=True)
    model = TableClassifier(members=5, random_state=0).fit(X[::2], y[::2])
    assert model.score(X, y) > 0.9
    P = model.predict_proba(X)
    np.testing.assert_allclose(P.sum(axis=1), 1)
    np.testing.assert_allclose(np.log(P), model.predict_log_proba(X), rtol=1e-6)
    expected = np.zeros_like(P)
    for member in model.members_:
        for net in member.networks:
            rows = model._encoded(X)[member.encoder]
            expected += member.weight / len(member.networks) * net.predict_proba(rows)
    np.testing.assert_allclose(P, expected, atol=1e-6)
    assert log_loss(y, P) < 0.4


def test_intervals_cover_what_they_say() -> None:
    rows = np.arange(N) < 2400
    model = TableRegressor(members=5, **{**QUICK, "max_epochs": 12}).fit(FRAME[rows], Y[rows])
    low, high = model.predict_interval(FRAME[~rows], 0.9)
    assert 0.86 < ((low <= Y[~rows]) & (Y[~rows] <= high)).mean() < 0.94
    if sum(member.weight > 0 for member in model.members_) > 1:
        assert np.ptp(high - low) > 0  # wider where members differ


@pytest.mark.parametrize("rows", [40, 200, N])
def test_a_time_too_short_for_one_member_gives_one(rows: int) -> None:
    began = time.perf_counter()
    model = TableRegressor(time_limit=0.0, random_state=0).fit(FRAME[:rows], Y[:rows])
    assert time.perf_counter() - began < 10
    assert len(model.members_) == 1 and model.best_epoch_ == 1
    assert np.isfinite(model.predict(FRAME)).all()


def test_the_time_ends_it_and_so_does_it_that_more_brings_nothing() -> None:
    began = time.perf_counter()
    model = TableRegressor(members="auto", time_limit=1.0, random_state=0).fit(FRAME, Y)
    assert time.perf_counter() - began < 8 and len(model.members_) >= 1
    X, y = load_diabetes(return_X_y=True)
    began = time.perf_counter()
    model = TableRegressor(
        members="auto", hidden_layer_sizes=(), max_epochs=3, bins=0, random_state=0
    ).fit(X, y)
    assert 8 < len(model.members_) < 1000 and time.perf_counter() - began < 30


def test_a_member_ends_with_the_time_not_with_its_epoch() -> None:
    rng = np.random.default_rng(0)
    rows = _fitting.Rows(
        rng.normal(size=(20_000, 3)).astype("f"), rng.normal(size=(20_000, 1)), None
    )
    fitter = _fitting.Fitter(None, False, 1, "squared_error", 0, False)
    hours = _fitting.Settings((256, 256), 0, 1e-3, 0.0, 0.0, 1, 9, 9, 0, False, "float32")
    around, began = Surroundings(lambda: None), time.perf_counter()
    with pytest.raises(_fitting.Late):
        fitter.run(rows, None, hours, 0, None, around, began + 0.2, lambda: True)
    assert time.perf_counter() - began < 5
    moment = replace(hours, hidden=(1,), batch_size=20_000)
    assert len(fitter.run(rows, None, moment, 0, None, around, began).history.loss) == 1


def test_what_the_time_ends_is_as_its_epochs_made_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """And left out without any, where another member is there."""

    def late(self: Any, others: Any) -> None:
        if self.epoch == most or (not self.epoch and others()):
            raise _fitting.Late

    monkeypatch.setattr(_fitting._Mean, "expect_time", late)
    model, most = TableRegressor(members=3, n_threads=1, **QUICK), 2
    model.fit(FRAME, Y)
    assert [line["member"] for line in model.leaderboard()] == [0]
    assert len(model.history_.loss) == len(model.history_.val_loss) == 2
    most = -1
    whole = clone(model).set_params(members=1, time_limit=1e9).fit(FRAME, Y)
    assert len(whole.history_.loss) == 3
    assert model.history_.val_loss == whole.history_.val_loss[:2]


def test_members_of_large_tables_are_held_once_and_have_fewer_bins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen, held = _pack.Packer._chosen, []

    def looking(self: Any) -> Any:
        held.append(tracemalloc.get_traced_memory()[0])
        return chosen(self)

    monkeypatch.setattr(_pack.Packer, "_chosen", looking)
    tracemalloc.start()
    try:
        TableRegressor(members=2, bins=64, **QUICK).fit(FRAME, Y)
    finally:
        tracemalloc.stop()
    assert held[0] < 1.9 * 4 * N * (3 * 65 + 3)  # bytes of encoded rows
    monkeypatch.setattr(_defaults, "_OF_MEMBERS", 4 * N * 4 * 11)
    lines = TableRegressor(members=4, **QUICK).fit(FRAME, Y).leaderboard()
    assert {line["bins"] for line in lines} == {10}


def test_what_is_drawn_goes_by_the_first_members() -> None:
    """And what the user asks for is the same in all."""
    base = _fitting.Settings((192, 192), 32, 4e-3, 0.3, 0.0, 128, 40, 8, 5, False, "float32")
    worse, better = ([1.0, 0.9, 1.1, 1.0], [1.0, 1.0, 0.9, 0.9])
    for place in range(4, 20):
        plain = _draws.draw(place, [base], 0, _draws.known(worse))
        other = _draws.draw(place, [base], 0, _draws.known(better))
        assert plain.dropout == 0 and plain.bins >= 48 and 2e-3 <= plain.lr <= 4e-3
        assert other.bins <= 32 and 1e-3 <= other.lr <= 3e-3
        assert plain == _draws.draw(place, [base], 0, _draws.known(worse))
    drawn = [_draws.draw(place, [base], 0, _draws.known(better)) for place in range(4, 20)]
    assert {one.dropout for one in drawn} == {0.0, 0.1, 0.2}
    model = TableRegressor(members=5, bins=6, **QUICK).fit(FRAME, Y)
    lines = model.leaderboard()
    assert {(line["bins"], line["hidden_layer_sizes"]) for line in lines} == {(6, (16,))}
    assert len({line["learning_rate"] for line in lines}) > 2


def test_members_that_diverge_are_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    run = _fitting.Fitter.run
    calls: list[int] = []

    def diverging(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) <= bad:
            raise DivergenceError(1, 2)
        return run(*args, **options)

    monkeypatch.setattr(_fitting.Fitter, "run", diverging)
    model, bad = TableRegressor(members=5, n_threads=1, **QUICK), 1
    with pytest.warns(RuntimeWarning, match="member 0 is left out: the loss is no longer finite"):
        model.fit(FRAME, Y)
    assert sorted(line["member"] for line in model.leaderboard()) == [1, 2, 3, 4]
    bad = 1000
    with pytest.raises(DivergenceError, match="a smaller learning rate or scaled inputs"):
        clone(model).fit(FRAME, Y)


def test_ctrl_c_ends_all_and_changes_nothing() -> None:
    model = TableRegressor(members=3, random_state=0, max_epochs=10**5, patience=10**5, n_threads=2)
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.7, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    began = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        model.fit(FRAME, Y)
    assert time.perf_counter() - began < 20 and not hasattr(model, "members_")


@pytest.mark.filterwarnings("ignore")  # the checks provoke them
@pytest.mark.parametrize("kind", [TableRegressor, TableClassifier])
def test_check_estimator(kind: type) -> None:
    found = check_estimator(kind(members=2, max_epochs=10), on_skip=None)
    statuses = {check["check_name"]: check["status"] for check in found}
    assert {name for name, status in statuses.items() if status != "passed"} <= {
        "check_array_api_input"
    }


def test_importance_finds_what_counts() -> None:
    frame = FRAME.assign(y=Y)
    model = TableRegressor(**{**QUICK, "max_epochs": 10}).fit(frame[:3000], "y")
    found = model.importance(FRAME[3000:], Y[3000:])
    assert [line["column"] for line in found][:2] == ["x", "town"]
    assert found[0]["importance"] > 0.3 > abs(found[-1]["importance"])
    assert found == model.importance(frame[3000:], "y")
    classifier = TableClassifier(members=2, **QUICK).fit(FRAME[:3000], Y[:3000] > 10)
    lines = classifier.importance(FRAME[3000:], Y[3000:] > 10, n_repeats=2)
    assert {line["column"] for line in lines} == {*FRAME}
    with pytest.raises(ValueError, match=r"y.*, row 0: expected one of the classes .*got 'no'"):
        classifier.importance(FRAME[3000:], ["no"] * (N - 3000))
    with pytest.raises(ValueError, match="n_repeats"):
        model.importance(FRAME, Y, n_repeats=0)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"members": 0}, ValueError, "members"),
        ({"members": "many"}, ValueError, "'many'"),
        ({"members": 2.5}, TypeError, "members"),
        ({"time_limit": -1}, ValueError, "time_limit"),
        ({"time_limit": "long"}, TypeError, "time_limit"),
        ({"time_limit": np.nan}, ValueError, "time_limit"),
    ],
)
def test_bad_budgets(options: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        TableRegressor(**options).fit(FRAME, Y)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("rows", [30, 300, N])
@pytest.mark.parametrize("kind", [TableRegressor, TableClassifier])
def test_a_file_holds_all_members(kind: Any, rows: int, tmp_path: Path) -> None:
    X, y = FRAME[:rows], Y[:rows] if kind is TableRegressor else Y[:rows] > 10
    model = kind(members=3, **QUICK).fit(X, y)
    model.save(tmp_path / "m.safetensors")
    loaded = kind.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded._forward(X), model._forward(X))
    assert loaded.leaderboard() == model.leaderboard()
    assert loaded.columns_ == model.columns_
    assert loaded.get_params() == {**model.get_params(), "hidden_layer_sizes": [16]}
    assert loaded.validation_curve_ == model.validation_curve_
    assert loaded.importance(X, y) == model.importance(X, y)
    if kind is TableRegressor and rows > 30:
        for a, b in zip(loaded.predict_interval(X), model.predict_interval(X), strict=True):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match=r"TableClassifier\.load"):
        em.MLP.load(tmp_path / "m.safetensors")


def test_altered_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m"
    TableRegressor(members=2, **QUICK).fit(FRAME[:300], Y[:300]).save(path)
    with container.opened(path) as file:
        header = container.read_header(file)
        arrays = container.read_arrays(file, header)

    def rewritten(table: Any) -> None:
        metadata = {k: v for k, v in header.metadata.items() if k != "sha256"}
        metadata["table"] = json.dumps(table)
        metadata["sha256"] = _checksum(metadata, arrays)
        with open(path, "wb") as file:
            container.write(file, metadata, arrays)

    table = json.loads(header.metadata["table"])
    rewritten(table)
    TableRegressor.load(path)
    for members in (None, [], {}, [1], table["members"][:1], table["members"] * 2):
        rewritten({**table, "members": members})
        with pytest.raises(ValueError, match=str(path)):
            TableRegressor.load(path)
    for key in table["members"][0]:
        for value in ("x", -1, [], {}, 1e308):
            if (key, value) in (("seconds", 1e308), ("loss", -1), ("loss", 1e308)):
                continue
            changed = [{**table["members"][0], key: value}, *table["members"][1:]]
            rewritten({**table, "members": changed})
            with pytest.raises(ValueError, match=str(path)):
                TableRegressor.load(path)
    for columns in (table["columns"][0], [], table["columns"] * 9, [table["columns"][0][:1]]):
        rewritten({**table, "columns": columns})
        with pytest.raises(ValueError, match=str(path)):
            TableRegressor.load(path)


def test_many_classes_beside_many_categories() -> None:
    """Of more than ten classes no means are kept by category."""
    rng = np.random.default_rng(0)
    town = rng.integers(0, 200, 600)
    frame = pd.DataFrame({"town": [f"t{i}" for i in town], "x": rng.normal(size=600)})
    model = TableClassifier(max_epochs=3, random_state=0).fit(frame, town % 12)
    assert model.predict_proba(frame).shape == (600, 12)


# ---- what is off where folds validate in turn


def test_each_fold_is_judged_at_the_epoch_that_the_others_chose() -> None:
    """On noise, where the best epoch of one fold is chance, and says too much of that fold."""
    rng = np.random.default_rng(3)
    rows = _fitting.Rows(
        rng.normal(size=(60, 4)).astype("f4"), rng.normal(size=(60, 1)).astype("f4"), None
    )
    fold = np.arange(60) % 5
    settings = replace(_defaults.choices(60, 4, {})[-1], epochs=30)
    fitter = _fitting.Fitter(fold, True, 1, "squared_error", 0, False)
    ((curves, off),) = fitter.crossed([(rows, settings)])
    squares = (off - rows.T) ** 2
    for one in range(5):
        epoch = np.delete(curves, one, axis=0).mean(axis=0).argmin()
        np.testing.assert_allclose(squares[fold == one].mean(), curves[one, epoch], rtol=1e-4)
    assert squares.mean() > 1.001 * curves.min(axis=1).mean()


def test_epochs_of_others() -> None:
    curves = np.array([[1e30, 3, 2, 9], [1, 2, 3, 9], [5, 4, np.nan, 9]])
    assert _fitting.epochs_of_others(curves) == [0, 1, 1]
    assert _fitting.epochs_of_others(curves[:1]) == [2]


@pytest.mark.parametrize("members", [1, 3])
def test_intervals_of_small_tables_cover_what_they_say(members: int) -> None:
    """Of 40 tables of 50 rows; 0.83 where each fold is judged at its own best epoch."""
    covered = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(450, 4))
        noise = rng.normal(size=450) * (0.2 + 0.4 * np.abs(X[:, 3]))
        y = X[:, 0] + np.sin(2 * X[:, 1]) + 0.5 * X[:, 2] * X[:, 0] + noise
        model = TableRegressor(random_state=seed, members=members).fit(X[:50], y[:50])
        low, high = model.predict_interval(X[50:], 0.9)
        covered.append(np.mean((low <= y[50:]) & (y[50:] <= high)))
    assert 0.865 < np.mean(covered) < 0.935
