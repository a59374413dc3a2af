"""The ``eigenmlp`` command: `arguments` parses, `train` and `saved` act, `reading` reads tables.

Exit codes: 0 done, 1 training diverged, 2 bad argument or file, 130 interrupted by Ctrl-C.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr

import eigenmlp as em

from .._basics.shown import one_line
from . import launched
from .arguments import parse
from .commands import Command, EvaluateCommand, InfoCommand, PredictCommand, TrainCommand
from .info import info
from .saved import evaluate, predict
from .train import train

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments without the program's name; ``sys.argv[1:]`` if not given.

    Returns
    -------
    int
        The exit code. Nothing is raised: every error is one line on stderr.

    Examples
    --------
    >>> from eigenmlp.cli import main
    >>> main(["train", "digits", "--epochs", "1", "--save", "/nowhere/at/all"])
    2
    """
    try:
        with redirect_stderr(sys.stderr if launched.is_first() else io.StringIO()):
            command = parse(argv)
        _run(command)
        sys.stdout.flush()  # a closed pipe shows here, not at exit
        return 0
    except SystemExit as ended:  # argparse, after printing help or an error
        return ended.code if isinstance(ended.code, int) else 2
    except KeyboardInterrupt:
        return _fail("interrupted", code=130)
    except BrokenPipeError:  # as in `eigenmlp predict ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # what the shell shows for a program ended by SIGPIPE
    except em.DivergenceError as error:
        return _fail(f"{error}; try a smaller --lr, or inputs of a smaller scale", code=1)
    except MemoryError as error:
        return _fail(f"not enough memory: {error}", code=2)
    except OSError as error:
        named = error.strerror and error.filename
        return _fail(f"{error.filename}: {error.strerror}" if named else str(error), code=2)
    except (ValueError, TypeError, ImportError, RuntimeError) as error:
        return _fail(str(error), code=2)


def _run(command: Command) -> None:
    match command:
        case TrainCommand():
            train(command)
        case EvaluateCommand():
            evaluate(command)
        case PredictCommand():
            predict(command)
        case InfoCommand():
            info(command)


def _fail(message: str, code: int) -> int:
    if launched.is_first():  # others' errors come to it as its own
        print(f"eigenmlp: error: {one_line(message)}", file=sys.stderr)
    return code
