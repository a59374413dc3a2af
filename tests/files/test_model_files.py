"""Model files: the same bits come back."""

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from support.names import DTYPES
from support.saved_networks import NETWORKS, X, Y, assert_equal, backends, make

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NETWORKS)
def test_save_and_load(name: str, dtype: str, tmp_path: Path) -> None:
    net = make(dtype, **NETWORKS[name])
    for path in (tmp_path / "a.safetensors", str(tmp_path / "b")):
        net.save(path)
        again = em.MLP.load(path)
        assert_equal(net, again)
        if not callable(net.config["init"]):
            assert again.config["init"] == net.config["init"]
        again.save(tmp_path / "c")
        third = em.MLP.load(tmp_path / "c")
        assert_equal(third, net)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.safetensors", "b", "c"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NETWORKS)
def test_pickles_and_copies(name: str, dtype: str) -> None:
    net = make(dtype, **NETWORKS[name])
    for other in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net), copy.copy(net)):
        assert_equal(net, other)
        other.parameters = 0 * other.parameters
        assert net.parameters.any()  # the copy has parameters of its own


@backends
def test_a_copy_trains_as_the_original_would(backend: str) -> None:
    net = make(backend=backend)
    other = pickle.loads(pickle.dumps(net))
    for one in (net, other):
        one.fit(X, Y, epochs=3, batch_size=4)  # shuffled by the network's own generator
    assert_equal(net, other)


@backends
def test_load_on_either_backend(backend: str, tmp_path: Path) -> None:
    net = make(backend=backend)
    net.save(tmp_path / "net")
    for name in BACKENDS:
        other = em.MLP.load(tmp_path / "net", backend=name)
        assert other.config["backend"] == name
        assert other.parameters.tobytes() == net.parameters.tobytes()
    with pytest.raises(ValueError, match="backend: expected one of"):
        em.MLP.load(tmp_path / "net", backend="gpu")


def test_the_file_is_safetensors_with_the_architecture(tmp_path: Path) -> None:
    net = make(activation="tanh")
    net.save(tmp_path / "net")
    with safe_open(tmp_path / "net", "numpy") as file:
        assert set(file.keys()) == {"W0", "b0", "W1", "b1", "sample.X", "sample.Y"}
        np.testing.assert_array_equal(file.get_tensor("W1"), net.weights[1])
        assert "tanh" in file.metadata()["config"]


def test_values_at_the_ends_of_the_range(tmp_path: Path) -> None:
    for dtype in DTYPES:
        net = make(dtype)
        info = np.finfo(dtype)
        values = np.array([info.max, -info.max, info.tiny, info.smallest_subnormal, -0.0], dtype)
        net.parameters = np.resize(values, net.parameter_count)
        net.save(tmp_path / "net")
        assert em.MLP.load(tmp_path / "net").parameters.tobytes() == net.parameters.tobytes()


# ---- saves that fail


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_bytes_are_those_of_safetensors(dtype: str, tmp_path: Path) -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    make(dtype).save(tmp_path / "net")
    with safe_open(tmp_path / "net", "numpy") as file:
        metadata = file.metadata()
    arrays = numpy.load_file(tmp_path / "net")
    ours, theirs = (tmp_path / "net").read_bytes(), numpy.save(arrays, metadata)
    start = 8 + int.from_bytes(ours[:8], "little")
    assert ours[start:] == theirs[start:] and ours[:8] == theirs[:8]
    headers = (json.loads(text[8:start]) for text in (ours, theirs))
    assert next(headers) == next(headers)
