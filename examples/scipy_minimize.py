"""Train a network with SciPy: TNC, L-BFGS-B and trust-ncg on one flat vector of parameters.

A well-known exercise trains 400-25-10 on handwritten digits of 20 x 20 pixels: sigmoids, one
cross-entropy for each of the ten outputs, L2 on the weights but not on the biases, and
`scipy.optimize.minimize` instead of steps of one's own. `loss_and_gradient` is made for that call,
`hessian_vector_product` for its second-order methods. Here the bundled digits of 8 x 8 pixels are
drawn on 20 x 20.

    python scipy_minimize.py        prints the figures, saves scipy_minimize.png
"""

import numpy as np
from scipy.optimize import minimize

import eigenmlp as em


def load_large_digits():
    """X (1797, 400), labels (1797,): pictures of 20 x 20 by linear interpolation."""
    X, y = em.datasets.load_digits()
    places = np.linspace(0, 7, 20)
    R = np.array([np.interp(places, range(8), unit) for unit in np.eye(8)])  # (8, 20)
    return (R.T @ X.reshape(-1, 8, 8) @ R).reshape(-1, 400), y


def main(backend="native", picture=None, evaluations=300):
    X, y = load_large_digits()
    T = np.eye(10)[y]  # (N, 10): one yes-or-no question for each digit
    N = 1500  # to train with; the others are the test set
    options = dict(loss="sigmoid_cross_entropy", dtype="float64", seed=0, backend=backend)
    net = em.MLP([400, 25, 10], activation="sigmoid", **options)
    start = net.parameters
    l2 = 1 / N  # the exercise's lambda = 1

    def product(p, v):
        return net.hessian_vector_product(X[:N], T[:N], v, parameters=p, l2=l2)

    methods = {
        "TNC": {"options": {"maxfun": evaluations}},
        "L-BFGS-B": {"options": {"maxfun": evaluations}},
        "trust-ncg": {"hessp": product, "options": {"maxiter": evaluations // 2}},
    }
    results, curves = {"loss before": net.loss_and_gradient(X[:N], T[:N], l2=l2)[0]}, {}
    for method, settings in methods.items():
        curve = curves[method] = []

        def function(p, curve=curve):
            loss, gradient = net.loss_and_gradient(X[:N], T[:N], parameters=p, l2=l2)
            curve.append(loss)
            return loss, gradient

        found = minimize(function, start, jac=True, method=method, **settings)
        net.parameters = found.x
        labels = net.forward(X[N:]).argmax(axis=1)
        results[f"{method}: loss"] = float(found.fun)
        results[f"{method}: test accuracy"] = float((labels == y[N:]).mean())

    if picture:
        import pictures

        pictures.scipy_minimize(curves, picture)
    return results


if __name__ == "__main__":
    for name, figure in main(picture="scipy_minimize.png").items():
        print(f"{name}: {figure}")
