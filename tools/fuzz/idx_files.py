"""IDX files, plain and gzip-compressed: headers that promise more, or something else."""

from __future__ import annotations

import gzip
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np

from eigenmlp.datasets import load_idx

from .target import ANY, Target, Way, bytes_changed, spliced, truncated

CODES = [0x08, 0x09, 0x0B, 0x0C, 0x0D, 0x0E, 0, 7, 10, 0x0F, 255]
SIZES = [0, 1, 2, 3, 12, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 1]


def plain(content: bytes) -> tuple[bytes, bool]:
    """What is in a file, and whether it was compressed."""
    if content[:2] != b"\x1f\x8b":
        return content, False
    return gzip.decompress(content), True


def packed(content: bytes, compressed: bool) -> bytes:
    return gzip.compress(content, 1, mtime=0) if compressed else content


def header_changed(rng: random.Random, content: bytes) -> bytes:
    content, compressed = plain(content)
    dimensions = content[3]
    way = rng.randrange(4)
    if way == 0:
        content = content[:2] + bytes([rng.choice(CODES)]) + content[3:]
    elif way == 1:
        content = content[:3] + bytes([rng.choice([0, 1, 2, 3, 32, 33, 64, 255])]) + content[4:]
    else:
        at = 4 + 4 * rng.randrange(max(1, dimensions))
        content = content[:at] + struct.pack(">I", rng.choice(SIZES)) + content[at + 4 :]
    return packed(content, compressed)


def many_dimensions(rng: random.Random, content: bytes) -> bytes:
    """Sizes whose product overflows, or hides behind a zero."""
    sizes = [rng.choice(SIZES) for _ in range(rng.choice([1, 2, 3, 8, 31, 32, 33]))]
    header = bytes([0, 0, rng.choice(CODES[:6]), len(sizes)])
    made = header + struct.pack(f">{len(sizes)}I", *sizes) + content[:50]
    return packed(made, rng.random() < 0.5)


def values_changed(rng: random.Random, content: bytes) -> bytes:
    """Within what is compressed, with the right checksum."""
    content, compressed = plain(content)
    return packed(rng.choice([bytes_changed, truncated, spliced])(rng, content), compressed)


def expanding(rng: random.Random, content: bytes) -> bytes:
    """Ten megabytes of zeros behind a header, in ten kilobytes."""
    size = 10_000_000 + rng.choice([-1, 0, 1])
    return gzip.compress(bytes([0, 0, 8, 1]) + struct.pack(">I", size) + bytes(10_000_000), 1)


WAYS: dict[Way, int] = {
    **ANY,
    header_changed: 300,
    many_dimensions: 100,
    values_changed: 200,
    expanding: 1,
}


def originals(folder: Path) -> list[bytes]:
    made = []
    for code, kind in [(0x08, ">u1"), (0x0B, ">i2"), (0x0D, ">f4"), (0x0E, ">f8")]:
        values = np.arange(12).astype(kind).reshape(2, 3, 2)
        content = bytes([0, 0, code, 3]) + struct.pack(">3I", 2, 3, 2) + values.tobytes()
        made += [content, packed(content, True)]
    return made


def state(array: Any) -> tuple[Any, ...]:
    return array.dtype, array.shape, array.tobytes()


def check(array: Any, folder: Path) -> None:
    assert isinstance(array, np.ndarray) and array.flags.c_contiguous and array.flags.writeable
    assert array.dtype.isnative and array.dtype.name in (
        *("uint8", "int8", "int16", "int32"),
        *("float32", "float64"),
    )


IDX = Target(".idx", originals, load_idx, state, check, WAYS)
