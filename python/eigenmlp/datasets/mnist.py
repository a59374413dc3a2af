"""MNIST, or a data set in its shape (Fashion-MNIST, KMNIST, EMNIST), from a folder of IDX files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .._inputs import checks
from .idx import load_idx

_SPLITS = {"train": ("train",), "test": ("t10k",), "all": ("train", "t10k")}


def load_mnist(
    directory: str | os.PathLike[str], split: str = "train"
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Load MNIST from the four IDX files in a folder, plain or ``.gz``.

    Parameters
    ----------
    directory : path-like
        Holds ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
        ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``; each may end in ``.gz``, and
        the spelling ``train-images.idx3-ubyte`` is found as well.
    split : {"train", "test", "all"}
        The 60,000 training images, the 10,000 test images, or both in this order. Only the
        files of the split are needed.

    Returns
    -------
    X : ndarray of float32, shape (N, rows * columns)
        Pixels in C order, scaled from 0 to 255 to [0, 1]; ``(N, 784)`` for MNIST.
    y : ndarray of int64, shape (N,)
        The class of each image.

    Raises
    ------
    FileNotFoundError
        If the folder or one of its files is missing; lists the names looked for.
    ValueError
        If `split` is unknown, `directory` is a file, a file is malformed, or images and labels
        do not belong together.

    Examples
    --------
    >>> from eigenmlp.datasets import load_mnist
    >>> X, y = load_mnist("mnist")                              # doctest: +SKIP
    >>> X_test, y_test = load_mnist("mnist", split="test")      # doctest: +SKIP
    """
    checks.known(split, _SPLITS, "split")
    directory = checks.path(directory, "directory")
    if not directory.exists():
        raise FileNotFoundError(f"{directory}: expected a folder of IDX files, found nothing")
    if not directory.is_dir():
        raise ValueError(f"{directory}: expected a folder of IDX files, got a file")

    parts = [_load_part(directory, prefix) for prefix in _SPLITS[split]]
    widths = [X.shape[1] for X, _ in parts]
    if len(set(widths)) > 1:
        raise ValueError(
            f"{directory}: expected images of one size, got {widths[0]} pixels in train "
            f"and {widths[1]} in t10k"
        )
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([X for X, _ in parts]), np.concatenate([y for _, y in parts])


def _load_part(
    directory: Path, prefix: str
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    images_path = _find(directory, f"{prefix}-images", "idx3-ubyte")
    labels_path = _find(directory, f"{prefix}-labels", "idx1-ubyte")
    images, labels = load_idx(images_path), load_idx(labels_path)

    if images.dtype != np.uint8 or images.ndim != 3 or images.size == 0:
        raise ValueError(
            f"{images_path}: expected images as uint8 (N, rows, columns), "
            f"got {images.dtype} {images.shape}"
        )
    if labels.dtype != np.uint8 or labels.ndim != 1:
        raise ValueError(
            f"{labels_path}: expected labels as uint8 (N,), got {labels.dtype} {labels.shape}"
        )
    if len(images) != len(labels):
        raise ValueError(
            f"{labels_path}: expected one label for each of the {len(images):,} images in "
            f"{images_path.name}, got {len(labels):,}"
        )
    X = images.reshape(len(images), -1).astype(np.float32)
    X /= np.float32(255)
    return X, labels.astype(np.int64)


def _find(directory: Path, stem: str, kind: str) -> Path:
    names = [f"{stem}{joint}{kind}{ending}" for joint in "-." for ending in ("", ".gz")]
    for name in names:
        if (directory / name).exists():
            return directory / name
    raise FileNotFoundError(f"{directory}: looked for {', '.join(names)}; found none of them")
