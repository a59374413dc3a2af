"""PyTorch's tensors, and those of other libraries, in place of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from support.names import LOSS_NAMES
from support.problems import make_data, make_targets

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
torch.set_num_threads(1)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_tensors_are_read_where_they_lie(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backend gets arrays at the tensors' own addresses."""
    X = torch.randint(0, 9, (30, 4)).to(getattr(torch, dtype))
    seen: list[int] = []
    net = em.MLP([4, 3], dtype="float64" if dtype == "float64" else "float32", backend="numpy")
    original = type(net._network).forward_pass

    def forward_pass(self: Any, rows: Any, *rest: Any) -> Any:
        seen.append(rows.__array_interface__["data"][0])
        return original(self, rows, *rest)

    monkeypatch.setattr(type(net._network), "forward_pass", forward_pass)
    labels = torch.randint(0, 3, (30,))
    net.forward(X)
    net.loss(X, labels)
    net.loss_and_gradient(X, labels)
    em.Trainer(net, em.SGD(0.1)).step(X, labels)
    assert len(seen) >= 4 and set(seen) == {X.data_ptr()}
    rows, T, _ = net._data(X, labels, None)
    assert T.__array_interface__["data"][0] == labels.data_ptr()
    assert rows.dtype == np.dtype(dtype) and not rows.flags.owndata


@pytest.mark.parametrize("backend", ["native", "numpy"])
@pytest.mark.parametrize("loss", [x for x in LOSS_NAMES if x != "segment_cross_entropy"])
def test_tensors_train_as_arrays_do(loss: str, backend: str) -> None:
    """fit, steps, batches of a DataLoader, validation, sample weights: the same bits."""
    X, _ = make_data([4, 5, 3], loss, 24, "float32")
    y = make_targets(loss, 24, 3)
    y = y if y.dtype.kind == "i" else y.astype(np.float32)
    w = np.random.default_rng(1).uniform(0, 2, 24)
    tensors = [torch.from_numpy(a) for a in (X, y, w)]

    def run(X: Any, y: Any, w: Any) -> Any:
        net = em.MLP([4, 5, 3], loss=loss, seed=0, backend=backend)
        net.fit(X, y, epochs=2, batch_size=7, sample_weight=w, validation=(X, y), seed=1)
        trainer = em.Trainer(net, em.SGD(0.1))
        trainer.step(X[::2], y[::2])
        net.fit([(X[:9], y[:9]), (X[9:], y[9:])], epochs=1)
        return net.parameters.tobytes(), net.predict(X).tobytes(), net.evaluate(X, y)

    assert run(*tensors) == run(X, y, w)
    data = torch.utils.data.TensorDataset(*tensors[:2])
    net = em.MLP([4, 5, 3], loss=loss, seed=0, backend=backend)
    history = net.fit(torch.utils.data.DataLoader(data, batch_size=10), epochs=2)
    assert len(history.loss) == 2


@pytest.mark.parametrize("backend", ["native", "numpy"])
def test_out(backend: str) -> None:
    net = em.MLP([4, 3], backend=backend)
    X, Y = torch.randn(5, 4), torch.zeros(5, 3)
    assert net.forward(X, out=Y) is Y
    np.testing.assert_array_equal(Y.numpy(), net.forward(X.numpy()))
    for bad in (torch.zeros(5, 2), torch.zeros(5, 3).double(), torch.zeros(3, 5).T):
        with pytest.raises(ValueError, match=r"out: expected a writable, aligned C-order array"):
            net.forward(X, out=bad)


@pytest.mark.parametrize(
    ("tensor", "match"),
    [
        (torch.zeros(2, 4, requires_grad=True), r"X: .*without requires_grad.*X\.detach\(\)"),
        (torch.zeros(2, 4, dtype=torch.bfloat16), r"X: .*got Tensor of torch\.bfloat16"),
        (torch.zeros(2, 4, device="meta"), r"X: .*got .*meta"),
        (torch.zeros(2, 4).to_sparse(), "X: "),
        (torch.zeros(2, 4, dtype=torch.complex64), "X: expected numbers, got an array of complex"),
    ],
)
def test_tensors_that_are_refused(tensor: Any, match: str) -> None:
    net = em.MLP([4, 3])
    for call in (net.forward, net.predict, lambda X: net.loss(X, [0, 1])):
        with pytest.raises(TypeError, match=match):
            call(tensor)


def test_targets_and_outputs_that_are_refused() -> None:
    net, X = em.MLP([4, 3], loss="squared_error"), torch.zeros(2, 4)
    with pytest.raises(TypeError, match=r"y: .*y\.detach\(\)"):
        net.loss(X, torch.zeros(2, 3, requires_grad=True))
    with pytest.raises(TypeError, match=r"out: .*out\.detach\(\)"):
        net.forward(X, out=torch.zeros(2, 3, requires_grad=True))


def test_lists_of_tensors() -> None:
    net, row = em.MLP([4, 3]), torch.ones(4)
    np.testing.assert_array_equal(net.forward([row, row]), net.forward(torch.ones(2, 4)))
    with pytest.raises(TypeError, match="X: expected an array, got a list that NumPy cannot read"):
        net.forward([row, torch.ones(4, requires_grad=True)])


class OnGpu:
    """What a tensor in a GPU's memory looks like to the DLPack protocol."""

    device = "cuda:0"

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0

    def __dlpack__(self, **_: Any) -> Any:
        raise AssertionError("asked for memory of a GPU")


def test_another_device() -> None:
    with pytest.raises(TypeError, match=r"X: expected .*processor's memory.*cuda:0: use X\.cpu"):
        em.MLP([4, 3]).forward(OnGpu())  # type: ignore[arg-type]


class Exchanged:
    """An array of another library that has DLPack and nothing else."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)


def test_dlpack_alone() -> None:
    X = np.random.default_rng(0).normal(0, 1, (5, 4)).astype(np.float32)
    net = em.MLP([4, 3])
    np.testing.assert_array_equal(net.forward(Exchanged(X)), net.forward(X))  # type: ignore[arg-type]
