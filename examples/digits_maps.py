"""Maps of the digits: inputs and hidden codes in the plane, and what the hidden units look for.

The network of digits_with_squares.py, seen through scikit-learn: PCA, MDS, Isomap and t-SNE of 500
digits, before and after the first layer. Below them a graph: every hidden unit is a point in the
PCA of the first layer's weights, every digit's mean picture is laid over it, and lines lead from
each digit to the three units that speak most for it. Needs `pip install scikit-learn`.

    python digits_maps.py        prints the figures, saves digits_maps.png
"""

import numpy as np
from digits_with_squares import TRAIN, load, make_net
from sklearn.decomposition import PCA
from sklearn.manifold import MDS, TSNE, Isomap
from sklearn.neighbors import KNeighborsClassifier

import eigenmlp as em

MAPS = {"PCA": PCA, "MDS": MDS, "Isomap": Isomap, "t-SNE": TSNE}
SETTINGS = {
    "PCA": {},
    "MDS": {"n_init": 1, "init": "random", "random_state": 0},
    "Isomap": {"n_neighbors": 20},
    "t-SNE": {"init": "pca", "random_state": 0},
}


def train(backend, batches):
    X, T = load()
    net, rng = make_net(backend), np.random.default_rng(3)
    trainer = em.Trainer(net, em.SGD(lr=1e-4), batch_size=100)
    for _ in range(batches):
        rows = rng.integers(0, TRAIN, 100)
        trainer.run(X[rows], T[rows], epochs=500)
    return net


def main(backend="native", picture=None, batches=200, rows=500):
    X, T = load()
    net, y = train(backend, batches), T.argmax(axis=1)[:rows]
    codes = np.maximum(X[:rows] @ net.weights[0], 0)  # what the hidden layer says
    maps, results = {}, {}
    for name, method in MAPS.items():
        for what, A in [("inputs", X[:rows]), ("hidden codes", codes)]:
            plane = method(n_components=2, **SETTINGS[name]).fit_transform(A)
            maps[f"{name} of {what}"] = plane
            neighbours = KNeighborsClassifier(5).fit(plane, y)
            results[f"{name} of {what}: neighbours alike"] = neighbours.score(plane, y)
    if picture:
        import pictures

        pca = PCA(2).fit(net.weights[0].T)
        pictures.digits_maps(maps, y, net, pca, X[:TRAIN], T[:TRAIN], picture)
    return results


if __name__ == "__main__":
    for name, figure in main(picture="digits_maps.png").items():
        print(f"{name}: {figure}")
