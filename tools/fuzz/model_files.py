"""Files of networks and of training runs: safetensors with JSON texts in its header."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import eigenmlp as em
from eigenmlp._files import model as model_file

from .target import ANY, Target, Way

Header = dict[str, Any]

NUMBERS: list[Any] = [0, 1, -1, 2, 3, 5, 7, 2**31, 2**32, 2**53 + 1, 2**60, 2**63, 2**64, 2**128]
NUMBERS += [-(2**63), 10**39, 0.5, 3.0, -0.0, 1e-320, 1e308, -1e308, True, False, None]
TEXTS: list[Any] = ["", "W0", "relu", "tanh", "softmax", "F16", "F32", "F64", "U8", "I64"]
TEXTS += ["float32", "float64", "bfloat16", "squared_error", "zeros", "PCG64", "é\u2603", "\ud800"]
TEXTS += ["\0", "__import__('os')", "sigmoid(slope=2.0)", "sigmoid(slope=9**9**9)", "x" * 5000]
TEXTS += ["huber(delta=" + "-" * 5000 + "1)", "huber(delta=" + "1+" * 5000 + "1)"]
RAW = ["NaN", "Infinity", "-Infinity", "1e999", "1" * 5000, "-0", "1E2", "'a'", "", "[" * 5000]
RAW += ["[" * 10 + "]" * 10, "[" * 300 + "]" * 300, '{"a":' * 50 + "1" + "}" * 50, "\ufeff1", "nul"]
BIG: list[Callable[[], Any]] = [
    lambda: [2] * 10**6,
    lambda: [2**60, 2**60],
    lambda: [1, 2**60, 1],
    lambda: [2**31, 2**31],
    lambda: ["relu"] * 10**5,
    lambda: "9" * 10**6,
    lambda: "quantile(q=[" + "0.5," * 10**5 + "])",
    lambda: {str(i): i for i in range(10**5)},
]


def parts(content: bytes) -> tuple[Header, bytes]:
    """The header with its inner JSON texts parsed, and the data."""
    end = 8 + int.from_bytes(content[:8], "little")
    header: Header = json.loads(content[8:end])
    for name in ("config", "trainer"):
        if name in header["__metadata__"]:
            header["__metadata__"][name] = json.loads(header["__metadata__"][name])
    return header, content[end:]


def whole(header: Header, data: bytes, right: bool, edit: Callable[[str], str] = str) -> bytes:
    """The file of such parts, which this uses up; if `right`, with the checksum for them."""
    metadata = header.get("__metadata__")
    if isinstance(metadata, dict):
        for name in ("config", "trainer"):
            if name in metadata and not isinstance(metadata[name], str):
                metadata[name] = json.dumps(metadata[name])
        if right:
            metadata.pop("sha256", None)
            try:
                metadata["sha256"] = model_file._checksum(metadata, arrays(header, data))
            except (TypeError, ValueError, KeyError, AttributeError, IndexError, OverflowError):
                metadata["sha256"] = "0" * 64
    text = edit(json.dumps(header)).encode("utf-8", "surrogatepass")
    return len(text).to_bytes(8, "little") + text + data


def arrays(header: Header, data: bytes) -> dict[str, Any]:
    """The arrays as the header says, for a checksum; anything wrong is an error."""
    kinds = {"F32": "<f4", "F64": "<f8", "U8": "|u1"}
    return {
        name: np.frombuffer(data[slice(*entry["data_offsets"])], kinds[entry["dtype"]]).reshape(
            entry["shape"]
        )
        for name, entry in header.items()
        if name != "__metadata__"
    }


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) within."""
    found: list[tuple[Any, Any]] = []
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in keys:
        found.append((value, key))
        if isinstance(value[key], (dict, list)):
            found += places(value[key])
    return found


# ---- ways to alter a file


def length_changed(rng: random.Random, content: bytes) -> bytes:
    length = int.from_bytes(content[:8], "little")
    new = rng.choice([0, 1, 2, length - 1, length + 1, 2 * length, 2**31, 2**63, 2**64 - 1])
    return new.to_bytes(8, "little") + content[8:]


def value_changed(rng: random.Random, content: bytes) -> bytes:
    """Numbers, texts, lists and objects for one another, anywhere; keys gone or renamed."""
    header, data = parts(content)
    for _ in range(rng.choice([1, 1, 2])):
        container, key = rng.choice(places(header))
        old = container[key] if not isinstance(container, list) or key < len(container) else None
        way = rng.randrange(8)
        if way == 0 and isinstance(container, dict):
            container.pop(key, None)
        elif way == 1 and isinstance(container, dict):
            container[rng.choice(TEXTS)] = container.pop(key, None)
        elif way == 2:
            other, name = rng.choice(places(header))
            container[key] = copy.deepcopy(other[name])
        elif way == 3 and isinstance(old, (int, float)) and not isinstance(old, bool):
            container[key] = rng.choice([old + 1, old - 1, -old, float(old), str(old), [old]])
        elif way == 4 and isinstance(old, list):
            container[key] = rng.choice([old[1:], old * 2, old[::-1], [old], [*old, 1], tuple(old)])
        elif way == 5:
            container[key] = rng.choice(
                [{}, [], {"a": 1}, [[]], {"array": [1], "dtype": "S999999999"}]
            )
        else:
            container[key] = rng.choice(TEXTS if way == 6 else NUMBERS)
    return whole(header, data, rng.random() < 0.9)


