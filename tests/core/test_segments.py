"""Softmax and cross-entropy over segments: the core, its twin, and what both refuse."""

import threading
from itertools import pairwise

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp.reference import segments as twin
from support.bounds import ULPS, assert_within

RNG = np.random.default_rng(0)


def offsets_of(lengths):
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


# Lengths around a packet's, around the 8 packets that stay in registers, and around a block's.
LENGTHS = {
    "one": [1],
    "two": [2],
    "ones": [1] * 3000,
    "pairs": [2] * 1500,
    "around packets": [*range(1, 36), *range(60, 68), *range(125, 132)],
    "long": [2047, 1, 2049, 5000, 3],
    "mixed": RNG.integers(1, 51, 400),
    "alike": [100] * 100,
}


def problem(name, dtype="float64", rows=None, scale=5.0):
    rng = np.random.default_rng(1)
    offsets = offsets_of(LENGTHS[name])
    shape = (offsets[-1],) if rows is None else (rows, offsets[-1])
    z = (scale * rng.normal(size=shape)).astype(dtype)
    chosen = rng.integers(offsets[:-1], offsets[1:], (*shape[:-1], len(offsets) - 1))
    return z, offsets, chosen


def relative_bound(z, offsets, dtype):
    """What rounding may do to p, relatively, in either of two implementations.

    An error of u |z - max| in the argument of exp is one of the result; the sum of n terms, each
    off by u (d + ULPS) with d exp(-d) < 1/2, is off by n u more; then one division.
    """
    u = float(np.finfo(dtype).eps)
    bound = np.empty(z.shape)
    for begin, end in pairwise(offsets):
        segment = z[..., begin:end].astype(np.float64)
        distance = segment.max(axis=-1, keepdims=True) - segment
        bound[..., begin:end] = 2 * u * (distance + 2 * (end - begin) + 2 * ULPS)
    return bound


@pytest.mark.quick
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [None, 1, 3])
@pytest.mark.parametrize("name", LENGTHS)
def test_core_is_its_twin(name, rows, dtype):
    z, offsets, chosen = problem(name, dtype, rows)
    bound = relative_bound(z, offsets, dtype)
    tiny, u = float(np.finfo(dtype).tiny), float(np.finfo(dtype).eps)

    p, exact_p = em.segment_softmax(z, offsets), twin.segment_softmax(z.astype("f8"), offsets)
    assert p.dtype == dtype and p.shape == z.shape
    assert_within(p, exact_p, bound * exact_p + tiny, "p")

    dp = np.random.default_rng(2).normal(size=z.shape).astype(dtype)
    dz = em.segment_softmax_vjp(p, dp, offsets)
    exact = twin.segment_softmax_vjp(p.astype("f8"), dp.astype("f8"), offsets)
    lengths = np.repeat(np.diff(offsets), np.diff(offsets))
    largest = np.abs(dp).max()
    assert_within(dz, exact, 2 * u * (lengths + 4) * largest * p.astype("f8") + tiny, "dz")

    weights = np.random.default_rng(3).uniform(0, 2, len(offsets) - 1)
    for reduction in ("mean", "sum"):
        for w in (None, weights):
            loss, gradient = em.segment_cross_entropy(
                z, offsets, chosen, reduction=reduction, sample_weight=w
            )
            exact_loss, exact_gradient = twin.segment_cross_entropy(
                z.astype("f8"), offsets, chosen, reduction, w
            )
            total = 1.0 if w is None else w
            share = np.broadcast_to(total, len(offsets) - 1).astype("f8")
            if reduction == "mean":
                share = share / (share.sum() * (1 if rows is None else rows))
            each = np.repeat(share, np.diff(offsets))
            assert gradient.dtype == dtype and gradient.shape == z.shape
            # Σ w is added up in any order, in float64.
            summed = 0 if w is None else 2 * len(w) * np.finfo(np.float64).eps
            error = each * ((bound + 4 * u) * exact_p + 4 * u + summed) + tiny
            assert_within(gradient, exact_gradient, error, "gradient")
            # Each l is off as p is, relatively; and by the rounding of its two terms.
            at = np.broadcast_to(chosen, (*z.shape[:-1], len(offsets) - 1))
            each_l = np.take_along_axis(bound, at, axis=-1) + 4 * u
            error = np.sum(share * each_l) + (4 * u + summed) * exact_loss
            assert_within(loss, exact_loss, error, "loss")


