"""The pages of the documentation site: every code block runs, every output is as printed.

A block's language says what is done with it: ``python`` runs in the page's namespace, ``sh`` in the
page's folder, ``text`` is what the block before it printed. A block with a ``title`` is written to
a file of that name. A comment above a block may say more:

<!-- needs: torch -->          skipped where that is not installed
<!-- within 0.02 -->           each number of the output may be so far from what came, as
                               processors and versions of libraries round in other ways
<!-- within 5 % -->            likewise, as a share of the number
<!-- within 5 %, but speed --> likewise, but on lines that begin with "speed" by any distance
<!-- shown only: reason -->    not run
"""

import contextlib
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import eigenmlp as em
from support.paths import ROOT

PAGES = sorted((ROOT / "docs").rglob("*.md"))
COMMANDS = {
    "cc": "a C compiler",
    "mpiexec": "MPI (pip install mpi4py mpich)",
}  # what `needs` may name beside Python packages
FENCE = re.compile(
    r"^(?:<!-- (?P<note>[^\n]*) -->\n)?```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?\n"
    r"(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
WITHIN = re.compile(r"within (?P<distance>[\d.]+)(?P<share> %)?(?:, but (?P<free>.+))?")
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?")


class Block(NamedTuple):
    note: str
    language: str
    title: str
    code: str
    line: int

    @property
    def needs(self) -> str:
        return self.note.removeprefix("needs: ") if self.note.startswith("needs: ") else ""


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            note=match["note"] or "",
            language=match["language"],
            title=match["title"] or "",
            code=match["code"],
            line=text.count("\n", 0, match.start("code")),
        )
        for match in FENCE.finditer(text)
    ]


def is_installed(need: str) -> bool:
    if need in COMMANDS:
        return shutil.which(need) is not None
    return importlib.util.find_spec(need) is not None


class Page:
    """A page's blocks, run one after the other in the current folder."""

    def __init__(self, path: Path) -> None:
        self.path, self.namespace, self.printed = path, {"__name__": "page"}, ""

    def run(self, block: Block) -> None:
        where = f"{self.path.relative_to(ROOT)}, line {block.line}"
        if block.title:
            Path(block.title).write_text(block.code, encoding="utf-8")
        elif block.language == "python":
            code = compile("\n" * block.line + block.code, str(self.path), "exec")
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(code, self.namespace)
            self.printed = output.getvalue()
        elif block.language == "sh":
            scripts = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block.code],
                capture_output=True,
                text=True,
                env=os.environ | {"PATH": scripts},
                timeout=120,
            )
            assert done.returncode == 0, f"{where}\n{done.stderr}"
            self.printed = done.stdout
        else:
            assert block.language == "text", f"{where}: no rule for {block.language!r}"
            says = is_as_printed(block.code.rstrip(), self.printed.rstrip(), block.note)
            assert says, f"{where}: printed\n{self.printed}"


def is_as_printed(expected: str, came: str, note: str) -> bool:
    """Whether an output is what a page says: to the letter, or numbers within the note's bound."""
    within = WITHIN.fullmatch(note)
    if within is None:
        return came == expected
    if NUMBER.sub("#", came) != NUMBER.sub("#", expected):
        return False
    bound = float(within["distance"]) / (100 if within["share"] else 1)
    for line, line_came in zip(expected.split("\n"), came.split("\n"), strict=True):
        if within["free"] and line.startswith(within["free"]):
            continue
        texts = zip(NUMBER.findall(line), NUMBER.findall(line_came), strict=True)
        for a, b in ((float(a.replace(",", "")), float(b.replace(",", ""))) for a, b in texts):
            if abs(a - b) > bound * (abs(a) if within["share"] else 1) * (1 + 1e-9):
                return False
    return True


