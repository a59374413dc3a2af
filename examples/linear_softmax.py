"""A linear softmax classifier with L2, and the published gradient that is wrong in its last line.

Courses let students write this loss as a loop over rows and classes. A much copied solution ends in
`dW /= n + reg * W`, where Python divides by the whole sum; `dW / n + reg * W` was meant. Here are
the loop, both last lines, and `[D, C]`: a network without hidden layers or biases.

    python linear_softmax.py        prints the figures, saves linear_softmax.png
"""

import numpy as np

import eigenmlp as em


def loop(W, X, y, reg):
    """Loss, gradient and the published gradient, row by row and class by class."""
    loss, dW = 0.0, np.zeros_like(W)
    for x, label in zip(X, y, strict=True):
        scores = x @ W
        scores -= scores.max()
        p = np.exp(scores) / np.exp(scores).sum()
        loss -= np.log(p[label])
        for k in range(W.shape[1]):
            dW[:, k] += (p[k] - (k == label)) * x
    n = len(X)
    published = dW / (n + reg * W)  # what `dW /= n + reg * W` does
    return loss / n + reg / 2 * (W * W).sum(), dW / n + reg * W, published


def main(backend="native", picture=None):
    X, y = em.datasets.load_digits()
    net = em.MLP(
        [64, 10], bias=False, init="glorot_normal", dtype="float64", seed=0, backend=backend
    )
    reg = 0.1
    loss, gradient = net.loss_and_gradient(X, y, l2=reg)
    loop_loss, loop_gradient, published = loop(net.weights[0], X.astype(float), y, reg)
    gradient = gradient.reshape(64, 10)

    if picture:
        import pictures

        pictures.linear_softmax(gradient, loop_gradient, published, picture)
    return {
        "loss": loss,
        "loss of the loop": float(loop_loss),
        "largest difference from the loop's gradient": np.abs(gradient - loop_gradient).max(),
        "largest difference from the published gradient": np.abs(gradient - published).max(),
        "largest entry of the gradient": np.abs(gradient).max(),
    }


if __name__ == "__main__":
    for name, figure in main(picture="linear_softmax.png").items():
        print(f"{name}: {figure}")
