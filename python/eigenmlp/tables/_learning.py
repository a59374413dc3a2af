"""Columns that are learnt from the training rows."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._basics.shown import shown
from .._inputs import dates
from . import _values
from ._columns import Boolean, Category, Code, Column, Number, Time, codes_of
from ._defaults import MOST_CATEGORIES
from ._errors import CellError
from ._values import Values

Array = NDArray[Any]

DAY, WEEK, YEAR = 86_400.0, 604_800.0, 31_556_952.0  # seconds
_PERIODS = ((DAY, 2), (WEEK, 3), (YEAR, 2))  # and harmonics: 3 tell all seven days
_MOST_DATES = 0.9  # of a column's texts that look like dates: then all should be
_LONGEST = 1 << 20  # characters of a column's categories together
_FOLDS = 5
_ALL = slice(None)
_BINS, _CLEARLY = 32, 0.98  # by which numbers are compared with their neighbours
_BEYOND_CHANCE = 2.0  # standard errors of what is gained
_MOST_CODES, _ROWS_OF_CODE, _ROWS_LOOKED_AT = 1000, 10, 20_000
_ALONE = 0.9  # of the rows have a text of their own: that tells nothing of other rows


class Learnt(NamedTuple):
    """A column, its training rows' encoding where that is not `encode`'s, or why it is left out."""

    column: Column | None
    taken: Any = None
    own: Array | None = None  # (N, M): the training rows' means, each without its own rows
    why_not: str = ""


class Teacher:
    """What the columns learn from: targets (N, M) of deviation about 1, weights, and limits."""

    def __init__(
        self,
        targets: Array,
        weights: Array | None,
        most_categories: int,
        rng: np.random.Generator,
    ) -> None:
        self.targets, self.most_categories = targets, most_categories
        # A class may weigh nothing, and be the only one where a column has values.
        few = None if weights is None else np.maximum(weights, 1e-12 * weights.max())
        self.weights = np.ones(len(targets)) if few is None else few
        self.folds = rng.integers(0, _FOLDS, len(targets))

    def learn(self, name: str, values: Values, bins: int) -> Learnt:
        """A column of the kind that its values are of; numbers have so many bins."""
        order = ""
        if values.kind == "texts" and not values.of_words and _are_dates(values.data, name):
            seconds, order = _values.parsed_times(values.data, name)
            values = Values("times", seconds)
        if values.kind == "texts":
            return self.category(name, values)
        if values.kind == "times":
            return self.time(name, _values.as_times(values, name), bins, order)
        if values.kind == "booleans":
            return self.boolean(name, _values.as_booleans(values, name))
        return self.number(name, _values.as_numbers(values, name), bins)

    def number(self, name: str, x: Array, bins: int) -> Learnt:
        there = x[~np.isnan(x)]
        if why := _tells_nothing(there, len(x)):
            return Learnt(None, why_not=why)
        number = self._number(name, x, bins)
        if not (number.edges and self._are_codes(x)):
            return Learnt(number, x)
        named, place = np.unique(there, return_inverse=True)
        texts: list[str | None] = [None] * len(x)
        names = [repr(float(value)) for value in named]
        for row, i in zip(np.flatnonzero(~np.isnan(x)).tolist(), place.tolist(), strict=True):
            texts[row] = names[i]
        found = self._category(name, texts)
        if not isinstance(found.column, Category):
            return Learnt(number, x)
        return Learnt(Code(name, number, found.column), x, found.own)

    def _are_codes(self, x: Array) -> bool:
        """Whether numbers are names: whole, with rows enough for each, and telling clearly more of
        the targets one by one than by bins of neighbours.

        What they tell is the error of the targets' means of other rows. Measured: 0.81 of that by
        bins for the numbers of Vietnam's communes, 0.91 for sizes of disks, 0.99 and more for ages,
        years, counts and distances.
        """
        rows = np.flatnonzero(~np.isnan(x))
        there = x[rows]
        if not self.targets.shape[1] or np.abs(there).max() > 2.0**53 or (there % 1 != 0).any():
            return False
        if len(rows) > _ROWS_LOOKED_AT:  # by chance: rows in order may have codes in turn
            chance = np.random.default_rng(0)
            rows = rows[chance.choice(len(rows), _ROWS_LOOKED_AT, replace=False, shuffle=False)]
            there = x[rows]
        named, place = np.unique(there, return_inverse=True)
        if not _BINS + 1 < len(named) <= min(_MOST_CODES, len(rows) // _ROWS_OF_CODE):
            return False
        edges = np.unique(np.quantile(there, np.linspace(0.0, 1.0, _BINS + 1)))
        bins = np.searchsorted(edges[1:-1], there, side="right")
        weights = self.weights[rows] / self.weights[rows].sum()
        by_bins = self._errors(bins, rows)
        less = by_bins - self._errors(place, rows)
        gain = weights @ less
        deviation = np.sqrt(((weights * (less - gain)) ** 2).sum())
        return bool(gain > max((1 - _CLEARLY) * (weights @ by_bins), _BEYOND_CHANCE * deviation))

    def _errors(self, codes: Array, rows: Array) -> Array:
        """The squared errors of the targets of some rows by the means of the other folds' rows.

        As `_own_means` has them, from one pass over the rows: a table may have many columns.
        """
        weights, folds, count = self.weights[rows], self.folds[rows], int(codes.max()) + 1
        place = folds * count + codes

        def of_others(values: Array) -> Array:
            sums = np.bincount(place, values, _FOLDS * count).reshape(_FOLDS, count)
            others: Array = sums.sum(axis=0) - sums
            return others

        sizes = of_others(weights)
        total = sizes.sum(axis=1, keepdims=True)
        mean = total / (len(rows) - np.bincount(folds, minlength=_FOLDS)[:, None])
        errors = np.zeros(len(rows))
        for target in self.targets.T[:, rows]:
            sums = of_others(weights * target)
            overall = sums.sum(axis=1, keepdims=True) / total
            means = overall + (sums - overall * sizes) / (sizes + 10.0 * mean)
            errors += (target - means.ravel()[place]) ** 2
        return errors

    def _number(self, name: str, x: Array, bins: int) -> Number:
        missing = np.isnan(x)
        there, weights = x[~missing], self.weights[~missing]
        low, high = float(there.min()), float(there.max())
        size = max(abs(low), abs(high))  # divided by first, so that no square overflows
        center = float(np.average(there / size, weights=weights) * size)
        deviation = np.sqrt(np.average(((there - center) / size) ** 2, weights=weights)) * size
        scale = float(deviation) if deviation > 0 else 1.0
        return Number(
            name,
            center,
            scale,
            float(np.median(there)),
            low,
            high,
            _edges(there, bins),
            bool(missing.any()),
        )

    def boolean(self, name: str, x: Array) -> Learnt:
        if why := _tells_nothing(x[~np.isnan(x)], len(x)):
            return Learnt(None, why_not=why)
        return Learnt(Boolean(name, bool(np.isnan(x).any())), x)

    def time(self, name: str, x: Array, bins: int, order: str) -> Learnt:
        there = x[~np.isnan(x)]
        if why := _tells_nothing(there, len(x)):
            return Learnt(None, why_not=why)
        span = float(there.max() - there.min())
        cycles = tuple(
            (period, harmonics)
            for period, harmonics in _PERIODS
            if span >= period and np.ptp(np.mod(there, period)) > 0
        )
        return Learnt(Time(name, self._number(name, x, bins), cycles, order), x)

    def category(self, name: str, values: Values) -> Learnt:
        return self._category(name, _values.as_texts(values, name))

    def _category(self, name: str, texts: list[str | None]) -> Learnt:
        counts = Counter(text for text in texts if text is not None)
        gone = len(texts) - counts.total()
        if not counts:
            return Learnt(None, why_not=f"got none in {len(texts)} rows")
        if len(counts) == 1 and not gone:
            return Learnt(None, why_not=f"got {shown(next(iter(counts)))} in every row")
        there = len(texts) - gone
        if there > 100 and len(counts) > _ALONE * there:
            return Learnt(None, why_not=f"got {len(counts):,} different texts in {there:,} rows")
        # The most frequent first; of equals, that which comes first in the alphabet.
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        often = [text for text, count in ranked if count >= self._least_count(there, len(counts))]
        few = often[: self.most_categories]
        kept = few
        if len(few) < len(counts):
            kept = _within([text for text, count in ranked if count > 1] or few)
            few = few[: len(kept)]
        if not kept:
            return Learnt(None, why_not=f"got {len(counts):,} different texts in {there:,} rows")
        C = len(kept)
        codes = codes_of(texts, tuple(kept))
        others = len(counts) > len(few)
        means: tuple[tuple[float, ...], ...] = ()
        own = None
        if others and self.targets.shape[1]:  # none for many classes
            own = self._own_means(codes, C + 2)
            shift, scale = own.mean(axis=0), np.maximum(own.std(axis=0), 1e-6)
            own = (own - shift) / scale
            table = (self._means(codes, C + 2) - shift) / scale
            means = tuple(map(tuple, table.tolist()))
        column = Category(name, tuple(kept), len(few), others, gone > 0, means)
        return Learnt(column, codes, own)

    def _least_count(self, rows: int, distinct: int) -> int:
        """How many rows a category needs for a column of its own."""
        return 1 if distinct <= 16 else min(10, max(2, rows // 1000))

    def _means(self, codes: Array, count: int, rows: Array | slice = _ALL) -> Array:
        """The targets' means by code (count, M), drawn to the mean of all as if 10 rows had it.

        `codes` are those of the `rows`.
        """
        weights, targets = self.weights[rows], self.targets[rows]
        overall = np.average(targets, axis=0, weights=weights)
        sums = np.stack(
            [np.bincount(codes, weights * t, count) for t in (targets - overall).T], axis=1
        )
        sizes = np.bincount(codes, weights, count) / weights.mean()
        means: Array = overall + sums / weights.mean() / (sizes[:, None] + 10.0)
        return means

    def _own_means(self, codes: Array, count: int, rows: Array | slice = _ALL) -> Array:
        """Of each row those of the other folds, so that no row sees its own target."""
        folds = self.folds[rows]
        own = np.empty((len(codes), self.targets.shape[1]))
        places = np.arange(len(self.folds))[rows]
        for fold in range(_FOLDS):
            inside = folds == fold
            others = self._means(codes[~inside], count, places[~inside])
            own[inside] = others[codes[inside]]
        return own


def _tells_nothing(there: Array, rows: int) -> str:
    """What came, if the values there are all the same, or none."""
    if not there.size:
        return f"got none in {rows} rows"
    if there.size == rows and there.min() == there.max():
        return f"got {there[0]:g} in every row"
    return ""


def _edges(there: Array, bins: int) -> tuple[float, ...]:
    """Of bins with about as many rows in each; between all values where those are few."""
    if bins < 1 or there.min() == there.max():
        return ()
    distinct = np.unique(there)
    if len(distinct) <= bins + 1:
        edges = distinct
    else:
        edges = np.unique(np.quantile(there, np.linspace(0.0, 1.0, bins + 1)))
    with np.errstate(over="ignore", divide="ignore"):
        narrow = ~np.isfinite(1.0 / np.diff(edges))
    if len(edges) < 3 or narrow.any():  # one bin is what the number itself says
        return ()
    return tuple(edges.tolist())


def _are_dates(texts: list[str | None], name: str) -> bool:
    """Whether texts are dates; an error where nearly all are."""
    counts = Counter(texts)
    gone = counts.pop(None, 0)
    if not counts:
        return False
    good = {text for text in counts if text is not None and dates.look_so(text)}
    share = sum(counts[text] for text in good) / (len(texts) - gone)
    if share < _MOST_DATES:
        return False
    bad = counts.keys() - good
    if bad:
        row = next(i for i, text in enumerate(texts) if text in bad)
        raise CellError(
            name,
            row,
            f"expected dates, as {share:.0%} of the column's texts are, or none, got "
            f"{shown(texts[row])}",
        )
    return True


def _within(texts: list[str]) -> list[str]:
    """As many as a file holds."""
    total, kept = 0, []
    for text in texts[:MOST_CATEGORIES]:
        total += len(text) + 4
        if total > _LONGEST:
            break
        kept.append(text)
    return kept
