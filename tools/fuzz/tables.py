"""Rows for the command line: .csv files, read as numbers and as tables of any columns, and .npz
archives with altered members."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from eigenmlp.cli.data import Table, read_table
from eigenmlp.cli.reading.table import USUAL, framed, open_table

from .target import ANY, Target, Way, bytes_changed, spliced, truncated

# ---- .csv

FIELDS = [
    "",
    " ",
    "NA",
    "nan",
    "inf",
    "-1",
    "1e400",
    "0x10",
    "1_0",
    "٣",
    "None",
    "?",
    '"',
    '"a',
    "a,b",
]
FIELDS += ["1" * 400, "x" * 200_000, "\0", "\ufeff1", "1;2", "1.5e-400", "+7", "1e5", "é", "\ud800"]
BREAKS = ["\n", "\r", "\r\n", "\n\n", "\v", "\u2028", "\x85", ""]


def field_changed(rng: random.Random, content: bytes) -> bytes:
    lines = [line.split(",") for line in content.decode("utf-8", "replace").split("\n")]
    for _ in range(rng.choice([1, 1, 2, 5])):
        line = rng.choice(lines)
        i = rng.randrange(len(line))
        way = rng.randrange(4)
        if way == 0:
            line.insert(i, rng.choice(FIELDS))
        elif way == 1 and len(line) > 1:
            del line[i]
        else:
            line[i] = rng.choice(FIELDS)
    text = "\n".join(",".join(line) for line in lines)
    return text.encode("utf-8", "surrogatepass")


def breaks_changed(rng: random.Random, content: bytes) -> bytes:
    text = content.decode("utf-8", "replace").replace("\n", rng.choice(BREAKS))
    return text.encode(rng.choice(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))


def rows_changed(rng: random.Random, content: bytes) -> bytes:
    lines = content.split(b"\n")
    rng.shuffle(lines)
    return b"\n".join(lines * rng.choice([1, 1, 50]))


def csv_originals(folder: Path) -> list[bytes]:
    rows = np.random.default_rng(0).normal(size=(6, 3)).round(3)
    numbers = "\n".join(f"{a},{b},{c},{i % 3}" for i, (a, b, c) in enumerate(rows))
    values = "\n".join(f"{a},{b},{c}" for a, b, c in rows)
    return [
        text.encode()
        for text in (numbers, f"a,b,c,y\n{numbers}\n", values, f'"a b",c,"d"\n{values}')
    ]


def table_originals(folder: Path) -> list[bytes]:
    lines = [b"a;d;t;w\n", b"1;2024-01-02;true;x\n", b"2.5;NA;false;\n", b"3;2024-03-01 10:00;;y\n"]
    dates = [b"# by hand\nd\tn\n", b"13/02/2024\t-1e3\n", b"01/02/2024\t.5\n", b'"31/12/2023"\t\n']
    return [
        *csv_originals(folder),
        b"".join(lines + lines[1:] * 2),
        b"".join(dates),
        b"x y\n1 2\n3 z\n",
    ]


def columns(path: Path) -> Any:
    """All columns of a table, with Polars."""
    table = open_table(str(path), USUAL)
    table.counter()
    return framed(table, table.names, {})


def check_columns(frame: Any, folder: Path) -> None:
    assert len(frame) > 0 and len(set(frame.columns)) == frame.width > 0


# ---- .npz

NUMBERS = [0, 1, -1, 2, 3, 2**15, 2**31, 2**32, 2**40, 2**62, 2**63, 2**64, 10**30]
DTYPES = ["<f8", ">f4", "|O", "<U5", "|S0", "<M8[s]", "|V8", "<c16", "<f2", "?", "<i8", "<u8", "x"]
HEADERS = [
    "{",
    "(" * 300,
    "[" * 5000,
    "",
    "None",
    "{'descr': '<f8'}",
    "{'shape': (2,)}",
    "9" * 6000,
]
HEADERS += ["{'descr': [('a', '<f8'), ('b', '|O')], 'fortran_order': False, 'shape': (2,), }"]
HEADERS += ["{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), 'more': 1, }", "\0", "é"]
METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


def members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archived(parts: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, part in parts.items():
            archive.writestr(zipfile.ZipInfo(name), part, method)
    return file.getvalue()


def npy(header: str, data: bytes, version: int = 1) -> bytes:
    """An array's file with a header of any text."""
    text = header.encode("latin1", "replace") + b"\n"
    if version == 1:
        text = text[:65535]
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + data


