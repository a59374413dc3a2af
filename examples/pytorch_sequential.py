"""Weights to and from PyTorch: the same outputs, and the same training, step by step.

`from_torch` reads an `nn.Sequential` of `Linear` and activations, `to_torch` writes a network's
weights back. A weight is (in, out) here and (out, in) there. In float64 both libraries then train
alike, digit for digit but for rounding. Needs `pip install torch`.

    python pytorch_sequential.py        prints the figures
"""

import numpy as np
import torch
from torch import nn

import eigenmlp as em

NAMES = {nn.ReLU: "relu", nn.LeakyReLU: "leaky_relu", nn.Sigmoid: "sigmoid", nn.Tanh: "tanh"}
NAMES |= {nn.Softplus: "softplus", nn.ELU: "elu", nn.GELU: "gelu", nn.SiLU: "silu"}


def from_torch(model, **options):
    """The network of an nn.Sequential whose Linear layers have an activation in between."""
    linear = [layer for layer in model if isinstance(layer, nn.Linear)]
    sizes = [linear[0].in_features, *(layer.out_features for layer in linear)]
    activations = [NAMES[type(layer)] for layer in model if not isinstance(layer, nn.Linear)]
    net = em.MLP(sizes, activation=activations, dtype="float64", init="zeros", **options)
    tensors = [tensor for layer in linear for tensor in (layer.weight.T, layer.bias)]
    net.parameters = torch.cat([tensor.ravel() for tensor in tensors]).detach().numpy()
    return net


def to_torch(net, model):
    """Copy the network's weights and biases into the nn.Sequential."""
    linear = [layer for layer in model if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        for layer, W, b in zip(linear, net.weights, net.biases, strict=True):
            layer.weight.copy_(torch.tensor(W.T))
            layer.bias.copy_(torch.tensor(b))


def main(backend="native", steps=200):
    X, y = em.datasets.load_digits()
    X, y = torch.tensor(X, dtype=torch.float64), torch.tensor(y)
    torch.manual_seed(0)
    layers = [nn.Linear(64, 50), nn.Tanh(), nn.Linear(50, 20), nn.GELU(), nn.Linear(20, 10)]
    model = nn.Sequential(*layers).double()
    net = from_torch(model, loss="softmax_cross_entropy", backend=backend)
    outputs = np.abs(net.forward(X.numpy()) - model(X).detach().numpy()).max()

    trainer = em.Trainer(net, em.SGD(lr=0.1, momentum=0.9))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    worst = 0.0
    for step in range(steps):
        rows = slice(step * 64 % 1728, step * 64 % 1728 + 64)
        loss = trainer.step(X[rows].numpy(), y[rows].numpy())
        optimizer.zero_grad()
        torch_loss = nn.functional.cross_entropy(model(X[rows]), y[rows])
        torch_loss.backward()
        optimizer.step()
        worst = max(worst, abs(loss / torch_loss.item() - 1))

    trained = from_torch(model)
    difference = np.abs(trained.parameters - net.parameters).max() / np.abs(net.parameters).max()
    to_torch(net, model)  # the way back is exact
    back = from_torch(model).parameters
    return {
        "largest difference of outputs before": outputs,
        f"largest relative difference of {steps} losses": worst,
        "largest relative difference of parameters after": difference,
        "weights there and back are equal": np.array_equal(back, net.parameters),
        "last loss": loss,
    }


if __name__ == "__main__":
    for name, figure in main().items():
        print(f"{name}: {figure}")
