"""Many networks at once, each trained as it would be alone: a thread each, or side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ._backends.facade import at_once
from ._basics.shown import shown
from ._basics.unmoved import unmoved_if
from ._inputs import checks
from ._training import elsewhere, plausible, validation_rows
from ._training.native_runs import Outcome, Run, alone, side_by_side
from ._training.pool import Job, Pack, Pool
from ._training.progress import progress_bar
from ._training.training import Data, Surroundings, Training
from .choices import Choices
from .datasets.shards import is_shards
from .errors import DivergenceError
from .history import History
from .mlp import MLP
from .optimizers import SGD, Optimizer, checked_optimizer
from .threads import get_num_threads

__all__ = ["fit_many"]

Seed = int | np.random.Generator | None


def fit_many(
    nets: Sequence[MLP],
    X: ArrayLike,
    y: ArrayLike | Choices,
    epochs: int = 10,
    batch_size: int = 64,
    optimizer: Optimizer | str | Sequence[Optimizer | str] | None = None,
    validation: tuple[ArrayLike, ArrayLike | Choices] | None = None,
    early_stopping: int | None = None,
    seed: Seed | Sequence[Seed] = None,
    progress: bool | str = "auto",
    on_divergence: str = "raise",
    sample_weight: ArrayLike | None = None,
    shuffle: bool = True,
) -> list[History]:
    """Train many networks on the same rows, as many at once as there are threads.

    Each network ends with the bits that `MLP.fit` alone would give it: with the same seed, its
    shuffles, its parameters and its history are the same. One network takes one thread, the longest
    first, and the next one starts as soon as a thread is free; the data are checked and held once.
    Tiny networks of one shape, with one optimizer, go side by side, a network in each lane of a
    vector: 16 in float32, 8 in float64; an epoch's `seconds` are then those of all of them.
    Under `joblib.parallel_config` with a cluster's backend (``"dask"``, ``"ray"``, ``"spark"``)
    each network is a task there, without a bar.

    Parameters
    ----------
    nets : sequence of MLP
        Different objects, of any shapes that fit X and y.
    X, y, epochs, batch_size, validation, early_stopping, sample_weight, shuffle
        As in `MLP.fit`, for all of them.
    optimizer : Optimizer, or a sequence with one for each network, optional
        ``SGD(0.1, momentum=0.9)`` if not given.
    seed : int, None, or a sequence with one for each network
        For the shuffles, as in `MLP.fit`: one int gives all networks the same ones, which are then
        made only once; None means each network's own generator.
    progress : bool or "auto"
        One bar for all, with the best loss so far.
    on_divergence : str
        ``"raise"``: the first network whose loss is no longer finite ends all with its
        `DivergenceError`, whose `index` says which it is. ``"keep"``: it stays as `MLP.fit` leaves
        it, its history has the epochs before, and the others go on.

    Returns
    -------
    list of History
        In the order of `nets`.

    Raises
    ------
    TypeError, ValueError
        For unusable data or settings; nothing is changed then.
    DivergenceError
        See `on_divergence`.
    KeyboardInterrupt
        After Ctrl-C: every network that runs ends within 100 ms at a step, with `early_stopping` at
        its best epoch; all stay usable.

    What ends the runs comes with their histories so far as its attribute `histories`, None for
    networks that had not begun.

    Examples
    --------
    >>> import eigenmlp as em
    >>> X, y = em.datasets.load_digits()
    >>> nets = [em.MLP([64, h, 10], seed=0) for h in (16, 32, 64)]
    >>> histories = em.fit_many(nets, X, y, epochs=3, seed=1, progress=False)
    >>> alone = em.MLP([64, 32, 10], seed=0)
    >>> alone.fit(X, y, epochs=3, seed=1, progress=False).loss == histories[1].loss
    True
    """
    nets = _checked_nets(nets)
    optimizers = _each(optimizer, len(nets), "optimizer", (Optimizer, str, type(None)))
    seeds = _each(seed, len(nets), "seed", (int, np.integer, np.random.Generator, type(None)))
    epochs = checks.integer(epochs, "epochs", least=0)
    if early_stopping is not None:
        checks.integer(early_stopping, "early_stopping")
    shuffle = checks.checked_bool(shuffle, "shuffle")
    checks.known(on_divergence, ("raise", "keep"), "on_divergence")
    rngs = _generators(nets, seeds)
    taken: dict[Any, tuple[Data, Any]] = {}
    if is_shards(X, y, sample_weight, *(validation if isinstance(validation, tuple) else ())):
        raise TypeError("X, y: expected arrays, got Shards, which one network at a time can read")
    cluster = elsewhere.cluster()
    probe = np.random.default_rng(0)
    runs, jobs = [], []
    for index, (net, rule, rng) in enumerate(zip(nets, optimizers, rngs, strict=True)):
        rule = SGD(0.1, momentum=0.9) if rule is None else rule
        try:
            Training(net, rule, batch_size, probe)  # for its checks
            key = _takes(net)
            if key not in taken:
                data = net._data(X, y, sample_weight)
                taken[key] = data, validation_rows.checked(net, validation)
        except (TypeError, ValueError) as error:
            raise type(error)(f"network {index}: {error}") from None
        run = _Run(net, rule, batch_size, rng, *taken[key], epochs, shuffle, early_stopping)
        runs.append(run)
        jobs.append(Job(run.train, epochs, float(net.parameter_count)))
    keeps = (DivergenceError,) if on_divergence == "keep" else ()
    if cluster is not None:
        common = {
            **{"X": X, "y": y, "epochs": epochs, "batch_size": batch_size},
            **{"validation": validation, "sample_weight": sample_weight, "shuffle": shuffle},
            "early_stopping": early_stopping,
        }
        each = [{**common, "optimizer": run.optimizer} for run in runs]
        return elsewhere.train_all(cluster, nets, rngs, each, bool(keeps))
    for run in runs:
        plausible.columns(run.net, run.data[0])
    packs = [
        Pack(places, partial(_train_pack, [runs[i] for i in places])) for places in _packs(runs)
    ]
    with progress_bar(epochs * len(nets), progress) as bar:
        histories = Pool(jobs, bar, keeps, packs).run()
    for run, history in zip(runs, histories, strict=True):
        if history.loss and np.isfinite(run.net.parameters).all():
            plausible.predictions(run.net, *run.data[:2])
    return histories


class _Run(NamedTuple):
    """What one network's `fit` would do; its optimizer's memory is taken when it begins."""

    net: MLP
    optimizer: Optimizer
    batch_size: int
    rng: np.random.Generator
    data: Data
    validation: Data | None
    epochs: int
    shuffle: bool
    early_stopping: int | None

    def train(
        self, around: Surroundings, advance: Callable[[int, History], None] | None
    ) -> History:
        """All of it."""
        return alone(self.steps(around, advance))

    def steps(self, around: Surroundings, advance: Callable[[int, History], None] | None) -> Run:
        """The same, as it asks for native runs."""
        training: Training | None = None
        with unmoved_if(lambda: training is None or not training._has_begun, self.rng):
            training = Training(self.net, self.optimizer, self.batch_size, self.rng)
            return (
                yield from training._run_checked(
                    self.data,
                    self.epochs,
                    validation=self.validation,
                    shuffle=self.shuffle,
                    early_stopping=self.early_stopping,
                    advance=advance,
                    around=around,
                )
            )

    @property
    def can_share_a_step(self) -> bool:
        """Whether the core takes such a network's step beside others'."""
        net, limits = self.net, checked_optimizer(self.optimizer).limits()
        return (
            isinstance(self.data[0], np.ndarray)
            and not (net._of_choices or net._drops or net._rounds)
            and limits["clip_norm"] is limits["max_norm"] is None
            and not limits["penalty"]
        )

    def is_like(self, other: _Run) -> bool:
        """Whether both may have the same native runs, but for their shuffles."""
        return (
            self.net._sizes == other.net._sizes
            and self.net._all_activations == other.net._all_activations
            and self.net._bias == other.net._bias
            and self.data is other.data
            and self.optimizer == other.optimizer
            and self.batch_size == other.batch_size
        )


def _packs(runs: list[_Run]) -> list[list[int]]:
    """Places of runs to be taken side by side, where that pays; the others are in none."""
    alike: list[list[int]] = []
    for place, run in enumerate(runs):
        if not run.can_share_a_step:
            continue
        group = next((group for group in alike if run.is_like(runs[group[0]])), None)
        if group is None:
            alike.append([place])
        else:
            group.append(place)
    packs = []
    for group in alike:
        net, count = runs[group[0]].net, len(group)
        rows = min(runs[group[0]].batch_size, len(runs[group[0]].data[1]))
        each = at_once(
            net._backend, net._dtype, net.parameter_count, rows, count, get_num_threads()
        )
        parts = -(-count // each)
        if each > 1:
            packs += [group[count * i // parts : count * (i + 1) // parts] for i in range(parts)]
    return [pack for pack in packs if len(pack) > 1]


def _train_pack(
    runs: list[_Run],
    around: Surroundings,
    advances: Sequence[Callable[[int, History], None] | None],
    ended: Callable[[int, Outcome], None],
) -> None:
    among = replace(around, side_by_side=len(runs))
    steps = [run.steps(among, advance) for run, advance in zip(runs, advances, strict=True)]
    side_by_side(steps, ended)


def _takes(net: MLP) -> Any:
    """What the checked form of data depends on: networks that agree on it share the arrays."""
    sizes = net._sizes[0], net._sizes[-1]
    return *sizes, net._dtype, net._backend, net._loss_object, net._needs_digits, net._units.key


def _generators(nets: list[MLP], seeds: list[Any]) -> list[np.random.Generator]:
    """Each network's; two runs at once cannot draw from the same one in an order."""
    rngs = [
        net._rng if seed is None else checks.generator(seed)
        for net, seed in zip(nets, seeds, strict=True)
    ]
    seen: dict[int, int] = {}
    for index, rng in enumerate(rngs):
        if id(rng) in seen:
            raise ValueError(
                "seed: expected a generator of its own for each network, got the same for "
                f"{seen[id(rng)]} and {index}: give an int, or one for each"
            )
        seen[id(rng)] = index
    return rngs


def _checked_nets(nets: object) -> list[MLP]:
    if isinstance(nets, MLP) or not checks.is_several(nets):
        raise TypeError(f"nets: expected a sequence of MLP, got {shown(nets)}")
    found = checks.items(nets, "nets")
    if not found:
        raise ValueError("nets: expected at least one MLP, got none")
    seen: dict[int, int] = {}
    for index, net in enumerate(found):
        if not isinstance(net, MLP):
            raise TypeError(f"nets: expected MLP objects, got {shown(net)} at {index}")
        if id(net) in seen:
            raise ValueError(
                f"nets: expected different objects, got the same at {seen[id(net)]} and {index}"
            )
        seen[id(net)] = index
    return found


def _each(value: Any, count: int, what: str, kinds: tuple[type, ...]) -> list[Any]:
    """One for each network, from one for all or a sequence."""
    if isinstance(value, kinds) or not checks.is_several(value):
        return [value] * count
    given = checks.items(value, what)
    if len(given) != count:
        raise ValueError(
            f"{what}: expected one, or {count}, one for each network, got {len(given)}"
        )
    return given
