"""What the classifier and the regressor share."""

from __future__ import annotations

import time
from abc import abstractmethod
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from .._basics.shown import shown
from .._basics.warned import warn
from .._inputs import checks
from .._inputs.targets import sample_weights
from ..history import History
from ..threads import limited
from . import (
    _defaults,
    _encoder,
    _fitting,
    _frames,
    _given_rows,
    _members,
    _pack,
    _split,
    _targets,
)
from ._encoder import Encoder
from ._errors import counted_as
from ._fitted import FittedTable, places_of
from ._given_rows import GivenRows, said_of_validation
from ._learning import Teacher

Array = NDArray[Any]
Kind = TypeVar("Kind", bound="TableEstimator")


class TableEstimator(FittedTable):
    """The settings, the split and the training; the subclasses know of targets."""

    def __init__(
        self,
        *,
        hidden_layer_sizes: Any = "auto",
        bins: Any = "auto",
        learning_rate: Any = "auto",
        weight_decay: Any = "auto",
        dropout: Any = "auto",
        activation: Any = "auto",
        beta_1: Any = "auto",
        batch_size: Any = "auto",
        max_epochs: Any = "auto",
        patience: Any = "auto",
        max_categories: int = 64,
        members: Any = None,
        time_limit: float | None = None,
        random_state: Any = None,
        n_threads: int | None = None,
        progress: bool | str = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.bins = bins
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.activation = activation
        self.beta_1 = beta_1
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.max_categories = max_categories
        self.members = members
        self.time_limit = time_limit
        self.random_state = random_state
        self.n_threads = n_threads
        self.progress = progress

    # ---- the subclasses' work

    @abstractmethod
    def _learn_targets(self, y: Any, rows: int, name: str | None) -> dict[str, Any]:
        """Attributes to set, "_T" for the network among them, "_guide" (N, M) for categories."""

    @abstractmethod
    def _row_weights(self, learnt: dict[str, Any], weights: Array | None) -> Array | None:
        """Weights (N,) with those of classes."""

    @abstractmethod
    def _join(self, learnt: dict[str, Any], y: Any, rows: int, name: str | None) -> Array | None:
        """Add targets of rows to validate with to "_T" and "_codes"; weights, if classes have."""

    @abstractmethod
    def _outputs_and_loss(self, learnt: dict[str, Any]) -> tuple[int, str]:
        """How many outputs the network has, and its loss."""

    @abstractmethod
    def _after(
        self, learnt: dict[str, Any], off: Array | None, deviation: Array | None
    ) -> dict[str, Any]:
        """Attributes that come of outputs (N, K) for rows not trained on, NaN for others; and of
        the deviation (N,) of several members' outputs.
        """

    # ---- fitting

    def fit(
        self: Kind,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        groups: Any = None,
        validation: Any = None,
    ) -> Kind:
        """Train on the rows of a table.

        Parameters
        ----------
        X : frame of pandas, Polars or PyArrow, or array_like (N, D)
        y : array_like (N,) or str
            Targets, or the name of X's column that they are.
        sample_weight : array_like (N,), optional
            Rows of weight 0 are left out.
        groups : array_like (N,) or str, optional
            Rows of one group are all trained on or all validated with. A name is that of a column
            of X, which is then no feature.
        validation : (X, y), optional
            Rows to validate with instead of some of X: they tell the best epoch, which networks are
            used, and how wide intervals are. As X and y, with X's columns.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            For what cannot be used: the message tells column and row (from 0). Nothing is changed.
        """
        with limited(self.n_threads):
            attributes = self._fitted(X, y, sample_weight, groups, validation)
        for name in self.__dict__.get("_learnt", ()):  # of an earlier fit
            del self.__dict__[name]
        self.__dict__.update(attributes, _learnt=[*attributes])
        return self

    def _fitted(
        self, X: Any, y: Any, sample_weight: Any, groups: Any, validation: Any
    ) -> dict[str, Any]:
        """All attributes of the fitted estimator."""
        began = time.perf_counter()
        most = checks.integer(self.max_categories, "max_categories", 1, _defaults.MOST_CATEGORIES)
        table, y, target = _targets.separated(_frames.read(X, self), y, type(self).__name__)
        if groups is not None and validation is not None:
            raise ValueError(
                "groups: expected None where rows to validate with are given, got both: leave out "
                "validation, or groups"
            )
        if isinstance(groups, str):
            table, groups, _ = _targets.separated(table, groups, "fit", "groups")
        if table.rows < 2:
            raise ValueError("X: expected at least two rows, got 1 sample")
        columns = table.names, table.named, target, type(self).__name__, table.labels
        valid = _given_rows.read(
            validation, table, target, self, lambda rows: places_of(rows, *columns)
        )
        learnt = self._learn_targets(y, table.rows, target)
        group = None if groups is None else _split.group_array(groups, table.rows)
        given = _given_weights(sample_weight, table.rows)
        there = None
        if given is not None and (given == 0).any():
            there = np.flatnonzero(given > 0)
            table, given = table.rows_at(there), given[there]
            group = None if group is None else group[there]
            learnt = self._learn_targets(self._labels_at(learnt, there), table.rows, target)
        kept = None if there is None else there.tolist()
        with counted_as(kept):
            weights = self._row_weights(learnt, given)
        budget = _defaults.budget(self.members, self.time_limit)
        asked = {name: getattr(self, theirs) for name, theirs in _defaults.NAMES.items()}
        choices = _defaults.choices(table.rows, len(table.names), asked)
        seed = _seed(self.random_state)
        rng = np.random.default_rng(seed)
        teacher, dtype = Teacher(learnt["_guide"], weights, most, rng), choices[0].dtype

        def encode(bins: int) -> tuple[Encoder, Array, dict[str, str]]:
            with counted_as(kept):
                encoder, rows, left_out = _encoder.learn(table, teacher, bins, dtype)
            if valid is not None:
                rows = np.concatenate([rows, valid.encoded(encoder, dtype)])
            return encoder, rows, left_out

        fold = None
        crosses = choices[0].crosses and valid is None
        if valid is not None:
            fold = np.repeat([1, 0], [table.rows, valid.table.rows])
            weights = self._joined(learnt, weights, valid)
        elif choices[0].folds:
            fold = _split.folds(learnt["_codes"], choices[0].folds, self._classifies, group, rng)
        elif group is not None:
            warn(
                f"groups: expected {_defaults.TINY} rows or more, got {table.rows}: so few are all "
                "trained on, and groups tell nothing"
            )
        outputs, loss = self._outputs_and_loss(learnt)
        fitter = _fitting.Fitter(fold, crosses, outputs, loss, seed, self.progress)
        if budget is None:
            packed = _pack.alone(fitter, encode, learnt["_T"], weights, choices)
        else:
            deadline = None if budget[1] is None else began + _defaults.TRAINING * budget[1]
            packed = _pack.Packer(
                fitter,
                encode,
                learnt["_T"],
                weights,
                choices,
                _defaults.given(asked),
                _defaults.most_bins(table.rows, len(table.names), several=True),
                budget[0],
                deadline,
            ).run(self.progress)
        _encoder.warn_of(packed.left_out)
        first = packed.members[0]
        history = first.history or History()
        attributes = {
            "members_": packed.members,
            "validation_curve_": packed.curve,
            "history_": history,
            "best_epoch_": first.epoch,
            "n_features_in_": len(table.names),
            "target_name_": target,
            "settings_": first.settings,
            "_encoders": packed.encoders,
            "_feature_names": table.names,
            "_named": table.named,
            "_labels": table.labels,
            **_members.of_one(packed.members, packed.encoders),
            **self._after(learnt, packed.off, packed.deviation),
        }
        if table.named:
            attributes["feature_names_in_"] = np.array(table.names, dtype=object)
        attributes |= {name: value for name, value in learnt.items() if name.endswith("_")}
        attributes["training_"] = {
            "rows": table.rows,
            "validation_rows": 0 if fold is None else
            table.rows if crosses else int((fold == 0).sum()),
            "epochs": len(history.loss),
            "best_epoch": first.epoch,
            "loss": [float(x) for x in history.loss],
            "val_loss": [float(x) for x in history.val_loss],
            "seconds": time.perf_counter() - began,
        }  # fmt: skip
        return attributes

    def _joined(
        self, learnt: dict[str, Any], weights: Array | None, valid: GivenRows
    ) -> Array | None:
        """The weights of all rows, after those of `valid` were added; to `learnt` too."""
        rows = valid.table.rows
        with said_of_validation():
            of_classes = self._join(learnt, valid.y, rows, valid.target)
        if weights is None:
            return None
        more = np.ones(rows) if of_classes is None else of_classes
        return np.concatenate([weights, more])

    @abstractmethod
    def _labels_at(self, learnt: dict[str, Any], rows: Array) -> Array:
        """The targets of some rows, as `_learn_targets` takes them."""


def _given_weights(sample_weight: Any, rows: int) -> Array | None:
    if sample_weight is None:
        return None
    if not np.any(checks.numbers(sample_weight, "sample_weight")):
        raise ValueError("sample_weight: expected a weight above 0, got only zero weights")
    return sample_weights(sample_weight, rows)


def _seed(random_state: Any) -> int:
    """One of 31 bits, drawn as scikit-learn's estimators draw it."""
    try:
        rng = check_random_state(random_state)
    except Exception:  # not only ValueError: it may be anything
        hint = ""
        if isinstance(random_state, np.random.Generator):
            hint = ": use int(generator.integers(2**32))"
        raise ValueError(
            "random_state: expected an int from 0 to 2**32 - 1, a numpy.random.RandomState or "
            f"None, got {shown(random_state)}{hint}"
        ) from None
    return int(rng.randint(2**31))
