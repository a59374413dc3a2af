"""TabM (Gorishniy et al. 2025) as its package's README trains it, for `bench.tables`.

Needs ``tabm``, ``rtdl_num_embeddings`` and ``torch``. 32 members of 2 × 512 units with
piecewise-linear embeddings of 48 quantile bins, numbers through a quantile transform to the normal
distribution, AdamW at 2e-3 with a decay of 3e-4 in batches of 256, gradients clipped to a norm of
1; it ends after 16 epochs without a better loss on a tenth of the rows, or after `LIMIT` seconds,
and keeps the best epoch.
"""

from __future__ import annotations

import copy
import time
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import QuantileTransformer

LIMIT = 900.0  # seconds
_BATCH, _PATIENCE, _AT_ONCE = 256, 16, 4096


class TabM(BaseEstimator):
    """Of a frame whose texts are pandas' categories, as `tables_peers.Plain` gives it."""

    def __init__(self, classifies: bool = False, seed: int = 0, limit: float = LIMIT) -> None:
        self.classifies, self.seed, self.limit = classifies, seed, limit

    def fit(self, X: pd.DataFrame, y: Any) -> TabM:
        """Train to the best epoch."""
        import rtdl_num_embeddings
        import tabm
        import torch

        began = time.perf_counter()
        torch.manual_seed(self.seed)
        self.numbers_ = [n for n in X if not isinstance(X[n].dtype, pd.CategoricalDtype)]
        self.categories_ = [n for n in X if n not in self.numbers_]
        values = X[self.numbers_].astype(np.float64)
        self.fill_ = values.median()
        self.transform_ = QuantileTransformer(
            n_quantiles=max(min(len(X) // 30, 1000), 10),
            output_distribution="normal",
            subsample=10**9,
            random_state=self.seed,
        ).fit(values.fillna(self.fill_) + np.random.default_rng(0).normal(0, 1e-5, values.shape))
        y = np.asarray(y)
        if self.classifies:
            self.classes_, T = np.unique(y, return_inverse=True)
            self.center_, self.scale_ = 0.0, 1.0
        else:
            self.center_, self.scale_ = float(y.mean()), float(y.std())
            T = ((y - self.center_) / self.scale_).astype(np.float32)
        x_num, x_cat = self._rows(X)
        targets = torch.as_tensor(T)
        train, valid = (
            torch.as_tensor(part)
            for part in train_test_split(np.arange(len(X)), test_size=0.1, random_state=self.seed)
        )
        bins = rtdl_num_embeddings.compute_bins(x_num[train])
        embeddings = rtdl_num_embeddings.PiecewiseLinearEmbeddings(
            bins, 16, activation=False, version="B"
        )
        self.net_ = tabm.TabM.make(
            n_num_features=len(self.numbers_),
            cat_cardinalities=[len(X[n].cat.categories) + 1 for n in self.categories_],
            d_out=len(self.classes_) if self.classifies else 1,
            num_embeddings=embeddings,
        )
        optimizer = torch.optim.AdamW(self.net_.parameters(), lr=2e-3, weight_decay=3e-4)

        def loss_of(outputs: Any, t: Any) -> Any:
            """The mean of all members' own losses; outputs (N, k, K)."""
            k = outputs.shape[1]
            flat, t = outputs.flatten(0, 1), t.repeat_interleave(k)
            if self.classifies:
                return torch.nn.functional.cross_entropy(flat, t)
            return torch.nn.functional.mse_loss(flat[:, 0], t)

        def judged() -> float:
            """Of the members' mean."""
            outputs = torch.as_tensor(self._outputs(x_num[valid], x_cat[valid]))
            if self.classifies:
                return float(torch.nn.functional.nll_loss(outputs.log(), targets[valid]))
            return float(((outputs[:, 0] - targets[valid]) ** 2).mean())

        best, since, kept = np.inf, 0, None
        while since < _PATIENCE and time.perf_counter() - began < self.limit:
            self.net_.train()
            for rows in train[torch.randperm(len(train))].split(_BATCH):
                optimizer.zero_grad()
                loss_of(self._passed(x_num[rows], x_cat[rows]), targets[rows]).backward()
                torch.nn.utils.clip_grad_norm_(self.net_.parameters(), 1.0)
                optimizer.step()
                if time.perf_counter() - began > self.limit:
                    break
            found = judged()
            since += 1
            if found < best:
                best, since, kept = found, 0, copy.deepcopy(self.net_.state_dict())
        self.net_.load_state_dict(kept)
        return self

    def _rows(self, X: pd.DataFrame) -> tuple[Any, Any]:
        import torch

        values = X[self.numbers_].astype(np.float64).fillna(self.fill_)
        numbers = self.transform_.transform(values).astype(np.float32)
        codes = [X[n].cat.codes.to_numpy() + 1 for n in self.categories_]
        places = np.stack(codes, axis=1) if codes else np.empty((len(X), 0))
        return torch.as_tensor(numbers), torch.as_tensor(places.astype(np.int64))

    def _passed(self, x_num: Any, x_cat: Any) -> Any:
        """Each member's outputs (N, k, K)."""
        return self.net_(x_num, x_cat if self.categories_ else None)

    def _outputs(self, x_num: Any, x_cat: Any) -> Any:
        """Probabilities or values (N, K): the members' mean."""
        import torch

        self.net_.eval()
        found = []
        with torch.no_grad():
            for a, b in zip(x_num.split(_AT_ONCE), x_cat.split(_AT_ONCE), strict=True):
                outputs = self._passed(a, b)
                found.append((outputs.softmax(-1) if self.classifies else outputs).mean(1))
        return torch.cat(found).double().numpy()

    def predict_proba(self, X: pd.DataFrame) -> Any:
        """Probabilities (N, K)."""
        return self._outputs(*self._rows(X))

    def predict(self, X: pd.DataFrame) -> Any:
        """Classes or values (N,)."""
        outputs = self._outputs(*self._rows(X))
        if self.classifies:
            return self.classes_[outputs.argmax(1)]
        return outputs[:, 0] * self.scale_ + self.center_
