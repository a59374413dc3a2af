"""For MkDocs: the files that included pages link to, from where they lie in the project."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

# (folder of the project, patterns, folder of the site)
LINKED = (
    ("bench/results", ("*.png",), "guide/results"),
    ("examples", ("*.py", "figures/*.png"), "examples"),
    ("python/eigenmlp", ("**/*.py",), "source/python/eigenmlp"),
    ("cpp", ("**/*.hpp", "**/*.cpp"), "source/cpp"),
)


def on_files(files: Files, config: Any) -> Files:
    root = Path(config.config_file_path).parent
    for folder, patterns, place in LINKED:
        for path in sorted(p for pattern in patterns for p in (root / folder).glob(pattern)):
            name = path.relative_to(root / folder).as_posix()
            files.append(File.generated(config, f"{place}/{name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links from pages to the source lead to its copy in the site."""
    up = "../" * page.file.src_uri.count("/")
    return re.sub(r"\]\((?:\.\./)+(python|cpp)/", rf"]({up}source/\1/", markdown)
