"""Networks of every kind to save and to compare."""

from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from support.names import ACTIVATIONS, LOSS_OUTPUTS
from support.problems import make_data, make_net

backends = pytest.mark.parametrize("backend", BACKENDS)
X, Y = make_data([5, 3], "softmax_cross_entropy", 22, "float32")


def small_init(rng: np.random.Generator, D: int, K: int) -> tuple[Any, Any]:
    return rng.normal(0, 0.1, (D, K)), np.full(K, 0.5)


NETWORKS: dict[str, dict[str, Any]] = {
    "plain": {},
    "no bias": {"bias": False},
    "no hidden layer": {"layer_sizes": [5, 3]},
    "one of each": {"layer_sizes": [5, 1, 3]},
    "deep": {
        "layer_sizes": [5, *range(8, 8 + len(ACTIVATIONS)), 3],
        "activation": list(ACTIVATIONS),
    },
    "scaled": {"input_scale": 1 / 255},
    "named init": {"init": "glorot_normal"},
    "custom init": {"init": small_init},
    "tuples and NumPy's ints": {"layer_sizes": (5, np.int64(4), 3), "activation": ("tanh",)},
}
NETWORKS |= {
    f"{loss} {output}": {"loss": loss, "output_activation": output} for loss, output in LOSS_OUTPUTS
}


def make(dtype: str = "float32", **options: Any) -> em.MLP:
    options = {"layer_sizes": [5, 7, 3], **options}
    return make_net(options.pop("layer_sizes"), dtype=dtype, **options)


def assert_equal(a: em.MLP, b: em.MLP) -> None:
    assert a.parameters.tobytes() == b.parameters.tobytes()
    assert a.parameters.dtype == b.parameters.dtype
    assert a.forward(X).tobytes() == b.forward(X).tobytes()
    first, second = ({**net.config, "init": ""} for net in (a, b))
    assert first == second
