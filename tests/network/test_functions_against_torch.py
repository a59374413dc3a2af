"""Activations and losses beside PyTorch's, in float64: a witness that shares no code with ours.

Runs where torch is installed (`pip install torch`, or the extra `bench`).
"""

from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS

torch: Any = pytest.importorskip("torch")
F: Any = torch.nn.functional
torch.set_num_threads(1)

SIZES, N, BATCH, STEPS = [6, 9, 7, 4], 60, 12, 200
RNG = np.random.default_rng(3)
X, LABELS = RNG.normal(0, 1, (N, SIZES[0])), RNG.integers(0, SIZES[-1], N)
COUNTS = RNG.poisson(2.0, (N, SIZES[-1])).astype(float)
VALUES = RNG.normal(0, 1.5, (N, SIZES[-1]))
SOFT = RNG.dirichlet(np.ones(SIZES[-1]), N)
WEIGHTS = [0.5, 2.0, 0.0, 1.0]

ACTIVATIONS: dict[str, Any] = {
    "identity": torch.nn.Identity(),
    "relu": torch.nn.ReLU(),
    "leaky_relu": torch.nn.LeakyReLU(),
    "leaky_relu(negative_slope=0.2)": torch.nn.LeakyReLU(0.2),
    "sigmoid": torch.nn.Sigmoid(),
    "sigmoid(slope=2.5)": lambda z: torch.sigmoid(2.5 * z),
    "tanh": torch.nn.Tanh(),
    "softplus": torch.nn.Softplus(),
    "elu": torch.nn.ELU(),
    "elu(alpha=0.4)": torch.nn.ELU(0.4),
    "gelu": torch.nn.GELU(),
    "silu": torch.nn.SiLU(),
}


def pinball(Y: Any, T: Any, q: Any) -> Any:
    d = T - Y
    return torch.maximum(q * d, (q - 1) * d).sum(1).mean()


# For each loss, its targets and the same of PyTorch: the mean over rows of the sum over outputs.
LOSSES: dict[str, tuple[Any, Any]] = {
    "softmax_cross_entropy": (LABELS, F.cross_entropy),
    "softmax_cross_entropy(label_smoothing=0.1)": (
        LABELS,
        lambda Y, T: F.cross_entropy(Y, T, label_smoothing=0.1),
    ),
    "softmax_cross_entropy(label_smoothing=0.3)": (
        SOFT,
        lambda Y, T: F.cross_entropy(Y, T, label_smoothing=0.3),
    ),
    f"softmax_cross_entropy(class_weight={WEIGHTS})": (
        LABELS,
        lambda Y, T: F.cross_entropy(Y, T, weight=torch.tensor(WEIGHTS, dtype=Y.dtype)),
    ),
    "softmax_cross_entropy(reduction='sum')": (
        LABELS,
        lambda Y, T: F.cross_entropy(Y, T, reduction="sum"),
    ),
    "sigmoid_cross_entropy": (
        SOFT,
        lambda Y, T: SIZES[-1] * F.binary_cross_entropy_with_logits(Y, T),
    ),
    "squared_error": (VALUES, lambda Y, T: SIZES[-1] * F.mse_loss(Y, T)),
    "half_squared_error": (VALUES, lambda Y, T: SIZES[-1] / 2 * F.mse_loss(Y, T)),
    "squared_error(reduction='sum')": (VALUES, lambda Y, T: F.mse_loss(Y, T, reduction="sum")),
    "absolute_error": (VALUES, lambda Y, T: SIZES[-1] * F.l1_loss(Y, T)),
    "huber": (VALUES, lambda Y, T: SIZES[-1] * F.huber_loss(Y, T)),
    "huber(delta=0.5)": (VALUES, lambda Y, T: SIZES[-1] * F.huber_loss(Y, T, delta=0.5)),
    "quantile(q=0.8)": (VALUES, lambda Y, T: pinball(Y, T, 0.8)),
    "quantile(q=[0.1, 0.4, 0.6, 0.9])": (
        VALUES[:, :1],
        lambda Y, T: pinball(Y, T, torch.tensor([0.1, 0.4, 0.6, 0.9], dtype=Y.dtype)),
    ),
    "poisson": (
        COUNTS,
        lambda Y, T: SIZES[-1] * F.poisson_nll_loss(Y, T, log_input=True, full=False),
    ),
}


