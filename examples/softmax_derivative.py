"""The derivative of softmax, and the three wrong ones that people publish.

A much copied MNIST program has two layers of sigmoids with a slope, softmax outputs, half the sum
of squared errors, and momentum on the whole data. With p = softmax(z) and g = dL/dp, the derivative
by z is p * (g - (g * p).sum()). Wrong versions lower the loss as well, only less, which is why
nobody notices. `check_gradients` does.

    python softmax_derivative.py        prints the figures, saves softmax_derivative.png
"""

from functools import partial

import numpy as np

import eigenmlp as em


def softmax(Z):
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


def total(A):
    return A.sum(axis=1, keepdims=True)


DERIVATIVES = {  # (g, p) -> dL/dz
    "exact": lambda g, p: p * (g - total(g * p)),
    "wrong index": lambda g, p: p * (g - p * total(g)),
    "diagonal only": lambda g, p: p * (1 - p) * g,
    "softmax twice": lambda g, p: softmax(p) * (g - total(g * softmax(p))),
}


def main(backend="native", picture=None, epochs=300):
    X, y = em.datasets.load_digits()
    X, T = X.astype(np.float64), np.eye(10)[y]
    options = dict(activation=em.activations.Sigmoid(slope=2.0), dtype="float64", backend=backend)
    net = em.MLP([64, 40, 20, 10], loss="squared_error", seed=0, **options)  # gives the logits z
    start, results, curves = net.parameters, {}, {}

    def half_squares(parameters, derivative):
        """Half the sum of squared errors, and its gradient with this derivative of softmax."""
        net.parameters = parameters
        p = softmax(net.forward(X))
        gradient, _ = net.vjp(X, derivative(p - T, p))
        return 0.5 * np.sum((p - T) ** 2), gradient

    for name, derivative in DERIVATIVES.items():
        function = partial(half_squares, derivative=derivative)
        report = em.check_gradients(function, start, most=10)
        results[f"{name}: check_gradients says"] = "right" if report.ok else "wrong"
        results[f"{name}: largest relative error"] = report.max_relative_error

        parameters, velocity, curves[name] = start, 0.0, []
        for _ in range(epochs):
            loss, gradient = function(parameters)
            velocity = 0.9 * velocity - 0.0005 * gradient
            parameters = parameters + velocity
            curves[name].append(loss)
        results[f"{name}: loss after {epochs} epochs"] = loss

    # The library's own: the sum of squared errors of softmax outputs, without the half.
    options |= dict(loss="squared_error", reduction="sum", output_activation="softmax")
    own = em.MLP([64, 40, 20, 10], **options)
    _, gradient = own.loss_and_gradient(X, T, parameters=start)
    _, exact = half_squares(start, DERIVATIVES["exact"])
    difference = np.abs(gradient / 2 - exact).max() / np.abs(exact).max()
    results["largest difference from the library's own, of the largest"] = difference

    if picture:
        import pictures

        pictures.softmax_derivative(curves, picture)
    return results


if __name__ == "__main__":
    for name, figure in main(picture="softmax_derivative.png").items():
        print(f"{name}: {figure}")
