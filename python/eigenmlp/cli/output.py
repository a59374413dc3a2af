"""Files the commands write: checked before the work."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .._files.whole import replacing
from ..history import History
from ..plot import loss_curve


def check_writable(path: Path, option: str) -> None:
    """Raise ValueError, naming the option, unless a file can be written at this path."""
    folder = path.parent
    if path.is_dir():
        raise ValueError(f"{option}: expected a file to write, {path} is a folder")
    if path.exists() and not path.is_file():
        raise ValueError(f"{option}: expected a file to write, {path} is not a regular file")
    if not folder.is_dir():
        raise ValueError(f"{option}: cannot write {path}: there is no folder {folder}")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass  # trying is the only sure test: root passes os.access on read-only mounts
    except OSError as error:
        raise ValueError(f"{option}: cannot write {path}: {error.strerror}") from None


def check_apart(path: Path, option: str, inputs: Iterable[str | Path | None]) -> None:
    """Raise ValueError, naming the option, if a file that is read would be written over."""
    for name in inputs:
        if name is None or not path.exists() or not Path(name).exists():
            continue
        if path.samefile(name):
            raise ValueError(
                f"{option}: expected a file beside those that are read, got {path}, which would "
                "be written over"
            )


class LossCurve:
    """The figure of ``--plot``. Made before the training, so that what is missing shows early."""

    def __init__(self, path: Path) -> None:
        try:
            figure = importlib.import_module("matplotlib.figure")
        except ImportError:
            raise ValueError(
                "--plot needs Matplotlib, which is not installed: pip install matplotlib"
            ) from None
        self.path = path
        self._figure: Any = figure.Figure(figsize=(8, 5), dpi=150, layout="constrained")
        self._format = path.suffix.lower().removeprefix(".")
        known = self._figure.canvas.get_supported_filetypes()
        if self._format not in known:
            raise ValueError(
                f"--plot: expected a file that ends in .{', .'.join(sorted(known))}; got {path}"
            )
        check_writable(path, "--plot")

    def save(self, history: History, title: str) -> None:
        """Draw the mean loss of each epoch and write the file."""
        axes = self._figure.add_subplot()
        loss_curve(history, axes).set(ylabel="training loss", title=title)
        with replacing(self.path) as file:
            self._figure.savefig(file, format=self._format)
