"""Every argument of every public entry, given things that nobody expects there.

It is taken, or it is refused by a TypeError or ValueError of fewer than 400 characters that names
the argument. The entries' parameters are found by their signatures, so that new ones are tried too.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import eigenmlp as em

ALLOWED = (TypeError, ValueError, OSError, MemoryError, em.DivergenceError)
N, D, K = 6, 3, 2
X = np.random.default_rng(0).normal(size=(N, D))
LABELS = np.arange(N) % K
P = (D + 1) * 4 + 5 * K


class Raises:
    """An object of whose methods one raises what no library expects."""

    def __init__(self, method: str) -> None:
        self.method = method

    def __repr__(self) -> str:
        return f"<raises in {self.method}>"


def raises(method: str) -> Any:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("not today " * 100)

    return type("Raises", (Raises,), {method: fail})(method)


class HugeRepr:
    def __repr__(self) -> str:
        return "huge " * 100_000


def itself() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


def nested(depth: int) -> Any:
    value: Any = 1.0
    for _ in range(depth):
        value = [value]
    return value


ODD: dict[str, Callable[[], Any]] = {
    "2^70": lambda: 2**70,
    "-2^70": lambda: -(2**70),
    "2^63": lambda: 2**63,
    "2^63 - 1": lambda: 2**63 - 1,
    "2^62": lambda: 2**62,
    "10^5000": lambda: 10**5000,
    "-1": lambda: -1,
    "0": lambda: 0,
    "0.5": lambda: 0.5,
    "NaN": lambda: float("nan"),
    "Inf": lambda: float("inf"),
    "1e300": lambda: 1e300,
    "complex": lambda: 1j,
    "None": lambda: None,
    "True": lambda: True,
    "text": lambda: "text",
    "no text": lambda: "",
    "NUL": lambda: "a\0b",
    "surrogate": lambda: "\ud800",
    "long text": lambda: "x" * 100_000,
    "call": lambda: "relu(" + "1," * 5000 + ")",
    "bytes": lambda: b"bytes",
    "long bytes": lambda: b"x" * 100_000,
    "no list": lambda: [],
    "ragged": lambda: [[1.0, 2.0], [3.0]],
    "huge ints": lambda: [2**70] * N,
    "a long list": lambda: [1] * 10_000,
    "a list of texts": lambda: ["x" * 1000] * 100,
    "a list in itself": itself,
    "65 levels": lambda: nested(65),
    "a dict": lambda: {"a" * 1000: 1},
    "a set": lambda: {1, 2},
    "a generator": lambda: (x for x in range(3)),
    "a function": lambda: lambda *_, **__: None,
    "a class": lambda: int,
    "a module": lambda: np,
    "an object": object,
    "a 0-d array": lambda: np.array(2.5),
    "a 0-d int": lambda: np.array(3),
    "complex array": lambda: np.ones((N, D), complex),
    "dates": lambda: np.zeros((N, D), "M8[s]"),
    "objects": lambda: np.array([[object()] * D] * N),
    "strings": lambda: np.full((N, D), "a" * 1000),
    "records": lambda: np.zeros(N, [("a", "f8"), ("b" * 500, "i4")]),
    "33 axes": lambda: np.ones((1,) * 32),
    "a wide array": lambda: np.ones((N, 10_000)),
    "negative": lambda: np.full((N, D), -1),
    "uint64": lambda: np.full(N, 2**64 - 1, np.uint64),
    "masked": lambda: np.ma.masked_array(np.ones(N), np.ones(N, bool)),
    "huge repr": HugeRepr,
    **{
        f"raises in {name}": partial(raises, name)
        for name in (
            *("__array__", "__len__", "__index__", "__float__", "__iter__", "__repr__", "__bool__"),
            *("__eq__", "__hash__", "__str__", "__fspath__", "__dlpack__", "__getattr__", "tocsr"),
            *("__array_interface__", "__getitem__", "__call__", "shape", "__int__"),
        )
    },
}


# What a message may call an argument, other than its name.
ALSO: dict[str, tuple[str, ...]] = {
    "Xb": ("X:",),
    "yb": ("y:",),
    "z": ("offsets: expected 10000 last", "offsets: expected 3 last"),
    "p": ("offsets: expected 10000 last", "dp: expected shape (10000,), as p"),
    "n": ("set_num_threads",),
    "net": ("expected an MLP", "weights: ", "codes: ", "shape: "),
    "path": ("expected a regular file", "expected an IDX file", "not an IDX file"),
    "directory": ("expected a folder of IDX files",),
}
# What `init` raises when it is called is the user's own.
THE_USERS: dict[str, tuple[str, ...]] = {"init": ("a class", "raises in __call__")}
# So many are done, one after the other.
THE_USERS |= {name: ("2^62", "2^63 - 1") for name in ("epochs", "max_iter")}


class Entry(NamedTuple):
    """A public callable, what it gets when it is used well, and what to leave alone."""

    make: Callable[[], Callable[..., Any]]
    good: Callable[[], dict[str, Any]]
    skip: frozenset[str] = frozenset()


def entry(make: Callable[[], Any], skip: str = "", **good: Any) -> Entry:
    return Entry(make, lambda: dict(good), frozenset(skip.split()))


def net(loss: str = "softmax_cross_entropy", outputs: int = K, **options: Any) -> em.MLP:
    return em.MLP([D, 4, outputs], loss=loss, seed=0, activation="tanh", dtype="float64", **options)


def trainer() -> em.Trainer:
    return em.Trainer(net(), em.SGD(0.1), 4, 0)


OFFSETS = [0, 2, N]
ENTRIES: dict[str, Entry] = {
    "MLP": entry(lambda: em.MLP, layer_sizes=[D, 4, K]),
    "fit": entry(lambda: net().fit, X=X, y=LABELS, epochs=1, progress=False),
    "forward": entry(lambda: net().forward, X=X),
    "predict": entry(lambda: net().predict, X=X),
    "predict of choices": entry(
        lambda: net("segment_cross_entropy", 1).predict, X=X, offsets=OFFSETS
    ),
    "predict_proba": entry(lambda: net().predict_proba, X=X),
    "evaluate": entry(lambda: net().evaluate, X=X, y=LABELS),
    "loss": entry(lambda: net().loss, X=X, y=LABELS),
    "loss_and_gradient": entry(lambda: net().loss_and_gradient, X=X, y=LABELS),
    "vjp": entry(lambda: net().vjp, X=X, dY=np.ones((N, K))),
    "jvp": entry(lambda: net().jvp, X=X, dX=X),
    "input_gradient": entry(lambda: net().input_gradient, X=X, y=LABELS),
    "input_gradient of an output": entry(lambda: net().input_gradient, X=X, output=0),
    "per_sample_gradients": entry(lambda: net().per_sample_gradients, X=X, y=LABELS),
    "hessian_vector_product": entry(
        lambda: net().hessian_vector_product, X=X, y=LABELS, v=np.ones(P)
    ),
    "hessian": entry(lambda: net().hessian, X=X, y=LABELS),
    "taylor": entry(lambda: net().taylor, X=X, y=LABELS, direction=np.ones(P), order=2),
    "taylor_outputs": entry(lambda: net().taylor_outputs, X=X, order=2, direction=np.ones(P)),
    "parameters": entry(
        lambda: lambda parameters: setattr(net(), "parameters", parameters), parameters=np.ones(P)
    ),
    "MLP.save": entry(lambda: net().save, path="net"),
    "MLP.load": entry(lambda: em.MLP.load, path="saved"),
    "Trainer": entry(lambda: em.Trainer, net=net(), optimizer=em.SGD(0.1)),
    "run": entry(lambda: trainer().run, X=X, y=LABELS),
    "step": entry(lambda: trainer().step, Xb=X, yb=LABELS),
    "apply": entry(lambda: trainer().apply, gradient=np.ones(P)),
    "Trainer.save": entry(lambda: trainer().save, path="trainer"),
    "Trainer.load": entry(lambda: em.Trainer.load, path="saved trainer"),
    "SGD": entry(lambda: em.SGD, lr=0.1),
    "Adam": entry(lambda: em.Adam),
    "AdamW": entry(lambda: em.AdamW),
    "RMSprop": entry(lambda: em.RMSprop),
    "Choices": entry(lambda: em.Choices, offsets=OFFSETS, chosen=[0, 3]),
    "Choices.take": entry(lambda: em.Choices(OFFSETS, [0, 3]).take, choices=[1]),
    "segment_softmax": entry(lambda: em.segment_softmax, z=np.ones(N), offsets=OFFSETS),
    "segment_softmax_vjp": entry(
        lambda: em.segment_softmax_vjp, p=np.ones(N), dp=np.ones(N), offsets=OFFSETS
    ),
    "segment_cross_entropy": entry(
        lambda: em.segment_cross_entropy, z=np.ones(N), offsets=OFFSETS, chosen=[0, 3]
    ),
    "set_num_threads": entry(lambda: em.set_num_threads, n=1),
    "check_gradients": entry(lambda: em.check_gradients, X=X, y=LABELS, function=net()),
    "load_idx": entry(lambda: em.datasets.load_idx, path="no file"),
    "load_mnist": entry(lambda: em.datasets.load_mnist, directory="no folder"),
    "stratified_split": entry(lambda: em.datasets.stratified_split, y=LABELS, fraction=0.5, rng=0),
    "codegen.to_c": entry(lambda: em.codegen.to_c, net=net(), path="net.c"),
    "codegen.c_source": entry(lambda: em.codegen.c_source, net=net()),
    "onnx.export": entry(lambda: em.onnx.export, net=net(), path="net.onnx"),
    "onnx.to_model": entry(lambda: em.onnx.to_model, net=net()),
    "onnx.load": entry(lambda: em.onnx.load, path="no.onnx"),
    "symbolic.expression": entry(lambda: em.symbolic.expression, net=net()),
    "symbolic.loss": entry(lambda: em.symbolic.loss, net=net()),
    "symbolic.gradient": entry(lambda: em.symbolic.gradient, net=net()),
    **{
        f"symbolic.{name}": entry(lambda name=name: getattr(em.symbolic, name), net=net())
        for name in ("inputs", "targets", "parameters", "values")
    },
    "torch.to_torch": entry(lambda: em.torch.to_torch, net=net()),
    **{
        f"schedules.{name}": entry(lambda name=name: getattr(em.schedules, name), **good)
        for name, good in {
            "Constant": {"lr": 0.1},
            "Step": {"lr": 0.1, "every": 3},
            "Exponential": {"lr": 0.1, "factor": 0.9},
            "Cosine": {"lr": 0.1, "steps": 9},
            "WarmUp": {"then": 0.1, "steps": 9},
            "OneCycle": {"max_lr": 0.1, "steps": 9},
            "ReduceOnPlateau": {"lr": 0.1},
        }.items()
    },
    **{f"losses.{name}": entry(lambda kind=kind: kind) for name, kind in em.losses.LOSSES.items()},
    **{
        f"activations.{name}": entry(lambda kind=kind: kind)
        for name, kind in em.activations.ACTIVATIONS.items()
    },
}


def fitted(kind: str) -> Callable[..., Any]:
    """An estimator that is made and fitted, with the parameters of both."""
    sklearn = pytest.importorskip("eigenmlp.sklearn")
    estimator = getattr(sklearn, kind)

    def fit(**given: Any) -> None:
        data = {name: given.pop(name) for name in FIT if name in given}
        estimator(**{"hidden_layer_sizes": 3, "max_iter": 1, **given}).fit(**data)

    parameters = [*inspect.signature(estimator).parameters.values()]
    parameters += [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in FIT]
    fit.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return fit


def of_fitted(kind: str, method: str) -> Any:
    sklearn = pytest.importorskip("eigenmlp.sklearn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has not converged
        return getattr(getattr(sklearn, kind)(hidden_layer_sizes=3).fit(X, LABELS), method)


if importlib.util.find_spec("torch"):
    ENTRIES["torch.from_torch"] = entry(
        lambda: em.torch.from_torch, sequential=em.torch.to_torch(net(dropout=0.5))
    )

if importlib.util.find_spec("matplotlib"):
    importlib.import_module("matplotlib").use("Agg")
    PLAIN = {"X": X[:, :2], "y": LABELS}
    of_two = em.MLP([2, 4, K], seed=0)
    ENTRIES |= {
        "plot.loss_curve": entry(lambda: em.plot.loss_curve, losses=[1.0, 0.5]),
        "plot.weights": entry(lambda: em.plot.weights, net=of_two),
        "plot.first_layer": entry(
            lambda: em.plot.first_layer, net=em.MLP([4, 4, K], seed=0), shape=(2, 2)
        ),
        "plot.decision_regions": entry(
            lambda: em.plot.decision_regions, **PLAIN, net=of_two, resolution=5
        ),
        "plot.confusion_matrix": entry(lambda: em.plot.confusion_matrix, **PLAIN, net=of_two),
        "plot.codes": entry(lambda: em.plot.codes, **PLAIN, net=of_two),
    }


@pytest.fixture
def without_figures() -> Iterator[None]:
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


FIT = ("X", "y", "sample_weight", "validation_data")
ESTIMATORS = ("MLPClassifier", "MLPRegressor")
if importlib.util.find_spec("sklearn"):
    for kind in ESTIMATORS:
        ENTRIES[kind] = entry(partial(fitted, kind), X=X, y=LABELS)
        for method in ("predict", "predict_proba", "partial_fit"):
            if method != "predict_proba" or kind == "MLPClassifier":
                good = {"X": X} | ({} if method.startswith("predict") else {"y": LABELS})
                ENTRIES[f"{kind}.{method}"] = entry(partial(of_fitted, kind, method), **good)


def arguments() -> Iterator[Any]:
    for name, (make, _, skip) in ENTRIES.items():
        for parameter in inspect.signature(make()).parameters:
            if parameter not in skip:
                yield pytest.param(name, parameter, id=f"{name}: {parameter}")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    net().save("saved")
    trainer().save("saved trainer")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "parameter"), [*arguments()])
def test_odd_arguments(name: str, parameter: str, without_figures: None) -> None:
    make, good, _ = ENTRIES[name]
    before = em.get_num_threads()
    wrong = []
    for odd, value in ODD.items():
        if odd in THE_USERS.get(parameter, ()):
            continue
        try:
            make()(**{**good(), parameter: value()})
        except ALLOWED as error:
            text = str(error)
            if len(text) >= 400:
                wrong.append(f"{odd}: {len(text)} characters: {text[:120]!r}")
            elif (
                not name.startswith(ESTIMATORS)
                and not isinstance(error, OSError)
                and not any(name in text for name in (parameter, *ALSO.get(parameter, ())))
            ):  # scikit-learn's words come first in its estimators
                wrong.append(f"{odd}: does not name {parameter}: {text!r}")
        except BaseException as error:
            wrong.append(f"{odd}: {type(error).__name__}: {str(error)[:120]!r}")
        finally:
            em.set_num_threads(before)
    assert not wrong, "\n".join(wrong)
