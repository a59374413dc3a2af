"""The sample in a model file, whose outputs must come out again when it is loaded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from eigenmlp._files import model as model_file
from support.names import DTYPES
from support.saved_networks import NETWORKS, backends, make


def with_sample(path: Path, change: Callable[[Any], None]) -> None:
    """Change a file's outputs, with the right checksum."""
    config, arrays, settings = model_file.read_model(path)
    change(arrays["sample.Y"])
    model_file.write_model(path, config, arrays, settings)


@backends
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_sample_is_replayed(name: str, dtype: str, backend: str, tmp_path: Path) -> None:
    """Either backend gives what the other saved; a hundredth more is refused."""
    make(dtype, backend=backend, **NETWORKS[name]).save(tmp_path / "net")
    for other in BACKENDS:
        em.MLP.load(tmp_path / "net", backend=other)

    def change(Y: Any) -> None:
        Y[1, 0] += max(1, abs(Y[1, 0])) / 100

    with_sample(tmp_path / "net", change)
    for other in BACKENDS:
        with pytest.raises(ValueError, match="the stored sample: expected output"):
            em.MLP.load(tmp_path / "net", backend=other)


@pytest.mark.filterwarnings('ignore:compute_dtype="bfloat16"')
@pytest.mark.parametrize(
    "options",
    [
        {"compute_dtype": "bfloat16", "layer_sizes": [50, 70, 30, 3], "activation": "gelu"},
        {"dropout": 0.5},
        {"loss": "segment_cross_entropy", "layer_sizes": [5, 7, 1]},
        {"input_scale": 0.0},
        {"input_scale": -1e30},
    ],
    ids=str,
)
def test_samples_of_other_networks(options: dict[str, Any], tmp_path: Path) -> None:
    for backend in BACKENDS:
        make(backend=backend, **options).save(tmp_path / "net")
        for other in BACKENDS:
            em.MLP.load(tmp_path / "net", backend=other)

        def change(Y: Any) -> None:
            Y[1, 0] = np.nan

        with_sample(tmp_path / "net", change)
        if options.get("input_scale") != -1e30:  # of which rounding leaves nothing certain
            with pytest.raises(ValueError, match="the stored sample"):
                em.MLP.load(tmp_path / "net")


def test_another_activation_does_not_give_the_outputs(tmp_path: Path) -> None:
    make(activation="tanh").save(tmp_path / "net")
    config, arrays, _ = model_file.read_model(tmp_path / "net")
    model_file.write_model(tmp_path / "net", {**config, "activation": ["sigmoid"]}, arrays)
    with pytest.raises(ValueError, match="the stored sample: expected output"):
        em.MLP.load(tmp_path / "net")


def test_a_sample_is_needed(tmp_path: Path) -> None:
    make().save(tmp_path / "net")
    config, arrays, _ = model_file.read_model(tmp_path / "net")
    del arrays["sample.Y"]
    model_file.write_model(tmp_path / "net", config, arrays)
    with pytest.raises(ValueError, match=r"expected sample\.Y .* got nothing"):
        em.MLP.load(tmp_path / "net")


def test_the_sample_is_small_and_draws_nothing(tmp_path: Path) -> None:
    """A byte for each input and row; and the network's generator stays where it was."""
    net = make(layer_sizes=[784, 128, 10])
    before = net._rng.bit_generator.state
    net.save(tmp_path / "net")
    assert net._rng.bit_generator.state == before
    size = (tmp_path / "net").stat().st_size
    assert size - 4 * net.parameter_count < 2 * (784 + 4 * 10) + 1500
    assert size < 1.01 * 4 * net.parameter_count
