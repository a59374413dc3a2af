"""Maps of the digits: inputs and hidden codes in the plane, and how the network relates them.

The network of digits_with_squares.py, seen through PCA, MDS, Isomap and t-SNE, before and after its
first layer. Below them the graph of digits, laid over the PCA of the first layer's weights: a dot
is a hidden unit, a picture the mean of a digit, and lines join digits whose hidden codes are near.
`em.plot` draws them all. Needs `pip install scikit-learn`.

    python digits_maps.py        prints the figures, saves digits_maps.png
"""

import numpy as np
from digits_with_squares import TRAIN, load, make_net
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

import eigenmlp as em


def train(backend, batches):
    X, T = load()
    net, rng = make_net(backend), np.random.default_rng(3)
    trainer = em.Trainer(net, em.SGD(lr=1e-6), batch_size=100)
    for _ in range(batches):
        rows = rng.integers(0, TRAIN, 100)  # with replacement
        trainer.run(X[rows], T[rows], epochs=500)
    return net


def main(backend="native", picture=None, batches=200, rows=500):
    X, T = load()
    y = T.argmax(axis=1)
    net = train(backend, batches)
    codes = np.maximum(X @ net.weights[0], 0)  # what the hidden layer says
    if picture:
        import pictures

        pictures.digits_maps(net, X[:TRAIN], y[:TRAIN], rows, picture)
    neighbours = KNeighborsClassifier(5)  # whose digit do the five nearest others show?
    return {
        "told by five neighbours, inputs": cross_val_score(neighbours, X, y).mean(),
        "told by five neighbours, hidden codes": cross_val_score(neighbours, codes, y).mean(),
    }


if __name__ == "__main__":
    for name, figure in main(picture="digits_maps.png").items():
        print(f"{name}: {figure}")
