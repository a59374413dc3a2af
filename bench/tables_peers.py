"""Whom `bench.tables` measures beside: each makes an unfitted model for a frame's columns."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import (
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

Make = Callable[[bool, int, pd.DataFrame], Any]
TREES, RATE = 500, 0.05


class Plain(TransformerMixin, BaseEstimator):
    """A frame as tree libraries take it: times as numbers, texts as pandas' categories."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> Plain:
        """Remember the categories."""
        self.categories_ = {
            name: sorted(X[name].dropna().unique())
            for name in X.columns
            if not pd.api.types.is_numeric_dtype(X[name])
            and not pd.api.types.is_datetime64_any_dtype(X[name])
        }
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """The same columns, numbered names."""
        columns = {}
        for place, name in enumerate(X.columns):
            column = X[name]
            if name in self.categories_:
                column = pd.Series(pd.Categorical(column, self.categories_[name]), X.index)
            elif pd.api.types.is_datetime64_any_dtype(column):
                column = column.astype("int64") / 1e9
            columns[f"c{place}"] = column
        return pd.DataFrame(columns)


class Codes(Plain):
    """The same with categories as numbers."""

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Places among the categories."""
        frame = super().transform(X)
        for name in frame.columns:
            if isinstance(frame[name].dtype, pd.CategoricalDtype):
                frame[name] = frame[name].cat.codes
        return frame


def lightgbm(classifies: bool, seed: int, X: pd.DataFrame) -> Any:
    """500 trees at 0.05."""
    return _lightgbm(classifies, seed, n_estimators=TREES, learning_rate=RATE)


def lightgbm_default(classifies: bool, seed: int, X: pd.DataFrame) -> Any:
    """100 trees at 0.1."""
    return _lightgbm(classifies, seed)


def _lightgbm(classifies: bool, seed: int, **options: Any) -> Any:
    import lightgbm

    kind = lightgbm.LGBMClassifier if classifies else lightgbm.LGBMRegressor
    return make_pipeline(Plain(), kind(random_state=seed, verbose=-1, **options))


def xgboost(classifies: bool, seed: int, X: pd.DataFrame) -> Any:
    """500 trees at 0.05."""
    return _xgboost(classifies, seed, n_estimators=TREES, learning_rate=RATE)


def xgboost_default(classifies: bool, seed: int, X: pd.DataFrame) -> Any:
    """100 trees at 0.3."""
    return _xgboost(classifies, seed)


def _xgboost(classifies: bool, seed: int, **options: Any) -> Any:
    import xgboost

    kind = xgboost.XGBClassifier if classifies else xgboost.XGBRegressor
    return make_pipeline(Plain(), kind(random_state=seed, enable_categorical=True, **options))


class Texts(Plain):
    """The same with categories as texts, as CatBoost takes them."""

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Missing ones are a category too."""
        frame = super().transform(X)
        for name in frame.columns:
            if isinstance(frame[name].dtype, pd.CategoricalDtype):
                frame[name] = frame[name].astype(object).fillna("").astype(str)
        return frame


def catboost(classifies: bool, seed: int, X: pd.DataFrame) -> Any:
    """500 trees at 0.05."""
    return _catboost(classifies, seed, X, iterations=TREES, learning_rate=RATE)


def catboost_default(classifies: bool, seed: int, X: pd.DataFrame) -> Any:
    """1,000 trees, at a rate of its own choice."""
    return _catboost(classifies, seed, X)


def _catboost(classifies: bool, seed: int, X: pd.DataFrame, **options: Any) -> Any:
    import catboost

    kind = catboost.CatBoostClassifier if classifies else catboost.CatBoostRegressor
    plain = Plain().fit(X)
    texts = [place for place, name in enumerate(X.columns) if name in plain.categories_]
    model = kind(
        random_seed=seed,
        cat_features=texts,
        verbose=False,
        allow_writing_files=False,
        **options,
    )
    return make_pipeline(Texts(), model)


def tabm(classifies: bool, seed: int, X: pd.DataFrame) -> Any:
    """Its README's recipe, stopped at 15 minutes."""
    from .tables_tabm import TabM

    return make_pipeline(Plain(), TabM(classifies, seed))


def boosting(classifies: bool, seed: int, X: pd.DataFrame) -> Any:
    """scikit-learn's, with its defaults."""
    kind = HistGradientBoostingClassifier if classifies else HistGradientBoostingRegressor
    return make_pipeline(Codes(), kind(random_state=seed))


def network(classifies: bool, seed: int, X: pd.DataFrame) -> Any:
    """scikit-learn's in a pipeline, with its defaults."""
    kind = MLPClassifier if classifies else MLPRegressor
    return _prepared(kind(random_state=seed), classifies)


def linear(classifies: bool, seed: int, X: pd.DataFrame) -> Any:
    """Ridge or logistic regression in the same pipeline."""
    return _prepared(LogisticRegression(max_iter=1000) if classifies else RidgeCV(), classifies)


def _prepared(model: Any, classifies: bool) -> Any:
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include=[np.number, bool])),
        (
            OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=64),
            make_column_selector(dtype_include=["category"]),
        ),
    )
    if not classifies:
        model = TransformedTargetRegressor(model, transformer=StandardScaler())
    return make_pipeline(Plain(), columns, model)


PEERS: dict[str, Make] = {
    **({"LightGBM, 500 trees": lightgbm} if importlib.util.find_spec("lightgbm") else {}),
    **({"XGBoost, 500 trees": xgboost} if importlib.util.find_spec("xgboost") else {}),
    **({"CatBoost, 500 trees": catboost} if importlib.util.find_spec("catboost") else {}),
    "scikit-learn's boosting": boosting,
    "scikit-learn's MLP": network,
    "linear": linear,
}

# Only where they are asked for: `bench.tables --more`.
MORE: dict[str, Make] = {
    "LightGBM, defaults": lightgbm_default,
    "XGBoost, defaults": xgboost_default,
    "CatBoost, defaults": catboost_default,
    "TabM": tabm,
}
