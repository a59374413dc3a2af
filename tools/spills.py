"""Count what the tiles' loops keep on the stack: a sum there costs more than the registers save.

``python tools/spills.py`` compiles every register tile with $CXX for each variant of the core,
disassembles them, and prints those whose innermost loop with multiply-adds reads or writes vectors
on the stack; then it exits with 1. ``--compiler aarch64-linux-gnu-g++`` is for another machine.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
VARIANTS = {  # as in cmake/isa.cmake
    "x86-64": {
        "v2": ["-march=x86-64-v2", "-O2"],
        "v3": ["-march=x86-64-v3"],
        "v4": [
            *("-march=x86-64-v4", "-mprefer-vector-width=512"),
            *("-mavx512bf16", "-mamx-tile", "-mamx-bf16"),
        ],
    },
    "aarch64": {"baseline": [], "bf16": ["-march=armv8.2-a+bf16"]},
}
PAIRS = ("v4", "bf16")  # variants with Sum::over_pairs
FLAGS = ["-std=c++20", "-O3", "-DNDEBUG", "-fno-math-errno", "-fno-asynchronous-unwind-tables"]
SOURCE = """
#include "eigenmlp/kernel/tile.hpp"
using namespace eigenmlp;
extern const void* const tables[] = {
  &tile_table<float, Sum::over_columns>, &tile_table<double, Sum::over_columns>,
  &tile_table<float, Sum::over_plain>, &tile_table<double, Sum::over_plain>,
  &tile_table<float, Sum::over_rows>, &tile_table<double, Sum::over_rows>,
#ifdef PAIRS
  &tile_table<float, Sum::over_pairs>,
#endif
};
"""

_LABEL = re.compile(r"^[0-9a-f]+ <(.+)>:$")
_LINE = re.compile(r"^\s+([0-9a-f]+):\s+(\S+)\s*(.*)$")
_JUMP = re.compile(r"^(j\w+|b|b\.\w+|cbn?z|tbn?z)$")
_TARGET = re.compile(r"\b([0-9a-f]+) <")
_MULTIPLY_ADD = re.compile(r"^(vfn?m(add|sub)\w*p[sd]|mulp[sd]|vdpbf16ps|fml[as]|bfdot|bfmmla)$")
_VECTOR = re.compile(r"%[xyz]mm\d|\b[qdv]\d+\b")
_FRAME = re.compile(r"^(mov\s+%rsp,%rbp|mov\s+x29, sp|add\s+x29, sp.*)$")


@dataclass(frozen=True)
class Loop:
    """The innermost loop of a tile that multiplies and adds."""

    function: str
    instructions: int
    products: int
    spilled: int  # vectors read from or written to the stack
    others: int  # addresses and counters there


def loops(listing: str) -> Iterator[Loop]:
    """The loops of every function in what `objdump -d --no-show-raw-insn` prints."""
    name: str | None = None
    body: list[tuple[int, str, str]] = []
    for line in [*listing.splitlines(), "0 <end>:"]:
        if label := _LABEL.match(line):
            if name is not None:
                yield from _loops_of(name, body)
            name, body = label[1], []
        elif found := _LINE.match(line):
            body.append((int(found[1], 16), found[2], found[3].split("//")[0].strip()))


def _loops_of(name: str, body: list[tuple[int, str, str]]) -> Iterator[Loop]:
    framed = any(_FRAME.match(f"{operation} {rest}") for _, operation, rest in body)
    stack = r"\(%rsp|\[sp" + (r"|\(%rbp|\[x29" if framed else "")
    ranges = []
    for at, operation, rest in body:
        target = _TARGET.search(rest)
        if _JUMP.match(operation) and target and int(target[1], 16) <= at:
            ranges.append((int(target[1], 16), at))
    products = {at for at, operation, _ in body if _MULTIPLY_ADD.match(operation)}
    for begin, end in sorted(set(ranges)):
        inner = any((b, e) != (begin, end) and begin <= b and e <= end for b, e in ranges)
        inside = [line for line in body if begin <= line[0] <= end]
        count = sum(at in products for at, _, _ in inside)
        if inner or not count:
            continue
        touching = [rest for _, _, rest in inside if re.search(stack, rest)]
        vectors = sum(bool(_VECTOR.search(rest)) for rest in touching)
        yield Loop(name, len(inside), count, vectors, len(touching) - vectors)


def listing_of(compiler: str, flags: list[str], includes: list[str]) -> str:
    """The tiles' disassembly, names as in the source."""
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder, "tiles.cpp"), Path(folder, "tiles.o")
        source.write_text(SOURCE, encoding="utf-8")
        command = [compiler, *FLAGS, *includes, *flags, "-c", str(source), "-o", str(made)]
        subprocess.run(command, check=True)
        prefix = re.match(r"(?:.*/)?(\w+-linux-gnu-)?", compiler)
        objdump = (prefix[1] or "" if prefix else "") + "objdump"
        shown = [objdump, "-d", "-C", "--no-show-raw-insn", str(made)]
        return subprocess.run(shown, check=True, capture_output=True, text=True).stdout


def eigen() -> list[str]:
    """Where Eigen is: beside a package of this Python's, or the system's."""
    places = [Path(p, "cmeel.prefix", "include", "eigen3") for p in sys.path]
    return ["-isystem", *map(str, [*filter(Path.is_dir, places), "/usr/include/eigen3"][:1])]


def main() -> int:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compiler", default=os.environ.get("CXX", "g++"))
    parser.add_argument("--variants", nargs="*", help="all of the compiler's architecture, if none")
    options = parser.parse_args()
    asked = [options.compiler, "-dumpmachine"]
    machine = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    architecture = "aarch64" if re.match("aarch64|arm64", machine) else "x86-64"
    includes = ["-I", str(ROOT / "cpp"), *eigen()]
    bad = 0
    for variant, flags in VARIANTS[architecture].items():
        if options.variants and variant not in options.variants:
            continue
        extra = ["-DPAIRS"] if variant in PAIRS else []
        if architecture == "aarch64" and "clang" not in options.compiler:
            extra += ["-fno-schedule-insns", "-Wno-psabi"]  # as in CMakeLists.txt
        extra += ["-Wno-ignored-attributes"]
        found = list(loops(listing_of(options.compiler, flags + extra, includes)))
        tiles = [x for x in found if "tile<" in x.function]
        spilling = [x for x in tiles if x.spilled]
        worst = max(tiles, key=lambda x: x.products)
        print(
            f"{options.compiler} {variant}: {len(tiles)} loops, {len(spilling)} with vectors on "
            f"the stack; the largest has {worst.products} multiply-adds of {worst.instructions} "
            "instructions"
        )
        for loop in spilling:
            shown = loop.function.partition("(eigenmlp::Tile")[0]
            print(f"  {loop.spilled} of {loop.instructions} instructions: {shown}")
        bad += len(spilling) + (not tiles)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
