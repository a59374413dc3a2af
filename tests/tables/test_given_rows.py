"""Rows that users give to validate with: what goes by them, and what is refused."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone

import eigenmlp as em
from eigenmlp.tables import TableClassifier, TableRegressor, _split
from support.tables import ONE_CHOICE

RNG = np.random.default_rng(0)
N = 400
FRAME = pd.DataFrame(
    {
        "x": RNG.uniform(-2, 2, N),
        "z": RNG.uniform(-2, 2, N),
        "town": RNG.choice(["Ulm", "Bonn", "Köln"], N),
    }
)
Y = 10 + np.sin(2 * FRAME.x) + (FRAME.town == "Ulm") + 0.3 * RNG.normal(size=N)
KIND = np.array(["low", "high"])[(Y > 10.3).astype(int)]
TRAIN, VALID, TEST = FRAME[:200], FRAME[200:300], FRAME[300:]
QUICK: dict[str, Any] = {**ONE_CHOICE, "random_state": 0}


def fitted(model: Any, y: Any = Y, **options: Any) -> Any:
    return model.fit(TRAIN, y[:200], validation=(VALID, y[200:300]), **options)


def test_the_best_epoch_is_that_of_these_rows() -> None:
    model = fitted(TableRegressor(**{**QUICK, "max_epochs": 40, "patience": 5}))
    losses = model.history_.val_loss
    best = int(np.argmin(losses)) + 1
    assert model.best_epoch_ == best and len(losses) in (best + 5, 40)
    residuals = (model.predict(VALID) - Y[200:300]) / model._target_scale
    assert np.mean(residuals**2) == pytest.approx(losses[best - 1], rel=1e-5)
    assert model.training_["rows"] == 200 and model.training_["validation_rows"] == 100
    assert model.validation_score_ == pytest.approx(model.score(VALID, Y[200:300]), abs=1e-9)


def test_they_are_not_trained_on_and_teach_no_column() -> None:
    model = TableRegressor(**{**QUICK, "max_epochs": 5})
    far = VALID.assign(x=VALID.x + 100, town="Rom")
    model.fit(TRAIN, Y[:200], validation=(far, Y[200:300] + 1000))
    numbers = next(column for column in model.columns_ if column.name == "x")
    assert numbers.high < 2 and model.predict(TRAIN).max() < 20
    towns = next(column for column in model.columns_ if column.name == "town")
    assert sorted(towns.categories) == ["Bonn", "Köln", "Ulm"]
    one, other = fitted(clone(model)), clone(model)
    other.fit(TRAIN, Y[:200], validation=(VALID, -Y[200:300]))
    np.testing.assert_allclose(one.history_.loss, other.history_.loss)
    assert one.history_.val_loss != other.history_.val_loss


@pytest.mark.parametrize("rows", [40, 200])  # too few to spare any; several settings to try
def test_tables_of_every_size_go_by_them(rows: int) -> None:
    model = TableRegressor(random_state=0)
    model.fit(FRAME[:rows], Y[:rows], validation=(VALID, Y[200:300]))
    assert model.training_["validation_rows"] == 100
    assert model.history_.val_loss[model.best_epoch_ - 1] == min(model.history_.val_loss)
    low, high = model.predict_interval(TEST, 0.8)
    assert 0.6 < ((low <= Y[300:]) & (Y[300:] <= high)).mean() < 0.95


def test_of_several_settings_the_best_is_taken() -> None:
    one = fitted(TableRegressor(random_state=0))
    line = fitted(TableRegressor(random_state=0, hidden_layer_sizes=(), bins=0))
    assert min(one.history_.val_loss) < 0.9 * min(line.history_.val_loss)
    assert one.settings_.hidden


@pytest.mark.parametrize("members", [3, "auto"])
def test_members_are_chosen_by_them(members: Any) -> None:
    model = TableRegressor(
        random_state=0, members=members, time_limit=None if members == 3 else 2, max_epochs=20
    )
    fitted(model)
    off = (model.predict(VALID) - Y[200:300]) / model._target_scale
    assert min(model.validation_curve_) == pytest.approx(np.mean(off**2), rel=1e-4)
    assert model._residual_count == 100
    low, high = model.predict_interval(VALID, 0.9)
    assert 0.89 <= ((low <= Y[200:300]) & (Y[200:300] <= high)).mean() <= 0.93
    assert all(line["loss"] is not None for line in model.leaderboard())


def test_classes_weights_and_names() -> None:
    model = TableClassifier(**{**QUICK, "max_epochs": 30}, class_weight="balanced")
    frame = pl.DataFrame(TRAIN).with_columns(kind=pl.Series(KIND[:200]))
    other = pl.DataFrame(VALID).with_columns(kind=pl.Series(KIND[200:300]))
    model.fit(frame, "kind", validation=(other.select("kind", "town", "z", "x"), "kind"))
    again = fitted(clone(model), KIND)
    np.testing.assert_array_equal(again.predict_proba(TEST), model.predict_proba(TEST))
    assert model.validation_score_ == pytest.approx(model.score(VALID, KIND[200:300]))
    low, high = (100 / (KIND[:200] == kind).sum() for kind in ("low", "high"))
    weights = np.where(KIND[200:300] == "low", low, high)
    places = np.searchsorted(model.classes_, KIND[200:300])
    P = model.predict_proba(VALID)[np.arange(100), places]
    loss = np.average(-np.log(P), weights=weights)
    assert min(model.history_.val_loss) == pytest.approx(loss, rel=1e-4)
    whole = (KIND == "low") * 3
    numbers = fitted(TableClassifier(**QUICK), np.r_[whole[:200], whole[200:] * 1.0])
    assert numbers.classes_.tolist() == [0, 3]


def test_weights_of_rows_are_those_of_x() -> None:
    weights = np.r_[np.zeros(50), np.full(150, 7.0)]
    model = fitted(TableRegressor(**{**QUICK, "max_epochs": 5}), sample_weight=weights)
    off = (model.predict(VALID) - Y[200:300]) / model._target_scale
    assert min(model.history_.val_loss) == pytest.approx(np.mean(off**2), rel=1e-4)
    assert model.training_["rows"] == 150


BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "no pair": (VALID, TypeError, r"validation: expected a pair \(X, y\)"),
    "three": ((VALID, Y[200:300], Y[200:300]), TypeError, r"validation: expected a pair"),
    "a column is missing": (
        (VALID.drop(columns="town"), Y[200:300]),
        ValueError,
        "validation: X: expected the columns of fit, got none named 'town'",
    ),
    "no rows": ((VALID[:0], Y[:0]), ValueError, "validation: X: expected a table of at least one"),
    "fewer targets": ((VALID, Y[200:299]), ValueError, "validation: y: expected 100 rows"),
    "a missing target": (
        (VALID, Y[200:300].where(Y.index[200:300] != 203)),
        ValueError,
        "validation: column 'y', row 3: expected a target in every row",
    ),
    "no number": (
        (VALID.assign(x="many"), Y[200:300]),
        ValueError,
        "validation: column 'x', row 0: expected numbers, got the text 'many'",
    ),
    "infinity": (
        (VALID.assign(x=np.where(VALID.index == 204, np.inf, 0)), Y[200:300]),
        ValueError,
        "validation: column 'x', row 4: expected finite",
    ),
    "no such column": ((VALID, "price"), ValueError, "validation: y: expected one of the columns"),
    "no targets": ((VALID, None), ValueError, "validation: TableRegressor requires y"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("members", [None, 2])
def test_what_cannot_validate_is_refused(name: str, members: Any) -> None:
    validation, kind, message = BAD[name]
    model = TableRegressor(**QUICK, members=members)
    with pytest.raises(kind, match=message) as caught:
        model.fit(TRAIN, Y[:200], validation=validation)
    assert len(str(caught.value)) < 400 and not hasattr(model, "members_")


def test_unseen_classes_and_groups_are_refused() -> None:
    labels = KIND[200:300].copy()
    labels[7] = "middle"
    message = r"validation: column 'y', row 7: expected one of the classes \['high', 'low'\]"
    with pytest.raises(ValueError, match=message):
        TableClassifier(**QUICK).fit(TRAIN, KIND[:200], validation=(VALID, labels))
    with pytest.raises(
        ValueError, match="groups: expected None where rows to validate with are given, got both"
    ):
        fitted(TableRegressor(**QUICK), groups=np.arange(200))


def test_columns_too_many_are_ignored_with_a_warning() -> None:
    with pytest.warns(UserWarning, match=r"got also \['more'\]") as caught:
        TableRegressor(**QUICK).fit(TRAIN, Y[:200], validation=(VALID.assign(more=1), Y[200:300]))
    assert caught[0].filename == __file__


def test_activation_and_momentum_are_the_networks(tmp_path: Any) -> None:
    plain = fitted(TableRegressor(**{**QUICK, "max_epochs": 3}))
    model = TableRegressor(**{**QUICK, "max_epochs": 3}, activation="tanh", beta_1=0.5)
    fitted(model)
    assert model.network_.config["activation"] == ["tanh"]
    assert plain.network_.config["activation"] == ["relu"]
    calm = fitted(clone(model).set_params(beta_1="auto"))
    assert (calm.network_.parameters != model.network_.parameters).any()
    pack = fitted(clone(model).set_params(members=2, activation=em.activations.Elu(alpha=0.5)))
    assert pack.leaderboard() and pack.members_[0].settings.activation == "elu(alpha=0.5)"
    pack.save(tmp_path / "p.safetensors")
    again = TableRegressor.load(tmp_path / "p.safetensors")
    assert again.activation == "elu(alpha=0.5)" and again.beta_1 == 0.5
    np.testing.assert_array_equal(again.predict(TEST), pack.predict(TEST))
    for name, value in (("activation", "wave"), ("beta_1", 1.0), ("beta_1", -0.1)):
        with pytest.raises(ValueError, match=name):
            fitted(clone(model).set_params(**{name: value}))


@pytest.mark.parametrize("sizes", [[90, 10], [10, 30, 60], [25] * 4, [97, 1, 1, 1], [50, 50]])
def test_groups_to_validate_with_are_about_a_fifth(sizes: list[int]) -> None:
    """The fold that validates is the one whose size is nearest to that."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    fold = _split.folds(np.zeros(100), 5, False, groups, np.random.default_rng(0))
    assert all(len({*fold[groups == group].tolist()}) == 1 for group in range(len(sizes)))
    shares = [int((fold == one).sum()) for one in range(5)]
    assert shares[0] > 0
    assert abs(shares[0] - 20) == min(abs(share - 20) for share in shares if share)
