"""One bias for three neurons: a network with shared parameters, trained one number at a time.

A published SymPy program has a 2-2-1 network of sigmoids with seven numbers: six weights, and one
bias w0 that all three neurons share and add twice each. Its gradient descent goes through them in
turn, each step using those already changed.

Sharing is a linear map: the network's flat vector is p = A @ theta, so by the chain rule the
gradient by theta is A.T @ (gradient by p). The same lines serve any tied weights.

    python symbolic_perceptron.py        prints the figures, saves symbolic_perceptron.png
"""

import numpy as np

import eigenmlp as em

NAMES = ["w0", "w13", "w14", "w23", "w24", "w35", "w45"]
theta_start = np.array([0.1, 0.2, 0.8, 0.6, 0.4, 0.1, 0.5])
X, y = [[0.35, 0.9]], [1.0]

# The flat vector: W0 (2, 2), b0 (2,), W1 (2, 1), b1 (1,). The biases are all 2 w0.
PLACES = ["w13", "w14", "w23", "w24", "w0", "w0", "w35", "w45", "w0"]
A = np.array([[(2 if name == "w0" else 1) * (name == place) for name in NAMES] for place in PLACES])


def formulas(net):
    """The output and dL/dtheta as SymPy expressions in w0, w13, …"""
    import sympy

    theta = sympy.symbols(NAMES)
    data = em.symbolic.inputs(net) + em.symbolic.targets(net)
    given = dict(zip(data, X[0] + y, strict=True))
    given |= dict(zip(em.symbolic.parameters(net), A @ theta, strict=True))
    output = 1 / (1 + sympy.exp(-em.symbolic.expression(net)[0].subs(given)))
    loss = em.symbolic.loss(net).subs(given)
    return output, [loss.diff(symbol) for symbol in theta]


def main(backend="native", picture=None, rounds=999):
    options = dict(loss="sigmoid_cross_entropy", dtype="float64", init="zeros", backend=backend)
    net = em.MLP([2, 2, 1], activation="sigmoid", **options)
    theta = theta_start.copy()

    def output():
        net.parameters = A @ theta
        return float(net.predict_proba(X)[0, 0])

    outputs = [output()]
    _, gradient = net.loss_and_gradient(X, y, parameters=A @ theta)
    formula, derivatives = formulas(net)
    numbers = dict(zip(NAMES, theta_start, strict=True))
    for _ in range(rounds):
        for i in range(len(theta)):
            _, g = net.loss_and_gradient(X, y, parameters=A @ theta)
            theta[i] -= 0.3 * (A.T @ g)[i]
        outputs.append(output())

    if picture:
        import pictures

        pictures.symbolic_perceptron(outputs, picture)
    return {
        "output before": outputs[0],
        f"output after {rounds} rounds": outputs[-1],
        "SymPy's output before": float(formula.subs(numbers)),
        "derivatives at the start": (A.T @ gradient).tolist(),
        "SymPy's derivatives": [float(derivative.subs(numbers)) for derivative in derivatives],
    }


if __name__ == "__main__":
    for name, figure in main(picture="symbolic_perceptron.png").items():
        print(f"{name}: {figure}")
