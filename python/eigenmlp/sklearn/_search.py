"""A search over parameters whose fits share the threads: one thread of the core each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any, ClassVar

import joblib
import numpy as np
from joblib.parallel import ThreadingBackend
from numpy.typing import NDArray
from sklearn.model_selection import ParameterGrid, ParameterSampler
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils._param_validation import Interval

from .._basics.shown import shown
from .._training import elsewhere
from .._training.pool import Stopped
from ..threads import get_num_threads, limited
from . import _outside
from ._at_once import told_once

Array = NDArray[Any]


class MLPSearchCV(BaseSearchCV):
    """`sklearn.model_selection.GridSearchCV` for this library's estimators, all cores busy.

    Every candidate is trained on every split in one thread of the core, as many at once as there
    are threads; nothing is copied to other processes. Scores, ranks, the best candidate and the
    refitted estimator are those of `GridSearchCV` (with `n_iter`, of `RandomizedSearchCV`) for the
    same arguments. Pipelines around an estimator work as well.

    Parameters
    ----------
    estimator : estimator of `eigenmlp.sklearn`, or a pipeline that ends in one
    param_grid : dict or list of dict
        Parameters to lists of values; with `n_iter` also to distributions of SciPy.
    n_iter : int or None
        So many candidates are drawn; None: all combinations.
    halving : int or None
        Successive halving: all candidates are trained with a small ``max_iter``, the best
        ``1/halving`` of them with `halving` times as many, and so on until those of the last round
        have the estimator's own. The best one is chosen among these.
    scoring, cv, refit, error_score, return_train_score
        As in `GridSearchCV`. `fit` takes ``groups=`` and what the estimator's `fit` takes.
    random_state : int, RandomState or None
        For draws.
    verbose : int
        As in `GridSearchCV`.
    n_threads : int or None
        At most so many threads; as many as the library may use, if None.

    Attributes
    ----------
    cv_results_, best_estimator_, best_params_, best_score_, best_index_, scorer_, n_splits_
        As in `GridSearchCV`; with `halving`, ``cv_results_`` has also ``iter`` and ``max_iter``.

    Examples
    --------
    >>> import eigenmlp as em
    >>> from eigenmlp.sklearn import MLPClassifier, MLPSearchCV
    >>> X, y = em.datasets.load_digits()
    >>> clf = MLPClassifier((32,), learning_rate_init=0.01, max_iter=300, random_state=0)
    >>> search = MLPSearchCV(clf, {"alpha": [1e-4, 100.0]}, cv=3).fit(X[:500], y[:500])
    >>> search.best_params_
    {'alpha': 0.0001}
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseSearchCV._parameter_constraints,
        "param_grid": [dict, list],
        "n_iter": [Interval(Integral, 1, None, closed="left"), None],
        "halving": [Interval(Integral, 2, None, closed="left"), None],
        "random_state": ["random_state"],
        "n_threads": [Interval(Integral, 1, 1024, closed="both"), None],
    }
    for _name in ("n_jobs", "pre_dispatch"):
        _parameter_constraints.pop(_name, None)

    n_jobs = None  # what the context of `fit` says
    pre_dispatch = "2*n_jobs"

    def __init__(
        self,
        estimator: Any,
        param_grid: Any,
        *,
        n_iter: int | None = None,
        halving: int | None = None,
        scoring: Any = None,
        cv: Any = None,
        refit: Any = True,
        error_score: Any = np.nan,
        return_train_score: bool = False,
        random_state: Any = None,
        verbose: int = 0,
        n_threads: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.param_grid = param_grid
        self.n_iter = n_iter
        self.halving = halving
        self.scoring = scoring
        self.cv = cv
        self.refit = refit
        self.error_score = error_score
        self.return_train_score = return_train_score
        self.random_state = random_state
        self.verbose = verbose
        self.n_threads = n_threads

    def fit(self, X: Any, y: Any = None, **params: Any) -> MLPSearchCV:
        """Train and score every candidate on every split, and the best one on all rows.

        Under `joblib.parallel_config` with a cluster's backend (``"dask"``, ``"ray"``,
        ``"spark"``) the fits are tasks there.

        Parameters
        ----------
        X, y
            As the estimator takes them.
        **params
            ``groups`` for the splits, and what the estimator's `fit` takes.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            As `GridSearchCV` has them; and where `halving` finds no ``max_iter`` to share out.
        """
        if elsewhere.cluster() is not None:
            super().fit(X, y, **params)
            return self
        # Watched: Ctrl-C ends all, not only the fit that this thread is at.
        watched = _outside.watched(_outside.check() or _nothing)
        with limited(self.n_threads), _threads(get_num_threads()), told_once("fits"), watched:
            super().fit(X, y, **params)
        return self

    def _run_search(self, evaluate_candidates: Callable[..., Any]) -> None:
        candidates = [*self._candidates()]
        if self.halving is None:
            evaluate_candidates(candidates)
            return
        name, most = self._resource()
        rounds = int(np.floor(np.log(len(candidates)) / np.log(self.halving) + 1e-9))
        for place in range(rounds + 1):
            epochs = max(1, most // self.halving ** (rounds - place))
            count = len(candidates)
            results = evaluate_candidates(
                [{**candidate, name: epochs} for candidate in candidates],
                more_results={"iter": [place] * count, "max_iter": [epochs] * count},
            )
            scores = results[self._judged(results)][-count:]
            order = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")
            kept = max(1, -(-count // self.halving))
            candidates = [candidates[i] for i in order[:kept].tolist()]

    def _candidates(self) -> Any:
        if self.n_iter is None:
            return ParameterGrid(self.param_grid)
        return ParameterSampler(self.param_grid, self.n_iter, random_state=self.random_state)

    def _resource(self) -> tuple[str, int]:
        """The parameter that is the estimator's epochs, and how many these are."""
        parameters = self.estimator.get_params()
        names = [name for name in parameters if name.rpartition("__")[2] == "max_iter"]
        grid = self.param_grid if isinstance(self.param_grid, list) else [self.param_grid]
        if len(names) != 1 or any(names[0] in part for part in grid):
            raise ValueError(
                "halving: expected an estimator with one max_iter, which param_grid does not have, "
                f"got {shown(names)}"
            )
        return names[0], int(parameters[names[0]])

    def _judged(self, results: Any) -> str:
        """The scores that rounds are decided by."""
        several = "mean_test_score" not in results  # which a scorer alone knows of its scores
        named = isinstance(self.refit, str) and f"mean_test_{self.refit}" in results
        if several and not named:
            raise ValueError(
                f"halving: expected refit to name one of several scores, got {shown(self.refit)}"
            )
        return f"mean_test_{self.refit}" if named else "mean_test_score"

    @staticmethod
    def _select_best_index(refit: Any, refit_metric: str, results: Any) -> int:
        """The best of the last round."""
        if callable(refit) or "iter" not in results:
            return int(BaseSearchCV._select_best_index(refit, refit_metric, results))
        scores = np.nan_to_num(results[f"mean_test_{refit_metric}"], nan=-np.inf)
        last = np.flatnonzero(np.asarray(results["iter"]) == np.max(results["iter"]))
        return int(last[np.argmax(scores[last])])


def _nothing() -> None:
    """Nobody else ends this thread's fits."""


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Jobs of joblib inside run in so many threads, one thread of the core in each."""
    backend = _Backend()
    with joblib.parallel_config(backend=backend, n_jobs=count):
        try:
            yield
        finally:
            backend.over.set()


class _Backend(ThreadingBackend):
    """joblib's threads; fits in them end soon after Ctrl-C."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.over = threading.Event()

    def submit(self, func: Callable[[], Any], callback: Any = None) -> Any:
        """Schedule a function."""

        def alone() -> Any:
            with limited(1), _outside.watched(self._check):
                return func()

        return super().submit(alone, callback)

    def apply_async(self, func: Callable[[], Any], callback: Any = None) -> Any:
        """The same under its older name."""
        return self.submit(func, callback)

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """End all."""
        self.over.set()
        super().abort_everything(ensure_ready)

    def terminate(self) -> None:
        """End the threads."""
        super().terminate()

    def _check(self) -> None:
        if self.over.is_set():
            raise Stopped
