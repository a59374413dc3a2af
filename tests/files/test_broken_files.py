"""A model file that is not whole is refused."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._files import model as model_file
from support.saved_networks import X, Y, make


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


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for kind in (em.MLP, em.Trainer):
        with pytest.raises(FileNotFoundError):
            kind.load(tmp_path / "nothing")
        with pytest.raises(IsADirectoryError):
            kind.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        make().save(tmp_path / "no folder" / "file")