def arrays_changed(rng: random.Random, content: bytes) -> bytes:
    """Offsets that overlap or leave holes, shapes and dtypes of another array; checksum right."""
    header, data = parts(content)
    names = [name for name in header if name != "__metadata__"]
    a, b = header[rng.choice(names)], header[rng.choice(names)]
    way = rng.randrange(6)
    if way == 0:
        a["data_offsets"], b["data_offsets"] = b["data_offsets"], a["data_offsets"]
    elif way == 1:
        shift = rng.choice([-8, -1, 1, 4, 8, 2**40])
        a["data_offsets"] = [x + shift for x in a["data_offsets"]]
    elif way == 2:
        a["shape"], b["shape"] = b["shape"], a["shape"]
    elif way == 3:
        a["shape"] = rng.choice([a["shape"][::-1], [*a["shape"], 1], [2**60, 2**60], [0], []])
    elif way == 4:
        a["dtype"] = rng.choice(["F16", "BF16", "F32", "F64", "U8", "I8", "I64", "BOOL", "f32"])
    else:
        name, other = rng.choice(names), rng.choice([*names, "W9", "b9", "x.W0", "sample.Z"])
        header[name], header[other] = header.get(other, header[name]), header[name]
    return whole(header, data, True)


def numbers_changed(rng: random.Random, content: bytes) -> bytes:
    """Bits of the arrays, with the right checksum: what is left is the sample, and finiteness."""
    header, data = parts(content)
    altered = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 10])):
        altered[rng.randrange(len(altered))] ^= 1 << rng.randrange(8)
    return whole(header, bytes(altered), True)


def text_changed(rng: random.Random, content: bytes) -> bytes:
    """What no writer of JSON would write: keys twice, NaN, deep nests, long numbers, spaces."""
    header, data = parts(content)
    inner = rng.choice(["header", *header["__metadata__"].keys()])

    def edit(text: str) -> str:
        starts = [i for i, c in enumerate(text) if c in ",:[{"]
        i = rng.choice(starts) + 1
        if rng.random() < 0.2:
            return text[:i] + rng.choice([" ", "\n", "\t  "]) + text[i:]
        if rng.random() < 0.4:
            j = min(k for k in (*(text.find(c, i) for c in ",}]"), len(text)) if k >= 0)
            return text[:i] + rng.choice([text[i:j] + "," + text[i:j], *RAW]) + text[j:]
        return text[:i] + rng.choice(RAW) + text[i:]

    if inner == "header":
        return whole(header, data, True, edit)
    value = header["__metadata__"][inner]
    text = value if isinstance(value, str) else json.dumps(value)
    header["__metadata__"][inner] = edit(text if "," in text else f"[{text}]")
    return whole(header, data, True)


def enormous(rng: random.Random, content: bytes) -> bytes:
    header, data = parts(content)
    container, key = rng.choice(places(header["__metadata__"]))
    container[key] = rng.choice(BIG)()
    return whole(header, data, True)


# How often each is chosen: an enormous file takes a hundred times as long to make as the others.
WAYS: dict[Way, int] = {
    **ANY,
    length_changed: 20,
    value_changed: 260,
    arrays_changed: 80,
    numbers_changed: 60,
    text_changed: 79,
    enormous: 1,
}


def networks(folder: Path) -> list[bytes]:
    nets = [
        em.MLP([3, 4, 2], activation="tanh", seed=0),
        em.MLP([3, 4, 2], activation="sigmoid(slope=2.0)", dtype="float64", dropout=0.5, seed=0),
    ]
    return [saved(net, folder) for net in nets]


def runs(folder: Path) -> list[bytes]:
    """Of the middle of an epoch, with all that a run has to remember."""
    X, y = np.eye(3, dtype=np.float32), np.array([0, 1, 1])
    lr = em.schedules.WarmUp(3, em.schedules.Cosine(0.1, steps=9))
    plateau = em.schedules.ReduceOnPlateau(0.1, patience=1)
    net = em.MLP([3, 4, 2], activation="sigmoid(slope=2.0)", dtype="float64", dropout=0.5, seed=0)
    first = em.Trainer(net, em.Adam(lr, clip_norm=1.0), batch_size=2, accumulate=2, seed=0)
    first.step(X, y)
    second = em.Trainer(em.MLP([3, 2], seed=0), em.SGD(plateau, 0.9, l1=0.1), batch_size=2, seed=0)
    second.run(X, y, epochs=4, progress=False)
    return [saved(trainer, folder) for trainer in (first, second)]


def saved(one: Any, folder: Path) -> bytes:
    one.save(folder / "file")
    return (folder / "file").read_bytes()


def state(loaded: Any) -> tuple[Any, ...]:
    net = getattr(loaded, "net", loaded)
    own: tuple[Any, ...] = ()
    if net is not loaded:
        rule = loaded.optimizer
        numbers = {**rule.hyper(), **rule.limits()}
        floats = {name: x if x is None else float(x) for name, x in numbers.items()}
        own = (type(rule), rule.lr, floats, loaded.steps, loaded.epochs, loaded.batch_size)
    return net.parameters.tobytes(), net.config, *own


def check(loaded: Any, folder: Path) -> None:
    """Finite parameters and usable outputs, and its own file gives it again."""
    net = getattr(loaded, "net", loaded)
    assert np.isfinite(net.parameters).all()
    D, K = net.layer_sizes[0], net.layer_sizes[-1]
    assert net.forward(np.eye(D)).shape == (D, K)
    loaded.save(folder / "again")
    again, expected = state(type(loaded).load(folder / "again")), state(loaded)
    assert again == expected, f"{again} is not {expected}"


MODEL = Target(".safetensors", networks, em.MLP.load, state, check, WAYS, guarded=True)
TRAINER = Target(".safetensors", runs, em.Trainer.load, state, check, WAYS, guarded=True)
