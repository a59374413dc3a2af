"""Softmax over groups of different sizes in one call, and a network that learns from choices.

10,000 scores lie in one row, in 100 groups given by where they start and end; the usual answer is a
loop. Then a conditional logit: on each of 2,000 trips a traveller chose among 2 to 6 connections,
and a network with one output learns what euros, hours and changes are worth.

    python softmax_over_groups.py        prints the figures, saves softmax_over_groups.png
"""

from itertools import pairwise

import numpy as np

import eigenmlp as em


def main(backend="native", picture=None):
    rng = np.random.default_rng(0)
    cuts = np.sort(rng.choice(np.arange(1, 10_000), 99, replace=False))
    starts, ends = np.append(0, cuts), np.append(cuts, 10_000)
    scores = rng.normal(0, 3, (1, 10_000))
    p = em.segment_softmax(scores, np.append(starts, 10_000))
    loop = np.empty_like(scores)
    for start, end in zip(starts, ends, strict=True):
        e = np.exp(scores[:, start:end] - scores[:, start:end].max())
        loop[:, start:end] = e / e.sum()
    huge = em.segment_softmax(rng.choice([-1000.0, 1000.0], (1, 10_000)), np.append(starts, 10_000))

    offsets = np.append(0, np.cumsum(rng.integers(2, 7, 2_000)))
    X = rng.uniform(0, [40, 4, 3], (offsets[-1], 3))  # euros, hours, changes
    worth = np.array([-0.1, -1.0, -0.5])
    utility = X @ worth + rng.gumbel(size=len(X))  # with this noise, choices follow a softmax
    chosen = [a + np.argmax(utility[a:b]) for a, b in pairwise(offsets)]
    trips = em.Choices(offsets, chosen)
    net = em.MLP([3, 1], loss="segment_cross_entropy", bias=False, seed=0, backend=backend)
    history = net.fit(X, trips, 60, 100, em.Adam(0.02), seed=0, progress=False)
    learned = net.weights[0][:, 0]
    if picture:
        import pictures

        pictures.softmax_over_groups(history.loss, learned, worth, picture)
    return {
        "largest difference to the loop": float(np.abs(p - loop).max()),
        "sum over 100 groups of scores of 1000": float(huge.sum()),
        "loss of guessing": float(np.log(np.diff(offsets)).mean()),
        "loss": history.loss[-1],
        "worth of a euro, an hour, a change": [round(float(w), 2) for w in learned],
    }


if __name__ == "__main__":
    for name, figure in main(picture="softmax_over_groups.png").items():
        print(f"{name}: {figure}")
