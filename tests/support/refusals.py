"""Refusals, which say what was expected and what came and change nothing; every call of a network
that reads X or y."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from support.problems import make_data

N, D, K = 6, 3, 2
X, LABELS = make_data([D, K], "softmax_cross_entropy", N, "float32")
PROBABILITIES = np.full((N, K), 1 / K)
NAN, INF = float("nan"), float("inf")
backends = pytest.mark.parametrize("backend", BACKENDS)


def changed(array: Any, index: Any, value: Any) -> Any:
    array = np.array(array)
    array[index] = value
    return array


def make(backend: str = "native", loss: str = "softmax_cross_entropy", **options: Any) -> em.MLP:
    return em.MLP(**{"layer_sizes": [D, 4, K], "seed": 0, "loss": loss, **options}, backend=backend)


def refused(
    net: em.MLP | None, call: Callable[[], Any], kind: Any = (TypeError, ValueError), text: str = ""
) -> str:
    """The message of the refusal, which changed nothing."""
    before = None if net is None else net.parameters
    with pytest.raises(kind, match=text or None) as caught:
        call()
    message = str(caught.value)
    assert "expected" in message and re.search("got|does not|brings its own", message), message
    if net is not None and before is not None:
        assert net.parameters.tobytes() == before.tobytes(), "the parameters changed"
    return message


READS_X: dict[str, Callable[[em.MLP, Any], Any]] = {
    "fit": lambda net, x: net.fit(x, LABELS),
    "validation": lambda net, x: net.fit(X, LABELS, validation=(x, LABELS)),
    "forward": lambda net, x: net.forward(x),
    "forward out": lambda net, x: net.forward(x, np.empty((N, K), np.float32)),
    "predict": lambda net, x: net.predict(x),
    "predict_proba": lambda net, x: net.predict_proba(x),
    "evaluate": lambda net, x: net.evaluate(x, LABELS),
    "loss": lambda net, x: net.loss(x, LABELS),
    "loss_and_gradient": lambda net, x: net.loss_and_gradient(x, LABELS),
    "vjp": lambda net, x: net.vjp(x, np.ones((N, K))),
    "step": lambda net, x: em.Trainer(net, em.SGD(0.1)).step(x, LABELS),
    "run": lambda net, x: em.Trainer(net, em.SGD(0.1)).run(x, LABELS, 1),
}
READS_Y: dict[str, Callable[[em.MLP, Any], Any]] = {
    "fit": lambda net, y: net.fit(X, y),
    "evaluate": lambda net, y: net.evaluate(X, y),
    "loss": lambda net, y: net.loss(X, y),
    "loss_and_gradient": lambda net, y: net.loss_and_gradient(X, y),
    "step": lambda net, y: em.Trainer(net, em.SGD(0.1)).step(X, y),
    "run": lambda net, y: em.Trainer(net, em.SGD(0.1)).run(X, y, 1),
}
