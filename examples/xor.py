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
    options = dict(loss="squared_error", dtype="float64", seed=0, backend=backend)
    net = em.MLP([2, 3, 1], activation="sigmoid", output_activation="sigmoid", **options)
    start = time.perf_counter()
    history = net.fit(X, y, epochs, batch_size=4, optimizer=em.SGD(lr=0.1), progress=False)
    seconds = time.perf_counter() - start

    if picture:
        import pictures

        pictures.xor(net, X, y, history.loss, picture)
    return {
        "loss before": history.loss[0],
        "loss after": history.loss[-1],
        "outputs": net.forward(X)[:, 0].round(3).tolist(),
        "seconds": round(seconds, 3),
    }


if __name__ == "__main__":
    for name, figure in main(picture="xor.png").items():
        print(f"{name}: {figure}")
