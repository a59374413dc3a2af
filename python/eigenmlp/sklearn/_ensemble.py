"""What ensembles of classifiers and of regressors share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from .._basics.shown import shown
from .._basics.warned import warn
from .._inputs.mapped import intact
from .._training import selection
from ..threads import limited
from . import _at_once, _ensemble_files
from ._base import BaseMLP
from ._draws import draw
from ._outputs import RowsMixin, brief

Array = NDArray[Any]
Kind = TypeVar("Kind", bound="BaseEnsemble")

_TINY = 50  # rows below which all are trained on
_REMEDY = (
    "a smaller learning_rate_init may help, or scaled inputs: sklearn.preprocessing."
    "StandardScaler() before it, in a pipeline"
)


class BaseEnsemble(RowsMixin, BaseEstimator, ABC):
    """Members, rows, selection and file; targets and predictions are the subclasses' work."""

    members_: list[Any]
    weights_: Array
    validation_curve_: list[float]
    n_features_in_: int

    _kind: ClassVar[type[BaseMLP]]
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [BaseMLP, None],
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "bootstrap": ["boolean"],
        "sampling": [dict, None],
        "selection": [StrOptions({"greedy", "all"})],
        "n_rounds": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "n_threads": [None, Interval(Integral, 1, 1024, closed="both")],
    }

    def __init__(
        self,
        estimator: Any = None,
        n_members: int = 10,
        *,
        bootstrap: bool = False,
        sampling: Any = None,
        selection: str = "greedy",
        n_rounds: int = 50,
        validation_fraction: float = 0.1,
        random_state: Any = None,
        verbose: bool = False,
        n_threads: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.n_members = n_members
        self.bootstrap = bootstrap
        self.sampling = sampling
        self.selection = selection
        self.n_rounds = n_rounds
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.verbose = verbose
        self.n_threads = n_threads

    # ---- the subclasses' work

    @abstractmethod
    def _groups(self, y: Array) -> Array:
        """(N,): rows of equal numbers are split and drawn in proportion."""

    @abstractmethod
    def _outputs_of(self, member: Any, X: Any) -> Array:
        """What is averaged, of rows that were checked."""

    @abstractmethod
    def _measure(self, member: Any, y: Array, weights: Array | None) -> Callable[[Array], float]:
        """The loss of averaged outputs for these targets."""

    @abstractmethod
    def _after(self, y: Array | None, outputs: list[Array]) -> None:
        """What is learnt of the validation rows: their targets, and outputs of each member."""

    @abstractmethod
    def _state(self) -> dict[str, Any]:
        """What a file keeps besides the members, as JSON."""

    @abstractmethod
    def _restore(self, state: dict[str, Any]) -> None:
        """The opposite."""

    # ---- fitting

    def _fit(self, X: Any, y: Any, sample_weight: Any, **options: Any) -> None:
        for name, value in {"X": X, "y": y, "sample_weight": sample_weight}.items():
            intact(value, name)
        before, rng = {**self.__dict__}, check_random_state(self.random_state)
        drawn = rng.get_state(legacy=False)
        try:
            with limited(self.n_threads):
                with brief():
                    data = self._checked(X, y, sample_weight, **options)
                self._fit_members(*data, rng)
        except BaseException:
            rng.set_state(drawn)
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _checked(
        self, X: Any, y: Any, sample_weight: Any, **options: Any
    ) -> tuple[Any, Array, Array | None]:
        """Rows that count."""
        X, y = self._checked_pair(X, y, True, **options)
        if sample_weight is None:
            return X, y, None
        weights: Array = _check_sample_weight(sample_weight, X, dtype=np.float64)
        if not (total := float(weights.sum())) > 0:
            raise ValueError(f"sample_weight: expected weights with a sum above 0, got {total:g}")
        there = np.flatnonzero(weights != 0)
        return (X, y, weights) if len(there) == y.shape[0] else (X[there], y[there], weights[there])

    def _fit_members(
        self, X: Any, y: Array, weights: Array | None, rng: np.random.RandomState
    ) -> None:
        base = self._kind() if self.estimator is None else self.estimator
        if not isinstance(base, self._kind):
            raise TypeError(f"estimator: expected {self._kind.__name__}, got {shown(base)}")
        split = np.random.RandomState(rng.randint(2**31))  # which draws as many as there are rows
        train, held = self._split(y, split)
        rows: tuple[Any, Array, Any] = (X, y, weights)
        if held is not None:
            rows = _rows(X, y, weights, train)
        valid = None if held is None else _rows(X, y, weights, held)
        with brief():
            members = self._drawn(base, rows, valid, rng)
        groups = self._groups(rows[1])
        outputs: list[Array | None] = [None] * len(members)

        def fit(place: int, seed: int) -> Callable[[BaseMLP], None]:
            def fit_one(member: Any) -> None:
                own = rows
                if self.bootstrap:
                    places = _bootstrapped(groups, np.random.RandomState(seed))
                    own = _rows(*rows, places)
                member.fit(*own, **_watching(member, valid))
                found = None if valid is None else self._outputs_of(member, valid[0])
                outputs[place] = np.empty(0) if found is None else found

            return fit_one

        D, K = int(X.shape[1]), max(len(np.unique(groups)), 1)
        works = [
            _at_once.Work(
                member,
                fit(place, int(rng.randint(2**31))),
                _at_once.cost(member, rows[1].shape[0], D, K),
            )
            for place, member in enumerate(members)
        ]
        _at_once.fit_all(works, bool(self.verbose))
        self._choose(works, outputs, valid)

    def _split(self, y: Array, rng: np.random.RandomState) -> tuple[Array, Array | None]:
        """Rows to train on, and rows to choose with; None if there are too few to spare any."""
        groups = self._groups(y)
        held = np.zeros(y.shape[0], bool)
        for group in np.unique(groups):
            inside = np.flatnonzero(groups == group)
            count = min(round(self.validation_fraction * len(inside)), len(inside) - 1)
            held[rng.permutation(inside)[:count]] = True
        if len(held) < _TINY or held.sum() < 2:
            return np.arange(len(held)), None
        return np.flatnonzero(~held), np.flatnonzero(held)

    def _drawn(self, base: Any, rows: Any, valid: Any, rng: np.random.RandomState) -> list[Any]:
        """The members before they are fitted; each is refused here if its `fit` would refuse it."""
        members = []
        for place, drawn in enumerate(draw(self.sampling, base, int(self.n_members), rng)):
            member = clone(base).set_params(n_threads=None, verbose=False, warm_start=False)
            member.set_params(**drawn, random_state=int(rng.randint(2**31)))
            members.append(member)
            if place and not drawn:
                continue
            trial = clone(member)
            try:
                trial._validate_params()
                watched = _watching(trial, valid).get("validation_data")
                trial._prepare(*rows, False, watched, None)
            except (TypeError, ValueError) as error:
                if not drawn:
                    raise
                raise ValueError(
                    f"sampling: expected draws that {self._kind.__name__} takes, got "
                    f"{shown(drawn)} for member {place}: {error!s:.200}"
                ) from None
        return members

    def _choose(self, works: list[Any], outputs: list[Array | None], valid: Any) -> None:
        """Leave out what diverged, and weigh the others."""
        there = [i for i, Y in enumerate(outputs) if Y is not None and np.isfinite(Y).all()]
        gone = [i for i in range(len(works)) if i not in there]
        if not there:
            raise ValueError(f"estimator: all {len(works)} members diverged: {_REMEDY}")
        for place in gone:
            warn(
                f"member {place} of {len(works)} diverged and is left out: {_REMEDY}",
                RuntimeWarning,
            )
        self.members_ = [works[i].estimator for i in there]
        kept = [Y for Y in (outputs[i] for i in there) if Y is not None]
        self.weights_ = np.full(len(kept), 1 / len(kept))
        self.validation_curve_ = []
        if valid is not None:
            measure = self._measure(self.members_[0], valid[1], valid[2])
            if self.selection == "greedy":
                found = selection.greedy(kept, measure, int(self.n_rounds))
                self.weights_, self.validation_curve_ = found.weights, found.curve
            else:
                means = np.cumsum(kept, axis=0) / np.arange(1, len(kept) + 1).reshape(
                    -1, *(1,) * kept[0].ndim
                )
                self.validation_curve_ = [float(measure(mean)) for mean in means]
        self._after(None if valid is None else valid[1], kept)

    # ---- predictions

    def _averaged(self, X: Any) -> tuple[Array, Array]:
        """The weighted mean of the members' outputs for rows, and their deviation, float64."""
        check_is_fitted(self, "weights_")
        rows = self._checked_rows(X)
        there = np.flatnonzero(self.weights_)
        with limited(self.n_threads):
            outputs = [self._outputs_of(self.members_[i], rows) for i in there]
        return selection.moments(outputs, self.weights_[there])

    # ---- files

    def save(self, path: str | Path) -> None:
        """Write one safetensors file with all members, their weights and parameters, no pickle.

        Parameters that are neither numbers, texts nor descriptions of this library (callbacks,
        distributions) are not kept.

        Raises
        ------
        ValueError
            If classes are neither numbers, booleans nor texts.
        OSError
            If the file cannot be written; an older one stays.
        """
        check_is_fitted(self, "weights_")
        _ensemble_files.save(self, path)

    @classmethod
    def load(cls: type[Kind], path: str | Path) -> Kind:
        """Read what `save` wrote. Nothing in the file is executed or unpickled.

        Raises
        ------
        ValueError
            If the file is truncated, was altered, or is something else.
        """
        found: Kind = _ensemble_files.load(cls, path)
        return found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _rows(X: Any, y: Array, weights: Array | None, places: Array) -> tuple[Any, Array, Any]:
    return X[places], y[places], None if weights is None else weights[places]


def _bootstrapped(groups: Array, rng: np.random.RandomState) -> Array:
    """As many rows of each group as there are, drawn with replacement."""
    parts = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    return np.concatenate([part[rng.randint(len(part), size=len(part))] for part in parts])


def _watching(member: Any, valid: Any) -> dict[str, Any]:
    """Members that stop early are watched with the rows that choose among them."""
    if valid is None or not member.early_stopping or member.solver == "lbfgs":
        return {}
    return {"validation_data": valid[:2]}
