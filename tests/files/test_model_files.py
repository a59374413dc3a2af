"""Model files: the same bits come back, and a file that is not whole is refused."""

import copy
import json
import os
import pickle
import random
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS
from eigenmlp._files import model as model_file
from eigenmlp.optimizers import OPTIMIZERS, Optimizer
from support.names import ACTIVATIONS, DTYPES, LOSS_OUTPUTS
from support.problems import make_data, make_net

backends = pytest.mark.parametrize("backend", BACKENDS)
X, Y = make_data([5, 3], "softmax_cross_entropy", 22, "float32")


@pytest.fixture(autouse=True)
def without_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand saves need not reach the disk: that may take minutes where it is busy."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def small_init(rng: np.random.Generator, D: int, K: int) -> tuple[Any, Any]:
    return rng.normal(0, 0.1, (D, K)), np.full(K, 0.5)


NETWORKS: dict[str, dict[str, Any]] = {
    "plain": {},
    "no bias": {"bias": False},
    "no hidden layer": {"layer_sizes": [5, 3]},
    "one of each": {"layer_sizes": [5, 1, 3]},
    "deep": {
        "layer_sizes": [5, *range(8, 8 + len(ACTIVATIONS)), 3],
        "activation": list(ACTIVATIONS),
    },
    "scaled": {"input_scale": 1 / 255},
    "named init": {"init": "glorot_normal"},
    "custom init": {"init": small_init},
    "tuples and NumPy's ints": {"layer_sizes": (5, np.int64(4), 3), "activation": ("tanh",)},
}
NETWORKS |= {
    f"{loss} {output}": {"loss": loss, "output_activation": output} for loss, output in LOSS_OUTPUTS
}


def make(dtype: str = "float32", **options: Any) -> em.MLP:
    options = {"layer_sizes": [5, 7, 3], **options}
    return make_net(options.pop("layer_sizes"), dtype=dtype, **options)


def assert_equal(a: em.MLP, b: em.MLP) -> None:
    assert a.parameters.tobytes() == b.parameters.tobytes()
    assert a.parameters.dtype == b.parameters.dtype
    assert a.forward(X).tobytes() == b.forward(X).tobytes()
    first, second = ({**net.config, "init": ""} for net in (a, b))
    assert first == second


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


# ---- trainers

GENERATORS: dict[str, Callable[[], Any]] = {
    "int": lambda: 7,
    "None": lambda: None,
    **{
        name: lambda name=name: np.random.Generator(getattr(np.random, name)(5))
        for name in ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")
    },
}
EVERY_OPTIMIZER = [
    *(kind(0.01) for kind in OPTIMIZERS.values()),
    em.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    em.Adam(0.01, betas=(0.5, 0.9)),
    em.RMSprop(0.01, momentum=0.9, centered=True),
    em.SGD(0.05, momentum=0.9, clip_norm=0.5, l1=1e-3, max_norm=1.5),
]


@backends
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", EVERY_OPTIMIZER, ids=str)
@pytest.mark.parametrize("generator", GENERATORS)
def test_a_resumed_run_has_the_same_bits(
    generator: str, optimizer: Optimizer, dtype: str, backend: str, tmp_path: Path
) -> None:
    def start() -> em.Trainer:
        return em.Trainer(
            make(dtype, backend=backend), optimizer, batch_size=4, seed=GENERATORS[generator]()
        )

    whole = start()
    expected = whole.run(X, Y, 6)
    trainer, losses = start(), []
    for epochs in (1, 3, 2):
        losses += trainer.run(X, Y, epochs).loss
        trainer.save(tmp_path / "run")
        trainer = em.Trainer.load(tmp_path / "run", backend=backend)
    assert losses == expected.loss
    assert trainer.net.parameters.tobytes() == whole.net.parameters.tobytes()
    for name in whole._trainer.state_names:
        states = [t._trainer.get_state(name).tobytes() for t in (trainer, whole)]
        assert states[0] == states[1]
    assert (trainer.steps, trainer.epochs) == (whole.steps, whole.epochs) == (36, 6)
    assert trainer.optimizer == optimizer and trainer.batch_size == 4
    # And so it goes on, step by step and with the network's own generator.
    assert trainer.step(X[:5], Y[:5]) == whole.step(X[:5], Y[:5])
    assert trainer.run(X, Y, 1).loss == whole.run(X, Y, 1).loss