def test_twin_by_central_differences():
    z, offsets, chosen = problem("around packets", scale=1.0)
    weights = np.random.default_rng(3).uniform(0, 2, len(offsets) - 1)
    _, gradient = twin.segment_cross_entropy(z, offsets, chosen, "sum", weights)
    dp = np.random.default_rng(2).normal(size=z.shape)
    dz = twin.segment_softmax_vjp(twin.segment_softmax(z, offsets), dp, offsets)
    h = 1e-5  # errors of h² f''' and of the 1e-16 · |f| / h that rounding leaves
    for j in range(0, len(z), 37):
        step = h * np.eye(1, len(z), j)[0]
        up, down = (
            twin.segment_cross_entropy(x, offsets, chosen, "sum", weights)[0]
            for x in (z + step, z - step)
        )
        assert abs((up - down) / (2 * h) - gradient[j]) < 1e-7
        up, down = (dp @ twin.segment_softmax(x, offsets) for x in (z + step, z - step))
        assert abs((up - down) / (2 * h) - dz[j]) < 1e-8


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shift", [-1000.0, 1000.0])
def test_stable_at_thousand(dtype, shift):
    z = np.array([0.0, 1.0, 2.0, 0.0, -2 * shift], dtype) + np.array(shift, dtype)
    offsets = [0, 3, 5]
    p = em.segment_softmax(z, offsets)
    e = np.exp([-2.0, -1.0, 0.0])
    np.testing.assert_allclose(p[:3], e / e.sum(), rtol=20 * np.finfo(dtype).eps)
    assert p[3:].tolist() == ([1.0, 0.0] if shift > 0 else [0.0, 1.0])
    loss, gradient = em.segment_cross_entropy(z, offsets, [2, 3 if shift < 0 else 4])
    assert loss == pytest.approx((2000 + np.log(e.sum())) / 2, rel=4 * float(np.finfo(dtype).eps))
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", ["mixed", "alike", "long", "pairs"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_for_any_threads(name, dtype):
    z, offsets, chosen = problem(name, dtype, rows=20)
    before = em.get_num_threads()
    try:
        results = []
        for n in (1, 2, 5):
            em.set_num_threads(n)
            p = em.segment_softmax(z, offsets)
            loss, gradient = em.segment_cross_entropy(z, offsets, chosen)
            dz = em.segment_softmax_vjp(p, z, offsets)
            results.append((p.tobytes(), loss, gradient.tobytes(), dz.tobytes()))
    finally:
        em.set_num_threads(before)
    assert results[0] == results[1] == results[2]


def test_same_bits_wherever_the_scores_lie():
    z, offsets, chosen = problem("mixed")
    room = np.empty(len(z) + 8)
    p, (loss, gradient) = (
        em.segment_softmax(z, offsets),
        em.segment_cross_entropy(z, offsets, chosen),
    )
    for start in range(8):
        moved = room[start : start + len(z)]
        moved[:] = z
        assert (em.segment_softmax(moved, offsets) == p).all()
        moved_loss, moved_gradient = em.segment_cross_entropy(moved, offsets, chosen)
        assert moved_loss == loss and (moved_gradient == gradient).all()


def test_arrays_of_any_kind():
    z, offsets, chosen = problem("around packets", rows=2)
    p, (loss, gradient) = (
        em.segment_softmax(z, offsets),
        em.segment_cross_entropy(z, offsets, chosen),
    )
    read_only = z.copy()
    read_only.flags.writeable = False
    for same in (z.tolist(), np.asfortranarray(z), z[:, ::-1][:, ::-1], z.astype(">f8"), read_only):
        assert (em.segment_softmax(same, offsets.astype(np.uint16)) == p).all()
        again = em.segment_cross_entropy(same, offsets.tolist(), chosen.tolist())
        assert again[0] == loss and (again[1] == gradient).all()
        assert (
            em.segment_softmax_vjp(p, same, offsets) == em.segment_softmax_vjp(p, z, offsets)
        ).all()
    whole = np.round(z).astype(np.int8)
    assert em.segment_softmax(whole, offsets).dtype == np.float64
    assert (em.segment_softmax(whole, offsets) == em.segment_softmax(np.round(z), offsets)).all()
    assert (z == read_only).all()


def test_weights_repeat_segments():
    """A weight of 2 is a segment that is there twice."""
    z = RNG.normal(size=5)
    once, _ = em.segment_cross_entropy(z, [0, 2, 5], [1, 3], sample_weight=[2, 1])
    twice, _ = em.segment_cross_entropy(np.r_[z[:2], z], [0, 2, 4, 7], [1, 3, 5])
    assert once == pytest.approx(twice, rel=1e-15)


