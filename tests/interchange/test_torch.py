"""Networks to and from PyTorch."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from support.names import COMBINATIONS, DTYPES
from support.problems import make_data, make_net

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
nn: Any = torch.nn
torch.set_num_threads(1)
LIMITS = {"float32": 1e-6, "float64": 1e-12}


def outputs(model: Any, X: Any) -> Any:
    with torch.no_grad():
        return model(torch.from_numpy(X)).numpy()


def close(a: Any, b: Any) -> None:
    """Equal to 1e-6 in float32, 1e-12 in float64, relative to the largest."""
    assert a.dtype == b.dtype
    limit = LIMITS[b.dtype.name]
    np.testing.assert_allclose(a, b, rtol=0, atol=limit * max(1.0, float(np.abs(b).max())))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("activation", "loss", "output"), COMBINATIONS)
def test_there_and_back(activation: str, loss: str, output: str, dtype: str) -> None:
    sizes = [7, 9, 5]
    options = {"activation": activation, "output_activation": output, "loss": loss}
    net = make_net(sizes, dtype=dtype, dropout=0.25, input_scale=1 / 3, **options)
    model = em.torch.to_torch(net)
    X = make_data(sizes, loss, 40, dtype)[0]
    close(outputs(model, X), net.forward(X))
    back = em.torch.from_torch(model, loss=loss)
    assert back.config == net.config
    assert back.parameters.tobytes() == net.parameters.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", [[1, 1], [3, 70], [4, 20, 30, 2]], ids=str)
def test_without_bias(sizes: list[int], dtype: str) -> None:
    net = make_net(sizes, bias=False, activation="tanh", loss="squared_error", dtype=dtype)
    model = em.torch.to_torch(net)
    X = make_data(sizes, "squared_error", 9, dtype)[0]
    close(outputs(model, X), net.forward(X))
    assert em.torch.from_torch(model).biases == []


ENDS: list[tuple[Any, str, Callable[[em.MLP, Any], Any]]] = [
    (nn.Identity(), "squared_error", lambda net, X: net.predict(X)),
    (nn.Softmax(dim=1), "softmax_cross_entropy", lambda net, X: net.predict_proba(X)),
    (nn.Softmax(dim=-1), "softmax_cross_entropy", lambda net, X: net.predict_proba(X)),
    (nn.LogSoftmax(dim=1), "softmax_cross_entropy", lambda net, X: np.log(net.predict_proba(X))),
    (nn.Sigmoid(), "sigmoid_cross_entropy", lambda net, X: net.predict_proba(X)),
    (nn.Tanh(), "squared_error", lambda net, X: net.predict(X)),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("end", "loss", "same"), ENDS, ids=lambda x: getattr(x, "dim", None))
def test_the_end_tells_the_loss(end: Any, loss: str, same: Any, dtype: str) -> None:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Linear(6, 5, bias=False), nn.LeakyReLU(0.3), nn.Dropout(0.4))
    model = nn.Sequential(nn.Flatten(), body, nn.Linear(5, 4), nn.SiLU(), nn.Linear(4, 3), end)
    model = model.to(getattr(torch, dtype)).eval()
    net = em.torch.from_torch(model)
    assert (net.config["loss"], net.config["dropout"]) == (loss, [0.4, 0.0])
    assert net.config["activation"] == ["leaky_relu(negative_slope=0.3)", "silu"]
    X = np.random.default_rng(0).normal(0, 1, (20, 3, 2)).astype(dtype)
    close(same(net, X.reshape(20, 6)), outputs(model, X))


@pytest.mark.parametrize("name", ["softmax", "sigmoid"])
def test_a_loss_of_ones_own(name: str) -> None:
    end = nn.Softmax(1) if name == "softmax" else nn.Sigmoid()
    model = nn.Sequential(nn.Linear(3, 2), end)
    net = em.torch.from_torch(model, loss="huber(delta=0.2)", backend="numpy")
    assert net.config["output_activation"] == name and net.config["loss"] == "huber(delta=0.2)"
    X = np.ones((1, 3), np.float32)
    close(net.forward(X), outputs(model, X))
    with pytest.raises(ValueError, match=rf"loss: expected one that goes with {name}.*'poisson'"):
        em.torch.from_torch(model, loss="poisson")


def test_one_linear_twice() -> None:
    """Shared weights become two layers."""
    linear = nn.Linear(3, 3)
    model = nn.Sequential(linear, nn.ReLU(), linear)
    X = np.random.default_rng(0).normal(0, 1, (5, 3)).astype(np.float32)
    net = em.torch.from_torch(model)
    assert net.layer_sizes == [3, 3, 3]
    close(net.forward(X), outputs(model, X))


def test_a_model_is_whole() -> None:
    """Saved and loaded, trained, in another dtype, exported: as any Sequential."""
    net = make_net([4, 3, 2], activation="sigmoid(slope=2.0)", input_scale=0.5, dropout=0.5)
    state = torch.random.get_rng_state()
    model = em.torch.to_torch(net)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not model.training and all(p.requires_grad for p in model.parameters())
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    X = np.random.default_rng(0).integers(0, 9, (5, 4)).astype(np.uint8)
    close(outputs(torch.load(file, weights_only=False), X), net.forward(X))
    model.train()(torch.ones(3, 4)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_numbers_of_another_state() -> None:
    """What `load_state_dict` brings is what `forward` computes with and `from_torch` reads."""
    options = [("sigmoid(slope=2.0)", 1 / 3), ("sigmoid(slope=0.7)", 0.1)]
    nets = [
        make_net([3, 4, 2], loss="squared_error", activation=a, input_scale=s) for a, s in options
    ]
    one, other = map(em.torch.to_torch, nets)
    other.load_state_dict(one.state_dict())
    X = np.random.default_rng(0).normal(0, 1, (5, 3)).astype(np.float32)
    close(outputs(other, X), nets[0].forward(X))
    back = em.torch.from_torch(other)
    close(back.forward(X), nets[0].forward(X))
    assert back.config["input_scale"] == float(np.float32(1 / 3))
    assert str(other[0]) == f"Scale({float(np.float32(1 / 3))!r})"
    assert str(one[0]) == f"Scale({1 / 3!r})" and str(one.double()[2]) == "SlopedSigmoid(2.0)"
    with pytest.raises(ValueError, match=r"module 0 \(Scale\): expected weights with numbers"):
        em.torch.from_torch(one.to("meta"))
    assert str(one[2]) == "SlopedSigmoid(2.0)"


def test_copies() -> None:
    net = make_net([2, 2])
    before = net.parameters
    model = em.torch.to_torch(net)
    with torch.no_grad():
        model[0].weight.zero_()
    np.testing.assert_array_equal(net.parameters, before)
    back = em.torch.from_torch(model)
    model[0].bias.data.zero_()
    assert back.biases[0].any()


class Halved(nn.Linear):  # type: ignore[misc]
    def forward(self, x: Any) -> Any:
        return super().forward(x) / 2


class Odd(nn.Sequential):  # type: ignore[misc]
    def forward(self, x: Any) -> Any:
        return -super().forward(x)


def hooked(module: Any) -> Any:
    module.register_forward_hook(lambda *_: None)
    return module


def patched(module: Any) -> Any:
    module.forward = lambda x: -x
    return module


L = nn.Linear(2, 2)


@pytest.mark.parametrize(
    ("modules", "match"),
    [
        ([], "expected at least one Linear, got none"),
        ([L, nn.Conv1d(2, 2, 1)], r"module 1 \(Conv1d\): expected one of \['Linear'"),
        ([nn.Sequential(L, nn.BatchNorm1d(2))], r"module 0\.1 \(BatchNorm1d\)"),
        ([Halved(2, 2)], r"module 0 \(Halved\)"),
        ([hooked(nn.Linear(2, 2))], r"module 0 \(Linear\): expected a module without hooks"),
        ([hooked(nn.Sequential(L))], r"module 0 \(Sequential\): expected a module without hooks"),
        ([patched(nn.Linear(2, 2))], r"module 0 \(Linear\): expected a module without hooks"),
        ([Odd(L)], r"module 0 \(Odd\): expected one of \['Linear'"),
        ([nn.LazyLinear(2)], r"module 0 \(LazyLinear\): expected weights: call a lazy module"),
        ([nn.Linear(2, 2, device="meta")], r"module 0 \(Linear\): .*got the device meta"),
        ([L, nn.Linear(3, 2)], r"module 1 \(Linear\): expected 2 inputs, .*, got 3"),
        # Wrong layers with as many weights as right ones of their outputs have.
        ([L, nn.Linear(3, 2), nn.Linear(1, 2)], r"module 1 \(Linear\): expected 2 inputs"),
        ([nn.ReLU(), L], r"module 0 \(ReLU\): expected one activation after each Linear"),
        ([L, nn.ReLU(), nn.Tanh()], r"module 2 \(Tanh\): expected one activation"),
        ([L, nn.Softmax(1), L], r"module 2 \(Linear\): expected nothing after the Softmax"),
        ([L, nn.Softmax(0)], r"expected Softmax\(dim=1\)"),
        ([L, nn.GELU(approximate="tanh"), L], r"expected GELU\(approximate='none'\)"),
        ([L, nn.Softplus(beta=2), L], "expected Softplus with beta=1"),
        ([L, nn.Softplus(threshold=3), L], "expected Softplus with beta=1"),
        ([nn.Dropout(0.5), L], "expected no Dropout of the inputs"),
        ([L, nn.Dropout(0.5)], "expected no Dropout of the outputs"),
        ([L, nn.Dropout(0.5), nn.Dropout(0.5), L], "expected one Dropout after a layer"),
        ([L, nn.Dropout(0.5), nn.Tanh(), L], "expected Dropout after the activation"),
        ([L, nn.Dropout(1.0), L], "expected a rate below 1"),
        ([L, nn.Flatten()], "expected Flatten before the first Linear"),
        ([nn.Flatten(0), L], r"expected Flatten\(1, -1\)"),
        ([L, nn.LeakyReLU(-0.5), L], r"module 1 .*a negative_slope of at least 0, got -0\.5"),
        ([L, nn.ELU(-0.5), L], r"module 1 .*an alpha of at least 0, got -0\.5"),
        ([nn.Linear(2, 2, dtype=torch.bfloat16)], r"float32 or in float64, got \['bfloat16'\]"),
        ([L, nn.Linear(2, 2).double()], r"got \['float32', 'float64'\]"),
    ],
)
def test_other_modules_are_refused_by_name(modules: list[Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        em.torch.from_torch(nn.Sequential(*modules))


def test_bad_arguments() -> None:
    for model in (L, [L], Odd(L)):
        with pytest.raises(TypeError, match=r"expected a torch\.nn\.Sequential, got"):
            em.torch.from_torch(model)
    with pytest.raises(ValueError, match=r"loss: expected one of .*'focal'"):
        em.torch.from_torch(nn.Sequential(L), loss="focal")
    with pytest.raises(
        TypeError, match=r"to_torch: expected an MLP or an estimator of .*, got Linear"
    ):
        em.torch.to_torch(L)
    with pytest.raises(ValueError, match=r"module itself \(Sequential\): .*without hooks"):
        em.torch.from_torch(hooked(nn.Sequential(L)))
    with torch.no_grad():
        bad = nn.Linear(2, 2)
        bad.weight[0, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        em.torch.from_torch(nn.Sequential(bad))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dynamo", [False, True])
def test_by_way_of_onnx(dynamo: bool, tmp_path: Path) -> None:
    """What PyTorch's exporters write of a model, weights in a file of their own too."""
    pytest.importorskip("onnx")
    if dynamo:
        pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(30, 64), nn.GELU(), nn.Linear(64, 3)).eval()
    path = tmp_path / "model.onnx"
    torch.onnx.export(model, (torch.zeros(2, 30),), path, dynamo=dynamo, verbose=False)
    net = em.onnx.load(path)
    X = np.random.default_rng(0).normal(0, 1, (9, 30)).astype(np.float32)
    close(net.forward(X), outputs(model, X))
    np.testing.assert_array_equal(net.parameters, em.torch.from_torch(model).parameters)
