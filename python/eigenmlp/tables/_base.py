"""What the classifier and the regressor share."""

from __future__ import annotations

import copy
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._basics.shown import shown
from .._inputs import checks
from ..history import History
from ..mlp import MLP
from ..threads import limited
from . import (
    _defaults,
    _encoder,
    _files,
    _fitting,
    _frames,
    _importance,
    _pack,
    _split,
    _targets,
)
from ._columns import Column
from ._encoder import Encoder
from ._frames import Table
from ._importance import Listing
from ._learning import Teacher
from ._pack import Member

Array = NDArray[Any]
Kind = TypeVar("Kind", bound="TableEstimator")


class TableEstimator(BaseEstimator, ABC):
    """Columns, rows, the split and the file; targets and predictions are the subclasses' work."""

    network_: MLP
    history_: History
    training_: dict[str, Any]
    members_: list[Member]
    validation_curve_: list[float]
    _encoder: Encoder  # where there is one network only
    _encoders: list[Encoder]
    _feature_names: list[str]
    _named: bool

    def __init__(
        self,
        *,
        hidden_layer_sizes: Any = "auto",
        bins: Any = "auto",
        learning_rate: Any = "auto",
        weight_decay: Any = "auto",
        dropout: Any = "auto",
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
    def _outputs_and_loss(self, learnt: dict[str, Any]) -> tuple[int, str]:
        """How many outputs the network has, and its loss."""

    @abstractmethod
    def _after(
        self, learnt: dict[str, Any], off: Array | None, deviation: Array | None
    ) -> dict[str, Any]:
        """Attributes that come of outputs (N, K) for rows not trained on, NaN for others; and of
        the deviation (N,) of several members' outputs.
        """

    @abstractmethod
    def _score_of(self, outputs: Array, y: Any) -> float:
        """What `score` gives, of outputs (N, K)."""

    # ---- fitting

    def fit(self: Kind, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Kind:
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

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            For what cannot be used: the message tells column and row (from 0). Nothing is changed.
        """
        with limited(self.n_threads):
            attributes = self._fitted(X, y, sample_weight, groups)
        for name in self.__dict__.get("_learnt", ()):  # of an earlier fit
            del self.__dict__[name]
        self.__dict__.update(attributes, _learnt=[*attributes])
        return self

    def _fitted(self, X: Any, y: Any, sample_weight: Any, groups: Any) -> dict[str, Any]:
        """All attributes of the fitted estimator."""
        began = time.perf_counter()
        most = checks.integer(self.max_categories, "max_categories", 1, _defaults.MOST_CATEGORIES)
        table, y, target = _targets.separated(_frames.read(X, self), y, type(self).__name__)
        if isinstance(groups, str):
            table, groups, _ = _targets.separated(table, groups, "groups")
        if table.rows < 2:
            raise ValueError("X: expected at least two rows, got 1 sample")
        learnt = self._learn_targets(y, table.rows, target)
        group = _group_array(groups, table.rows)
        given = _given_weights(sample_weight, table.rows)
        if given is not None and (given == 0).any():
            there = np.flatnonzero(given > 0)
            table, given = table.rows_at(there), given[there]
            group = None if group is None else group[there]
            learnt = self._learn_targets(self._labels_at(learnt, there), table.rows, target)
        weights = self._row_weights(learnt, given)
        budget = _defaults.budget(self.members, self.time_limit)
        asked = {name: getattr(self, theirs) for name, theirs in _defaults.NAMES.items()}
        choices = _defaults.choices(table.rows, len(table.names), asked)
        seed = int(check_random_state(self.random_state).randint(2**31))
        rng = np.random.default_rng(seed)
        teacher = Teacher(learnt["_guide"], weights, most, rng)

        def encode(bins: int) -> tuple[Encoder, Array, dict[str, str]]:
            return _encoder.learn(table, teacher, bins, choices[0].dtype)

        fold = None
        if choices[0].folds:
            fold = _split.folds(learnt["_codes"], choices[0].folds, self._classifies, group, rng)
        outputs, loss = self._outputs_and_loss(learnt)
        fitter = _fitting.Fitter(fold, outputs, loss, seed, self.progress)
        if budget is None:
            packed = _pack.alone(fitter, encode, learnt["_T"], weights, choices)
        else:
            deadline = None if budget[1] is None else began + _defaults.TRAINING * budget[1]
            packed = _pack.Packer(
                fitter,
                encode,
                *(learnt["_T"], weights, choices, _defaults.given(asked), budget[0], deadline),
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
            **_pack.of_one(packed.members, packed.encoders),
            **self._after(learnt, packed.off, packed.deviation),
        }
        if table.named:
            attributes["feature_names_in_"] = np.array(table.names, dtype=object)
        attributes |= {name: value for name, value in learnt.items() if name.endswith("_")}
        attributes["training_"] = {
            "rows": table.rows,
            "validation_rows": 0 if fold is None else
            table.rows if choices[0].crosses else int((fold == 0).sum()),
            "epochs": len(history.loss),
            "best_epoch": first.epoch,
            "loss": [float(x) for x in history.loss],
            "val_loss": [float(x) for x in history.val_loss],
            "seconds": time.perf_counter() - began,
        }  # fmt: skip
        return attributes

    _classifies: bool

    @abstractmethod
    def _labels_at(self, learnt: dict[str, Any], rows: Array) -> Array:
        """The targets of some rows, as `_learn_targets` takes them."""

    # ---- what was learnt

    @property
    def columns_(self) -> list[Column]:
        """The columns that are used: name, kind, details."""
        check_is_fitted(self, "members_")
        return list(self._encoders[0].columns)

    def leaderboard(self) -> Listing:
        """The members, those that weigh most first: weight, loss on validation rows, settings.

        A list of dicts, shown as a table; ``pandas.DataFrame`` takes it.
        """
        check_is_fitted(self, "members_")
        return _pack.leaderboard(self.members_)

    def importance(
        self, X: Any, y: Any, n_repeats: int = 5, random_state: int | None = 0
    ) -> Listing:
        """How much `score` falls where a column's values are those of other rows.

        Parameters
        ----------
        X, y
            As in `score`; best of rows that were not trained on.
        n_repeats : int
            Orders for each column.
        random_state : int or None

        Returns
        -------
        list of dict
            With ``column``, ``importance`` (the mean over orders) and ``deviation``, the most
            important first; shown as a table.
        """
        check_is_fitted(self, "members_")
        n_repeats = checks.integer(n_repeats, "n_repeats", 1)
        rng = checks.generator(random_state, "random_state")
        X, y = self._pair(X, y)
        encoded = self._encoded(X)
        y = self._targets_of(y, len(encoded[0]))
        with limited(self.n_threads):
            return _importance.permuted(
                self._encoders,
                encoded,
                self._feature_names,
                lambda rows: self._score_of(self._of_encoded(rows)[0], y),
                n_repeats,
                rng,
            )

    @abstractmethod
    def _targets_of(self, y: Any, rows: int) -> Array:
        """Targets (N,), as `_score_of` takes them."""

    # ---- other forms: see `eigenmlp.onnx` and `eigenmlp.codegen`

    def _table(self) -> tuple[Encoder, list[str], bool]:
        """The columns before the network."""
        self._check_single()
        return self._encoder, self._feature_names, self._named

    def _network(self) -> MLP:
        """The network, whose outputs are in the target's unit."""
        self._check_single()
        return self.network_

    def _parts(self) -> list[tuple[Any, float]] | None:
        """A model for each network that is averaged, with its weight; None of one network."""
        check_is_fitted(self, "members_")
        if "network_" in vars(self):
            return None
        found = []
        for member in self.members_:
            for net in member.networks:
                single = copy.copy(self)
                single.network_, single._encoder = net, self._encoders[member.encoder]
                found.append((single, member.weight / len(member.networks)))
        return found

    def _check_single(self) -> None:
        check_is_fitted(self, "members_")
        if "network_" not in vars(self):
            raise TypeError(
                f"export: expected a table's model of one network, got {len(self.members_)} "
                "members: fit with members=1, or save and load the pack"
            )

    # ---- outputs

    def _forward(self, X: Any) -> Array:
        """Outputs (N, K), float64."""
        return self._outputs(X)[0]

    def _outputs(self, X: Any) -> tuple[Array, Array | None]:
        """And the deviation (N, K) of the members from them, if there are several."""
        with limited(self.n_threads):
            parts = [self._of_encoded(blocks) for blocks in zip(*self._blocks(X), strict=True)]
        outputs = np.concatenate([Y for Y, _ in parts])
        deviations = [deviation for _, deviation in parts if deviation is not None]
        return outputs, np.concatenate(deviations) if deviations else None

    def _of_encoded(self, encoded: Sequence[Array]) -> tuple[Array, Array | None]:
        return _pack.forward(self.members_, list(encoded), self._classifies)

    def _blocks(self, X: Any) -> list[Iterator[Array]]:
        """Rows of a table as the networks take them, some at a time, by each encoder."""
        check_is_fitted(self, "members_")
        table = _frames.read(X, self)
        places = self._places(table)
        dtype = self.members_[0].networks[0].dtype
        return [
            encoder.blocks(lambda place: table[places[place]], table.rows, dtype)
            for encoder in self._encoders
        ]

    def _encoded(self, X: Any) -> list[Array]:
        """All of them."""
        return [np.concatenate([*blocks]) for blocks in self._blocks(X)]

    def _places(self, table: Table) -> list[int]:
        """Where the columns of `fit` are in a table: by name, if both have names."""
        names = self._feature_names
        if table.named and self._named:
            where = {name: place for place, name in enumerate(table.names)}
            if missing := [name for name in names if name not in where]:
                raise ValueError(
                    f"X: expected the columns of fit, got none named {shown(missing[0])}"
                    f"{f', nor {len(missing) - 1} others' if len(missing) > 1 else ''}; there are "
                    f"{shown(table.names)}"
                )
            extra = [n for n in table.names if n not in {*names} and n != self.target_name_]
            if extra:
                warnings.warn(
                    f"X: expected the columns of fit, got also {shown(extra)}, which are ignored",
                    UserWarning,
                    stacklevel=6,
                )
            return [where[name] for name in names]
        if len(table.names) != len(names):
            raise ValueError(
                f"X has {len(table.names)} features, but {type(self).__name__} is expecting "
                f"{len(names)} features as input"
            )
        if table.named != self._named:
            had, has = ("names", "none") if self._named else ("none", "names")
            warnings.warn(
                f"X: expected columns as those of fit, which had {had}, got {has}: they are taken "
                "in their order",
                UserWarning,
                stacklevel=5,
            )
        return [*range(len(names))]

    def _pair(self, X: Any, y: Any) -> tuple[Any, Any]:
        """X and the targets for a score; `y` may name a column, and be left out if `fit` had it."""
        if isinstance(y, str):
            table = _frames.read(X, self)
            return X, _targets.separated(table, y, type(self).__name__)[1]
        return X, y

    target_name_: str | None

    # ---- files

    def save(self, path: str | Path) -> None:
        """Write one safetensors file: the network, and the columns' description as JSON.

        Raises
        ------
        ValueError
            If classes are neither numbers, booleans nor texts.
        OSError
            If the file cannot be written; an older one stays.
        """
        check_is_fitted(self, "members_")
        _files.save(self, path)

    @classmethod
    def load(cls: type[Kind], path: str | Path) -> Kind:
        """Read what `save` wrote. Nothing in the file is executed or unpickled.

        Raises
        ------
        ValueError
            If the file is truncated, was altered, or is something else.
        """
        estimator: Kind = _files.load(cls, path)
        return estimator

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags


def _group_array(groups: Any, rows: int) -> Array | None:
    if groups is None:
        return None
    array = _targets.as_array(groups)
    _targets.check_rows(len(array), rows, "groups")
    if array.dtype.kind == "O":
        array = np.array([_frames._text(item) for item in array.tolist()])
    return array


def _given_weights(sample_weight: Any, rows: int) -> Array | None:
    if sample_weight is None:
        return None
    if not np.any(checks.numbers(sample_weight, "sample_weight")):
        raise ValueError("sample_weight: expected a weight above 0, got only zero weights")
    return checks.sample_weights(sample_weight, rows)