@pytest.mark.parametrize(
    ("expected", "came", "note", "fits"),
    [
        ("0.95", "0.95", "", True),
        ("0.95", "0.94", "", False),
        ("0.95", "0.94", "within 0.01", True),
        ("0.95", "0.91", "within 0.02", False),
        ("31 of 49 are flat", "33 of 49 are flat", "within 10 %", True),
        ("31 of 49 are flat", "39 of 49 are flat", "within 10 %", False),
        ("31 of 49 are flat", "31 of 49 are sharp", "within 10 %", False),
        ("31 of 49", "31 of 49 of 50", "within 10 %", False),
        ("1,000 rows\nspeed 5,000", "1,001 rows\nspeed 90", "within 1 %, but speed", True),
        ("1,000 rows\nspeed 5,000", "1,100 rows\nspeed 5,000", "within 1 %, but speed", False),
        ("speed 5,000 a second", "speed 5,000", "within 1 %, but speed", False),
        ("loss 8e-05", "loss 8.1e-05", "within 5 %", True),
        ("loss 8e-05", "loss 8e-06", "within 5 %", False),
        ("-0.5", "0.5", "within 1", False),
    ],
)
def test_outputs_are_compared(expected, came, note, fits):
    assert is_as_printed(expected, came, note) is fits


def cases() -> Iterator[tuple[str, str]]:
    """Each page without what it may need, and with each of these."""
    for page in PAGES:
        name = str(page.relative_to(ROOT / "docs"))
        for needs in sorted({"", *(block.needs for block in blocks_of(page))}):
            yield name, needs


@pytest.mark.parametrize(("name", "needs"), [*cases()])
def test_code_of_a_page(name, needs, tmp_path, monkeypatch):
    if needs and not is_installed(needs):
        pytest.skip(f"needs {COMMANDS.get(needs, needs)}, which is not installed")
    monkeypatch.chdir(tmp_path)
    threads = em.get_num_threads()
    page = Page(ROOT / "docs" / name)
    try:
        for block in blocks_of(page.path):
            included = block.code.startswith("--8<--")  # checked where it comes from
            if not included and not block.note.startswith("shown only: ") and (
                block.needs in ("", needs)
            ):  # fmt: skip
                page.run(block)
    finally:
        em.set_num_threads(threads)


def test_no_block_escapes():
    """Fences are found that are indented, or have a note or options that mean nothing."""
    count = 0
    for page in PAGES:
        blocks = blocks_of(page)
        count += len(blocks)
        fences = re.findall(r"^\s*```", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert len(fences) == 2 * len(blocks), page
        for block in blocks:
            assert re.fullmatch(r"|needs: \w+|shown only: .+", block.note) or (
                block.language == "text" and WITHIN.fullmatch(block.note)
            ), block
            if block.code.startswith("--8<--"):
                assert (ROOT / block.code.split('"')[1]).is_file(), block
            else:
                shown = block.note.startswith("shown only: ")
                assert block.title or shown or block.language in ("python", "sh", "text"), block
    assert count > 40


def test_every_public_name_has_its_place_in_the_reference():
    text = "".join(page.read_text("utf-8") for page in (ROOT / "docs" / "reference").glob("*.md"))
    described = set(re.findall(r"^::: eigenmlp\.([\w.]+)$", text, re.MULTILINE))
    public = {*em.__all__, *em._MODULES, "derivatives", "sklearn"} - {"__version__", "optimizers"}
    assert public - {name.partition(".")[0] for name in described} == set()


def test_the_site_builds_without_warnings(tmp_path):
    if importlib.util.find_spec("mkdocs") is None:
        pytest.skip("needs the extra docs, which is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    reference = (tmp_path / "reference" / "mlp" / "index.html").read_text(encoding="utf-8")
    assert 'id="eigenmlp.MLP.fit"' in reference and 'id="eigenmlp.derivatives.taylor"' in reference
    assert (tmp_path / "guide" / "results" / "growth.png").is_file()


def test_the_diamonds_figure_is_what_was_measured():
    """The number beside the five lines is the mean of the benchmark's last run, if it has one."""
    _, figure, _ = (
        (ROOT / "docs/how-to/best-for-a-table.md").read_text("utf-8").split("<!-- diamonds -->")
    )
    results = ROOT / "bench" / "results" / "tables.json"
    found = {}
    if results.exists():
        found = json.loads(results.read_text("utf-8"))["results"].get("diamonds", {})
    if "eigenmlp, a pack" in found:
        scores = found["eigenmlp, a pack"]["scores"]
        assert figure == f"{sum(scores) / len(scores):.4f}"
    assert 0.08 < float(figure) < 0.09
