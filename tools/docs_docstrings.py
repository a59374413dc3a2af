"""For mkdocstrings: what docstrings write as reStructuredText, as Markdown.

Examples outside a section ``Examples``, tables between lines of ``===``, and names of the public
interface in single backticks, which become links.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

# Public names, where the reference has them.
NAMES = ("MLP", "Trainer", "History", "Choices", "SGD", "Adam", "AdamW", "RMSprop")
LINK = re.compile(rf"(?<![`\w])`((?:{'|'.join(NAMES)})(?:\.[a-z]\w*)?)`(?!`)")
SECTION = re.compile(r"^[A-Z]\w+\n-{3,}$", re.MULTILINE)
EXAMPLE = re.compile(r"(?:^>>> .*\n(?:.+\n?)*)+", re.MULTILINE)
TABLE = re.compile(r"^(=+ +=+)\n((?:.*\n)+?)\1$", re.MULTILINE)


class Markdown(griffe.Extension):
    """Called for every object that is read."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = to_markdown(obj.docstring.value)


def to_markdown(text: str) -> str:
    found = SECTION.search(text)
    place = found.start() if found else len(text)  # the parser knows sections itself
    head, sections = text[:place], text[place:]
    head = EXAMPLE.sub(lambda match: f"```pycon\n{match[0].rstrip()}\n```\n", f"{head}\n")
    return LINK.sub(r"[`\1`][eigenmlp.\1]", TABLE.sub(_table, head)) + LINK.sub(
        r"[`\1`][eigenmlp.\1]", sections
    )


def _table(match: re.Match[str]) -> str:
    """A table without a head; a row that begins with spaces goes on with the one before."""
    width = match[1].index(" ")
    rows: list[list[str]] = []
    for line in match[2].splitlines():
        cells = [line[:width].strip(), line[width:].strip()]
        if cells[0] or not rows:
            rows.append(cells)
        else:
            rows[-1][1] += f" {cells[1]}"
    return "\n".join(["| | |", "| --- | --- |", *(f"| {a} | {b} |" for a, b in rows)])
