"""Derivatives of a loss by any weight, to any order.

A notebook of pyaudi, a library of generalised dual numbers, trains 3-5-5-1 on x1 x2 + x3 / 2 + 2,
one sample at a time, with first derivatives that it could take to any order. Here are the same
training and those higher derivatives: by name, as a Hessian, and as a Taylor series along a line.
The notebook printed 11.79, 5.65 and 0.104, from weights without a seed: of 400 seeds a fifth start
lower than that, and a quarter end lower.

    python derivatives.py        prints the figures, saves derivatives.png
"""

import numpy as np

import eigenmlp as em


def start(rng, fan_in, fan_out):
    """Weights N(0, 1), biases 1."""
    return rng.normal(size=(fan_in, fan_out)), np.ones(fan_out)


def make_net(backend, seed=0):
    options = dict(activation="tanh", loss="squared_error", init=start, dtype="float64", seed=seed)
    return em.MLP([3, 5, 5, 1], backend=backend, **options)


def target(X):
    return X[:, 0] * X[:, 1] + 0.5 * X[:, 2] + 2


def main(backend="native", picture=None, order=12):
    x = np.array([[1.0, 2.0, 4.0]])
    net = make_net(backend)
    trainer = em.Trainer(net, em.SGD(lr=0.01), batch_size=1)
    before, after = trainer.step(x, target(x)), net.loss(x, target(x))

    X = np.random.default_rng(1).uniform(-1, 1, (10, 3))
    net = make_net(backend)
    trainer = em.Trainer(net, em.SGD(lr=0.001), batch_size=1)
    history = trainer.run(X, target(X), epochs=50, shuffle=False)

    _, gradient = net.loss_and_gradient(X, target(X))
    H = net.hessian(X, target(X))
    v = -gradient / np.linalg.norm(gradient)  # down the hill
    product = net.hessian_vector_product(X, target(X), v)
    series = net.taylor(X, target(X), direction=v, order=order)

    if picture:
        import pictures

        pictures.derivatives(net, X, target(X), v, series, picture)
    W1 = 3 * 5 + 5  # W1 (5, 5) begins there in the flat vector, behind W0 (3, 5) and b0 (5,)
    i, j = 0, W1 + 3 * 5 + 2
    return {
        "loss at (1, 2, 4)": before,
        "after one step": after,
        "loss in the first epoch, and in the last": (history.loss[0], history.loss[-1]),
        "dL/dW1[3, 2]": gradient[j],
        "d²L/dW0[0, 0] dW1[3, 2]": H[i, j],
        "largest difference of H @ v and hessian_vector_product": np.abs(H @ v - product).max(),
        "Taylor coefficients": series,
    }


if __name__ == "__main__":
    for name, figure in main(picture="derivatives.png").items():
        print(f"{name}: {figure}")
