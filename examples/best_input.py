"""The input that a trained network likes best.

A published Theano program trains k-3-1 sigmoids to fire on (0, 1), then climbs the gradient of the
output by the input. Nothing holds the climb back, so it ends at (-0.11, 2.0), far from all data.
SciPy climbs inside the box [0, 1]^k instead, with the same exact gradient.

    python best_input.py        prints the figures, saves best_input.png
"""

import numpy as np
from scipy.optimize import minimize

import eigenmlp as em

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
y = np.array([0, 1, 0, 0])


def main(backend="native", picture=None):
    options = dict(loss="squared_error", dtype="float64", seed=0, backend=backend)
    net = em.MLP([2, 3, 1], activation="sigmoid", output_activation="sigmoid", **options)
    net.fit(X, y, epochs=5000, batch_size=4, optimizer=em.SGD(lr=1.0, momentum=0.9), progress=False)

    def minus_output(x):
        """-output, and its gradient by the input."""
        return -net.forward([x])[0, 0], -net.input_gradient([x], output=0)[0]

    middle = np.array([0.5, 0.5])
    best = minimize(minus_output, middle, jac=True, bounds=[(0, 1), (0, 1)])

    climb = [middle]  # without the box
    for _ in range(2000):
        climb.append(climb[-1] - 1.0 * minus_output(climb[-1])[1])

    if picture:
        import pictures

        pictures.best_input(net, np.array(climb), best.x, picture)
    return {
        "outputs at the corners": net.forward(X)[:, 0].round(3).tolist(),
        "best input in the box": best.x.tolist(),
        "its output": -float(best.fun),
        "where a climb without the box is after 2,000 steps": climb[-1].round(2).tolist(),
        "its output there": -float(minus_output(climb[-1])[0]),
    }


if __name__ == "__main__":
    for name, figure in main(picture="best_input.png").items():
        print(f"{name}: {figure}")
