"""Ten images, cat or not: a classifier that must not explode.

A 12288-64-1 network (64 x 64 pixels in three colours, relu, then sigmoid) trained with lr 0.1 for
2,000 epochs. The published program summed its gradients over the rows instead of taking the mean,
and took the logarithm of probabilities that had been rounded to 0 or 1: it exploded, and its loss
became nan. Here every gradient is divided by N, and the loss is computed from the logits.

    python binary_images.py        prints the figures, saves binary_images.png
"""

import numpy as np

import eigenmlp as em

OPTIONS = dict(activation="relu", loss="sigmoid_cross_entropy", seed=0)


def make_images(rng):
    """Five discs ("cats") and five stripes, uint8 (10, 64, 64, 3), and labels 1 and 0."""
    side = np.linspace(-1, 1, 64)
    images, y = [], np.arange(10) % 2
    for cat in y:
        x0, y0, size = rng.uniform([-0.4, -0.4, 0.3], [0.4, 0.4, 0.6])
        height = side[:, None] - y0 if cat else np.zeros((64, 1))
        distance = np.hypot(side - x0, height)[..., None]  # (64, 64, 1)
        back, front = rng.integers(0, 256, (2, 3))
        images.append(np.where(distance < size, front, back))
    return np.array(images, dtype=np.uint8), y


def main(backend="native", picture=None, epochs=2000):
    images, y = make_images(np.random.default_rng(0))
    X = images.reshape(10, -1) / np.float32(255) - np.float32(0.5)  # centred: relus stay alive

    net = em.MLP([12288, 64, 1], backend=backend, **OPTIONS)
    history = net.fit(X, y, epochs, batch_size=10, optimizer=em.SGD(lr=0.1), progress=False)

    # The published way: the sum of ten rows' gradients is ten times the mean; log(p), log(1 - p).
    wrong = em.MLP([12288, 64, 1], backend=backend, **OPTIONS)
    trainer = em.Trainer(wrong, em.SGD(lr=0.1 * 10), batch_size=10)
    exploding = [trainer.step(X, y) for _ in range(20)]
    p = wrong.predict_proba(X)[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        loss_from_p = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))

    if picture:
        import pictures

        pictures.binary_images(images, net.predict_proba(X)[:, 0], history.loss, exploding, picture)
    return {
        "largest loss": max(history.loss),
        "last loss": history.loss[-1],
        "pictures classified right": int((net.predict(X) == y).sum()),
        "gradients summed: loss after 20 steps": exploding[-1],
        "the same from rounded probabilities": loss_from_p,
    }


if __name__ == "__main__":
    for name, figure in main(picture="binary_images.png").items():
        print(f"{name}: {figure}")
