"""Activations and losses as users choose them: names, objects and text forms."""

import pickle
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ACTIVATIONS, make_data, make_net

import eigenmlp as em
from eigenmlp._backend import BACKENDS, OUTPUT_ACTIVATIONS
from eigenmlp._described import described
from eigenmlp.reference import activation as twin

NAN, INF = float("nan"), float("inf")


def test_every_table_has_the_same_activations() -> None:
    """The core, the twin and the descriptions, with the same parameters and defaults."""
    kinds = em.activations.ACTIVATIONS
    assert list(kinds) == list(OUTPUT_ACTIVATIONS)
    assert list(kinds) == [*twin.ACTIVATIONS, *twin.ROW_ACTIVATIONS]
    for name, activation in twin.ACTIVATIONS.items():
        assert {field.name: field.default for field in fields(kinds[name])} == activation.parameters
        assert kinds[name].name == name


@pytest.mark.parametrize("text", ACTIVATIONS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_names_objects_and_texts_are_the_same(text: str, backend: str, tmp_path: Path) -> None:
    chosen = described(text, em.activations.ACTIVATIONS, "activation")
    assert chosen.text == text
    assert pickle.loads(pickle.dumps(chosen)) == chosen
    options: dict[str, Any] = {"loss": "squared_error", "backend": backend}
    net = make_net([3, 9, 2], activation=text, output_activation=text, **options)
    same = make_net([3, 9, 2], activation=[chosen], output_activation=chosen, **options)
    X, _ = make_data([3, 9, 2], "squared_error", 5)
    assert net.config == same.config
    assert net.config["activation"] == [text] and net.config["output_activation"] == text
    net.save(tmp_path / "net")
    loaded = em.MLP.load(tmp_path / "net", backend=backend)
    assert loaded.config == net.config
    for other in (same, loaded, pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(other.forward(X), net.forward(X))


@pytest.mark.parametrize("backend", BACKENDS)
def test_parameters_reach_the_function(backend: str) -> None:
    """Of its layer alone, and by their definitions."""
    net = em.MLP(
        [1, 1, 1, 1],
        activation=[em.activations.Sigmoid(slope=3), "leaky_relu(negative_slope=0.25)"],
        output_activation=em.activations.Elu(alpha=0.5),
        loss="squared_error",
        dtype="float64",
        backend=backend,
    )
    net.parameters = [1.0, 0.0, -2.0, 0.0, 4.0, 0.0]
    h = 1 / (1 + np.exp(-3 * 0.7))
    expected = 0.5 * np.expm1(4 * 0.25 * -2 * h)
    np.testing.assert_allclose(net.forward([[0.7]]), [[expected]], rtol=1e-14)
    assert net.config["activation"] == ["sigmoid(slope=3.0)", "leaky_relu(negative_slope=0.25)"]


def test_a_class_means_its_defaults() -> None:
    net = em.MLP([1, 2, 1], activation=em.activations.Tanh, loss="squared_error")  # type: ignore[arg-type]
    assert net.config["activation"] == ["tanh"]


def test_descriptions_are_frozen_and_checked() -> None:
    sigmoid = em.activations.Sigmoid(2)
    assert isinstance(sigmoid.slope, float)
    with pytest.raises(FrozenInstanceError):
        sigmoid.slope = 3.0  # type: ignore[misc]
    for bad in (0, -1, NAN, INF):
        with pytest.raises(ValueError, match=f"Sigmoid: slope: expected.*got {bad}"):
            em.activations.Sigmoid(slope=bad)
    for worse in ("1", None, True, [1.0]):
        with pytest.raises(TypeError, match="Elu: alpha: expected a number, got"):
            em.activations.Elu(alpha=worse)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"negative_slope.*at least 0, got -0\.1"):
        em.activations.LeakyRelu(-0.1)
