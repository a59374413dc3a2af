"""What to do, as frozen descriptions: `arguments` makes them, the other modules act on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .reading.source import STDIN
from .reading.table import USUAL, ReadOptions

DEFAULT_SEED = 1


@dataclass(frozen=True)
class Source:
    """Where the rows come from: "digits", "mnist" with its folder, a .npz file, or a table."""

    name: str
    directory: Path | None = None

    @property
    def bundled(self) -> bool:
        return self.name in ("digits", "mnist")

    @property
    def is_table(self) -> bool:
        return not self.bundled and Path(self.name).suffix.lower() != ".npz"

    @property
    def stem(self) -> str:
        """The name of a model of it."""
        if self.name == STDIN:
            return "model"
        name = Path(self.name).name
        return Path(name[:-3] if name.lower().endswith(".gz") else name).stem


@dataclass(frozen=True)
class Recipe:
    """What to train, where the user does not say: one for each kind of source."""

    hidden: tuple[int, ...]
    epochs: int
    batch_size: int
    lr: float
    momentum: float | None = 0.9
    activation: str = "relu"
    optimizer: str = "sgd"
    dropout: float = 0.0
    loss: str | None = None  # by the targets
    schedule: str = "constant"
    weight_decay: float | None = None  # the optimizer's own
    clip_norm: float | None = None
    compute_dtype: str | None = None  # float32


RECIPES = {
    "digits": Recipe(hidden=(50,), epochs=30, batch_size=64, lr=0.2),
    "mnist": Recipe(hidden=(128,), epochs=10, batch_size=64, lr=0.05),
    "file": Recipe(hidden=(64,), epochs=50, batch_size=32, lr=0.01),
}


@dataclass(frozen=True)
class TableOptions:
    """What `train` is told of a table; columns by name or index (0 first, -1 last)."""

    read: ReadOptions = USUAL
    target: str | None = None  # the last column
    task: str | None = None  # classify or regress, by the target
    drop: tuple[str, ...] = ()
    test: str | None = None  # a file; a fifth of the rows
    valid: str | None = None  # a file to validate with
    id: str | None = None  # a column that is no feature
    class_weight: str | None = None
    plain: bool = False  # the network of .npz files, of numbers


@dataclass(frozen=True)
class TrainCommand:
    source: Source
    recipe: Recipe
    seed: int
    threads: int | None
    save: Path
    plot: Path | None
    backend: str
    quiet: bool
    json: bool = False
    table: TableOptions = field(default_factory=TableOptions)
    given: frozenset[str] = frozenset()  # which of the recipe's numbers were asked for


@dataclass(frozen=True)
class EvaluateCommand:
    model: Path
    source: Source
    seed: int
    threads: int | None
    json: bool = False
    target: str | None = None
    read: ReadOptions = USUAL


@dataclass(frozen=True)
class PredictCommand:
    model: Path
    source: Source
    seed: int
    threads: int | None
    out: Path | None
    proba: bool = False
    id: str | None = None
    read: ReadOptions = USUAL


@dataclass(frozen=True)
class InfoCommand:
    model: Path | None = None
    json: bool = False


Command = TrainCommand | EvaluateCommand | PredictCommand | InfoCommand
