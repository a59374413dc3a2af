"""Rows X as SciPy's sparse matrices: the same numbers as dense ones, and errors that say where.

The core gathers rows with their zeros where many numbers are stored, and reads the stored numbers
alone where they are few: most tests are about both, MANY and FEW.
"""

import weakref

import numpy as np
import pytest
import scipy.sparse as sp

import eigenmlp as em
from eigenmlp._core.loading import core
from eigenmlp.sklearn import MLPClassifier

SIZES = [37, 12, 4]
ROWS = 50
MANY, FEW = 0.2, 0.05
both = pytest.mark.parametrize("density", [MANY, FEW])


def matrix(dtype=np.float32, rows=ROWS, kind=sp.csr_matrix, density=MANY):
    rng = np.random.default_rng(0)
    dense = rng.standard_normal((rows, SIZES[0])) * (rng.random((rows, SIZES[0])) < density)
    if np.dtype(dtype).kind != "f":
        dense = np.abs(dense * 50)
    return kind(dense.astype(dtype))


def labels(rows=ROWS):
    return np.random.default_rng(1).integers(0, SIZES[-1], rows)


def net(backend="native", **options):
    return em.MLP(SIZES, activation="tanh", seed=0, backend=backend, **options)


CALLS = {
    "forward": lambda n, X, y: n.forward(X),
    "predict": lambda n, X, y: n.predict(X),
    "predict_proba": lambda n, X, y: n.predict_proba(X),
    "evaluate": lambda n, X, y: n.evaluate(X, y).loss,
    "loss_and_gradient": lambda n, X, y: n.loss_and_gradient(X, y)[1],
    "vjp": lambda n, X, y: np.concatenate(
        [a.ravel() for a in n.vjp(X, np.ones((ROWS, SIZES[-1]), n.dtype))]
    ),
    "jvp": lambda n, X, y: n.jvp(X, X)[1],
    "hvp": lambda n, X, y: n.hessian_vector_product(X, y, n.parameters),
    "per_sample": lambda n, X, y: n.per_sample_gradients(X, y),
    "taylor": lambda n, X, y: n.taylor(X, y, n.parameters, 3),
    "step": lambda n, X, y: em.Trainer(n, em.SGD(0.1), seed=0).step(X, y),
    "fit": lambda n, X, y: (
        n.fit(X, y, 3, 16, em.Adam(0.01), seed=0, progress=False, validation=(X, y)),
        n.parameters,
    )[1],
    "batches": lambda n, X, y: (
        n.fit([(X[:20], y[:20]), (X[20:], y[20:])], epochs=2, progress=False),
        n.parameters,
    )[1],
}


@pytest.mark.parametrize("backend", ["native", "numpy"])
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@both
def test_same_numbers_as_dense(call, backend, dtype, density):
    """Bit for bit: sums run in the same order, and zeros add nothing."""
    X, y = matrix(dtype, density=density), labels()
    results = [
        CALLS[call](net(backend, dtype=dtype), rows, y) for rows in (X, np.asarray(X.todense()))
    ]
    assert np.asarray(results[0]).tobytes() == np.asarray(results[1]).tobytes()


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csr_array, sp.csc_matrix, sp.coo_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.int64, np.longdouble, bool])
@both
def test_kinds_and_scalars(kind, dtype, density):
    X = matrix(dtype, density=density).astype(dtype)
    expected = net(input_scale=0.25).loss(X.toarray(), labels())
    assert net(input_scale=0.25).loss(kind(X), labels()) == expected


def test_indices_of_two_types_and_places_that_come_twice():
    X = matrix()
    expected = net().loss(X.toarray(), labels())
    X.indices = X.indices.astype(np.int64)
    assert net().loss(X, labels()) == expected
    halves = np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), 2 * X.indptr
    twice = sp.csr_matrix(halves, shape=X.shape)
    assert twice.nnz == 2 * X.nnz
    assert net().loss(twice, labels()) == expected


def test_deviations_of_places_that_come_twice_and_of_no_numbers():
    """They are those of the same rows dense; of sparse rows nothing is shifted."""
    X = matrix(np.float64)
    halves = np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), 2 * X.indptr
    for rows in (X, sp.csr_matrix(halves, shape=X.shape), sp.csr_matrix(X.shape)):
        n = em.MLP(SIZES, seed=0, dtype="float64", standardize=True)
        n.fit(rows, labels(), epochs=1, progress=False)
        deviation = rows.toarray().std(axis=0)
        expected = 1 / np.where(deviation > 0, deviation, 1)
        np.testing.assert_allclose(n.input_scale, expected, rtol=1e-12)
        assert not n.input_shift.any()


