"""Files of other versions: older ones load, newer ones and what is missing are refused by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._files import model as model_file
from support.saved_networks import backends, make

pytestmark = pytest.mark.quick


def test_a_file_of_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(model_file, "FORMAT", "99")
        make().save(tmp_path / "file")
    with pytest.raises(ValueError, match="format 1, 2, 3 or 4, got '99'"):
        em.MLP.load(tmp_path / "file")


OLD_FILES = Path(__file__).parent / "data"  # written by the versions themselves, on the twin


@backends
def test_files_of_format_1(backend: str, tmp_path: Path) -> None:
    """A trainer after two epochs, and its network after a third: what is done here once more."""
    inputs, labels = np.sin(np.arange(40.0)).reshape(10, 4), np.arange(10) % 2
    trainer = em.Trainer.load(OLD_FILES / "format_1_trainer.safetensors", backend=backend)
    assert trainer.optimizer == em.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01)
    assert (trainer.steps, trainer.epochs, trainer.batch_size) == (6, 2, 4)
    assert (trainer.accumulate, trainer.net.config["dropout"]) == (1, [0.0])
    trainer.save(tmp_path / "file")
    again = em.Trainer.load(tmp_path / "file", backend=backend)
    after = em.MLP.load(OLD_FILES / "format_1_network.safetensors", backend=backend)
    # 3 steps of some 50 operations on numbers of about 1
    rounding = 3 * 50 * np.finfo(float).eps
    for one in (trainer, again):
        one.run(inputs, labels, 1)
        assert np.abs(one.net.parameters - after.parameters).max() < rounding


@backends
def test_files_of_format_2(backend: str, tmp_path: Path) -> None:
    """A trainer between two batches of an update, and its network after one more epoch."""
    inputs, labels = np.sin(np.arange(40.0)).reshape(10, 4), np.arange(10) % 2
    trainer = em.Trainer.load(OLD_FILES / "format_2_trainer.safetensors", backend=backend)
    lr = em.schedules.WarmUp(3, em.schedules.Step(0.1, every=2))
    assert trainer.optimizer == em.SGD(lr, momentum=0.9)
    assert (trainer.steps, trainer.epochs, trainer.accumulate) == (4, 2, 2)
    assert trainer.net.config["dropout"] == [0.25]
    trainer.save(tmp_path / "file")
    again = em.Trainer.load(tmp_path / "file", backend=backend)
    after = em.MLP.load(OLD_FILES / "format_2_network.safetensors", backend=backend)
    rounding = 3 * 50 * np.finfo(float).eps  # as above
    for one in (trainer, again):
        one.run(inputs, labels, 1)
        assert np.abs(one.net.parameters - after.parameters).max() < rounding


@backends
def test_files_of_format_3(backend: str, tmp_path: Path) -> None:
    """A trainer after two epochs, and its network after a third; inputs have one factor."""
    inputs, labels = np.sin(np.arange(40.0)).reshape(10, 4), np.arange(10) % 2
    trainer = em.Trainer.load(OLD_FILES / "format_3_trainer.safetensors", backend=backend)
    assert (trainer.steps, trainer.epochs) == (6, 2)
    config = trainer.net.config
    assert (config["input_scale"], config["input_shift"], config["standardize"]) == (
        0.5,
        0.0,
        False,
    )
    trainer.save(tmp_path / "file")
    again = em.Trainer.load(tmp_path / "file", backend=backend)
    after = em.MLP.load(OLD_FILES / "format_3_network.safetensors", backend=backend)
    for one in (trainer, again):
        one.run(inputs, labels, 1)
        # Adam may turn the rounding of a small gradient around, in 3 updates
        assert np.abs(one.net.parameters - after.parameters).max() < 1e-9


@pytest.mark.parametrize("which", ["config", "settings"])
def test_settings_of_a_newer_version(which: str, tmp_path: Path, monkeypatch: Any) -> None:
    """What is not understood is not left out silently."""
    em.Trainer(make(), em.SGD(0.1)).save(tmp_path / "file")
    config, arrays, settings = model_file.read_model(tmp_path / "file")
    assert settings is not None
    changed = config if which == "config" else settings
    monkeypatch.setattr(model_file, "_CONFIG_KEYS", {*config, "gravity"})  # also written then
    changed["gravity"] = 9.8
    model_file.write_model(tmp_path / "file", config, arrays, settings)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"no other settings .* got \['gravity'\]"):
        em.Trainer.load(tmp_path / "file")


@pytest.mark.parametrize("name", ["input_scale", "accumulate"])
def test_settings_that_are_missing(name: str, tmp_path: Path) -> None:
    em.Trainer(make(), em.SGD(0.1)).save(tmp_path / "file")
    config, arrays, settings = model_file.read_model(tmp_path / "file")
    assert settings is not None
    (config if name in config else settings).pop(name)
    model_file.write_model(tmp_path / "file", config, arrays, settings)
    with pytest.raises(ValueError, match=rf"got no \['{name}'\]"):
        em.Trainer.load(tmp_path / "file")
