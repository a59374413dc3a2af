"""XOR: the smallest problem that no single layer can solve, in 50,000 epochs.

A 2-3-1 network of sigmoids under the squared error, all four rows in every batch, as in countless
programs of a dozen lines of NumPy. One call of `fit` runs every epoch in the compiled core.

    python xor.py        prints the figures, saves xor.png
"""

import time

import numpy as np

import eigenmlp as em

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
y = np.array([0, 1, 1, 0])


def main(backend="native", picture=None, epochs=50_000):
    net = em.MLP(
        [2, 3, 1],
        activation="sigmoid",
        output_activation="sigmoid",
        loss="squared_error",
        dtype="float64",
        seed=0,
        backend=backend,
    )
    start = time.perf_counter()
    history = net.fit(X, y, epochs, batch_size=4, optimizer=em.SGD(lr=0.1), progress=False)
    seconds = time.perf_counter() - start

    if picture:
        draw(net, history.loss, picture)
    return {
        "loss before": history.loss[0],
        "loss after": history.loss[-1],
        "outputs": net.forward(X)[:, 0].round(3).tolist(),
        "seconds": round(seconds, 3),
    }


def draw(net, losses, picture):
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    left.loglog(range(1, len(losses) + 1), losses)
    left.set(title="A plateau, then a fall", xlabel="epoch", ylabel="mean squared error")
    first, second = np.meshgrid(np.linspace(-0.3, 1.3, 101), np.linspace(-0.3, 1.3, 101))
    Y = net.forward(np.stack([first.ravel(), second.ravel()], axis=1)).reshape(first.shape)
    levels = right.contourf(first, second, Y, np.linspace(0, 1, 11), cmap="PuOr")
    right.scatter(*X.T, c=y, cmap="gray", edgecolors="black", s=60, zorder=2)
    right.set(title="The output between the four points", xlabel="x₀", ylabel="x₁", aspect=1)
    figure.colorbar(levels, label="output")
    figure.savefig(picture, dpi=80)
    plt.close(figure)


if __name__ == "__main__":
    for name, figure in main(picture="xor.png").items():
        print(f"{name}: {figure}")
