"""The ensemble of regressors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils.validation import check_is_fitted

from .._inputs import checks
from .._training import selection
from ..reference import loss as losses
from . import _ensemble_files
from ._ensemble import BaseEnsemble
from ._regressor import MLPRegressor

Array = NDArray[Any]

_MOST = 2000  # residuals that are kept
_LEAST = 1e-300  # of rates, in logarithms


class MLPEnsembleRegressor(RegressorMixin, BaseEnsemble):
    """Many `MLPRegressor`, trained at once, whose predictions are averaged.

    Members differ by their seeds, by the rows they are trained on (`bootstrap`) and by their
    hyperparameters (`sampling`). Each is trained in one thread, as many at once as there are
    threads; the result is the same for every number of threads.

    Parameters
    ----------
    estimator : MLPRegressor or None
        What members are clones of; ``MLPRegressor()`` if None. Members with ``early_stopping=True``
        are watched with the validation rows.
    n_members : int
        How many are trained.
    bootstrap : bool
        Whether each member gets rows drawn with replacement.
    sampling : dict or None
        Parameters of `estimator` to draw for each member: name to a distribution of SciPy (anything
        with ``rvs``) or a list. Draws that `estimator` refuses are refused before the first fit.
    selection : "greedy" or "all"
        ``"greedy"``: members are taken, also repeatedly, as long as that makes the loss of the mean
        on the validation rows smaller (Caruana et al. 2004). ``"all"``: all weigh the same.
    n_rounds : int
        At most so many rounds of that.
    validation_fraction : float
        Share of the rows that no member is trained on. Below 50 rows it is 0: all members then
        weigh the same, and there are no quantiles.
    random_state : int, RandomState or None
    verbose : bool
        Whether a bar shows how many members are done.
    n_threads : int or None
        At most so many threads; as many as the library may use, if None.

    Attributes
    ----------
    members_ : list of MLPRegressor
        In the order of their draws, without those that diverged, of which a warning tells.
    weights_ : ndarray (members,)
        Of a sum of 1; 0 for those that were not selected.
    validation_curve_ : list of float
        The loss on the validation rows after each round.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Examples
    --------
    >>> import numpy as np
    >>> from eigenmlp.sklearn import MLPEnsembleRegressor, MLPRegressor
    >>> X = np.linspace(-3, 3, 300)[:, None]
    >>> y = np.sin(X[:, 0])
    >>> base = MLPRegressor(hidden_layer_sizes=(20,), activation="tanh", solver="lbfgs",
    ...                     max_iter=2000)
    >>> reg = MLPEnsembleRegressor(base, n_members=4, random_state=0).fit(X, y)
    >>> mean, deviation = reg.predict(X, return_std=True)
    >>> low, high = reg.predict_quantiles(X, [0.1, 0.9]).T
    >>> reg.score(X, y) > 0.99, bool((low < high).all())
    (True, True)
    """

    _kind = MLPRegressor
    _residuals: Array | None = None  # (n, K) sorted, in units of `_scaled`
    _spread: Array | None = None  # (K,)

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> MLPEnsembleRegressor:
        """Train the members on rows X (N, D), dense or sparse, and targets (N,) or (N, K).

        Parameters
        ----------
        X : array_like, sparse matrix or data frame (N, D)
        y : array_like (N,) or (N, K)
        sample_weight : array_like (N,), optional
            Rows of weight 0 are left out.

        Raises
        ------
        TypeError, ValueError
            For unusable data, parameters or draws: nothing is changed then. If all members diverge.
        """
        self._fit(X, y, sample_weight, y_numeric=True)
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """The weighted means (N,) or (N, K) of the members' values for rows X (N, D).

        With ``return_std=True`` also, of the same shape, the deviation of the members from it: how
        sure the model is, without the noise of the targets.
        """
        return_std = checks.checked_bool(return_std, "return_std")
        mean, deviation = self._averaged(X)
        return (mean, deviation) if return_std else mean

    def predict_quantiles(self, X: Any, q: ArrayLike = (0.05, 0.5, 0.95)) -> Array:
        """Quantiles (N, Q) of the targets of new rows X (N, D); (N, K, Q) of several targets.

        From what was off on the validation rows, in units of ``√(deviation² + s²)`` with the
        deviation of the members at each row, and s what they leave unsaid (split conformal
        prediction of normalised residuals).

        Parameters
        ----------
        X : array_like, sparse matrix or data frame (N, D)
        q : float or array_like (Q,)
            From 1/(n + 1) to n/(n + 1), of n validation rows.

        Raises
        ------
        ValueError
            Without validation rows, or for q that so few do not tell.
        """
        check_is_fitted(self, "weights_")
        R, spread = self._residuals, self._spread
        if R is None or spread is None:
            raise ValueError(
                "predict_quantiles: expected a model with validation rows and one value for each "
                "target, got none: fit on more rows, with validation_fraction above 0"
            )
        levels = [checks.number(x, "q", 0.0, 1.0) for x in np.atleast_1d(np.asarray(q)).tolist()]
        n = len(R)
        for level in levels:
            if not 1 <= level * (n + 1) <= n:
                raise ValueError(
                    f"q: expected {1 / (n + 1):.4g} to {n / (n + 1):.4g}, as {n} validation rows "
                    f"tell, got {level}"
                )
        mean, deviation = self._averaged(X)
        flat = mean.reshape(len(mean), -1)
        scale = _scaled(deviation.reshape(flat.shape), spread)
        Q = np.quantile(R, levels, axis=0, method="weibull")  # (Q, K): the (n + 1) q-th smallest
        found: Array = flat[:, :, None] + scale[:, :, None] * Q.T
        return found[:, 0] if mean.ndim == 1 else found

    # ---- what members are asked

    def _groups(self, y: Array) -> Array:
        return np.zeros(len(y), np.int64)

    def _outputs_of(self, member: Any, X: Any) -> Array:
        found: Array = member._values(member._forward(X, checked=True))
        return found

    def _measure(self, member: Any, y: Array, weights: Array | None) -> Callable[[Array], float]:
        loss = member._described_loss()
        chosen = losses.find(loss.core_text)
        T = y.reshape(len(y), -1).astype(np.float64)

        def of_values(Y: Array) -> float:
            Y = Y.reshape(len(Y), -1)
            if loss.name == "poisson":  # the core's outputs are logarithms of rates
                Y = np.log(np.maximum(Y, _LEAST))
            return float(np.average(chosen.value(Y, np.broadcast_to(T, Y.shape)), weights=weights))

        return of_values

    def _after(self, y: Array | None, outputs: list[Array]) -> None:
        self._residuals = self._spread = None
        if y is None or outputs[0].shape != y.shape:
            return
        mean, deviation = selection.moments(outputs, self.weights_)
        off = (y - mean).reshape(len(y), -1)
        deviation = deviation.reshape(off.shape)
        unsaid = (off**2).mean(axis=0) - (deviation**2).mean(axis=0)
        least = 1e-4 * (off**2).mean(axis=0)
        self._spread = np.sqrt(np.maximum(unsaid, least)) + np.finfo(np.float64).tiny
        ordered = np.sort(off / _scaled(deviation, self._spread), axis=0)
        n = len(ordered)
        if n > _MOST:  # at even steps
            ordered = ordered[np.linspace(0, n - 1, _MOST).round().astype(int)]
        self._residuals = ordered

    def _state(self) -> dict[str, Any]:
        given = self._residuals is not None and self._spread is not None
        return {
            "residuals": self._residuals.tolist() if given else None,  # type: ignore[union-attr]
            "spread": self._spread.tolist() if given else None,  # type: ignore[union-attr]
        }

    def _restore(self, state: dict[str, Any]) -> None:
        for member in self.members_:
            _ensemble_files.restore_member(member)
        if state["residuals"] is None:
            return
        K = self.members_[0].n_outputs_
        self._spread = np.array([checks.number(x, "spread", 0.0) for x in state["spread"]])
        rows = [[checks.number(x, "residuals") for x in row] for row in state["residuals"]]
        if not rows or {len(row) for row in rows} != {K} or len(self._spread) != K:
            raise ValueError(f"residuals: expected rows of {K}")
        self._residuals = np.array(rows)
        if (np.diff(self._residuals, axis=0) < 0).any():
            raise ValueError("residuals: expected them in their order, got others")


def _scaled(deviation: Array, spread: Array) -> Array:
    """The unit (N, K) of residuals."""
    unit: Array = np.sqrt(deviation**2 + spread**2)
    return unit
