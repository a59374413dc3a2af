"""The digits under squared errors again, step by step beside PyTorch.

The published pair of programs trains the network of digits_with_squares.py in NumPy and in PyTorch.
In float64, from the same weights and on the same batches, all losses and weights must agree to
rounding. Needs `pip install torch`.

    python digits_in_pytorch.py        prints the figures
"""

import numpy as np
import torch
from digits_with_squares import TRAIN, load, make_net

import eigenmlp as em


def main(backend="native", batches=20, repeats=50):
    X, T = (A.astype(np.float64) for A in load())
    net = make_net(backend, dtype="float64")
    trainer = em.Trainer(net, em.SGD(lr=1e-6), batch_size=100)

    W0, W1 = (torch.tensor(W, requires_grad=True) for W in net.weights)
    optimizer = torch.optim.SGD([W0, W1], lr=1e-6)

    rng = np.random.default_rng(0)
    losses, torch_losses = [], []
    for _ in range(batches):
        rows = rng.integers(0, TRAIN, 100)
        losses += trainer.run(X[rows], T[rows], epochs=repeats).loss

        Xb, Tb = torch.tensor(X[rows]), torch.tensor(T[rows])
        for _ in range(repeats):
            Y = torch.softmax(torch.relu(Xb @ W0) @ W1, dim=1)
            loss = ((Y - Tb) ** 2).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            torch_losses.append(loss.item())

    def largest(ours, theirs):
        return np.abs(np.asarray(ours) - np.asarray(theirs)).max() / np.abs(theirs).max()

    return {
        "steps": len(losses),
        "largest relative difference of losses": largest(losses, torch_losses),
        "of first-layer weights": largest(net.weights[0], W0.detach().numpy()),
        "of second-layer weights": largest(net.weights[1], W1.detach().numpy()),
        "last loss": losses[-1],
    }


if __name__ == "__main__":
    for name, figure in main().items():
        print(f"{name}: {figure}")
