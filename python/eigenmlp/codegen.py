"""A trained network as one C file, for microcontrollers, real-time code and other languages.

>>> import eigenmlp as em
>>> net = em.MLP([4, 3, 2], activation="tanh", seed=0)
>>> em.codegen.to_c(net, "model.c")

and then, for instance, ``cc -std=c99 -O2 -c model.c``. The file's first lines say which functions
it has; they are those of the network: ``forward``, ``predict``, and ``predict_proba`` where there
are probabilities, each for one row.
"""

from __future__ import annotations

import re
from pathlib import Path

from ._basics.shown import shown
from ._files.whole import write_whole
from ._interchange.c_source import ensemble
from ._interchange.c_source.model import INPUT_DTYPES, Model
from ._interchange.c_source.writing import Writer
from ._interchange.travelling import Estimator, parts
from .mlp import MLP

__all__ = ["INPUT_DTYPES", "c_source", "to_c"]


def to_c(
    net: MLP | Estimator, path: str | Path, name: str = "", input_dtype: str | None = None
) -> None:
    """Write a network as one C99 file that needs no other, and no library but libm.

    The file is complete or not there: it is written beside its place, then renamed.

    Parameters
    ----------
    net : MLP, or fitted estimator of `eigenmlp.sklearn` or `eigenmlp.tables`, pipeline or search
        A pipeline of scalers is one network, as in `eigenmlp.onnx.export`. A row of a table is its
        columns as doubles, in their order; of a text that is what the file's function
        ``code(column, text)`` says, ``column`` being its place in the row, from 0.
        Its numbers are written in hexadecimal, so that none is rounded.
    path : str or Path
        As ``"model.c"``.
    name : str
        Put before the functions' names, with an underscore, so that a program may have several
        networks: ``name="digits"`` gives ``digits_predict``.
    input_dtype : str, optional
        Of the rows that the functions read: ``"float32"``, ``"float64"`` or ``"uint8"``; the
        network's dtype if not given. `MLP`'s ``input_scale`` is applied in C.

    Raises
    ------
    TypeError, ValueError
        If `net` is no network or has a parameter that is not finite, if `name` is no C identifier,
        or for an unknown `input_dtype`; no file is written then.

    Notes
    -----
    The functions allocate nothing and have no state: layers lie on the stack (the file says how
    many bytes), constants are ``const``. So calls may overlap, in threads and in interrupts. They
    do not check their input: a NaN in it comes out as NaN. Sums run in the order of the inputs, so
    that outputs differ from the network's own by rounding. With ``compute_dtype="bfloat16"`` the
    file has the float32 parameters, and does not round operands: outputs differ by that.

    Each function takes one row and writes its K numbers, one number too.
    ``predict`` gives the numbers of classes, 0, 1, …; what a classifier of `eigenmlp.sklearn` calls
    them is in the array ``classes``: numbers, or strings in UTF-8. Classes that C cannot hold are a
    `ValueError`: strings with a NUL, which ends a string there, or a lone surrogate, or of more
    than 4,095 bytes; times; long doubles that are no double.

    An ensemble of `eigenmlp.sklearn`, or a pack of a table, is one file too: ``predict_proba``
    gives the mean of its members' probabilities (where each has one output, that of the second
    class), ``predict`` the class, or the mean of their values.

    Examples
    --------
    >>> import eigenmlp as em
    >>> net = em.MLP([8, 3, 1], loss="squared_error", input_scale=1 / 255, seed=0)
    >>> em.codegen.to_c(net, "height.c", name="height", input_dtype="uint8")
    >>> with open("height.c") as file:
    ...     print([line.strip() for line in file if "predict" in line][0])
    void height_predict(const uint8_t x[8], float y[1]);
    """
    text = c_source(net, name, input_dtype)
    write_whole(path, text.encode("ascii"))


def c_source(net: MLP | Estimator, name: str = "", input_dtype: str | None = None) -> str:
    """The text of the file that `to_c` writes; parameters and errors are the same.

    Examples
    --------
    >>> import eigenmlp as em
    >>> net = em.MLP([1, 1], loss="squared_error", seed=0)
    >>> net.parameters = [0.5, 3.0]
    >>> print(*[x for x in em.codegen.c_source(net).splitlines() if x.endswith("p+1f,")])
      0x1.8p+1f,
    """
    if (several := parts(net, "to_c")) is not None:
        return "".join(ensemble.file(several, _prefix(name), input_dtype))
    model = Model(net, _prefix(name), input_dtype)
    return "".join(Writer(model).file())


def _prefix(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"name: expected a C identifier or '', got {shown(name)}")
    if name and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise ValueError(f"name: expected a C identifier or '', got {shown(name)}")
    return f"{name}_" if name else ""