OPTIMIZERS = {
    "sgd": em.SGD(0.1),
    "decay": em.SGD(0.1, weight_decay=0.1),
    "momentum": em.SGD(0.1, momentum=0.9, nesterov=True),
    "adam": em.Adam(0.01, penalty=0.1),
    "rmsprop": em.RMSprop(0.01),
    "limits": em.SGD(0.1, clip_norm=0.5, l1=1e-3, max_norm=1.0),
}


def train(X, y, optimizer, dtype="float64", batch_size=100, **options):
    n = em.MLP([X.shape[1], 20, 4], dtype=dtype, seed=0, **options.pop("net", {}))
    trainer = em.Trainer(n, optimizer, batch_size, seed=0, **options)
    losses = trainer.run(X, y, 3).loss
    return np.concatenate([n.parameters, losses, n.forward(X).ravel()])


def wide(dtype="float64", rows=300, columns=500):
    """About 10 numbers a row, places out of order, some twice; and rows without any."""
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 20, rows) * (rng.random(rows) < 0.9)
    starts = np.concatenate([[0], np.cumsum(counts)])
    places = rng.integers(0, columns - 20, starts[-1])
    return sp.csr_matrix((rng.standard_normal(starts[-1]).astype(dtype), places, starts),
                         (rows, columns))  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"accumulate": 2, "net": {"dropout": 0.3}}], ids=str)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_on_few_numbers(name, options):
    """As on dense rows to rounding, whose sums run in blocks; places that come twice add up."""
    X, y = wide(), labels(300)
    results = [train(rows, y, OPTIMIZERS[name], **options) for rows in (X, X.toarray())]
    np.testing.assert_allclose(*results, rtol=1e-9, atol=1e-11)
    twin = train(X, y, OPTIMIZERS[name], **{**options, "net": {**options.get("net", {}),
                                                              "backend": "numpy"}})  # fmt: skip
    np.testing.assert_allclose(results[0], twin, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_same_bits_for_every_number_of_threads(name, dtype):
    X, y = wide(dtype), labels(300)
    results = []
    for threads in (1, 2, 3, 8):
        core.force_threads(threads)
        try:
            results.append(train(X, y, OPTIMIZERS[name], dtype, 64).tobytes())
        finally:
            core.force_threads(0)
    assert len(set(results)) == 1


def test_plain_sgd_leaves_columns_without_numbers_alone():
    X, y = wide(), labels(300)
    n = em.MLP([500, 20, 4], dtype="float64", seed=0)
    before = n.weights[0]
    em.Trainer(n, em.SGD(0.1), 100, seed=0).run(X, y, 1)
    unused = np.setdiff1d(np.arange(500), X.indices)
    assert len(unused) >= 20
    assert np.array_equal(n.weights[0][unused], before[unused])
    assert (n.weights[0][np.unique(X.indices)] != before[np.unique(X.indices)]).any(axis=1).all()


def test_few_numbers_whose_indices_are_of_two_types_or_come_twice():
    X = matrix(np.float64, density=FEW)
    n = net(dtype="float64")
    expected = n.loss_and_gradient(X, labels())
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    loss, gradient = n.loss_and_gradient(X, labels())
    assert loss == expected[0] and np.array_equal(gradient, expected[1])
    halves = np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), 2 * X.indptr
    loss, gradient = n.loss_and_gradient(sp.csr_matrix(halves, shape=X.shape), labels())
    assert loss == pytest.approx(expected[0], rel=1e-14)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-12, atol=1e-15)


@pytest.mark.filterwarnings('ignore:compute_dtype="bfloat16"')  # where it brings no speed
def test_bfloat16_rounds_few_numbers_too():
    options = {"compute_dtype": "bfloat16"}
    X, y = matrix(density=FEW), labels()
    n = net(**options)
    assert n.loss(X, y) == n.loss(X.toarray(), y)


def spread(part):
    """The same numbers, with others between them."""
    return np.repeat(part, 2)[::2]


def shifted(part):
    """The same numbers at an address that no such number has."""
    memory = np.empty(part.nbytes + 1, np.uint8)
    memory[1:] = part.view(np.uint8)
    return memory[1:].view(part.dtype)