@backends
@pytest.mark.parametrize("again", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copied_trainer_goes_on_with_the_same_bits(again: Any, backend: str) -> None:
    net = em.MLP([5, 4, 3], dropout=0.3, seed=0, backend=backend)
    rate = em.schedules.ReduceOnPlateau(0.05, factor=0.5, patience=0, threshold=0.9)
    whole = em.Trainer(net, em.Adam(rate, clip_norm=1.0), batch_size=4, seed=1, accumulate=2)
    whole.run(X, Y, 2)
    whole.step(X[:3], Y[:3])  # gathered, not yet an update
    copied = again(whole)
    assert copied.net is not net and copied.lr == whole.lr
    assert copied._trainer.get_progress() == whole._trainer.get_progress()
    assert copied.step(X[:5], Y[:5]) == whole.step(X[:5], Y[:5])
    assert copied.run(X, Y, 2).loss == whole.run(X, Y, 2).loss
    assert_equal(copied.net, net)
    assert (copied.steps, copied.epochs) == (whole.steps, whole.epochs)


@backends
def test_a_resumed_run_with_a_function_for_lr(backend: str, tmp_path: Path) -> None:
    optimizer = em.SGD(lambda step: 0.2 / (1 + step), momentum=0.5)
    trainer = em.Trainer(make(backend=backend), optimizer, batch_size=4, seed=1)
    whole = em.Trainer(make(backend=backend), optimizer, batch_size=4, seed=1)
    whole.run(X, Y, 4)
    trainer.run(X, Y, 2)
    trainer.save(tmp_path / "run")
    with pytest.raises(ValueError, match="learning rate was a function"):
        em.Trainer.load(tmp_path / "run")
    with pytest.raises(ValueError, match="optimizer="):
        em.Trainer.load(tmp_path / "run")
    again = em.Trainer.load(tmp_path / "run", optimizer=optimizer, backend=backend)
    again.run(X, Y, 2)
    assert again.net.parameters.tobytes() == whole.net.parameters.tobytes()


def test_another_optimizer_may_replace_the_saved_one(tmp_path: Path) -> None:
    trainer = em.Trainer(make(), em.SGD(0.1, momentum=0.9), batch_size=4, seed=1)
    trainer.run(X, Y, 1)
    trainer.save(tmp_path / "run")
    again = em.Trainer.load(tmp_path / "run", optimizer=em.SGD(0.01))
    assert again.optimizer == em.SGD(0.01) and again.steps == trainer.steps
    assert np.isfinite(again.run(X, Y, 1).loss).all()
    assert_equal(em.MLP.load(tmp_path / "run"), trainer.net)


# ---- files that are not whole


@pytest.fixture(params=["MLP", "Trainer"])
def saved(request: Any, tmp_path: Path) -> tuple[bytes, Callable[[bytes], Any], Any]:
    """A file's content, what reads such content, and what is in it."""
    net = make(layer_sizes=[5, 3, 3])
    trainer = em.Trainer(net, em.SGD(0.1, momentum=0.9), batch_size=4, seed=1)
    trainer.run(X, Y, 2)
    (net if request.param == "MLP" else trainer).save(tmp_path / "file")
    kind = getattr(em, request.param)

    def read(content: bytes) -> Any:
        with open(tmp_path / "file", "r+b") as file:  # emptied first, it would wait for the disk
            file.write(content)
            file.truncate()
        return kind.load(tmp_path / "file")

    return (tmp_path / "file").read_bytes(), read, net if request.param == "MLP" else trainer


def is_equal(loaded: Any, original: Any) -> bool:
    net, first = (getattr(x, "net", x) for x in (loaded, original))
    same: bool = net.parameters.tobytes() == first.parameters.tobytes()
    return same and net.config == first.config


def test_truncated(saved: Any) -> None:
    content, read, _ = saved
    lengths = {*range(64), *range(0, len(content), 7), *range(len(content) - 16, len(content))}
    for length in sorted(lengths):
        with pytest.raises(ValueError, match="model file"):
            read(content[:length])
    for more in (b"\0", b" ", b"more", content):
        with pytest.raises(ValueError, match="model file"):
            read(content + more)


def test_altered(saved: Any) -> None:
    content, read, original = saved
    rng = random.Random(0)
    header = 8 + int.from_bytes(content[:8], "little")
    places = {*range(16), *range(header - 24, header + 8), *range(0, len(content), 5)}
    refused = 0
    for place in sorted(places):
        for value in {content[place] ^ (1 << rng.randrange(8)), rng.randrange(256), 0x20, 0x22}:
            altered = bytearray(content)
            altered[place] = value
            try:
                loaded = read(bytes(altered))
            except ValueError:
                refused += 1
            else:  # the same byte, or a space for a space
                assert is_equal(loaded, original), f"byte {place}: {content[place]} to {value}"
    assert refused > 3 * len(places) // 2


def test_altered_in_many_places(saved: Any) -> None:
    content, read, _ = saved
    rng = random.Random(1)
    for _ in range(100):
        altered = bytearray(content)
        start = rng.randrange(len(content) - 8)
        altered[start : start + rng.randrange(2, 9)] = rng.randbytes(rng.randrange(9))
        with pytest.raises(ValueError, match=r"file"):
            read(bytes(altered))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a model",
        b"\xff" * 40,
        b"\x02\0\0\0\0\0\0\0{}",
        b"\x04\0\0\0\0\0\0\0null",
        b"\x02\0\0\0\0\0\0\0[]",
        b'\x13\0\0\0\0\0\0\0{"__metadata__":{}}',
        b"\xff\xff\xff\xff\xff\xff\xff\x7f{}",
        b"[" * 100_000,
        (100_000).to_bytes(8, "little") + b"[" * 100_000,
    ],
    ids=lambda content: repr(content[:12]),
)
def test_something_else(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    for kind in (em.MLP, em.Trainer):
        with pytest.raises(ValueError, match="expected"):
            kind.load(tmp_path / "file")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("layer_sizes", "abc"),
        ("layer_sizes", [5]),
        ("layer_sizes", [5, 2.5, 3]),
        ("layer_sizes", [5, 8, 3]),
        ("layer_sizes", [5, 10**7, 10**4]),
        ("activation", 3),
        ("loss", None),
        ("bias", "yes"),
        ("dtype", "float16"),
        ("input_scale", "1"),
        ("lr", "0.1"),
        ("lr", [1]),
        ("hyper", {}),
        ("hyper", None),
        ("hyper", {"momentum": "a", "nesterov": 0.0, "weight_decay": 0.0}),
        ("batch_size", 0),
        ("batch_size", "4"),
        ("progress", "many"),
        ("progress", [2, 0, 0]),
        ("progress", [2, 1, 4, 4.0]),
        ("progress", [-1, 0, 0, 0.0]),
        ("accumulate", 0),
        ("dropout_key", -1),
        ("dropout", [2.0]),
        ("limits", {"clip_norm": -1.0}),
        ("epochs", -1),
        ("optimizer", "Unknown"),
        ("generator", None),
        ("generator", {}),
        ("generator", {"bit_generator": "PCG64"}),
        ("generator", {"bit_generator": "PCG64", "state": {"state": "a", "inc": 1}}),
        ("generator", {"bit_generator": "MT19937", "state": {"key": {"array": [], "dtype": "x"}}}),
        ("generator", {"bit_generator": "RandomState"}),
    ],
    ids=str,
)
def test_altered_by_a_program(key: str, value: Any, tmp_path: Path) -> None:
    """The checksum is right, and what is written makes no sense."""
    trainer = em.Trainer(make(), em.SGD(0.1, momentum=0.9), batch_size=4, seed=1)
    trainer.save(tmp_path / "file")
    config, arrays, settings = model_file.read_model(tmp_path / "file")
    assert settings is not None
    changed = config if key in config else settings
    assert key in changed
    changed[key] = value
    model_file.write_model(tmp_path / "file", config, arrays, settings)
    with pytest.raises(ValueError, match="expected"):
        em.Trainer.load(tmp_path / "file")


