"""Tiny networks of one shape in one step: the bits of each alone, and how they end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends import facade
from eigenmlp._training import native_runs
from support.pressing import PRESS

rng = np.random.default_rng(0)
X = rng.normal(size=(150, 3))
LABELS = rng.integers(0, 2, 150)
VALIDATION = (rng.normal(size=(40, 3)), rng.integers(0, 2, 40))


@pytest.fixture
def packs(monkeypatch: pytest.MonkeyPatch, threads_as_before: None) -> list[int]:
    """How many networks went side by side, call by call; 0 where the core would not."""
    counts: list[int] = []
    real = facade.run_side_by_side

    def counted(trainers: Any, *arguments: Any) -> Any:
        results = real(trainers, *arguments)
        counts.append(0 if results is None else len(results))
        return results

    monkeypatch.setattr(native_runs, "run_side_by_side", counted)
    em.set_num_threads(1)
    return counts


def make(count: int, sizes: tuple[int, ...] = (3, 4, 2), **options: Any) -> list[em.MLP]:
    return [em.MLP(list(sizes), seed=i, **options) for i in range(count)]


def same(nets: list[em.MLP], histories: list[em.History], fit: Callable[[int], Any]) -> None:
    """`fit(i)` gives network i trained alone, and its history."""
    for i, (net, history) in enumerate(zip(nets, histories, strict=True)):
        alone, expected = fit(i)
        np.testing.assert_array_equal(net.parameters, alone.parameters)
        for name in ("loss", "val_loss", "accuracy", "val_accuracy", "rows"):
            assert getattr(history, name) == getattr(expected, name), name
        assert len(history.seconds) == len(expected.seconds)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("own_seeds", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"validation": VALIDATION, "early_stopping": 2},
        {"shuffle": False, "sample_weight": rng.uniform(0.5, 2, 150)},
        {"progress": True},
    ],
)
def test_bits_of_each_alone(
    dtype: str, own_seeds: bool, options: dict[str, Any], packs: list[int]
) -> None:
    seeds = list(range(36)) if own_seeds else 7
    settings: dict[str, Any] = {
        "epochs": 4, "batch_size": 32, "optimizer": em.Adam(0.02), "progress": False, **options
    }  # fmt: skip
    nets = [*make(33, dtype=dtype), *make(3, (3, 5, 2), dtype=dtype)]
    histories = em.fit_many(nets, X, LABELS, seed=seeds, **settings)

    def fit(i: int) -> Any:
        net = em.MLP([3, 4, 2], seed=i, dtype=dtype)
        if i >= 33:
            net = em.MLP([3, 5, 2], seed=i - 33, dtype=dtype)
        seed = seeds[i] if isinstance(seeds, list) else seeds
        return net, net.fit(X, LABELS, seed=seed, **{**settings, "progress": False})

    same(nets, histories, fit)
    assert max(packs) > 1


def test_values_units_and_generators(packs: list[int]) -> None:
    y = 1000 + 50 * X @ rng.normal(size=(3, 1))
    settings: dict[str, Any] = {
        "epochs": 3, "batch_size": 50, "optimizer": em.RMSprop(0.01), "progress": False
    }  # fmt: skip
    kinds: dict[str, Any] = {"loss": "huber(delta=3.0)", "standardize": True, "activation": "silu"}
    nets = make(16, (3, 4, 1), **kinds)
    histories = em.fit_many(nets, X, y, **settings)
    others = make(16, (3, 4, 1), **kinds)
    same(nets, histories, lambda i: (others[i], others[i].fit(X, y, **settings)))
    assert packs == [16]
    for net, other in zip(nets, others, strict=True):
        assert net._rng.bit_generator.state == other._rng.bit_generator.state


def test_what_cannot_goes_alone(packs: list[int]) -> None:
    dropping = make(16, dropout=0.5)
    clipped = em.SGD(0.1, clip_norm=1.0)
    em.fit_many(dropping, X, LABELS, epochs=1, progress=False)
    em.fit_many(make(16), X, LABELS, epochs=1, optimizer=clipped, progress=False)
    em.fit_many(make(16, backend="numpy"), X, LABELS, epochs=1, progress=False)
    em.fit_many(make(16, compute_dtype="bfloat16"), X, LABELS, epochs=1, progress=False)
    em.fit_many(make(2), X, LABELS, epochs=1, progress=False)
    em.fit_many(make(16, (3, 500, 500, 2)), X, LABELS, epochs=1, progress=False)
    rates = [em.SGD(0.1 + i) for i in range(16)]
    em.fit_many(make(16), X, LABELS, epochs=1, optimizer=rates, progress=False)
    assert not packs
    em.fit_many(make(16), X, LABELS, epochs=1, progress=False)
    assert packs == [16]


def test_one_that_diverges_is_told_of_as_alone(packs: list[int]) -> None:
    def with_a_bad_one() -> list[em.MLP]:
        nets = make(16)
        bad = np.zeros(nets[5].parameter_count, np.float32)
        bad[-2:] = 3e38, -3e38
        nets[5].parameters = bad
        return nets

    settings: dict[str, Any] = {"epochs": 3, "batch_size": 32, "seed": 1, "progress": False}
    nets = with_a_bad_one()
    with pytest.raises(em.DivergenceError) as raised:
        em.fit_many(nets, X, LABELS, **settings)
    assert raised.value.index == 5
    assert len(raised.value.histories) == 16
    assert packs == [0]

    nets = with_a_bad_one()
    histories = em.fit_many(nets, X, LABELS, on_divergence="keep", **settings)
    assert histories[5].loss == []
    others = with_a_bad_one()
    for i in (0, 4, 6, 15):
        assert others[i].fit(X, LABELS, **settings).loss == histories[i].loss
        np.testing.assert_array_equal(nets[i].parameters, others[i].parameters)


def test_one_that_diverges_ends_the_others_at_once(packs: list[int]) -> None:
    nets = make(16)
    nets[0].parameters = np.array([0.0] * (nets[0].parameter_count - 2) + [3e38, -3e38])
    with pytest.raises(em.DivergenceError) as raised:
        em.fit_many(nets, X, LABELS, epochs=50, seed=1, progress=False)
    assert raised.value.index == 0
    histories = raised.value.histories
    assert packs == [0] and [len(history.loss) for history in histories] == [0] * 16
    assert len({id(history) for history in histories}) == 16


def test_shuffles_of_a_pack_take_no_more_memory_than_one_networks(
    monkeypatch: pytest.MonkeyPatch, threads_as_before: None
) -> None:
    held = []
    real = facade.run_side_by_side

    def counted(trainers: Any, *arguments: Any) -> Any:
        held.append(sum(orders.size for orders in arguments[4]))
        return real(trainers, *arguments)

    monkeypatch.setattr(native_runs, "run_side_by_side", counted)
    em.set_num_threads(1)
    em.fit_many(make(16), X, LABELS, epochs=1000, batch_size=100, progress=False)
    assert len(held) > 1 and max(held) <= 1 << 21


def test_two_calls_on_the_same_networks_in_different_orders(packs: list[int]) -> None:
    nets = make(16)
    ended = []

    def fit(of: list[em.MLP]) -> None:
        for _ in range(8):
            em.fit_many(of, X, LABELS, epochs=200, batch_size=32, progress=False)
        ended.append(len(of))

    threads = [threading.Thread(target=fit, args=(of,), daemon=True) for of in (nets, nets[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert ended == [16, 16]


def test_memory_that_runs_out_leaves_all_as_they_were(
    monkeypatch: pytest.MonkeyPatch, threads_as_before: None
) -> None:
    nets = make(16)
    before = [(net.parameters, net._rng.bit_generator.state) for net in nets]

    def fails(*_: Any) -> Any:
        raise MemoryError("no more")

    monkeypatch.setattr(native_runs, "run_side_by_side", fails)
    em.set_num_threads(1)
    with pytest.raises(MemoryError, match="no more"):
        em.fit_many(nets, X, LABELS, epochs=2, progress=False)
    for net, (parameters, state) in zip(nets, before, strict=True):
        np.testing.assert_array_equal(net.parameters, parameters)
        assert net._rng.bit_generator.state == state


CTRL_C = (
    """
