"""Random networks and random calls of all kinds, on the core and on its twin.

Right calls give the twin's numbers and change nothing they should not; wrong ones are a TypeError
or a ValueError. What reads or writes beyond an array shows under `nox -s sanitize`.
"""

from __future__ import annotations

import pickle
import random
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import eigenmlp as em
from eigenmlp._core.loading import core

from . import arrays

ACTIVATIONS = [
    "identity",
    "relu",
    "leaky_relu",
    "sigmoid",
    "tanh",
    "softplus",
    "elu",
    "gelu",
    "silu",
]
ACTIVATIONS += ["sigmoid(slope=2.0)", "leaky_relu(negative_slope=0.3)", "elu(alpha=0.5)"]
LOSSES = [*em.losses.LOSSES, "softmax_cross_entropy(label_smoothing=0.1)", "huber(delta=0.3)"]
SIZES = [*range(1, 18), 23, 31, 32, 33, 47, 48, 49, 63, 64, 65, 100, 129, 257]
WIDE = [600, 1500, 4000]  # of inputs: rows of many zeros are for these
ROWS = [*range(1, 18), 31, 32, 33, 64, 127, 128, 129, 300, 1025]
LARGEST = 40_000  # parameters, and multiply-adds a row


class Case:
    """A network, its twin, rows and targets for them."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.numbers = np.random.default_rng(rng.randrange(2**32))
        loss = rng.choice(LOSSES)
        self.loss = loss.partition("(")[0]
        self.of_choices = self.loss == "segment_cross_entropy"
        while True:
            sizes = [rng.choice(SIZES) for _ in range(rng.choice([2, 2, 3, 3, 3, 4, 5]))]
            sizes[0] = rng.choice(WIDE) if rng.random() < 0.1 else sizes[0]
            sizes[-1] = 1 if self.of_choices else sizes[-1]
            if sum(D * K for D, K in pairwise(sizes)) < LARGEST:
                break
        takes_logits = em.losses.LOSSES[self.loss].takes_logits
        output = "identity" if takes_logits else rng.choice([*ACTIVATIONS, "softmax"])
        self.dtype = rng.choice(["float32", "float64"])
        self.rounds = self.dtype == "float32" and rng.random() < 0.2
        self.N = rng.choice(ROWS)
        self.options: dict[str, Any] = {
            "layer_sizes": sizes,
            "activation": [rng.choice(ACTIVATIONS) for _ in sizes[1:-1]],
            "output_activation": output,
            "loss": loss,
            "reduction": rng.choice(["mean", "sum"]),
            "bias": rng.random() < 0.8,
            "dtype": self.dtype,
            "compute_dtype": "bfloat16" if self.rounds else None,
            "input_scale": rng.choice([1.0, 1.0, 0.1]),
            "seed": rng.randrange(2**32),
            "dropout": 0.0 if self.of_choices else rng.choice([0.0, 0.0, 0.3]),
        }
        self.net = em.MLP(**self.options)
        self.twin = em.MLP(**{**self.options, "backend": "numpy"})
        self.X = self.numbers.normal(size=(self.N, sizes[0])).astype(self.dtype)
        if rng.random() < 0.3:  # few enough numbers for the ways of sparse rows, or none at all
            density = rng.choice([0, 0.01, 0.05, 0.2]) * self.numbers.integers(0, 3, (self.N, 1))
            self.X *= self.numbers.random(self.X.shape) < density
        self.T = self.targets()

    def targets(self) -> Any:
        N, K = self.N, self.net.layer_sizes[-1]
        if self.of_choices:
            inner = sorted(self.rng.sample(range(1, N), self.rng.randrange(min(N, 20))))
            offsets = np.array([0, *inner, N])
            return em.Choices(offsets, [self.rng.randrange(a, b) for a, b in pairwise(offsets)])
        if self.loss == "softmax_cross_entropy" and self.rng.random() < 0.7:
            return self.numbers.integers(0, K, N)
        T = self.numbers.uniform(0.01, 1, (N, K))
        return (T / T.sum(axis=1, keepdims=True)).astype(self.dtype)

    def weights(self) -> Any:
        count = len(self.T) if self.of_choices else self.N
        weights = self.numbers.uniform(0.1, 2, count)
        some = weights * (self.numbers.random(count) < 0.3)
        some[self.rng.randrange(count)] = 1  # the only one, perhaps
        return self.rng.choice([None, weights, some])

    def same(self, a: Any, b: Any, what: str, smooth: bool = True) -> None:
        """Of both backends. Where a kink may lie between them, in float64 only."""
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        assert a.shape == b.shape, f"{what}: {a.shape} and {b.shape}"
        assert np.isfinite(a).all(), f"{what}: not finite"
        if self.rounds or not (smooth or self.dtype == "float64"):
            return
        tolerance = 1e-7 if self.dtype == "float64" else 1e-2
        off = np.abs(a - b).max(initial=0) / (1 + np.abs(b).max(initial=0))
        assert off < tolerance, f"{what}: {off:.3g} apart"


# ---- right calls


def forward(case: Case) -> None:
    expected = case.twin.forward(case.X)
    X = arrays.same_numbers(case.rng, case.X)
    case.same(case.net.forward(X), expected, "forward")
    out = arrays.to_fill(case.rng, expected)
    try:
        given = case.net.forward(case.X, out=out)
    except ValueError:  # out must be as the core writes it
        return
    assert given is out
    case.same(out, expected, "forward into out")


def predictions(case: Case) -> None:
    X = arrays.same_numbers(case.rng, case.X)
    given = {"offsets": case.T.offsets} if case.of_choices else {}
    assert len(case.net.predict(X, **given)) in (case.N, len(case.T))
    if case.loss.endswith("cross_entropy"):
        case.same(case.net.predict_proba(X, **given), case.twin.predict_proba(case.X, **given), "p")


def losses(case: Case) -> None:
    X, weights = arrays.same_numbers(case.rng, case.X), case.weights()
    T = case.T if case.of_choices else arrays.same_numbers(case.rng, case.T, sparse=False)
    loss, gradient = case.net.loss_and_gradient(X, T, sample_weight=weights)
    expected, by_twin = case.twin.loss_and_gradient(case.X, case.T, sample_weight=weights)
    case.same(loss, expected, "loss")
    case.same(gradient, by_twin, "gradient", smooth=False)
    case.same(case.net.evaluate(X, T, weights).loss, expected, "evaluate")


def vjp(case: Case) -> None:
    dY = case.numbers.normal(size=(case.N, case.net.layer_sizes[-1]))
    X = arrays.same_numbers(case.rng, case.X)
    ours, theirs = case.net.vjp(X, dY), case.twin.vjp(case.X, dY)
    for a, b in zip(ours, theirs, strict=True):
        case.same(a, b, "vjp", smooth=False)


def derivatives(case: Case) -> None:
    X, T, rng = case.X, case.T, case.rng
    v = case.numbers.normal(size=case.net.parameter_count)
    dX = arrays.same_numbers(rng, case.numbers.normal(size=X.shape), sparse=False)
    calls: list[Callable[[em.MLP], Any]] = [
        lambda net: net.jvp(X, dX, v)[1],
        lambda net: net.input_gradient(X, output=rng.randrange(net.layer_sizes[-1])),
        lambda net: net.hessian_vector_product(X, T, v),
        lambda net: net.taylor(X, T, 0.01 * v, 3),
        lambda net: net.taylor_outputs(X, 3, 0.01 * v, 0.01 * np.asarray(dX)),
    ]
    if not case.of_choices:
        calls.append(lambda net: net.input_gradient(X, T))
        if case.N * case.net.parameter_count < 10**6:
            calls.append(lambda net: net.per_sample_gradients(X, T))
    if case.net.parameter_count < 60:
        calls.append(lambda net: net.hessian(X, T))
    call, state = rng.choice(calls), rng.getstate()
    try:
        ours = call(case.net)
    except ValueError as error:
        reasons = ("one with a Taylor series", "span several rows")
        if not any(reason in str(error) for reason in reasons):
            raise
        return
    rng.setstate(state)
    case.same(ours, call(case.twin), "a derivative", smooth=False)


def optimizer(rng: random.Random) -> Any:
    kind = rng.choice([em.SGD, em.Adam, em.AdamW, em.RMSprop])
    schedules = [0.01, em.schedules.Cosine(0.01, steps=5), em.schedules.Step(0.01, every=2)]
    options: dict[str, Any] = {"lr": rng.choice(schedules)}
    if rng.random() < 0.5:
        options |= {"clip_norm": 1.0, "max_norm": 2.0, "l1": 1e-3}
    return kind(**options)


def training(case: Case) -> None:
    rng = case.rng
    X = arrays.same_numbers(rng, case.X)
    T = case.T if case.of_choices else arrays.same_numbers(rng, case.T, sparse=False)
    trainer = em.Trainer(
        case.net,
        optimizer(rng),
        batch_size=rng.choice([1, 7, 32, 500]),
        seed=rng.randrange(99),
        accumulate=rng.choice([1, 1, 3]),
    )
    try:
        trainer.run(
            X,
            T,
            epochs=rng.choice([1, 2]),
            sample_weight=case.weights(),
            progress=False,
            shuffle=rng.random() < 0.7,
            validation=rng.choice([None, (X, T)]),
            early_stopping=rng.choice([None, 1]),
        )
        trainer.step(X, T)
        trainer.apply(case.numbers.normal(size=case.net.parameter_count))
    except em.DivergenceError:
        case.net.parameters = case.twin.parameters
    case.twin.parameters = case.net.parameters


def travels(case: Case) -> None:
    """Saved, pickled, set: the same bits."""
    expected = case.net.forward(case.X).tobytes()
    copy = pickle.loads(pickle.dumps(case.net))
    assert copy.forward(case.X).tobytes() == expected
    with tempfile.TemporaryDirectory() as folder:
        case.net.save(Path(folder, "net"))
        assert em.MLP.load(Path(folder, "net")).forward(case.X).tobytes() == expected
    flat = arrays.same_numbers(case.rng, case.net.parameters[None], sparse=False)
    copy.parameters = np.asarray(flat)[0]
    assert copy.forward(case.X).tobytes() == expected


def threads(case: Case) -> None:
    """The same bits for every number of them."""
    X = arrays.same_numbers(case.rng, case.X)
    rule, state, weights = optimizer(case.rng), case.net.parameters, case.weights()
    batch_size = max(case.rng.choice([7, 64, 500]), case.N // 4)  # threads that wait take long
    accumulate = case.rng.choice([1, 1, 3])
    bits = set()
    for n in (1, 2, 5):
        with forced_threads(n):
            loss, gradient = case.net.loss_and_gradient(X, case.T)
            passes = (loss, gradient.tobytes(), case.net.forward(X).tobytes())
            copy = pickle.loads(pickle.dumps(case.net))
            trainer = em.Trainer(copy, rule, batch_size, seed=0, accumulate=accumulate)
            try:
                history = trainer.run(X, case.T, 1, sample_weight=weights, progress=False)
            except em.DivergenceError as error:
                bits.add((*passes, str(error), b""))
            else:
                bits.add((*passes, str(history.loss), copy.parameters.tobytes()))
    assert len(bits) == 1
    assert case.net.parameters.tobytes() == state.tobytes()


@contextmanager
def forced_threads(n: int) -> Iterator[None]:
    """So many of them, even if more processors or less work would have others chosen."""
    before = em.get_num_threads()
    em.set_num_threads(n)
    core.force_threads(n)
    try:
        yield
    finally:
        core.force_threads(0)
        em.set_num_threads(before)


def segments(case: Case) -> None:
    rng, M = case.rng, case.N
    offsets = np.array([0, *sorted(rng.sample(range(1, M), rng.randrange(min(M, 20)))), M])
    chosen = np.array([rng.randrange(a, b) for a, b in pairwise(offsets)])
    z = arrays.same_numbers(rng, case.numbers.normal(size=(3, M)).astype(case.dtype), sparse=False)
    kinds = ["int64", "int32", "uint8" if M < 256 else "uint16"]
    offsets, chosen = (x.astype(rng.choice(kinds)) for x in (offsets, chosen))
    p = em.segment_softmax(z, arrays.misaligned(offsets) if rng.random() < 0.3 else offsets)
    for begin, end in pairwise(offsets):
        assert np.allclose(p[:, begin:end].sum(axis=1), 1, atol=1e-3)
    em.segment_softmax_vjp(p, p, offsets)
    em.segment_cross_entropy(z, offsets, chosen)


# ---- wrong calls


def wrong(case: Case) -> None:
    """Refused, and the network is what it was."""
    net, X, T, rng = case.net, case.X, case.T, case.rng
    nan = X.copy()
    nan[rng.randrange(case.N), rng.randrange(X.shape[1])] = rng.choice([np.nan, np.inf])
    P = net.parameter_count
    K = net.layer_sizes[-1]
    bad_T: list[Any] = [None, "y", T[:0]] if not case.of_choices else [None, X]
    calls: dict[str, Callable[[], Any]] = {
        "columns": lambda: net.forward(X[:, 1:]),
        "one row": lambda: net.forward(X[0]),
        "not finite": lambda: net.forward(nan),
        "out": lambda: net.forward(X, out=np.empty((case.N, K + 1), case.dtype)),
        "targets": lambda: net.loss_and_gradient(X, rng.choice(bad_T)),
        "rows of fit": lambda: net.fit(nan, T, progress=False),
        "targets of fit": lambda: net.fit(X, rng.choice(bad_T), progress=False),
        "epochs": lambda: net.fit(X, T, epochs=rng.choice([-1, 1.5, "2"]), progress=False),
        "dY": lambda: net.vjp(X, np.ones((case.N, K + 1))),
        "direction": lambda: net.jvp(X, None, np.ones(P + 1)),
        "parameters": lambda: setattr(net, "parameters", np.ones(P - 1)),
        "infinite parameters": lambda: setattr(net, "parameters", np.full(P, np.inf)),
        "sparse rows": lambda: net.forward(arrays.broken_csr(rng, X)),
        "offsets": lambda: em.segment_softmax(
            np.ones(4), rng.choice([[0, 9], [1, 4], [0, 3, 2, 4], [0, -1, 4]])
        ),
    }
    before = net.parameters.tobytes()
    name = rng.choice([*calls])
    try:
        calls[name]()
    except (TypeError, ValueError) as error:
        if len(str(error)) >= 400:
            raise AssertionError(f"a message of {len(str(error))} characters") from None
    else:
        raise AssertionError(f"wrong {name}: taken")
    assert net.parameters.tobytes() == before


CALLS: list[Callable[[Case], None]] = [
    *(forward, predictions, losses, vjp, derivatives, derivatives),
    *(training, travels, threads, segments, wrong, wrong),
]


def run(seed: int, count: int, seconds: float) -> dict[str, Any]:
    """Networks until either bound is met; what was called, or the first fault raised."""
    called: Counter[str] = Counter()
    warnings.simplefilter("ignore", UserWarning)  # bfloat16 where it brings no speed
    began = time.monotonic()
    number = 0
    while number < count and time.monotonic() < began + seconds:
        rng = random.Random(f"{seed} {number}")
        case = Case(rng)
        for call in rng.sample(CALLS, 4):
            forced = rng.choice([None, None, None, 2, 2, 3, 7])
            try:
                with forced_threads(forced) if forced else nullcontext():
                    call(case)
            except BaseException as error:
                options = f"{case.options}, {case.N} rows, {forced} threads"
                error.add_note(f"seed {seed}, network {number}: {call.__name__}, {options}")
                raise
            called[call.__name__] += 1
        number += 1
    elapsed = round(time.monotonic() - began, 1)
    return {"networks": number, "calls": dict(called), "seconds": elapsed}
