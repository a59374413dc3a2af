"""The same numbers in any kind of array that users have."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import scipy.sparse as sp


def same_numbers(rng: random.Random, A: Any, sparse: bool = True) -> Any:
    """A (N, …) in another layout, place, order or type, which hold its numbers exactly."""
    ways = [
        lambda: A,
        lambda: np.asfortranarray(A),
        lambda: np.repeat(A, 2, axis=0)[::2],
        lambda: A[::-1].copy()[::-1],
        lambda: misaligned(A),
        lambda: read_only(A),
        lambda: A.astype(A.dtype.newbyteorder()),
        lambda: A.astype(np.longdouble) if A.dtype.kind == "f" else A.astype(np.int32),
        lambda: A.tolist(),
        lambda: A[..., ::-1].copy()[..., ::-1],
    ]
    if sparse and A.ndim == 2:
        kinds = [sp.csr_array, sp.csc_array, sp.coo_array, sp.csr_matrix]
        ways += [lambda: rng.choice(kinds)(A), lambda: many_zeros(rng, A)]
    return rng.choice(ways)()


def many_zeros(rng: random.Random, A: Any) -> Any:
    """CSR with entries that are zero, and indices of either width, in any order."""
    matrix = sp.csr_array(A)
    kind = rng.choice([np.int32, np.int64])
    matrix.indices, matrix.indptr = matrix.indices.astype(kind), matrix.indptr.astype(kind)
    for begin, end in zip(matrix.indptr, matrix.indptr[1:], strict=False):
        matrix.indices[begin:end] = matrix.indices[begin:end][::-1].copy()
        matrix.data[begin:end] = matrix.data[begin:end][::-1].copy()
    return matrix


def broken_csr(rng: random.Random, A: Any) -> Any:
    """CSR whose parts do not fit one another."""
    matrix = sp.csr_array(np.where(A == 0, 1, A))
    way = rng.randrange(5)
    if way == 0:
        matrix.indices = matrix.indices.copy()
        matrix.indices[rng.randrange(matrix.nnz)] = rng.choice([-1, A.shape[1], 2**31 - 1])
    elif way == 1:
        matrix.indptr = matrix.indptr.copy()
        matrix.indptr[-1] = rng.choice([0, -1, matrix.nnz + 1, matrix.nnz + 1000])
    elif way == 2:
        matrix.indptr = matrix.indptr[:-1]
    elif way == 3:  # neighbours whose difference is no int64
        matrix.indices, matrix.indptr = (
            part.astype(np.int64) for part in (matrix.indices, matrix.indptr)
        )
        row = rng.randrange(len(A))
        matrix.indptr[row : row + 2] = rng.choice([(2**63 - 1, -(2**63)), (-(2**63), 2**63 - 1)])
    else:
        matrix.data = matrix.data[:-1]
    return matrix


def misaligned(A: Any) -> Any:
    """At an odd address."""
    memory = np.empty(A.nbytes + 1, np.uint8)[1:]
    moved = memory.view(A.dtype).reshape(A.shape)
    moved[...] = A
    return moved


def read_only(A: Any) -> Any:
    copy = A.copy()
    copy.flags.writeable = False
    return copy


def to_fill(rng: random.Random, like: Any) -> Any:
    """An array for results: as the core writes it, or not quite."""
    ways = [
        lambda: np.empty_like(like),
        lambda: np.empty((3 * len(like), *like.shape[1:]), like.dtype)[len(like) : 2 * len(like)],
        lambda: misaligned(like),
        lambda: np.empty((2 * len(like), *like.shape[1:]), like.dtype)[::2],
        lambda: np.empty_like(like.T).T,
        lambda: np.empty(like.shape, like.dtype.newbyteorder()),
        lambda: read_only(like),
    ]
    return rng.choice(ways)()