LAYOUTS = {
    "spread": spread,
    "shifted": shifted,
    "other byte order": lambda part: part.astype(part.dtype.newbyteorder()),
    "mapped": lambda part: part.view(np.memmap),
    "read-only": lambda part: np.frombuffer(part.tobytes(), part.dtype),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("part", ["data", "indices", "indptr"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_parts_however_they_lie_in_memory(layout, part):
    """The matrix itself stays as it is."""
    X, y = matrix(), labels()
    expected = net().loss(X, y)
    estimator = MLPClassifier((5,), max_iter=2, random_state=0, tol=0)
    probabilities = estimator.fit(X, y).predict_proba(X)
    setattr(X, part, LAYOUTS[layout](getattr(X, part)))
    held = X.data, X.indices, X.indptr
    assert net().loss(X, y) == expected
    np.testing.assert_array_equal(net().forward(X), net().forward(X.toarray()))
    # scikit-learn's checks bring other byte orders to float64.
    np.testing.assert_allclose(estimator.predict_proba(X), probabilities, rtol=1e-5)
    np.testing.assert_allclose(estimator.fit(X, y).predict_proba(X), probabilities, rtol=1e-4)
    assert all(now is then for now, then in zip((X.data, X.indices, X.indptr), held, strict=True))


@pytest.mark.parametrize("part", ["data", "indices", "indptr"])
def test_the_core_leaves_misaligned_parts_to_its_callers(part):
    X, core = matrix(), net()._network
    assert core.forward(X) is not None
    setattr(X, part, shifted(getattr(X, part)))
    assert core.forward(X) is None


WHOLE = [call for call in CALLS if call != "batches"]  # which takes slices


class LookAlike:
    """The attributes of a CSR matrix, of no class of SciPy's."""

    format = "csr"
    dtype = np.dtype(np.float32)

    def __init__(self, shape):
        X = matrix()
        self.data, self.indices, self.indptr, self.shape = X.data, X.indices, X.indptr, shape

    def tocsr(self):
        return self


class OddShape(sp.csr_matrix):
    odd = None

    @property
    def shape(self):
        return self._shape if self.odd is None else self.odd


SHAPES = [(50, 37), ("a", 37), 37, (37,), "ab", (2.5, 37), (50, 37, 1), (2**70, 37), (49, 37)]


@pytest.mark.parametrize("call", WHOLE)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_look_alikes(call, shape):
    """Refused by every entry alike, and by none in the core's words."""
    with pytest.raises(TypeError, match=r"X: expected .* sparse matrix of SciPy, got a LookAlike"):
        CALLS[call](net(), LookAlike(shape), labels())
    odd = OddShape(matrix())
    odd.odd = shape
    if shape == (50, 37):
        CALLS[call](net(), odd, labels())
    else:
        with pytest.raises((TypeError, ValueError), match="expected"):
            CALLS[call](net(), odd, labels())


def test_other_libraries_matrices_are_made_scipys():
    class Other:
        shape, dtype = (ROWS, SIZES[0]), np.dtype(np.float32)

        def tocsr(self):
            return matrix()

    assert (net().forward(Other()) == net().forward(matrix())).all()


@pytest.mark.parametrize("part", ["data", "indices"])
@pytest.mark.parametrize("call", WHOLE)
def test_more_data_than_indices(call, part):
    X = matrix()
    setattr(X, part, np.append(getattr(X, part), getattr(X, part)[:1]))
    with pytest.raises(ValueError, match="X: expected a CSR matrix that holds together"):
        CALLS[call](net(), X, labels())


def test_a_matrix_stays_as_it_is():
    """Two types of indices, and room behind the last number, are set right in a copy."""
    X, y = matrix(), labels()
    expected = net().loss(X, y)
    X.data, X.indices = np.append(X.data, np.nan), np.append(X.indices, -1).astype(np.int64)
    held = X.data, X.indices, X.indptr
    assert net().loss(X, y) == expected
    assert all(now is then for now, then in zip((X.data, X.indices, X.indptr), held, strict=True))


def test_outputs_inside_the_matrix():
    """Numbers of X are read before outputs are written over them."""
    n = em.MLP([3, 4, 2], seed=0)
    memory = np.arange(1, 7, dtype=np.float32)
    X = sp.csr_matrix((memory, np.array([0, 1, 2, 0, 1, 2]), np.array([0, 3, 6])), copy=False)
    assert np.shares_memory(X.data, memory)
    expected = n.forward(X.toarray())
    out = memory[1:5].reshape(2, 2)
    assert n.forward(X, out=out) is out
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("backend", ["native", "numpy"])
@both
def test_refusals(backend, density):
    n, X, y = net(backend), matrix(density=density), labels()
    with pytest.raises(ValueError, match=r"X: expected shape \(N, D\) with D = 37, got \(37, 50\)"):
        n.fit(X.T, y)
    with pytest.raises(ValueError, match=r"X: expected at least one row, got shape \(0, 37\)"):
        n.forward(X[:0])
    bad = matrix(density=density)
    bad.data[7] = np.nan
    row, column = np.argwhere(np.isnan(bad.toarray()))[0]
    with pytest.raises(ValueError, match=rf"got nan at X\[{row}, {column}\]"):
        n.fit(bad, y)
    large = matrix(np.float64, density=density)
    large.data[3] = 1e300
    with pytest.raises(ValueError, match=r"expected finite float32 numbers, got 1e\+300 at X\["):
        n.loss(large, y)
    with pytest.raises(TypeError, match="X: expected numbers, got a sparse matrix of complex"):
        n.forward(X.astype(complex))
    with pytest.raises(TypeError, match=r"y: expected an array, got a sparse .*toarray"):
        n.fit(X, sp.csr_matrix(y))
    with pytest.raises(ValueError, match="y: expected 50 rows"):
        n.fit(X, y[:-1])
    assert n.parameters.tobytes() == net(backend).parameters.tobytes()


PARTS = [("indices", 37), ("indices", -1), ("indptr", 10**6)]
PARTS += [("indptr", 2**63 - 1), ("indptr", -(2**63))]  # whose differences are no int64


@pytest.mark.parametrize(("part", "value"), PARTS)
@both
def test_matrices_that_do_not_hold_together(part, value, density):
    X = matrix(density=density)
    if abs(value) > 2**31:
        X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    getattr(X, part)[5] = value
    for call in ("forward", "fit", "step"):
        with pytest.raises(ValueError, match="X: expected a CSR matrix that holds together"):
            CALLS[call](net(), X, labels())


@pytest.mark.parametrize("last", [0, -1])
def test_a_last_start_that_hides_the_others(last):
    """SciPy takes such a matrix for one without entries, and looks at nothing more."""
    X = matrix()
    X.indptr[-1] = last
    for call in CALLS.keys() - {"batches"}:
        with pytest.raises(ValueError, match="X: expected a CSR matrix that holds together"):
            CALLS[call](net(), X, labels())


@pytest.mark.parametrize("kind", [sp.csc_matrix, sp.bsr_array, sp.coo_array, sp.dia_matrix])
def test_mapped_parts_of_other_kinds_that_shrink(tmp_path, kind):
    """They are read to make rows of them."""
    X = kind(matrix())
    np.save(tmp_path / "data.npy", np.asarray(X.data))
    X.data = np.load(tmp_path / "data.npy", mmap_mode="r")
    with open(tmp_path / "data.npy", "r+b") as file:
        file.truncate(100)
    for call in ("fit", "loss_and_gradient", "step", "forward"):
        with pytest.raises(ValueError, match="it has shrunk"):
            CALLS[call](net(), X, labels())


def test_mapped_parts_that_shrink(tmp_path):
    X = matrix()
    np.save(tmp_path / "data.npy", X.data)
    mapped = np.load(tmp_path / "data.npy", mmap_mode="r")
    Y = sp.csr_matrix((mapped, X.indices, X.indptr), shape=X.shape, copy=False)
    n = net()
    assert n.loss(Y, labels()) == n.loss(X, labels())
    with open(tmp_path / "data.npy", "r+b") as file:
        file.truncate(100)
    for call in ("fit", "loss_and_gradient", "step", "forward"):
        with pytest.raises(ValueError, match="it has shrunk"):
            CALLS[call](n, Y, labels())


def test_choices_take_them():
    X, offsets = matrix(), np.arange(0, ROWS + 1, 10)
    y = em.Choices(offsets, chosen=offsets[:-1] + 3)
    losses = [
        em.MLP([37, 8, 1], loss="segment_cross_entropy", seed=0).loss(rows, y)
        for rows in (X, X.toarray())
    ]
    assert losses[0] == losses[1]


def test_arrays_that_a_matrix_loses_live_on_while_they_are_read():
    X, y = matrix(), labels().astype(np.int64)
    trainer = em.Trainer(net(), em.SGD(0.1), batch_size=10, seed=0)
    epochs = 20_000  # more than the 10 ms after which `check` is called
    lost = []

    def check():
        for part in ("data", "indices", "indptr"):
            lost.append(weakref.ref(getattr(X, part)))
            setattr(X, part, getattr(X, part).copy())
            assert lost[-1]() is not None or len(lost) > 3

    orders, rates = np.empty((epochs, 0), np.int64), np.full(1, 0.1)
    trainer._trainer.run(X, y, None, 10, orders, rates, check=check)
    assert len(lost) >= 3
    assert all(array() is None for array in lost[:3])
