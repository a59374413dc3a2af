"""Altered model files against `load`: each is a ValueError, or a network as sound as the first.

The tests run it in a process of its own, so that a crash, an endless loop or a huge allocation
shows. By hand, with another seed and as many files as one likes:

    python tests/fuzz_model_files.py --seed 7 --count 100000
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import eigenmlp as em
from eigenmlp._files import model as model_file

Header = dict[str, Any]
ROOM = 256 << 20  # bytes that all of the altered files together may take beside what is loaded

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


def bytes_changed(rng: random.Random, content: bytes) -> bytes:
    altered = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 20])):
        altered[rng.randrange(len(altered))] ^= 1 << rng.randrange(8)
    return bytes(altered)


def truncated(rng: random.Random, content: bytes) -> bytes:
    cut = rng.randrange(len(content))
    return rng.choice([content[:cut], content[cut:], content + content[:cut], content + b"\0"])


def spliced(rng: random.Random, content: bytes) -> bytes:
    i, j = rng.randrange(len(content)), rng.randrange(len(content))
    size = rng.randrange(1, 40)
    return content[:i] + content[j : j + size] + content[i + rng.choice([0, size]) :]


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
WAYS: dict[Callable[[random.Random, bytes], bytes], int] = {
    bytes_changed: 300,
    truncated: 80,
    spliced: 120,
    length_changed: 20,
    value_changed: 260,
    arrays_changed: 80,
    numbers_changed: 60,
    text_changed: 79,
    enormous: 1,
}


# ---- the run


def originals(folder: Path) -> list[tuple[Callable[[Path], Any], bytes]]:
    """Tiny files, and what loads them."""
    X, y = np.eye(3, dtype=np.float32), np.array([0, 1, 1])
    made: list[Any] = [em.MLP([3, 4, 2], activation="tanh", seed=0)]
    net = em.MLP([3, 4, 2], activation="sigmoid(slope=2.0)", dtype="float64", dropout=0.5, seed=0)
    lr = em.schedules.WarmUp(3, em.schedules.Cosine(0.1, steps=9))
    made.append(em.Trainer(net, em.Adam(lr, clip_norm=1.0), batch_size=2, accumulate=2, seed=0))
    made[-1].step(X, y)
    files = []
    for one in made:
        one.save(folder / "file")
        files.append((type(one).load, (folder / "file").read_bytes()))
    return files


def state(loaded: Any) -> tuple[Any, ...]:
    net = getattr(loaded, "net", loaded)
    own: tuple[Any, ...] = ()
    if net is not loaded:
        rule = loaded.optimizer
        numbers = {**rule.hyper(), **rule.limits()}
        floats = {name: x if x is None else float(x) for name, x in numbers.items()}
        own = (type(rule), rule.lr, floats, loaded.steps, loaded.epochs, loaded.batch_size)
    return net.parameters.tobytes(), net.config, *own


def check_sound(loaded: Any, load: Callable[[Path], Any], folder: Path) -> None:
    """Finite parameters and usable outputs, and its own file gives it again."""
    net = getattr(loaded, "net", loaded)
    assert np.isfinite(net.parameters).all()
    D, K = net.layer_sizes[0], net.layer_sizes[-1]
    assert net.forward(np.eye(D)).shape == (D, K)
    loaded.save(folder / "again")
    again, expected = state(load(folder / "again")), state(loaded)
    assert again == expected, f"{again} is not {expected}"


def limit_memory(room: int) -> None:
    """Let allocations beyond what is taken now and `room` bytes fail."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):  # not Linux: without a limit
        return
    limit = pages * os.sysconf("SC_PAGE_SIZE") + room
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def peak_memory() -> int:
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(text.partition("VmHWM:")[2].split()[0]) * 1024


def run(seed: int, count: int) -> dict[str, Any]:
    """Load so many altered files; what happened, or the first exception but ValueError."""
    rng = random.Random(seed)
    os.fsync = lambda handle: None  # thousands of saves; power failures are not what is tested
    result: Counter[str] = Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = originals(folder)
        first = [state(load_bytes(load, content, folder)) for load, content in files]
        before = peak_memory()
        limit_memory(ROOM)
        began = time.perf_counter()
        for number in range(count):
            which = rng.randrange(len(files))
            load, content = files[which]
            (way,) = rng.choices([*WAYS], [*WAYS.values()])
            altered = way(rng, content)
            try:
                start = time.perf_counter()
                try:
                    loaded = load_bytes(load, altered, folder)
                finally:
                    slowest = max(slowest, time.perf_counter() - start)
            except ValueError as error:
                result["refused" if len(str(error)) < 2000 else "refused at length"] += 1
                continue
            except BaseException:
                print(f"seed {seed}, file {number}: {way.__name__}", file=sys.stderr)
                raise
            if state(loaded) == first[which]:
                result["equal"] += 1
                continue
            # With a right checksum, another sound network is a file of its own.
            assert way not in (bytes_changed, truncated, spliced, length_changed), way.__name__
            check_sound(loaded, load, folder)
            result["another, sound"] += 1
        seconds = time.perf_counter() - began
    used = peak_memory() - before
    return {**result, "seconds": round(seconds, 2), "slowest": round(slowest, 3), "peak": used}


def load_bytes(load: Callable[[Path], Any], content: bytes, folder: Path) -> Any:
    with open(folder / "file", "r+b") as file:  # emptied first, it would wait for the disk
        file.write(content)
        file.truncate()
    return load(folder / "file")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=20_000)
    options = parser.parse_args()
    print(json.dumps(run(options.seed, options.count)))
