"""Derivatives beside PyTorch's (torch.func), in float64: a witness that shares no code.

Runs where torch is installed (`pip install torch`, or the extra `bench`).
"""

from typing import Any

import numpy as np
import pytest

from eigenmlp._backends.facade import ACTIVATIONS, BACKENDS
from support.problems import make_data, make_net

torch: Any = pytest.importorskip("torch")
# torch.func compiles a part of itself so, in each process once.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")

FUNCTIONS = {
    "identity": lambda z: z,
    "relu": torch.relu,
    "leaky_relu": torch.nn.functional.leaky_relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": torch.nn.functional.softplus,
    "elu": torch.nn.functional.elu,
    "gelu": torch.nn.functional.gelu,
    "silu": torch.nn.functional.silu,
    "softmax": lambda z: torch.softmax(z, dim=1),
}
ROW_LOSSES = {
    "softmax_cross_entropy": lambda Y, T: torch.nn.functional.cross_entropy(Y, T, reduction="none"),
    "sigmoid_cross_entropy": lambda Y, T: torch.nn.functional.binary_cross_entropy_with_logits(
        Y, T, reduction="none"
    ).sum(dim=1),
    "squared_error": lambda Y, T: ((Y - T) ** 2).sum(dim=1),
    "absolute_error": lambda Y, T: (Y - T).abs().sum(dim=1),
    "huber(delta=0.4)": lambda Y, T: torch.where(  # torch's own has no forward mode
        (Y - T).abs() <= 0.4, (Y - T) ** 2 / 2, 0.4 * ((Y - T).abs() - 0.2)
    ).sum(dim=1),
    "quantile(q=0.7)": lambda Y, T: torch.maximum(0.7 * (T - Y), 0.3 * (Y - T)).sum(dim=1),
    "poisson": lambda Y, T: torch.nn.functional.poisson_nll_loss(Y, T, reduction="none").sum(dim=1),
}
CASES = [
    *((name, "squared_error", "identity") for name in FUNCTIONS if name != "softmax"),
    *(("tanh", loss, "identity") for loss in ROW_LOSSES),
    ("tanh", "squared_error", "softmax"),
]


def outputs(sizes: list[int], activation: str, output: str) -> Any:
    """(flat parameters, X) -> Y, in torch."""

    def forward(flat: Any, Y: Any) -> Any:
        start, names = 0, [activation] * (len(sizes) - 2) + [output]
        for D, K, name in zip(sizes, sizes[1:], names, strict=False):
            W = flat[start : start + D * K].reshape(D, K)
            b = flat[start + D * K : start + (D + 1) * K]
            start += (D + 1) * K
            Y = FUNCTIONS[name](Y @ W + b)
        return Y

    return forward


def close(actual: Any, expected: Any) -> None:
    expected = expected.detach().numpy()
    size = float(np.abs(expected).max())
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-12 * size)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("activation", "loss", "output"), CASES)
def test_derivatives(activation: str, loss: str, output: str, backend: str) -> None:
    if activation not in ACTIVATIONS:
        pytest.skip(f"there is no {activation}")
    sizes, rows = [4, 6, 5, 3], 8
    options = {"activation": activation, "output_activation": output, "loss": loss}
    net = make_net(sizes, dtype="float64", backend=backend, **options)
    X, T = make_data(sizes, loss, rows)
    rng = np.random.default_rng(2)
    v, dX = rng.normal(0, 1, net.parameter_count), rng.normal(0, 1, X.shape)
    flat, x, t, tv, tdX = map(torch.tensor, (net.parameters, X, T, v, dX))
    forward, row_losses = outputs(sizes, activation, output), ROW_LOSSES[loss]
    func = torch.func

    def row_loss(flat: Any, x: Any, t: Any) -> Any:
        return row_losses(forward(flat, x[None]), t[None])[0]

    def loss_of(flat: Any) -> Any:
        return row_losses(forward(flat, x), t).mean()

    Y, dY = func.jvp(forward, (flat, x), (tv, tdX))
    for ours, theirs in zip(net.jvp(X, dX, v), (Y, dY), strict=True):
        close(ours, theirs)
    close(net.input_gradient(X, T), func.vmap(func.grad(row_loss, 1), (None, 0, 0))(flat, x, t))
    by_x = func.vmap(func.jacrev(lambda x: forward(flat, x[None])[0]))(x)
    for k in range(sizes[-1]):
        close(net.input_gradient(X, output=k), by_x[:, k])
    per_sample = func.vmap(func.grad(row_loss), (None, 0, 0))(flat, x, t)
    close(net.per_sample_gradients(X, T), per_sample)
    product = func.jvp(func.grad(loss_of), (flat,), (tv,))[1]
    close(net.hessian_vector_product(X, T, v), product)
    close(net.hessian(X, T), func.hessian(loss_of)(flat))
