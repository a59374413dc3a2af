"""Many networks of a table: drawn, trained at once, and the best of them averaged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._basics.warned import warn
from .._network.loss_outputs import softmax
from .._training import selection
from .._training.pool import Advance, Job, Pool
from .._training.progress import progress_bar
from .._training.training import Surroundings
from ..errors import DivergenceError
from ..history import History
from . import _draws
from ._defaults import Settings
from ._encoder import Encoder
from ._fitting import Fitted, Fitter, Late, Rows
from ._members import Member, as_logits

Array = NDArray[Any]

_ROUNDS = 40
_BROUGHT = 1e-3  # of the loss, by which the last members are to have made it better
_LAST = 8  # of them
_MOST = 1000  # members within a time
_WITHOUT_ROWS = 8  # members of tables too small to choose among them
_LEAST = 1e-15  # of probabilities, in logarithms


@dataclass
class Packed:
    """The members, those that are used first, and their encoders."""

    members: list[Member]
    encoders: list[Encoder]
    curve: list[float]
    off: Array | None
    deviation: Array | None  # (N,) of the members' outputs, where there is one
    left_out: dict[str, str]


class _Encoded(NamedTuple):
    """What the rows are with so many bins."""

    encoder: Encoder
    rows: Rows  # that are trained on
    valid: Rows | None
    left_out: dict[str, str]


class Packer:
    """Trains members until their number or the time is reached, or more bring nothing.

    `encode` gives the encoder and rows (N, D) for a number of bins.
    """

    def __init__(
        self,
        fitter: Fitter,
        encode: Callable[[int], tuple[Encoder, Array, dict[str, str]]],
        T: Array,
        weights: Array | None,
        choices: list[Settings],
        given: dict[str, Any],
        most_bins: int,
        members: int | None,
        deadline: float | None,
    ) -> None:
        self.fitter, self.encode, self.T, self.weights = fitter, encode, T, weights
        self.choices, self.given, self.most_bins = choices, given, most_bins
        self.deadline, self.members = deadline, members
        self.classifies = fitter.loss.endswith("cross_entropy")
        self._encoded: dict[int, _Encoded] = {}
        self._done: dict[int, Member] = {}
        self._losses: list[float] = []  # of the selection, after each member
        self._speed = 0.0  # seconds for a parameter, a row and an epoch
        self._reading = threading.Lock()
        self._changing = threading.Condition()
        self._over = False
        self._diverged: dict[int, DivergenceError] = {}
        self._held = None if fitter.fold is None else np.arange(len(T))
        if fitter.fold is not None and not fitter.crosses:
            self._held = np.flatnonzero(fitter.fold == 0)

    def run(self, progress: bool | str) -> Packed:
        """Train, choose, and forget the networks that are not used."""
        most = self.members or (_WITHOUT_ROWS if self._held is None else _MOST)
        jobs = [Job(self._job(place), 1, -float(place)) for place in range(most)]
        with progress_bar(most, progress) as bar:
            Pool(jobs, bar).run()
        if not self._done:
            raise next(iter(self._diverged.values()))
        for place, error in sorted(self._diverged.items()):
            warn(f"member {place} is left out: {error!s:.300}", RuntimeWarning)
        return self._chosen()

    # ---- one member

    def _job(self, place: int) -> Callable[[Surroundings, Advance | None], History]:
        def train(around: Surroundings, advance: Advance | None) -> History:
            settings = self._next(place, around)
            if settings is None:
                return History()
            began = time.perf_counter()
            try:
                member = self._trained(place, settings, around)
            except DivergenceError as error:
                with self._changing:
                    self._diverged[place] = error
                    self._changing.notify_all()
                return History()
            except Late:
                return History()
            member.seconds = time.perf_counter() - began
            self._add(member)
            return member.history or History()

        return train

    def _next(self, place: int, around: Surroundings) -> Settings | None:
        """What member `place` is to be; None if there is to be no other."""
        known = self._known(place, around)
        with self._changing:
            if self._over:
                return None
            settings = _draws.draw(place, self.choices, self.fitter.seed, known)
            settings = replace(settings, bins=min(settings.bins, self.most_bins))
            settings = replace(settings, **self.given)
            if self.deadline is None or place == 0:
                return settings
            left = self.deadline - time.perf_counter()
            if left <= 0:
                return None
            speed = self._speed
        if not speed:
            return settings
        networks = settings.folds if self.fitter.crosses else 1
        seconds = speed * self._work(settings) * settings.epochs * networks
        return _draws.simpler(settings, left / max(seconds, 1e-9))

    def _known(self, place: int, around: Surroundings) -> _draws.Known | None:
        """What the first members say. Where only numbers count, the draws wait for it, so that they
        are the same for every number of threads.
        """
        if place < _draws.FIRST or self._held is None or self.choices[0].crosses:
            return None
        first = range(_draws.FIRST)
        with self._changing:
            while self.deadline is None and not self._over:
                if all(one in self._done or one in self._diverged for one in first):
                    break
                if around.check is not None:
                    around.check()
                self._changing.wait(0.05)
            losses = [self._done[one].loss if one in self._done else None for one in first]
        found = [loss for loss in losses if loss is not None]
        return _draws.known(found) if len(found) == len(losses) else None

    def _work(self, settings: Settings) -> float:
        """Parameters times rows."""
        width = self._rows(settings.bins).encoder.width
        sizes = [width, *settings.hidden, self.fitter.outputs]
        parameters = sum(a * b for a, b in pairwise(sizes))
        return float(parameters) * len(self.T)

    def _rows(self, bins: int) -> _Encoded:
        """Made once; where the same rows validate always, they are held in these two parts only."""
        with self._reading:
            if bins not in self._encoded:
                encoder, X, left_out = self.encode(bins)
                rows, valid = Rows(X, self.T, self.weights), None
                if self.fitter.fold is not None and not self.fitter.crosses:
                    inside = self.fitter.fold == 0
                    rows, valid = rows[~inside], rows[inside]
                self._encoded[bins] = _Encoded(encoder, rows, valid, left_out)
            return self._encoded[bins]

    def _trained(self, place: int, settings: Settings, around: Surroundings) -> Member:
        fitter, until = self.fitter, self.deadline
        state = np.random.SeedSequence([fitter.seed, place]).generate_state(settings.folds + 1)
        seeds = [int(one) for one in state]
        member = Member(place, [], settings, None, 0.0, 0.0)
        _, rows, valid, _ = self._rows(settings.bins)
        runs: list[tuple[int | None, Rows, Rows | None]] = [(0, rows, valid)]
        if fitter.fold is not None and fitter.crosses:
            folds = np.unique(fitter.fold).tolist()
            runs = [(fold, rows[fitter.fold != fold], rows[fitter.fold == fold]) for fold in folds]
        done: list[Fitted] = []
        for (_, rows, valid), seed in zip(runs, seeds[: len(runs)], strict=True):
            began = time.perf_counter()
            fitted = fitter.run(
                rows, valid, settings, seed, around=around, until=until,
                others=lambda: bool(self._done),
            )  # fmt: skip
            taken = time.perf_counter() - began
            epochs = len(fitted.history.loss)
            self._speed = taken / (self._work(settings) * max(epochs, 1))
            done.append(fitted)
        member.networks = [one.net for one in done]
        member.history, member.epoch = done[-1].history, done[-1].epoch
        if valid is None:
            return member
        if fitter.crosses:
            _, off, member.loss = fitter.judged(done)
            member.off = self._meant(off)
        else:
            member.off = np.full((len(self.T), fitter.outputs), np.nan)
            member.off[self._held] = self._meant(done[0].net.forward(valid.X))
            member.loss = done[0].history.val_loss[member.epoch - 1]
        return member

    def _meant(self, outputs: Array) -> Array:
        """What is averaged: probabilities, or values."""
        wide = outputs.astype(np.float64)
        return softmax(wide) if self.classifies else wide

    # ---- all members

    def _add(self, member: Member) -> None:
        with self._changing:
            self._done[member.number] = member
            self._changing.notify_all()
            if self.members is not None or self._held is None:
                return
            self._losses.append(min(self._selected()[1].curve))
            if len(self._losses) > _LAST:
                before, now = self._losses[-1 - _LAST], self._losses[-1]
                self._over = self._over or now > (1 - _BROUGHT) * before

    def _selected(self) -> tuple[list[Member], selection.Selected]:
        members = [self._done[place] for place in sorted(self._done)]
        held = self._held
        if held is None:
            even = np.full(len(members), 1 / len(members))
            return members, selection.Selected(even, [])
        T, weights = self.T[held], None if self.weights is None else self.weights[held]

        def measure(Y: Array) -> float:
            if self.classifies:
                losses = -np.log(np.maximum(Y[np.arange(len(T)), T], _LEAST))
            else:
                losses = ((Y - T) ** 2).sum(axis=1)
            return float(np.average(losses, weights=weights))

        outputs = [member.off[held] for member in members if member.off is not None]
        return members, selection.greedy(outputs, measure, _ROUNDS)

    def _chosen(self) -> Packed:
        members, found = self._selected()
        for member, weight in zip(members, found.weights.tolist(), strict=True):
            member.weight = weight
        members.sort(key=lambda member: (-member.weight, member.number))
        encoders: list[Encoder] = []
        used: dict[int, int] = {}
        for member in members:
            if not member.weight:
                member.networks = []
                continue
            bins = self._bins(member)
            if bins not in used:
                used[bins] = len(encoders)
                encoders.append(self._encoded[bins].encoder)
            member.encoder = used[bins]
        chosen = [member for member in members if member.weight]
        off = deviation = None
        if self._held is not None:
            off, deviation = self._averaged(chosen)
        left_out = self._encoded[self._bins(members[0])].left_out
        for member in members:
            member.off = None
        return Packed(members, encoders, found.curve, off, deviation, left_out)

    @staticmethod
    def _bins(member: Member) -> int:
        assert member.settings is not None
        return member.settings.bins

    def _averaged(self, chosen: list[Member]) -> tuple[Array, Array | None]:
        outputs = [member.off for member in chosen if member.off is not None]
        weights = [member.weight for member in chosen]
        mean, deviation = selection.moments(outputs, weights)
        if self.classifies:
            return as_logits(mean), None
        return mean, deviation[:, 0]


def alone(
    fitter: Fitter,
    encode: Callable[[int], tuple[Encoder, Array, dict[str, str]]],
    T: Array,
    weights: Array | None,
    choices: list[Settings],
) -> Packed:
    """One network with the best of some settings."""
    began = time.perf_counter()
    encoded = {bins: encode(bins) for bins in {settings.bins: None for settings in choices}}
    tried = [(Rows(encoded[settings.bins][1], T, weights), settings) for settings in choices]
    place, fitted = fitter.best(tried)
    encoder, _, left_out = encoded[choices[place].bins]
    losses = fitted.history.val_loss
    loss = losses[fitted.epoch - 1] if losses else None
    seconds = time.perf_counter() - began
    one = Member(0, [fitted.net], choices[place], loss, 1.0, seconds)
    one.history, one.epoch = fitted.history, fitted.epoch
    return Packed([one], [encoder], [], fitted.off, None, left_out)
