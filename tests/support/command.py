"""Data files for the ``eigenmlp`` command, and what it prints."""

import re

import numpy as np


def accuracy_in(text):
    return float(re.search(r"accuracy +([\d.]+)", text).group(1))


def write_blobs(path, rows=200, dtype=np.float64):
    """Two classes a line tells apart."""
    rng = np.random.default_rng(3)
    y = np.arange(rows) % 2
    X = (rng.normal(size=(rows, 2)) + 4 * y[:, None]).astype(dtype)
    if path.suffix == ".npz":
        np.savez(path, X=X, y=y)
    else:
        lines = [f"{a},{b},{label}" for (a, b), label in zip(X.tolist(), y.tolist(), strict=True)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return X, y
