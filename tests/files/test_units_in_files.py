"""Units in copies and files, and in what travels: ONNX, PyTorch, SymPy."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from support.units import UNITS, D, make, table

backends = pytest.mark.parametrize("backend", BACKENDS)


# ---- copies and files


@backends
def test_copies_and_files_keep_units(backend: str, tmp_path: Path) -> None:
    X, y = table()
    net = make("huber", dtype="float32", backend=backend)
    net.fit(X, y, epochs=2)
    net.save(tmp_path / "a.safetensors")
    trainer = em.Trainer(net, em.Adam(), 16, seed=0)
    trainer.run(X, y, 1)
    trainer.save(tmp_path / "t.safetensors")
    after = net.forward(X)
    loaded = em.Trainer.load(tmp_path / "t.safetensors", backend=backend)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), loaded.net):
        np.testing.assert_array_equal(other.forward(X), after)
        for name in UNITS:
            np.testing.assert_array_equal(getattr(other, name), getattr(net, name))
    trainer.run(X, y, 1)
    loaded.run(X, y, 1)
    np.testing.assert_array_equal(loaded.net.parameters, net.parameters)
    again = em.MLP.load(tmp_path / "a.safetensors")
    assert again.config["standardize"] is True
    again.fit(X + X.std(axis=0), y, epochs=1)  # measured already
    np.testing.assert_array_equal(again.input_shift, net.input_shift)
    json.dumps({k: v for k, v in net.config.items() if k != "init"})


def test_an_unmeasured_network_is_saved_as_one(tmp_path: Path) -> None:
    X, y = table()
    make().save(tmp_path / "a.safetensors")
    net = em.MLP.load(tmp_path / "a.safetensors")
    net.fit(X, y, epochs=1)
    np.testing.assert_allclose(net.input_shift, X.mean(axis=0))


@pytest.mark.parametrize("name", UNITS)
def test_files_with_other_units_are_refused(name: str, tmp_path: Path) -> None:
    from eigenmlp._files import model

    X, y = table()
    path = tmp_path / "a.safetensors"
    net = make(dtype="float32").standardize(X, y)
    net.save(path)
    config, arrays, _ = model.read_model(path)
    config = {**config, "backend": "native"}
    for changed in (
        {**arrays, name: arrays[name][:-1]},
        {**arrays, name: arrays[name].astype(np.float32)},
        {**arrays, name: np.full_like(arrays[name], np.nan)},
        {k: v for k, v in arrays.items() if k != name},
    ):
        model.write_model(path, config, changed)
        with pytest.raises(ValueError, match=str(path)):
            em.MLP.load(path)
    doubled = {**arrays, name: arrays[name] * 2}  # as no checksum tells: the sample does
    model.write_model(path, config, doubled)
    if name.startswith("output"):
        with pytest.raises(ValueError, match="sample"):
            em.MLP.load(path)


# ---- what travels


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("kind", ["measured", "numbers", "classes"])
def test_onnx(kind: str, outputs: int, dtype: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    run = pytest.importorskip("support.onnx_runtime").run
    X, net = travelling(kind, outputs, dtype)
    path = tmp_path / "a.onnx"
    em.onnx.export(net, path, input_dtype="float64")
    found = run(path, X)
    expected = net.forward(X)
    name = "logits" if kind == "classes" else "outputs"
    close(found[name], expected, dtype)
    again = em.onnx.load(path)
    close(again.forward(X), expected, dtype)
    for unit in UNITS:
        np.testing.assert_allclose(getattr(again, unit), getattr(net, unit), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["measured", "numbers", "classes"])
def test_torch(kind: str, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    X, net = travelling(kind, 2, dtype)
    module = em.torch.to_torch(net)
    with torch.no_grad():
        close(module(torch.from_numpy(X)).numpy(), net.forward(X), dtype)
    close(em.torch.from_torch(module, loss=net.config["loss"]).forward(X), net.forward(X), dtype)


@pytest.mark.parametrize("kind", ["measured", "numbers", "classes"])
def test_symbolic(kind: str) -> None:
    sympy = pytest.importorskip("sympy")
    X, net = travelling(kind, 2, "float64", hidden=2)
    y = [1] if kind == "classes" else [[3.0, 4.0]]
    T = [0.0, 1.0] if kind == "classes" else [3.0, 4.0]
    row = {f"x{i}": sympy.Float(float(x), 30) for i, x in enumerate(X[0])}
    at = {**row, **{f"t{k}": t for k, t in enumerate(T)}}
    outputs = em.symbolic.expression(net, numbers=True).subs(row)
    np.testing.assert_allclose(np.array(outputs, float).ravel(), net.forward(X[:1])[0], rtol=1e-7)
    gradient = em.symbolic.gradient(net, numbers=True).subs(at)
    loss, expected = net.loss_and_gradient(X[:1], y)
    assert float(em.symbolic.loss(net, numbers=True).subs(at)) == pytest.approx(loss, rel=1e-6)
    np.testing.assert_allclose(
        np.array(gradient, float).ravel(), expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max()
    )


def travelling(kind: str, outputs: int, dtype: str, hidden: int = 6) -> tuple[Any, em.MLP]:
    X, y = table()
    options: dict[str, Any] = {"activation": "tanh", "dtype": dtype, "seed": 0}
    sizes = [D, hidden, outputs]
    if kind == "classes":
        return X, em.MLP(sizes if outputs > 1 else [D, hidden, 3], **options).standardize(X)
    if kind == "measured":
        net = em.MLP(sizes, loss="squared_error", **options)
        return X, net.standardize(X, y[:, :outputs])
    units = {"input_shift": 3.0, "input_scale": 0.5, "output_shift": 2.0, "output_scale": 7.0}
    return X / 1e6, em.MLP(sizes, loss="squared_error", **options, **units)


def close(actual: Any, expected: Any, dtype: str) -> None:
    """To rounding: tens of terms of each sum, of the size of the largest."""
    u = 1e3 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(actual, expected, rtol=u, atol=u * np.abs(expected).max())
