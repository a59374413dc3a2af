"""Central differences in float64, and networks and points at which they are good."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from eigenmlp.reference import Network
from eigenmlp.reference.activation import ROW_ACTIVATIONS, find
from eigenmlp.reference.loss import find as find_loss

from .names import ACTIVATIONS as CHOICES
from .names import LOSSES, name_of

Array = npt.NDArray[Any]

H = 5e-4  # the step of the differences, whose error is about f⁽⁵⁾ H⁴ / 30 + 1e-16 / H
TOLERANCE = 1e-7
LAYER_SIZES = [3, 4, 4, 3]
N, D, K = 5, LAYER_SIZES[0], LAYER_SIZES[-1]

OUTPUT_ACTIVATIONS = [*CHOICES, *ROW_ACTIVATIONS]
# The losses with each kind of targets they take.
LOSSES_AND_TARGETS = [
    *((loss, "rows") for loss in LOSSES),
    *((loss, "labels") for loss in LOSSES if name_of(loss) == "softmax_cross_entropy"),
]


# Every activation as a hidden and as an output one, each with every loss.
COMBINATIONS = [
    *(
        (activation, "identity", loss, kind)
        for activation in CHOICES
        for loss, kind in LOSSES_AND_TARGETS
    ),
    *(
        ("tanh", output, loss, kind)
        for output in OUTPUT_ACTIVATIONS
        for loss, kind in LOSSES_AND_TARGETS
    ),
]
PAIRS = [
    *((name, "identity") for name in CHOICES),
    *(("tanh", name) for name in OUTPUT_ACTIVATIONS),
]


def central_differences(f: Callable[[Array], float], x: Array) -> Array:
    """The gradient of f at x, of fourth order: (8 (f₊₁ - f₋₁) - (f₊₂ - f₋₂)) / 12 H."""
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = H
        near = f(x + step) - f(x - step)
        far = f(x + 2 * step) - f(x - 2 * step)
        gradient[i] = (8 * near - far) / (12 * H)
    return gradient


def assert_close(actual: Array, expected: Array) -> None:
    """The largest error is at most TOLERANCE of the largest entry, and that entry is not tiny."""
    assert actual.shape == expected.shape
    assert np.abs(expected).max() > 1e-6, "the test would say nothing"
    assert np.abs(actual - expected).max() <= TOLERANCE * np.abs(expected).max()


def assert_close_by_layer(network: Network, actual: Array, expected: Array) -> None:
    """`assert_close` for each W and each b on its own."""
    assert actual.shape == expected.shape == (network.parameter_count,)
    start = 0
    for W in network.weights:
        for size in [W.size, W.shape[1]] if network.biases else [W.size]:
            part = slice(start, start + size)
            assert_close(actual[part], expected[part])
            start += size
    assert start == network.parameter_count


def is_far_from_kinks(network: Network, X: Array) -> bool:
    """Whether no z comes near a kink while one parameter or input moves by 2 H.

    Also whether each layer passes something on: with every unit of a ReLU layer off, all
    gradients are 0, and the comparison is empty.
    """
    for name, (_, Z, Y) in zip(network.activations, network.forward_pass(X), strict=True):
        if name not in ROW_ACTIVATIONS and not find(name).is_smooth:
            if np.abs(Z).min() < 20 * H:
                return False
            dZ = find(name).derivative(Z, Y)
            if (np.abs(dZ).max(axis=0) < 0.5).sum() > 1:
                return False
    return True


def loss_clearance(loss: str, Y: Array, T: Array) -> float:
    """How far outputs are from where the loss's first or second derivative jumps."""
    chosen = find_loss(loss)
    kink = chosen.parameters.get("delta", 0.0)
    return np.inf if chosen.no_series is None else float(np.abs(np.abs(Y - T) - kink).min())


def example(
    activation: str, output: str, loss: str, bias: bool, input_scale: float = 1.0
) -> tuple[Network, Array]:
    """A network with random parameters, and inputs X at which it is differentiable."""
    network = Network(
        LAYER_SIZES, [activation, activation, output], loss, bias, input_scale, "float64"
    )
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        network.set_parameters(rng.normal(0, 0.8, network.parameter_count))
        X = rng.normal(0, 1, (N, D)) / input_scale
        Y, T = network.forward(X), targets("rows")
        if is_far_from_kinks(network, X) and loss_clearance(loss, Y, T) > 40 * H:
            return network, X
    raise AssertionError("no point far from all kinks")


def targets(kind: str) -> Array:
    """Labels (N,), or rows (N, K) of probabilities, which suit every loss."""
    rng = np.random.default_rng(99)
    if kind == "labels":
        return rng.integers(0, K, N)
    T: Array = rng.dirichlet(np.ones(K), N)
    return T


def loss_at(
    network: Network, X: Array, T: Array, w: Array | None = None
) -> Callable[[Array], float]:
    """The loss as a function of the parameters."""
    start = network.get_parameters()

    def f(parameters: Array) -> float:
        network.set_parameters(parameters)
        value, _ = network.evaluate(X, T, w)
        network.set_parameters(start)
        return value

    return f
