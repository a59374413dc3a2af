"""From a list of strings to one frozen description of what to do; nothing is opened here."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NoReturn

import eigenmlp as em

from .._basics.shown import one_line, shown

DEFAULT_SEED = 1
LOSSES = {name: kind for name, kind in em.losses.LOSSES.items() if not kind.of_choices}
SCHEDULES = ("constant", "cosine", "one_cycle")
OPTIMIZERS: dict[str, Any] = {name.lower(): kind for name, kind in em.optimizers.OPTIMIZERS.items()}


@dataclass(frozen=True)
class Source:
    """Where the rows come from: "digits", "mnist" with its folder, or a .npz or .csv file."""

    name: str
    directory: Path | None = None

    @property
    def bundled(self) -> bool:
        return self.name in ("digits", "mnist")


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
class TrainCommand:
    source: Source
    recipe: Recipe
    seed: int
    threads: int | None
    save: Path
    plot: Path | None
    backend: str
    quiet: bool


@dataclass(frozen=True)
class EvaluateCommand:
    model: Path
    source: Source
    seed: int
    threads: int | None


@dataclass(frozen=True)
class PredictCommand:
    model: Path
    source: Source
    seed: int
    threads: int | None
    out: Path | None


@dataclass(frozen=True)
class InfoCommand:
    pass


Command = TrainCommand | EvaluateCommand | PredictCommand | InfoCommand


def parse(argv: Sequence[str] | None) -> Command:
    """Parse the arguments; a bad one prints one line and raises SystemExit(2), as argparse does."""
    args = _parser().parse_args(argv)
    if args.command == "info":
        return InfoCommand()

    source = _source(args)
    if args.command == "evaluate":
        return EvaluateCommand(args.model, source, args.seed, args.threads)
    if args.command == "predict":
        return PredictCommand(args.model, source, args.seed, args.threads, args.out)
    return TrainCommand(
        source,
        _recipe(args, RECIPES[source.name if source.bundled else "file"]),
        args.seed,
        args.threads,
        args.save or Path(f"{Path(source.name).stem}.safetensors"),
        args.plot,
        args.backend,
        args.quiet,
    )


def _source(args: argparse.Namespace) -> Source:
    name, directory, parser = str(args.source), args.data, args.parser
    if name == "mnist" and directory is None:
        parser.error("mnist needs --data DIR, the folder that holds its IDX files")
    if name != "mnist" and directory is not None:
        parser.error(f"--data goes with mnist only, not with {shown(name)}")
    source = Source(name, directory)
    if not source.bundled and Path(name).suffix.lower() not in (".npz", ".csv"):
        parser.error(f"expected digits, mnist, or a .npz or .csv file to read; got {shown(name)}")
    return source


def _recipe(args: argparse.Namespace, default: Recipe) -> Recipe:
    given = {field.name: getattr(args, field.name) for field in fields(Recipe)}
    name = args.optimizer or default.optimizer
    if name != default.optimizer:  # the recipe's numbers are another's
        default = replace(default, lr=OPTIMIZERS[name]().lr, momentum=None)
        if args.momentum is not None and name != "rmsprop":
            args.parser.error(f"--momentum goes with sgd and rmsprop, not with {name}")
    return replace(default, **{name: value for name, value in given.items() if value is not None})


class _Parser(argparse.ArgumentParser):
    """Errors are one line, without the usage above them."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"eigenmlp: error: {one_line(message)} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="eigenmlp",
        description="Train, evaluate and use multi-layer perceptrons.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"eigenmlp {em.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_train(commands)
    _add_evaluate(commands)
    _add_predict(commands)
    commands.add_parser(
        "info", help="print instruction set, threads and versions", allow_abbrev=False
    )
    return parser


_Commands = argparse._SubParsersAction  # argparse has no public name for what it returns


def _add_train(commands: _Commands[_Parser]) -> None:
    parser = commands.add_parser(
        "train",
        help="train a network and save it",
        description=(
            "Train on the bundled digits, on MNIST from a folder of IDX files, on a .npz file with "
            "arrays X and y, or on a .csv file whose last column is the target. Integer targets "
            "are classes, floats are values to regress on, unless --loss says otherwise. A fifth "
            "of the rows is held out to test (for mnist, its own test set)."
        ),
        allow_abbrev=False,
    )
    _add_source(parser)
    parser.add_argument("--hidden", type=_sizes, metavar="N,N", help="hidden sizes, or none")
    parser.add_argument("--activation", metavar="NAME", help="of the hidden layers (relu)")
    parser.add_argument(
        "--loss",
        metavar="NAME",
        help="softmax_cross_entropy for classes; for values squared_error (the default) or "
        f"another of {', '.join(LOSSES)}; with parameters as in 'huber(delta=0.5)'",
    )
    parser.add_argument("--epochs", type=_positive_int, metavar="N", help="passes over the rows")
    parser.add_argument("--batch-size", type=_positive_int, metavar="N", help="rows in a step")
    parser.add_argument("--optimizer", choices=[*OPTIMIZERS], help="sgd unless given")
    parser.add_argument("--lr", type=_positive_float, metavar="RATE", help="learning rate")
    parser.add_argument(
        "--schedule", choices=SCHEDULES, help="of the learning rate over the whole run (constant)"
    )
    parser.add_argument("--momentum", type=_share, metavar="M", help="of sgd (0.9) or rmsprop")
    parser.add_argument(
        "--dropout", type=_share, metavar="P", help="share of hidden units left out (0)"
    )
    parser.add_argument(
        "--weight-decay", type=_not_negative, metavar="W", help="of the weights, not the biases"
    )
    parser.add_argument(
        "--clip-norm", type=_positive_float, metavar="C", help="clip the gradient's norm"
    )
    parser.add_argument(
        "--compute-dtype",
        choices=("float32", "bfloat16"),
        help="of the products' operands (float32); bfloat16 is faster with AMX",
    )
    _add_run_options(parser)
    parser.add_argument("--save", type=Path, metavar="FILE", help="the model (NAME.safetensors)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="save the loss curve as a figure")
    parser.add_argument("--backend", choices=("native", "numpy"), default="native")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def _add_evaluate(commands: _Commands[_Parser]) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="loss and accuracy of a saved model",
        description="Print loss and accuracy of a saved model on all rows of a file, or on the "
        "rows of digits or mnist that `eigenmlp train` holds out.",
        allow_abbrev=False,
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="a file `train` saved")
    _add_source(parser)
    _add_run_options(parser)


def _add_predict(commands: _Commands[_Parser]) -> None:
    parser = commands.add_parser(
        "predict",
        help="labels or values of a saved model",
        description="Print one line for each row: its label, or its values. A .npz file needs "
        "only X; the last column of a .csv file is left out if it is one more than the inputs. "
        "digits and mnist stand for the rows that `eigenmlp train` holds out.",
        allow_abbrev=False,
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="a file `train` saved")
    _add_source(parser)
    _add_run_options(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write to .csv, .txt or .npy")


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(parser=parser)  # which one reports what the options say together
    parser.add_argument("source", metavar="DATA", help="digits, mnist, or a .npz or .csv file")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder with the files of mnist")


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    help_seed = f"of the hold-out, the initial weights and the shuffles ({DEFAULT_SEED})"
    parser.add_argument("--seed", type=_seed, default=DEFAULT_SEED, metavar="N", help=help_seed)
    parser.add_argument("--threads", type=_positive_int, metavar="N", help="at most this many")


def _sizes(text: str) -> tuple[int, ...]:
    if text == "none":
        return ()
    try:
        return tuple(_positive_int(size) for size in text.split(","))
    except argparse.ArgumentTypeError:
        expected = "positive sizes with commas between them (128,64), or none"
        raise argparse.ArgumentTypeError(f"expected {expected}; got {shown(text)}") from None


def _positive_int(text: str) -> int:
    if not (_is_short(text.strip()) and 1 <= int(text) < 2**31):
        raise argparse.ArgumentTypeError(f"expected a positive integer, got {shown(text)}")
    return int(text)


def _seed(text: str) -> int:
    if not (_is_short(text) and int(text) < 2**63):
        raise argparse.ArgumentTypeError(f"expected an integer of 0 or more, got {shown(text)}")
    return int(text)


def _is_short(text: str) -> bool:
    """Digits, not more than Python reads."""
    return text.isdecimal() and len(text) < 100


def _positive_float(text: str) -> float:
    value = _number(text)
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"expected a positive number, got {shown(text)}")
    return value


def _not_negative(text: str) -> float:
    value = _number(text)
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"expected a number of 0 or more, got {shown(text)}")
    return value


def _share(text: str) -> float:
    value = _number(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to below 1, got {shown(text)}")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {shown(text)}") from None