def test_other_threads_run_meanwhile():
    """The lock of the interpreter is given up: another thread counts while a call is under way."""
    z, offsets = RNG.normal(size=4_000_000), np.arange(0, 4_000_001, 4)
    seen, stop = [0], threading.Event()

    def count():
        while not stop.is_set():
            seen[0] += 1

    counter = threading.Thread(target=count)
    counter.start()
    try:
        for _ in range(200):
            em.segment_softmax(z, offsets)
            if seen[0] > 1000:
                break
    finally:
        stop.set()
        counter.join()
    assert seen[0] > 1000


OK = {"z": [0.0, 1.0, 2.0, 3.0, 4.0], "offsets": [0, 2, 5], "chosen": [1, 4]}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"offsets": [1, 2, 5]}, ValueError, "expected 0 first, got 1"),
        ({"offsets": [0, 2, 4]}, ValueError, "expected 5 last, as there are 5 scores, got 4"),
        ({"offsets": [0, 2, 6]}, ValueError, "expected 5 last, as there are 5 scores, got 6"),
        ({"offsets": [0, 2, 2, 5]}, ValueError, "got 2 and 2 at .*: segment 1 is empty"),
        ({"offsets": [0, 3, 2, 5]}, ValueError, "got 3 and 2 at .*: they fall"),
        ({"offsets": np.array([0, 9, 2, 5], np.uint64)}, ValueError, "got 9 and 2"),
        ({"offsets": [0]}, ValueError, r"expected shape \(S \+ 1,\)"),
        ({"offsets": np.zeros(0, int)}, ValueError, r"expected shape \(S \+ 1,\)"),
        ({"offsets": [[0, 2, 5]]}, ValueError, r"got shape \(1, 3\)"),
        ({"offsets": [0.0, 2.0, 5.0]}, TypeError, "offsets: expected integers, got .* float64"),
        ({"z": [0.0, 1.0, 2.0, 3.0, np.nan]}, ValueError, r"got nan at z\[4\]"),
        ({"z": [0.0, np.inf, 2.0, 3.0, 4.0]}, ValueError, r"got inf at z\[1\]"),
        ({"z": [[0.0, 1.0, -np.inf, 3.0, 4.0]]}, ValueError, r"got -inf at z\[0, 2\]"),
        ({"z": []}, ValueError, r"expected numbers of shape \(M,\) or \(R, M\)"),
        ({"z": np.zeros((1, 1, 5))}, ValueError, r"got shape \(1, 1, 5\)"),
        ({"z": ["a"] * 5}, TypeError, "z: expected numbers"),
        ({"z": np.zeros(5, complex)}, TypeError, "z: expected numbers"),
        ({"chosen": [2, 4]}, ValueError, r"in segment 0, 0 to 1, got 2 at chosen\[0\]"),
        ({"chosen": [0, 1]}, ValueError, r"in segment 1, 2 to 4, got 1 at chosen\[1\]"),
        ({"chosen": [0, 5]}, ValueError, r"got 5 at chosen\[1\]"),
        ({"chosen": [-1, 4]}, ValueError, r"got -1 at chosen\[0\]"),
        ({"chosen": [0]}, ValueError, r"expected shape \(S,\) = \(2,\), got \(1,\)"),
        ({"chosen": [0.0, 4.0]}, TypeError, "chosen: expected integers"),
        ({"chosen": [True, True]}, TypeError, "chosen: expected integers"),
        ({"reduction": "median"}, ValueError, "reduction: expected one of"),
        ({"sample_weight": [1.0]}, ValueError, r"sample_weight: expected shape \(2,\)"),
        (
            {"sample_weight": [1.0, -1.0]},
            ValueError,
            "sample_weight: expected numbers of at least 0",
        ),
        ({"sample_weight": [0.0, 0.0]}, ValueError, "not all 0"),
    ],
)
def test_bad_input(change, error, message):
    arguments = {**OK, **change}
    for as_arrays in (False, True):  # arrays the core takes as they are, and others
        if as_arrays:
            arguments = {
                k: np.asarray(v) if isinstance(v, list) else v for k, v in arguments.items()
            }
        with pytest.raises(error, match=message):
            em.segment_cross_entropy(**arguments)
        if change.keys() <= {"z", "offsets"}:
            with pytest.raises(error, match=message):
                em.segment_softmax(arguments["z"], arguments["offsets"])


def test_bad_input_of_vjp():
    p = em.segment_softmax(OK["z"], OK["offsets"])
    with pytest.raises(ValueError, match=r"dp: expected shape \(5,\), as p, got \(4,\)"):
        em.segment_softmax_vjp(p, np.zeros(4), OK["offsets"])
    with pytest.raises(ValueError, match=r"got nan at dp\[0\]"):
        em.segment_softmax_vjp(p, np.full(5, np.nan), OK["offsets"])
    with pytest.raises(ValueError, match="expected 5 last"):
        em.segment_softmax_vjp(p, p, [0, 2])
