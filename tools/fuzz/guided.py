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
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
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

    from .target import altered, written

    found: Found = Counter()
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        sys.meta_path.insert(0, PlainSources())  # type: ignore[arg-type]
        with atheris.instrument_imports(include=["eigenmlp"], enable_loader_override=False):
            from .targets import find

            target = find(name)
            contents = target.originals(folder)
            for content in contents:  # what is imported at first use, is imported here
                target.check(target.load(written(folder, target.suffix, content)), folder)
        modules = sum(is_instrumented(module) for module in sys.modules)
        if modules == 0:
            raise SystemExit(
                "fuzz: expected to instrument eigenmlp's modules, but they come from a loader that "
                "atheris passes over: `pip install .` instead, or `--way seeded`"
            )

        corpus = folder / "corpus"
        corpus.mkdir()
        for i, content in enumerate(contents):
            (corpus / str(i)).write_bytes(content)

        def one(content: bytes) -> None:
            path = written(folder, target.suffix, content)
            found[try_one(target, path, folder, None, False)] += 1
            files = found.total()
            if files % 100 == 0 or files < 100:  # the process ends without a last word
                report.write_text(json.dumps({"modules": modules, "files": files, **found}))

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


class PlainSources:
    """Finds Python sources without the loader of an editable install, which atheris passes over."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: Any = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] != "eigenmlp":
            return None
        finders: list[Any] = [*sys.meta_path]
        for finder in finders[finders.index(self) + 1 :]:
            spec: ModuleSpec | None = finder.find_spec(name, path, target)
            if spec is not None and spec.origin is not None and spec.origin.endswith(".py"):
                folders = spec.submodule_search_locations
                return importlib.util.spec_from_file_location(
                    name, spec.origin, submodule_search_locations=folders
                )
            if spec is not None:
                return spec
        return None


def is_instrumented(name: str) -> bool:
    loader = getattr(sys.modules[name], "__loader__", None)
    return name.partition(".")[0] == "eigenmlp" and type(loader).__name__.startswith("Atheris")