def header_changed(rng: random.Random, content: bytes) -> bytes:
    """An array's dtype, order, sizes, or anything in the place of its header."""
    parts = members(content)
    name = rng.choice([*parts])
    data = parts[name][128:]
    shape = [rng.choice([2, 3, 6, 1, *NUMBERS]) for _ in range(rng.choice([0, 1, 2, 2, 3, 40]))]
    dtype = rng.choice(["<f8", "<i8", *DTYPES])
    order = rng.choice(["False", "True", "0", "None"])
    header = f"{{'descr': {dtype!r}, 'fortran_order': {order}, 'shape': {tuple(shape)}, }}"
    if rng.random() < 0.2:
        header = rng.choice(HEADERS)
    parts[name] = npy(header, data, rng.choice([1, 1, 2, 3, 4, 255]))
    return archived(parts, rng.choice(METHODS))


def member_changed(rng: random.Random, content: bytes) -> bytes:
    """Within an array's file, with the archive right around it."""
    parts = members(content)
    name = rng.choice([*parts])
    way = rng.randrange(5)
    if way == 0:
        del parts[name]
    elif way == 1:
        parts[rng.choice(["X", "y.npy", "X.npy", "../X.npy", "Z.npy", ""])] = parts.pop(name)
    elif way == 2:
        parts[name] = rng.choice([b"", b"\x80\x04N.", content, b"text", parts[name][:40]])
    else:
        parts[name] = rng.choice([bytes_changed, truncated, spliced])(rng, parts[name])
    return archived(parts, rng.choice(METHODS))


def directory_changed(rng: random.Random, content: bytes) -> bytes:
    """Sizes, flags, methods, offsets in the archive's own records."""
    altered = bytearray(content)
    starts = [i for sign in (b"PK\1\2", b"PK\3\4", b"PK\5\6") for i in places(content, sign)]
    at = rng.choice(starts) + rng.randrange(4, 46)
    value = rng.choice(
        [*(n for n in NUMBERS if 0 <= n < 2**32), 8, 12, 14, 93, 99, 0xFFFF, 2**32 - 1]
    )
    altered[at : at + 4] = value.to_bytes(4, "little")[: rng.choice([1, 2, 4])]
    return bytes(altered)


def places(content: bytes, sign: bytes) -> list[int]:
    found, at = [], content.find(sign)
    while at >= 0:
        found.append(at)
        at = content.find(sign, at + 1)
    return found or [0]


def expanding(rng: random.Random, content: bytes) -> bytes:
    """Ten megabytes of zeros in ten kilobytes."""
    count = 1_250_000 + rng.choice([-1, 0, 1])
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({count}, 1), }}"
    return archived({"X.npy": npy(header, bytes(10_000_000))}, zipfile.ZIP_DEFLATED)


def npz_originals(folder: Path) -> list[bytes]:
    rng = np.random.default_rng(0)
    X, made = rng.normal(size=(6, 3)), []
    for write, arrays in [
        (np.savez, {"X": X, "y": np.arange(6) % 2}),
        (np.savez_compressed, {"X": X.astype("f4"), "y": X[:, :2]}),
        (np.savez, {"X": (X * 9).astype("u1").reshape(6, 3, 1)}),
    ]:
        file = io.BytesIO()
        write(file, **arrays)
        made.append(file.getvalue())
    return made


# ---- both


def state(table: Table) -> tuple[Any, ...]:
    y = None if table.y is None else (table.y.dtype, table.y.shape, table.y.tobytes())
    return table.X.dtype, table.X.shape, table.X.tobytes(), y


def check(table: Table, folder: Path) -> None:
    """X (N, D) of numbers; y (N,) of integers or (N, K) of floats."""
    assert table.X.ndim == 2 and table.X.dtype.kind in "biuf" and table.X.size > 0
    if table.y is not None:
        assert len(table.y) == len(table.X)
        assert table.y.ndim == {"i": 1, "f": 2}[table.y.dtype.kind]


CSV_WAYS: dict[Way, int] = {**ANY, field_changed: 400, breaks_changed: 60, rows_changed: 40}
NPZ_WAYS: dict[Way, int] = {
    **ANY,
    header_changed: 400,
    member_changed: 300,
    directory_changed: 300,
    expanding: 1,
}
CSV = Target(".csv", csv_originals, read_table, state, check, CSV_WAYS)
NPZ = Target(".npz", npz_originals, read_table, state, check, NPZ_WAYS)
TABLE = Target(
    ".csv", table_originals, columns, lambda frame: (frame.schema, frame.rows()), check_columns,
    CSV_WAYS,
)  # fmt: skip
