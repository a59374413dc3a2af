"""From a list of strings to one frozen description of what to do; nothing is opened here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NoReturn

import eigenmlp as em

from .._basics.shown import one_line, shown
from . import values
from .commands import (
    DEFAULT_SEED,
    RECIPES,
    Command,
    EvaluateCommand,
    InfoCommand,
    PredictCommand,
    Recipe,
    Source,
    TableOptions,
    TrainCommand,
)
from .reading.source import STDIN
from .reading.table import ReadOptions
from .reading.text import Layout
from .reading.words import MISSING

LOSSES = {name: kind for name, kind in em.losses.LOSSES.items() if not kind.of_choices}
SCHEDULES = ("constant", "cosine", "one_cycle")
OPTIMIZERS: dict[str, Any] = {name.lower(): kind for name, kind in em.optimizers.OPTIMIZERS.items()}

# What the options are called that only tables have, by what argparse calls them.
_OF_TABLES = {
    **{"target": "--target", "task": "--task", "drop": "--drop", "test": "--test"},
    **{"valid": "--valid", "id": "--id", "class_weight": "--class-weight", "plain": "--plain"},
    **{"sep": "--sep", "header": "--header and --no-header", "decimal": "--decimal", "na": "--na"},
    **{"text": "--text", "date_format": "--date-format", "encoding": "--encoding"},
}


def parse(argv: Sequence[str] | None) -> Command:
    """Parse the arguments; a bad one prints one line and raises SystemExit(2), as argparse does."""
    args = _parser().parse_args(argv)
    if args.command == "info":
        return InfoCommand(args.model, args.json)

    source = _source(args)
    read = _read_options(args)
    if args.command == "evaluate":
        return EvaluateCommand(
            args.model, source, args.seed, args.threads, args.json, args.target, read
        )
    if args.command == "predict":
        return PredictCommand(
            args.model, source, args.seed, args.threads, args.out, args.proba, args.id, read
        )
    table = TableOptions(
        read,
        args.target,
        args.task,
        args.drop,
        args.test,
        args.valid,
        args.id,
        args.class_weight,
        args.plain,
    )
    given = [field.name for field in fields(Recipe) if getattr(args, field.name) is not None]
    return TrainCommand(
        source,
        _recipe(args, RECIPES[source.name if source.bundled else "file"]),
        args.seed,
        args.threads,
        args.save or Path(f"{source.stem}.safetensors"),
        args.plot,
        args.backend,
        args.quiet,
        args.json,
        table,
        frozenset(given),
    )


def _source(args: argparse.Namespace) -> Source:
    name, directory, parser = str(args.source), args.data, args.parser
    if name == "mnist" and directory is None:
        parser.error("mnist needs --data DIR, the folder that holds its IDX files")
    if name != "mnist" and directory is not None:
        parser.error(f"--data goes with mnist only, not with {shown(name)}")
    source = Source(name, directory)
    is_path = Path(name).suffix or "/" in name or "\\" in name
    if not (source.bundled or name == STDIN or is_path):
        parser.error(
            "expected digits, mnist, or a .npz or .csv file to read (or .tsv, .gz, .parquet, - "
            f"for standard input); got {shown(name)}"
        )
    if not source.is_table:
        for key, option in _OF_TABLES.items():
            value = getattr(args, key, None)
            if not (value is None or value == () or (key == "plain" and not value)):
                kind = name if source.bundled else "a .npz file"
                parser.error(f"{option}: goes with tables (.csv and others), not with {kind}")
    return source


def _read_options(args: argparse.Namespace) -> ReadOptions:
    layout = Layout(args.sep, args.header, args.decimal or ".", args.encoding)
    if layout.point == "," and args.sep == ",":
        args.parser.error("--decimal and --sep: expected two characters, got , for both")
    missing = MISSING if args.na is None else frozenset({"", *args.na})
    return ReadOptions(layout, missing, args.date_format, args.text)


def _recipe(args: argparse.Namespace, default: Recipe) -> Recipe:
    given = {field.name: getattr(args, field.name) for field in fields(Recipe)}
    name = args.optimizer or default.optimizer
    if name != default.optimizer:  # the recipe's numbers are another's
        default = replace(default, lr=OPTIMIZERS[name]().lr, momentum=None)
        of_tables = Source(str(args.source)).is_table and not args.plain and name == "adamw"
        if args.momentum is not None and name != "rmsprop" and not of_tables:
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
    _add_info(commands)
    return parser


_Commands = argparse._SubParsersAction  # argparse has no public name for what it returns


def _add_train(commands: _Commands[_Parser]) -> None:
    parser = commands.add_parser(
        "train",
        help="train a network and save it",
        description=(
            "Train on a table (CSV and other separated text, also .gz, or Parquet; - is standard "
            "input) whose last column is the target, on the bundled digits, on MNIST from a folder "
            "of IDX files, or on a .npz file with arrays X and y. A fifth of the rows is held out "
            "to test (for mnist, its own test set)."
        ),
        allow_abbrev=False,
    )
    _add_source(parser)
    table = parser.add_argument_group(
        "tables", "columns are told by name, or by index: 0 is the first, -1 the last"
    )
    table.add_argument("--target", metavar="COLUMN", help="what to predict (the last column)")
    table.add_argument(
        "--task", choices=("classify", "regress"), help="unless given, by what the target holds"
    )
    table.add_argument(
        "--drop", type=values.names, default=(), metavar="A,B", help="columns that are no features"
    )
    table.add_argument("--id", metavar="COLUMN", help="tells rows apart: no feature either")
    table.add_argument("--test", metavar="FILE", help="test on its rows instead of a fifth")
    table.add_argument(
        "--valid", metavar="FILE", help="validate with its rows: training stops by them"
    )
    table.add_argument("--class-weight", choices=("balanced",), help="make all classes count alike")
    table.add_argument(
        "--plain", action="store_true", help="the network of .npz files, on numbers alone"
    )
    _add_reading(parser)
    network = parser.add_argument_group("the network and its training")
    network.add_argument("--hidden", type=values.sizes, metavar="N,N", help="hidden sizes, or none")
    network.add_argument("--activation", metavar="NAME", help="of the hidden layers (relu)")
    network.add_argument(
        "--loss",
        metavar="NAME",
        help="softmax_cross_entropy for classes; for values squared_error (the default) or "
        f"another of {', '.join(LOSSES)}; with parameters as in 'huber(delta=0.5)'",
    )
    network.add_argument(
        "--epochs", type=values.positive_int, metavar="N", help="passes over the rows"
    )
    network.add_argument(
        "--batch-size", type=values.positive_int, metavar="N", help="rows in a step"
    )
    network.add_argument("--optimizer", choices=[*OPTIMIZERS], help="sgd (adamw for tables)")
    network.add_argument("--lr", type=values.positive_float, metavar="RATE", help="learning rate")
    network.add_argument(
        "--schedule", choices=SCHEDULES, help="of the learning rate over the whole run (constant)"
    )
    network.add_argument(
        "--momentum",
        type=values.share,
        metavar="M",
        help="of sgd (0.9) or rmsprop; of tables, AdamW's first beta",
    )
    network.add_argument(
        "--dropout", type=values.share, metavar="P", help="share of hidden units left out (0)"
    )
    network.add_argument(
        "--weight-decay", type=values.not_negative, metavar="W", help="of the weights, not biases"
    )
    network.add_argument(
        "--clip-norm", type=values.positive_float, metavar="C", help="clip the gradient's norm"
    )
    network.add_argument(
        "--compute-dtype",
        choices=("float32", "bfloat16"),
        help="of the products' operands (float32); bfloat16 is faster with AMX",
    )
    network.add_argument("--backend", choices=("native", "numpy"), default="native")
    _add_run_options(parser)
    parser.add_argument("--save", type=Path, metavar="FILE", help="the model (NAME.safetensors)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="save the loss curve as a figure")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def _add_evaluate(commands: _Commands[_Parser]) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="how good a saved model is",
        description="Print how good a saved model is on all rows of a file, or on the rows of "
        "digits or mnist that `eigenmlp train` holds out.",
        allow_abbrev=False,
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="a file `train` saved")
    _add_source(parser)
    parser.add_argument("--target", metavar="COLUMN", help="unless it is named as in training")
    _add_reading(parser)
    _add_run_options(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")


def _add_predict(commands: _Commands[_Parser]) -> None:
    parser = commands.add_parser(
        "predict",
        help="labels or values of a saved model",
        description="Print one line for each row: its label, or its values. A table's columns are "
        "taken by name; without names the target may be left out. A .npz file needs only X. digits "
        "and mnist stand for the rows that `eigenmlp train` holds out.",
        allow_abbrev=False,
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="a file `train` saved")
    _add_source(parser)
    parser.add_argument("--proba", action="store_true", help="a probability for each class")
    parser.add_argument("--id", metavar="COLUMN", help="begin each line with this column")
    _add_reading(parser)
    _add_run_options(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write to .csv, .txt or .npy")


def _add_info(commands: _Commands[_Parser]) -> None:
    parser = commands.add_parser(
        "info",
        help="what a model is; without one, instruction set, threads and versions",
        allow_abbrev=False,
    )
    parser.add_argument("model", type=Path, nargs="?", metavar="MODEL", help="a file `train` saved")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(parser=parser)  # which one reports what the options say together
    parser.add_argument(
        "source", metavar="DATA", help="digits, mnist, a table, - for one on stdin, or a .npz file"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder with the files of mnist")


def _add_reading(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how a table is written, where that is not seen")
    group.add_argument("--sep", type=values.separator, metavar="C", help="between fields")
    group.add_argument(
        "--header", action="store_true", default=None, help="the first row names the columns"
    )
    group.add_argument(
        "--no-header", action="store_false", dest="header", help="the first row is data"
    )
    group.add_argument("--decimal", choices=(".", ","), help="of numbers (.)")
    group.add_argument(
        "--na", type=values.names, metavar="A,B", help="words for missing cells, instead of NA, …"
    )
    group.add_argument(
        "--text", type=values.names, default=(), metavar="A,B", help="columns that are words"
    )
    group.add_argument(
        "--date-format",
        type=values.date_format,
        metavar="F",
        help="as %%d/%%m/%%Y, if rows do not tell",
    )
    group.add_argument("--encoding", type=values.encoding, metavar="NAME", help="of text (UTF-8)")


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    help_seed = f"of the hold-out, the initial weights and the shuffles ({DEFAULT_SEED})"
    parser.add_argument(
        "--seed", type=values.seed, default=DEFAULT_SEED, metavar="N", help=help_seed
    )
    parser.add_argument("--threads", type=values.positive_int, metavar="N", help="at most so many")
