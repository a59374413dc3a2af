"""Good input comes in many forms, which give one result."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._core.loading import core
from support.bounds import assert_same
from support.names import LOSS_NAMES as LOSSES
from support.problems import make_data
from support.refusals import NAN, D, K, N, X, backends, make


def misaligned(array: Any) -> Any:
    raw = np.zeros(array.nbytes + 1, np.uint8)
    view = raw[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    assert not view.flags.aligned or array.itemsize == 1
    return view


def forms(array: Any, folder: Path) -> dict[str, Any]:
    """The same numbers, laid out in all kinds of ways."""
    wide = np.zeros((2 * len(array), *(3 * n for n in array.shape[1:])), array.dtype)
    every_other = wide[(slice(None, None, 2), *(slice(None, None, 3) for _ in array.shape[1:]))]
    every_other[...] = array
    read_only = array.copy()
    read_only.flags.writeable = False
    path = folder / f"{len(list(folder.iterdir()))}.npy"
    np.save(path, array)
    backwards = tuple(slice(None, None, -1) for _ in array.shape)
    return {
        "list": array.tolist(),
        "tuple": tuple(map(tuple, array)) if array.ndim > 1 else tuple(array),
        "Fortran order": np.asfortranarray(array),
        "every other": every_other,
        "negative strides": array[backwards].copy()[backwards],
        "read-only": read_only,
        "memory-mapped": np.load(path, mmap_mode="r"),
        "other byte order": array.astype(array.dtype.newbyteorder()),
        "misaligned": misaligned(array),
        "long double": array.astype(np.longdouble) if array.dtype.kind == "f" else array,
        "subclass": array.view(type("Mine", (np.ndarray,), {})),
    }


def results(net: em.MLP, x: Any, y: Any, w: Any) -> list[Any]:
    """Of every entry that reads data; the network is as before."""
    before = net.parameters
    trainer = em.Trainer(net, em.SGD(0.1, momentum=0.5), 4, seed=1)
    history = trainer.run(x, y, 2, sample_weight=w, validation=(x, y))
    found = [net.parameters, np.array(history.loss), np.array(history.val_loss)]
    net.parameters = before
    found += [np.array(em.Trainer(net, em.SGD(0.1)).step(x, y)), net.parameters]
    net.parameters = before
    found += [net.forward(x), net.predict(x), np.array(net.evaluate(x, y, w).loss)]
    found += list(map(np.asarray, net.loss_and_gradient(x, y, sample_weight=w)))
    found += list(net.vjp(x, net.forward(x)))
    return found


def test_the_core_leaves_misaligned_arrays_to_their_callers() -> None:
    """To load from them as numbers do is undefined in C++."""
    net = make("native", "softmax_cross_entropy")
    x, y = make_data([D, K], "softmax_cross_entropy", N, "float32")
    network, trainer = net._network, em.Trainer(net, em.SGD(0.1))
    out = misaligned(np.zeros((N, K), np.float32))
    assert network.forward(x, None) is not None and network.forward(x, out) is None
    step = trainer._trainer.step
    w = np.ones(N)
    assert step(x, misaligned(y), 0.1) is None and step(x, y, 0.1, misaligned(w)) is None
    assert step(x, y, 0.1, w) is not None
    z, offsets, chosen = np.arange(6.0), np.array([0, 3, 6]), np.array([1, 5])
    entries = {
        core.segment_softmax: (z, offsets),
        core.segment_softmax_vjp: (z, z, offsets),
        core.segment_cross_entropy: (z, offsets, chosen, True, np.ones(2)),
    }
    for entry, arrays in entries.items():
        assert entry(*arrays) is not None
        for i in [i for i, array in enumerate(arrays) if isinstance(array, np.ndarray)]:
            assert entry(*arrays[:i], misaligned(arrays[i]), *arrays[i + 1 :]) is None
    with pytest.raises(TypeError, match="the core cannot read X, y or sample_weight"):
        network.evaluate(x, misaligned(y))
    with pytest.raises(TypeError, match="the core cannot read a direction"):
        core.derivatives.jvp(network, x, None, misaligned(net.parameters))


def test_segments_take_misaligned_arrays() -> None:
    z, offsets, chosen = np.arange(6.0), np.array([0, 3, 6]), np.array([1, 5])
    expected = em.segment_cross_entropy(z, offsets, chosen)
    found = em.segment_cross_entropy(*map(misaligned, (z, offsets, chosen)))
    assert found[0] == expected[0] and (found[1] == expected[1]).all()
    p = em.segment_softmax(z, offsets)
    assert (em.segment_softmax(misaligned(z), misaligned(offsets)) == p).all()


@backends
def test_misaligned_out_is_refused(backend: str) -> None:
    net = make(backend)
    out = misaligned(np.zeros((N, K), np.float32))
    with pytest.raises(ValueError, match="out: expected a writable, aligned C-order array"):
        net.forward(np.ones((N, D), np.float32), out=out)
    assert (out == 0).all()


@backends
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int16", "uint8", "bool"])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_form_of_good_input(loss: str, dtype: str, backend: str, tmp_path: Path) -> None:
    x, y = make_data([D, K], loss, N, "float32")
    x = np.minimum(abs(100 * x), 255).astype(dtype)
    y = (y > 0.5).astype("float32") if y.ndim == 2 else y
    w = np.arange(1.0, N + 1)
    net = make(backend, loss, input_scale=1 / 255)
    expected = results(net, x.astype("float32"), y, w)
    xs, ys, ws = forms(x, tmp_path), forms(y, tmp_path), forms(w, tmp_path)
    for name in xs:
        assert_same(results(net, xs[name], ys[name], ws[name]), expected, backend, name)
    if y.ndim == 2:
        for kind in ("float64", "float16", "int8", "bool", "uint8"):
            assert_same(results(net, x, y.astype(kind), w), expected, backend, kind)
    else:
        for kind in ("int8", "uint8", "int32", "uint64", "bool"):
            assert_same(results(net, x, y.astype(kind), w), expected, backend, kind)


@backends
@pytest.mark.parametrize("loss", [x for x in LOSSES if x != "softmax_cross_entropy"])
def test_one_output_takes_a_flat_target(loss: str, backend: str) -> None:
    net = make(backend, loss, layer_sizes=[D, 4, 1])
    x, y = make_data([D, 1], loss, N, "float32")
    w = np.ones(N)
    expected = results(net, x, y, w)
    for flat in (y[:, 0], y[:, 0].tolist(), y[:, 0].astype(">f4"), np.repeat(y[:, 0], 2)[::2]):
        assert_same(results(net, x, flat, w), expected, backend)


@backends
def test_parameters_in_every_form(backend: str) -> None:
    net = make(backend)
    flat = np.arange(net.parameter_count) / 8
    for form in (flat.tolist(), flat.astype(">f8"), np.repeat(flat, 2)[::2], misaligned(flat)):
        net.parameters = np.zeros(net.parameter_count)
        net.parameters = form
        np.testing.assert_array_equal(net.parameters, flat.astype(np.float32))
    net.parameters = np.ones(net.parameter_count, int)
    assert (net.parameters == 1).all()


@backends
def test_results_do_not_alias_the_network(backend: str) -> None:
    net = make(backend)
    before = net.parameters
    net.parameters[:] = 7
    assert all(not array.flags.writeable for array in [*net.weights, *net.biases])
    np.testing.assert_array_equal(net.parameters, before)
    assert [W.shape for W in net.weights] == [(D, 4), (4, K)]
    assert [b.shape for b in net.biases] == [(4,), (K,)]
    joined = np.concatenate(
        [a.ravel() for pair in zip(net.weights, net.biases, strict=True) for a in pair]
    )
    np.testing.assert_array_equal(joined, before)


@backends
def test_out_is_filled_and_returned(backend: str) -> None:
    net = make(backend)
    out = np.empty((N, K), np.float32)
    for x in (X, X.tolist(), X.astype("f2")):
        out[:] = NAN
        assert net.forward(x, out) is out
        np.testing.assert_array_equal(out, net.forward(x))
