"""Any layout of an array gives one result, and anything at all is taken or refused."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS, DTYPES
from support.bounds import assert_same
from support.refusals import LABELS, READS_X, READS_Y, X, make

GOOD_DTYPES = ["float64", "float32", "float16", ">f4", "int8", "uint8", "int64", ">i2", "bool"]


@st.composite
def layouts(draw: Any) -> tuple[Any, Any]:
    """An array (N, D) of any dtype and strides, and the same numbers as plain float64."""
    rows, columns = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    dtype = np.dtype(draw(st.sampled_from(GOOD_DTYPES)))
    steps = [draw(st.sampled_from([1, 2, 3, -1, -2])) for _ in range(2)]
    whole = [rows * abs(steps[0]), columns * abs(steps[1])]
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    order = draw(st.sampled_from("CF"))
    big = np.asarray(rng.integers(0, 5, whole), dtype=dtype, order=order)
    array = big[:: steps[0], :: steps[1]][:rows, :columns]
    if draw(st.booleans()):
        array = np.broadcast_to(array[:1], array.shape)
    return array, np.ascontiguousarray(array, dtype="float64")


@settings(deadline=None, max_examples=60)
@given(layouts(), st.sampled_from(BACKENDS), st.integers(1, 20), st.sampled_from(DTYPES))
def test_any_layout_gives_one_result(data: Any, backend: str, K: int, dtype: str) -> None:
    strange, plain = data
    net = em.MLP([plain.shape[1], K], seed=0, backend=backend, dtype=dtype, activation="tanh")
    y = np.arange(len(plain)) % K
    dY = np.ones((len(plain), K))
    twin = em.MLP(**net.config)
    twin.parameters = net.parameters
    passes, trained = [], []
    for one, x in ((net, strange), (twin, plain)):
        passes.append([one.forward(x), *one.vjp(x, dY), *one.loss_and_gradient(x, y)])
        em.Trainer(one, em.SGD(0.1), 3, seed=0).run(x, y, 2)
        trained.append([one.parameters])
    assert_same(passes[0], passes[1], backend)
    assert_same(trained[0], trained[1], backend)


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.complex_numbers(),
    st.lists(st.floats(), max_size=7),
    st.lists(st.lists(st.floats(width=32), max_size=4), max_size=7),
    st.lists(st.integers(-1, 3), min_size=5, max_size=7),
    st.dictionaries(st.integers(), st.integers(), max_size=2),
    st.builds(np.zeros, st.lists(st.integers(0, 7), max_size=3), st.sampled_from(["f8", "O", "U"])),
)


@settings(deadline=None, max_examples=150)
@given(ANYTHING, st.sampled_from(BACKENDS), st.data())
def test_anything_is_taken_or_refused(value: Any, backend: str, data: Any) -> None:
    """Never a crash, another error, or numbers that are not finite."""
    entries = {
        **READS_X,
        **{f"{k} y": v for k, v in READS_Y.items()},
        "parameters": lambda net, x: setattr(net, "parameters", x),
        "apply": lambda net, x: em.Trainer(net, em.SGD(0.1)).apply(x),
        "epochs": lambda net, x: net.fit(X, LABELS, epochs=min(x, 9) if isinstance(x, int) else x),
        "out": lambda net, x: net.forward(X, x),
        "lr": lambda net, x: em.SGD(x),
        "sizes": lambda net, x: em.MLP([3, x, 2]) if not (isinstance(x, int) and x > 99) else 0,
    }
    name = data.draw(st.sampled_from(sorted(entries)))
    net = make(backend)
    before = net.parameters
    try:
        entries[name](net, value)
    except (TypeError, ValueError):
        np.testing.assert_array_equal(net.parameters, before)
    except em.DivergenceError:
        pass
    assert np.isfinite(net.parameters).all()
