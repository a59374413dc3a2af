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
    import lightgbm

    kind = lightgbm.LGBMClassifier if classifies else lightgbm.LGBMRegressor
    model = kind(n_estimators=TREES, learning_rate=RATE, random_state=seed, verbose=-1)
    return make_pipeline(Plain(), model)


def xgboost(classifies: bool, seed: int, X: pd.DataFrame) -> Any:
    """500 trees at 0.05."""
    import xgboost

    kind = xgboost.XGBClassifier if classifies else xgboost.XGBRegressor
    model = kind(n_estimators=TREES, learning_rate=RATE, random_state=seed, enable_categorical=True)
    return make_pipeline(Plain(), model)


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
    "scikit-learn's boosting": boosting,
    "scikit-learn's MLP": network,
    "linear": linear,
}
