"""Altered files by atheris: it keeps those that reach new lines of the readers, and alters them on.

Half of the alterations are the kind's own ways, half atheris's. libFuzzer, which drives it, bounds
the memory and the time of one file.
"""

from __future__ import annotations

import importlib.util
import json
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from .seeded import ROOM, Found, try_one

LARGEST = 1 << 16  # bytes of a file
SLOW = 100  # seconds by the clock, which runs on while a busy machine does something else


def is_installed() -> bool:
    return importlib.util.find_spec("atheris") is not None


def run(name: str, seed: int, seconds: float, report: Path) -> None:
    """Fuzz until the time is over, then end the process; `report` gets what happened, as JSON."""
    import atheris  # type: ignore[import-not-found]

    with atheris.instrument_imports(include=["eigenmlp"], enable_loader_override=False):
        from .targets import find

        target = find(name)
    from .target import altered, written

    found: Found = Counter()
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        corpus = folder / "corpus"
        corpus.mkdir()
        for i, content in enumerate(target.originals(folder)):
            (corpus / str(i)).write_bytes(content)

        def one(content: bytes) -> None:
            path = written(folder, target.suffix, content)
            found[try_one(target, path, folder, None, False)] += 1
            files = found.total()
            if files % 100 == 0 or files < 100:  # the process ends without a last word
                report.write_text(json.dumps({"files": files, **found}))

        def mutator(content: bytes, longest: int, number: int) -> Any:
            rng = random.Random(number)
            if rng.random() < 0.5:
                try:
                    made, _ = altered(target, rng, content)
                except Exception:  # the ways are for files that are nearly right
                    return atheris.Mutate(content, longest)
                return made[:longest]
            return atheris.Mutate(content, longest)

        bounds = {
            "seed": seed + 1,  # 0 means any
            "max_total_time": int(seconds),
            "timeout": SLOW,
            "rss_limit_mb": 512 + (ROOM >> 20),
            "max_len": LARGEST,
            "artifact_prefix": f"{tempfile.gettempdir()}/fuzz-{name}-",
            "verbosity": 0,
        }
        options = [f"-{key}={value}" for key, value in bounds.items()]
        atheris.Setup([sys.argv[0], *options, str(corpus)], one, custom_mutator=mutator)
        atheris.Fuzz()