def test_numbers_that_are_not_finite(tmp_path: Path) -> None:
    make().save(tmp_path / "file")
    config, arrays, _ = model_file.read_model(tmp_path / "file")
    arrays["W0"][0, 0] = np.nan
    model_file.write_model(tmp_path / "file", config, arrays)
    with pytest.raises(ValueError, match="finite"):
        em.MLP.load(tmp_path / "file")


def test_a_file_of_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(model_file, "FORMAT", "99")
        make().save(tmp_path / "file")
    with pytest.raises(ValueError, match="format 1, 2 or 3, got '99'"):
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


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for kind in (em.MLP, em.Trainer):
        with pytest.raises(FileNotFoundError):
            kind.load(tmp_path / "nothing")
        with pytest.raises(IsADirectoryError):
            kind.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        make().save(tmp_path / "no folder" / "file")


# ---- saves that fail


@pytest.mark.parametrize("where", ["write", "fsync", "replace"])
@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()], ids=repr)
def test_a_failing_save_leaves_the_old_file(
    where: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = make(), make(seed=5)
    old.save(tmp_path / "net")

    def fail(*args: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        if where == "write":
            patch.setattr(os, "fdopen", fail)
        else:
            patch.setattr(os, where, fail)
        with pytest.raises(type(error)):
            new.save(tmp_path / "net")
    assert [p.name for p in tmp_path.iterdir()] == ["net"]
    assert_equal(em.MLP.load(tmp_path / "net"), old)
    new.save(tmp_path / "net")
    assert_equal(em.MLP.load(tmp_path / "net"), new)


def test_permissions(tmp_path: Path) -> None:
    """A new file has the usual ones, and one that is written again keeps its own."""
    (tmp_path / "usual").touch()
    make().save(tmp_path / "net")
    assert (tmp_path / "net").stat().st_mode == (tmp_path / "usual").stat().st_mode
    (tmp_path / "net").chmod(0o600)
    make().save(tmp_path / "net")
    assert (tmp_path / "net").stat().st_mode & 0o777 == 0o600


def test_the_umask_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It belongs to all threads: set for a moment, it would open the files of the others."""

    def refuse(mask: int) -> int:
        raise AssertionError(f"umask({mask:o})")

    monkeypatch.setattr(os, "umask", refuse)
    make().save(tmp_path / "net")
    assert_equal(em.MLP.load(tmp_path / "net"), make())


@pytest.mark.skipif(os.name != "posix", reason="folders are not written through here")
def test_the_file_and_its_new_name_reach_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    replace = os.replace

    def note(handle: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")

    def rename(*paths: Any) -> None:
        done.append("rename")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "replace", rename)
    make().save(tmp_path / "net")
    assert done == ["file", "rename", "folder"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for target in (tmp_path / "folder" / "net", tmp_path / "not there yet"):
        link = tmp_path / f"to {target.name}"
        link.symlink_to(target)
        make().save(link)
        make(seed=5).save(link)
        assert link.is_symlink() and not target.is_symlink()
        assert_equal(em.MLP.load(target), make(seed=5))


def test_names_of_any_length_and_script(tmp_path: Path) -> None:
    for name in ("n" * 250, "Σ" * 120, "two words\n", ".hidden"):
        make().save(tmp_path / name)
        assert_equal(em.MLP.load(tmp_path / name), make())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="regular file"):
        make().save(tmp_path / "pipe")
    with pytest.raises(ValueError, match="regular file"):
        em.MLP.load(tmp_path / "pipe")


def test_a_full_disk(tmp_path: Path) -> None:
    """A limit on the size of files stands for it: the system refuses to write the rest."""
    resource = pytest.importorskip("resource")
    make().save(tmp_path / "net")
    large = make(layer_sizes=[5, 100, 100, 3])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OSError, match="large"):  # EFBIG
            large.save(tmp_path / "net")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [p.name for p in tmp_path.iterdir()] == ["net"]
    assert_equal(em.MLP.load(tmp_path / "net"), make())


@pytest.mark.parametrize("path", [0, 3, True, b"net", None])
def test_paths_are_no_descriptors(path: Any) -> None:
    """A number would be a file that is open already."""
    trainer = em.Trainer(make(), em.SGD(0.1))
    for call in (em.MLP.load, em.Trainer.load, make().save, trainer.save):
        with pytest.raises(TypeError, match=r"^path: expected a str or an os\.PathLike .*, got "):
            call(path)


@pytest.mark.parametrize("case", ["no folder", "a folder", "a file as folder", "full disk"])
def test_a_failing_save_names_its_target(case: str, tmp_path: Path) -> None:
    """Not the file beside it, nor nothing."""
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").touch()
    names = {"no folder": "not there/net", "a folder": "taken", "a file as folder": "file/net"}
    target = tmp_path / names.get(case, "net")
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    net = make(layer_sizes=[5, 100, 100, 3])
    if case == "full disk":
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        for save in (net.save, em.Trainer(net, em.SGD(0.1)).save):
            with pytest.raises(OSError, match=re.escape(str(target))) as caught:
                save(target)
            assert caught.value.filename == str(target) and ".eigenmlp-" not in str(caught.value)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "taken"]


WRITES_AND_WAITS = """
import os, sys, time
import eigenmlp as em
os.fsync = lambda handle: (print("writing", flush=True), time.sleep(600))
em.MLP([5, 7, 3], seed=0).save(sys.argv[1])
"""


@pytest.mark.skipif(os.name != "posix", reason="no SIGKILL here")
def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    """By the next save into that folder, and not before its owner is gone."""
    command = [sys.executable, "-c", WRITES_AND_WAITS, str(tmp_path / "net")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "writing\n"
        (left,) = tmp_path.iterdir()
        make(seed=5).save(tmp_path / "net")
        assert {*tmp_path.iterdir()} == {left, tmp_path / "net"}
        writer.kill()
    assert left.exists()
    make(seed=6).save(tmp_path / "net")
    assert [*tmp_path.iterdir()] == [tmp_path / "net"]
    assert_equal(em.MLP.load(tmp_path / "net"), make(seed=6))


SAVES = """
import sys, eigenmlp as em
net = em.MLP([5, 7, 3], seed=int(sys.argv[2]))
for _ in range(150):
    net.save(sys.argv[1])
"""


def test_processes_that_save_the_same_file(tmp_path: Path) -> None:
    """None takes another's file for abandoned, between its making and its renaming."""
    command = [sys.executable, "-c", SAVES, str(tmp_path / "net")]
    writers = [subprocess.Popen([*command, str(seed)]) for seed in range(3)]
    assert [writer.wait(timeout=200) for writer in writers] == [0, 0, 0]
    assert [*tmp_path.iterdir()] == [tmp_path / "net"]
    em.MLP.load(tmp_path / "net")


@pytest.mark.skipif(os.name != "posix", reason="no such locks here")
def test_a_file_that_was_taken_for_abandoned_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if another process had removed it before there was a lock on it."""
    fcntl = pytest.importorskip("fcntl")
    removed: list[Path] = []

    def lock(handle: int, how: int) -> None:
        if not removed:
            removed.extend(tmp_path.iterdir())
            removed[0].unlink()

    monkeypatch.setattr(fcntl, "flock", lock)
    make().save(tmp_path / "net")
    assert len(removed) == 1 and [*tmp_path.iterdir()] == [tmp_path / "net"]
    assert_equal(em.MLP.load(tmp_path / "net"), make())


WITHOUT_MEMORY = """
import resource, sys
import eigenmlp as em
net = em.MLP([1500, 2000, 1500], init="zeros")
pages = int(open("/proc/self/statm").read().split()[0])
for left in (1, 8, 24, 30, 40, 64):  # MiB; the parameters have 23
    limit = pages * resource.getpagesize() + (left << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    try:
        net.save(sys.argv[1])
        print("saved")
    except MemoryError:
        print("MemoryError")
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc here")
def test_a_save_without_memory(in_subprocess: Any, tmp_path: Path) -> None:
    """Says so, or writes: no other error, nor the end of the process."""
    net = em.MLP([1500, 2000, 1500], init="zeros")
    net.save(tmp_path / "net")
    before = (tmp_path / "net").read_bytes()
    done = in_subprocess(WITHOUT_MEMORY, str(tmp_path / "net"))
    said = done.stdout.split()
    assert len(said) == 6 and {*said} <= {"saved", "MemoryError"}, done.stderr
    assert said[0] == "MemoryError" and said[-1] == "saved"
    assert [*tmp_path.iterdir()] == [tmp_path / "net"]
    assert (tmp_path / "net").read_bytes() == before


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


def test_loading_while_it_is_replaced(tmp_path: Path) -> None:
    """Whoever reads gets one of the networks whole, never a bit of each."""
    nets = [make(layer_sizes=[5, width, 3], seed=width) for width in (7, 300)]
    nets[0].save(tmp_path / "net")
    done = threading.Event()

    def replace() -> None:
        while not done.is_set():
            for net in nets:
                net.save(tmp_path / "net")

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        for _ in range(200):
            loaded = em.MLP.load(tmp_path / "net")
            assert any(loaded.parameters.tobytes() == net.parameters.tobytes() for net in nets)
    finally:
        done.set()
        writer.join()


# ---- the stored sample


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
