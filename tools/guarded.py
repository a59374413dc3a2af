"""Find instructions of bfloat16 where a processor without them would meet them.

``python tools/guarded.py`` compiles the sources of the variant v4 with $CXX, which may use products
of bfloat16, and disassembles them. These instructions may lie only in what is called once the
processor is known to have them (kernel/operands_either.hpp): other functions that have any are
printed, and it exits with 1. ``--compiler clang++-22`` is for another one.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from spills import ROOT, VARIANTS, eigen

SOURCES = ("float32.cpp", "float64.cpp", "segments.cpp", "variant.cpp")
FLAGS = ["-std=c++20", "-O3", "-DNDEBUG", "-fno-math-errno", "-fopenmp", "-Wno-ignored-attributes"]
DEFINED = ["-DEIGENMLP_MAY_LACK_BFLOAT16", '-DEIGENMLP_LEVEL="v4"', '-DEIGENMLP_FLAGS=""']

_LABEL = re.compile(r"^[0-9a-f]+ <(.+)>:$")
_BFLOAT16 = re.compile(r"^\s+[0-9a-f]+:\s+(vdpbf16ps|vcvtne\w+bf16|\w*tile\w*|tdp\w+)\b")
_GUARDED = re.compile(
    r"^[^(]*\brounded::pairs::|^[^(]*\bamx::|\btile<float, \d+, \d+, \(eigenmlp::Sum\)1>"
)


def unguarded(listing: str) -> tuple[list[str], int]:
    """Functions that should not have such instructions, and how many do have them rightly."""
    name, found = "", set()
    for line in listing.splitlines():
        if label := _LABEL.match(line):
            name = label[1]
        elif _BFLOAT16.match(line):
            found.add(name)
    wrong = sorted(x for x in found if not _GUARDED.search(x))
    return wrong, len(found) - len(wrong)


def main() -> int:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compiler", default=os.environ.get("CXX", "g++"))
    compiler = parser.parse_args().compiler
    includes = ["-I", str(ROOT / "cpp"), *eigen()]
    wrong, guarded = [], 0
    for source in SOURCES:
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder, "made.o")
            flags = [*FLAGS, *DEFINED, *VARIANTS["x86-64"]["v4"], *includes]
            path = str(ROOT / "cpp" / "variants" / source)
            subprocess.run([compiler, *flags, "-c", path, "-o", str(made)], check=True)
            shown = ["objdump", "-d", "-C", "--no-show-raw-insn", str(made)]
            done = subprocess.run(shown, check=True, capture_output=True, text=True)
        found, count = unguarded(done.stdout)
        wrong += [f"  {source}: {name}" for name in found]
        guarded += count
    print(f"{compiler}: {guarded} functions with bfloat16's instructions, {len(wrong)} unguarded")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong or not guarded else 0


if __name__ == "__main__":
    sys.exit(main())