def batch(step: int) -> slice:
    return slice(step * BATCH % N, step * BATCH % N + BATCH)


def torch_run(net: em.MLP, activation: Any, output: Any, loss: Any, T: Any) -> Any:
    """Parameters and the loss of every step, with SGD of momentum 0.9."""
    parameters = []
    for W, b in zip(net.weights, net.biases, strict=True):
        parameters += [torch.tensor(W.copy()), torch.tensor(b.copy())]
    for p in parameters:
        p.requires_grad_()
    rule = torch.optim.SGD(parameters, lr=0.002, momentum=0.9)
    losses = []
    for step in range(STEPS):
        rule.zero_grad()
        Y = torch.tensor(X[batch(step)])
        layers = len(parameters) // 2
        for layer in range(layers):
            Z = Y @ parameters[2 * layer] + parameters[2 * layer + 1]
            Y = activation(Z) if layer + 1 < layers else output(Z)
        value = loss(Y, torch.tensor(T[batch(step)]))
        value.backward()
        rule.step()
        losses.append(value.item())
    return np.concatenate([p.detach().numpy().ravel() for p in parameters]), losses


def assert_same_run(
    backend: str, activation: str, loss: str, output: str = "identity", theirs: Any = None
) -> None:
    """Equal to 1e-10 after 200 steps, relative to the largest; the loss has fallen."""
    net = em.MLP(
        SIZES,
        activation=activation,
        output_activation=output,
        loss=loss,
        dtype="float64",
        seed=0,
        backend=backend,
    )
    T, torch_loss = LOSSES[loss]
    expected = torch_run(net, ACTIVATIONS[activation], theirs or (lambda Z: Z), torch_loss, T)
    assert_same_steps(net, lambda step: T[batch(step)], expected)


def assert_same_steps(net: em.MLP, targets: Any, expected: Any) -> None:
    trainer = em.Trainer(net, em.SGD(0.002, momentum=0.9))
    losses = [trainer.step(X[batch(step)], targets(step)) for step in range(STEPS)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    for a, b in zip((net.parameters, losses), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10 * np.abs(b).max())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(activation: str, backend: str) -> None:
    assert_same_run(backend, activation, "squared_error")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("loss", LOSSES)
def test_losses(loss: str, backend: str) -> None:
    assert_same_run(backend, "tanh", loss)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile(q=0.8)"])
def test_softmax_outputs(loss: str, backend: str) -> None:
    assert_same_run(backend, "tanh", loss, "softmax", torch.nn.Softmax(1))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_choices(reduction: str, backend: str) -> None:
    """Groups of different sizes, each of which is one row to PyTorch's cross_entropy."""
    offsets = np.array([0, 2, 5, 9, 12])  # of the rows of a batch
    chosen = RNG.integers(offsets[:-1], offsets[1:], (N // BATCH, len(offsets) - 1))
    is_chosen = np.zeros(N, np.int64)
    is_chosen[(np.arange(0, N, BATCH)[:, None] + chosen).ravel()] = 1

    def torch_loss(Y: Any, T: Any) -> Any:
        groups = zip(
            *(torch.split(part, np.diff(offsets).tolist()) for part in (Y[:, 0], T)), strict=True
        )
        losses = torch.stack([F.cross_entropy(z, t.argmax()) for z, t in groups])
        return losses.sum() if reduction == "sum" else losses.mean()

    sizes = [*SIZES[:-1], 1]
    loss = em.losses.SegmentCrossEntropy(reduction=reduction)
    net = em.MLP(sizes, "tanh", loss=loss, dtype="float64", seed=0, backend=backend)
    expected = torch_run(net, torch.tanh, lambda Z: Z, torch_loss, is_chosen)
    assert_same_steps(net, lambda step: em.Choices(offsets, chosen[step % len(chosen)]), expected)


def test_every_activation_and_loss_is_here() -> None:
    ours = {*em.activations.ACTIVATIONS} - {"softmax"}
    assert {text.partition("(")[0] for text in ACTIVATIONS} == ours
    assert {text.partition("(")[0] for text in [*LOSSES, "segment_cross_entropy"]} == {
        *em.losses.LOSSES
    }
