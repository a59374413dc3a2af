"""What a fitted table's estimator knows and gives: outputs, importance, its file."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._basics.shown import shown
from .._basics.warned import warn
from .._inputs import checks
from ..history import History
from ..mlp import MLP
from ..threads import limited
from . import _files, _frames, _importance, _members, _targets
from ._columns import Column, Time
from ._encoder import Encoder
from ._frames import Table
from ._importance import Listing
from ._members import Member

Array = NDArray[Any]
Kind = TypeVar("Kind", bound="FittedTable")


class FittedTable(BaseEstimator, ABC):
    """Columns, members, outputs and the file; `TableEstimator` adds `fit`."""

    network_: MLP
    history_: History
    training_: dict[str, Any]
    members_: list[Member]
    validation_curve_: list[float]
    _encoder: Encoder  # where there is one network only
    _encoders: list[Encoder]
    _feature_names: list[str]
    _named: bool
    _labels: list[int] | None = None  # of a frame whose columns have numbers for names
    _classifies: bool
    target_name_: str | None
    n_threads: int | None

    @abstractmethod
    def _score_of(self, outputs: Array, y: Any) -> float:
        """What `score` gives, of outputs (N, K)."""

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
        return _members.leaderboard(self.members_)

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
        if len(encoded[0]) < 2:
            raise ValueError("X: expected at least two rows, whose values change places, got 1")
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
                "members: onnx.export and to_c take several, all else needs members=1"
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
        return _members.forward(self.members_, list(encoded), self._classifies)

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
        return places_of(
            table,
            self._feature_names,
            self._named,
            self.target_name_,
            type(self).__name__,
            self._labels,
        )

    def _pair(self, X: Any, y: Any) -> tuple[Any, Any]:
        """X and the targets for a score; `y` may name a column, and be left out if `fit` had it."""
        if isinstance(y, str):
            table = _frames.read(X, self)
            return X, _targets.separated(table, y, type(self).__name__)[1]
        return X, y

    def _keep_orders(self, orders: dict[str, str]) -> None:
        """Of day, month and year in texts that the columns were before `fit`, for those to come."""
        for encoder in self._encoders:
            encoder.columns = [
                replace(column, order=orders[column.name])
                if isinstance(column, Time) and column.name in orders
                else column
                for column in encoder.columns
            ]

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


def places_of(
    table: Table,
    names: list[str],
    named: bool,
    target: str | None,
    estimator: str,
    labels: list[int] | None = None,
) -> list[int]:
    """Where the columns of `fit`, of such names, are in a table: by name, if both have names.

    Frames that have the same numbers for names, in whatever order, have their columns by these.
    """
    if table.named and named:
        where = {name: place for place, name in enumerate(table.names)}
        if missing := [name for name in names if name not in where]:
            raise ValueError(
                f"X: expected the columns of fit, got none named {shown(missing[0])}"
                f"{f', nor {len(missing) - 1} others' if len(missing) > 1 else ''}; there are "
                f"{shown(table.names)}"
            )
        extra = [n for n in table.names if n not in {*names} and n != target]
        if extra:
            warn(f"X: expected the columns of fit, got also {shown(extra)}, which are ignored")
        return [where[name] for name in names]
    if len(table.names) != len(names):
        raise ValueError(
            f"X has {len(table.names)} features, but {estimator} is expecting "
            f"{len(names)} features as input"
        )
    if table.named != named:
        had, has = ("names", "none") if named else ("none", "names")
        warn(
            f"X: expected columns as those of fit, which had {had}, got {has}: they are taken "
            "in their order"
        )
    if labels and table.labels and {*labels} == {*table.labels}:
        return [table.labels.index(label) for label in labels]
    return [*range(len(names))]
