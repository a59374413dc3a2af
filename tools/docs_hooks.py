"""For MkDocs: the files that included pages link to, from where they lie in the project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

# (folder of the project, patterns, folder of the site)
LINKED = (
    ("bench/results", ("*.png",), "guide/results"),
    ("examples", ("*.py", "figures/*.png"), "examples"),
)


def on_files(files: Files, config: Any) -> Files:
    root = Path(config.config_file_path).parent
    for folder, patterns, place in LINKED:
        for path in sorted(p for pattern in patterns for p in (root / folder).glob(pattern)):
            name = path.relative_to(root / folder).as_posix()
            files.append(File.generated(config, f"{place}/{name}", abs_src_path=str(path)))
    return files
