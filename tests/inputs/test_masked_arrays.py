"""NumPy's masked arrays: refused where something is masked, by every entry; else as any array."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from eigenmlp.datasets import stratified_split

N, D, K = 8, 3, 2
rng = np.random.default_rng(0)
X, DY = rng.normal(size=(N, D)), rng.normal(size=(N, K))
Y = np.arange(N) % K
W = rng.uniform(1, 2, N)
OFFSETS, CHOSEN, SCORES = np.array([0, 3, N]), np.array([1, 5]), rng.normal(size=N)


def network(backend: str) -> em.MLP:
    return em.MLP([D, 4, K], seed=0, dtype="float64", activation="tanh", backend=backend)


def trainer(net: em.MLP) -> em.Trainer:
    return em.Trainer(net, em.SGD(0.1), 4, seed=0)


def outputs_in(net: em.MLP, array: Any) -> Any:
    net.forward(X, array)
    return np.asarray(array)


# What takes an array, and the array; all of a network's.
CALLS: dict[str, tuple[Any, Callable[[em.MLP, Any], Any]]] = {
    "X: fit": (X, lambda net, a: net.fit(a, Y, seed=0).loss),
    "y: fit": (Y, lambda net, a: net.fit(X, a, seed=0).loss),
    "sample_weight: fit": (W, lambda net, a: net.fit(X, Y, sample_weight=a, seed=0).loss),
    "X: validation": (X, lambda net, a: net.fit(X, Y, validation=(a, Y), seed=0).val_loss),
    "y: validation": (Y, lambda net, a: net.fit(X, Y, validation=(X, a), seed=0).val_loss),
    "X: batches": (X, lambda net, a: net.fit([(a, Y)], seed=0).loss),
    "y: batches": (Y, lambda net, a: net.fit([(X, a)], seed=0).loss),
    "X: run": (X, lambda net, a: trainer(net).run(a, Y).loss),
    "y: run": (Y, lambda net, a: trainer(net).run(X, a).loss),
    "sample_weight: run": (W, lambda net, a: trainer(net).run(X, Y, sample_weight=a).loss),
    "X: step": (X, lambda net, a: trainer(net).step(a, Y)),
    "y: step": (Y, lambda net, a: trainer(net).step(X, a)),
    "gradient": (
        np.ones(26),
        lambda net, a: (trainer(net).apply(a), net.parameters)[1],
    ),
    "parameters": (
        np.ones(26),
        lambda net, a: (setattr(net, "parameters", a), net.parameters)[1],
    ),
    "X: forward": (X, lambda net, a: net.forward(a)),
    "X: a list": (X, lambda net, a: net.forward([*a])),
    "X: predict": (X, lambda net, a: net.predict(a)),
    "X: predict_proba": (X, lambda net, a: net.predict_proba(a)),
    "out": (DY, outputs_in),
    "X: evaluate": (X, lambda net, a: net.evaluate(a, Y).loss),
    "y: evaluate": (Y, lambda net, a: net.evaluate(X, a).loss),
    "sample_weight: evaluate": (W, lambda net, a: net.evaluate(X, Y, a).loss),
    "X: loss": (X, lambda net, a: net.loss(a, Y)),
    "y: loss_and_gradient": (Y, lambda net, a: net.loss_and_gradient(X, a)[1]),
    "parameters: loss_and_gradient": (
        np.ones(26),
        lambda net, a: net.loss_and_gradient(X, Y, parameters=a)[1],
    ),
    "dY: vjp": (DY, lambda net, a: net.vjp(X, a)[0]),
    "X: vjp": (X, lambda net, a: net.vjp(a, DY)[0]),
    "X: jvp": (X, lambda net, a: net.jvp(a, X)[1]),
    "dX: jvp": (X, lambda net, a: net.jvp(X, a)[1]),
    "d_parameters: jvp": (np.ones(26), lambda net, a: net.jvp(X, d_parameters=a)[1]),
    "X: input_gradient": (X, lambda net, a: net.input_gradient(a, Y)),
    "y: per_sample_gradients": (Y, lambda net, a: net.per_sample_gradients(X, a)),
    "v": (np.ones(26), lambda net, a: net.hessian_vector_product(X, Y, a)),
    "X: hessian": (X, lambda net, a: net.hessian(a, Y)),
    "direction: taylor": (np.ones(26), lambda net, a: net.taylor(X, Y, a, 2)),
    "X: taylor_outputs": (X, lambda net, a: net.taylor_outputs(a, 1, np.ones(26))),
    "X: check_gradients": (X, lambda net, a: em.check_gradients(net, a, Y).max_relative_error),
    "z": (SCORES, lambda _, a: em.segment_softmax(a, OFFSETS)),
    "offsets": (OFFSETS, lambda _, a: em.segment_softmax(SCORES, a)),
    "dp": (SCORES, lambda _, a: em.segment_softmax_vjp(SCORES, a, OFFSETS)),
    "p": (SCORES, lambda _, a: em.segment_softmax_vjp(a, SCORES, OFFSETS)),
    "z: loss": (SCORES, lambda _, a: em.segment_cross_entropy(a, OFFSETS, CHOSEN)[1]),
    "chosen": (CHOSEN, lambda _, a: em.segment_cross_entropy(SCORES, OFFSETS, a)[1]),
    "chosen: Choices": (CHOSEN, lambda _, a: em.Choices(OFFSETS, a).chosen),
    "y: split": (Y, lambda _, a: stratified_split(a, 0.25, 0)[0]),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CALLS)
def test_networks(name: str, backend: str) -> None:
    array, call = CALLS[name]
    net = network(backend)
    mask = np.zeros(array.shape, bool)
    array = array.copy()
    expected = call(network(backend), array)
    for without in (np.ma.array(array), np.ma.array(array, mask=mask)):
        assert np.array_equal(call(network(backend), without), expected)
    mask.flat[1] = True
    before = net.parameters
    what = name.partition(":")[0]
    with pytest.raises(ValueError, match=f"{what}: expected .* without masked elements, got 1 of"):
        call(net, np.ma.array(array, mask=mask))
    assert np.array_equal(net.parameters, before)


@pytest.mark.parametrize("part", ["indices", "indptr"])
def test_places_of_sparse_rows(part: str) -> None:
    sparse = pytest.importorskip("scipy.sparse", reason="needs SciPy")
    rows = sparse.csr_matrix(X)
    setattr(rows, part, np.ma.array(getattr(rows, part), mask=True))
    with pytest.raises(ValueError, match=r"X: expected .* without masked elements"):
        network("native").forward(rows)


def test_sparse_rows() -> None:
    sparse = pytest.importorskip("scipy.sparse", reason="needs SciPy")
    rows = sparse.csr_matrix(X)
    rows.data = np.ma.array(rows.data)
    net = network("native")
    assert np.array_equal(net.forward(rows), net.forward(X))
    rows.data[3] = np.ma.masked
    with pytest.raises(ValueError, match=r"X: expected .* without masked elements, got 1 of 24"):
        net.forward(rows)


def test_estimators() -> None:
    pytest.importorskip("sklearn", reason="needs scikit-learn: pip install 'eigenmlp[sklearn]'")
    from eigenmlp.sklearn import MLPClassifier, MLPRegressor

    def make(kind: type) -> Any:
        return kind(hidden_layer_sizes=4, max_iter=2, random_state=0)

    calls: dict[str, tuple[Any, Callable[[Any, Any], Any]]] = {
        "X: fit": (X, lambda e, a: e.fit(a, Y).loss_),
        "y: fit": (Y, lambda e, a: e.fit(X, a).loss_),
        "sample_weight: fit": (W, lambda e, a: e.fit(X, Y, a).loss_),
        "X: validation": (X, lambda e, a: e.fit(X, Y, validation_data=(a, Y)).loss_),
        "y: validation": (Y, lambda e, a: e.fit(X, Y, validation_data=(X, a)).loss_),
        "X: predict": (X, lambda e, a: e.fit(X, Y).predict(a)),
        "X: score": (X, lambda e, a: e.fit(X, Y).score(a, Y)),
        "y: score": (Y, lambda e, a: e.fit(X, Y).score(X, a)),
        "sample_weight: score": (W, lambda e, a: e.fit(X, Y).score(X, Y, a)),
        "coefs_": (
            np.ones((D, 4)),
            lambda e, a: (e.fit(X, Y).coefs_.__setitem__(0, a), e.predict(X))[1],
        ),
    }
    kinds: list[type] = [MLPClassifier, MLPRegressor]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind in kinds:
            for name, (array, call) in calls.items():
                expected = call(make(kind), array)
                assert np.array_equal(call(make(kind), np.ma.array(array)), expected), name
                mask = np.zeros(array.shape, bool)
                mask.flat[1] = True
                with pytest.raises(ValueError, match="without masked elements, got 1 of") as caught:
                    call(make(kind), np.ma.array(array, mask=mask))
                assert name.partition(":")[0] in str(caught.value)
        first = {"classes": np.ma.array([0, 1, 2], mask=[0, 0, 1])}
        with pytest.raises(ValueError, match="classes: expected"):
            MLPClassifier().partial_fit(X, Y, **first)


def test_what_callables_give() -> None:
    masked = np.ma.array(np.ones((D, K)), mask=np.eye(D, K) > 0)
    with pytest.raises(ValueError, match="init: W: expected"):
        em.MLP([D, K], init=lambda *_: (masked, None))
    gradient = np.ma.array(np.ones(3), mask=[0, 1, 0])
    with pytest.raises(ValueError, match=r"gradient: expected .* without masked"):
        em.check_gradients(lambda w: (float(w.sum()), gradient), np.ones(3))
    with pytest.raises(ValueError, match="chosen: expected"):
        em.Choices(OFFSETS, np.ma.array(CHOSEN, mask=[1, 0]))