import os, signal, threading, time
import numpy as np, eigenmlp as em
em.set_num_threads({threads})
X = np.random.default_rng(0).normal(size=(3000, 2))
y = (X[:, 0] > 0).astype(int)
nets = [em.MLP([2, 3, 2], seed=i) for i in range(32)]
start = [net.parameters for net in nets]
"""
    + PRESS
    + """\
try:
    em.fit_many(nets, X, y, epochs=1_000_000, {more})
except KeyboardInterrupt as error:
    took = time.perf_counter() - pressed[0]
    error_histories = error.histories
    epochs = [len(history.loss) for history in error_histories if history is not None]
presser.join()
moved = [not np.array_equal(a, net.parameters) for a, net in zip(start, nets)]
own = {{id(history) for history in error_histories if history is not None}}
print(took < 2, min(epochs) > 0, sum(moved) == len(epochs) == len(own) > 1)
for net in nets:
    net.fit(X[:100], y[:100], epochs=1)
"""
)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("more", ["", "validation=(X[:300], y[:300])"])
def test_ctrl_c_leaves_every_network_usable(threads: int, more: str, in_subprocess: Any) -> None:
    done = in_subprocess(CTRL_C.format(threads=threads, more=more))
    assert done.stdout.split() == ["True"] * 3, done
