"""Puts measured figures between the markers of bench/README.md."""

from __future__ import annotations

import json
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results"


def write(section: str, markdown: str, figures: object) -> None:
    """Replace the section's text, and keep the figures in results/SECTION.json."""
    path = HERE / "README.md"
    text = path.read_text()
    begin, end = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    if begin not in text or end not in text:
        raise SystemExit(f"{path}: expected the markers {begin} and {end}")
    head, tail = text.split(begin)[0], text.split(end)[1]
    path.write_text(f"{head}{begin}\n{markdown.strip()}\n{end}{tail}")
    save(RESULTS / f"{section}.json", figures)
    print(f"wrote {path} and {RESULTS / section}.json")


def save(path: Path, figures: object) -> None:
    """Write JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2) + "\n")
