"""What the core makes of rows as users give them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import column_or_1d, validate_data

from .._basics.shown import shown
from .._basics.warned import as_ours
from .._inputs import frames, odd, sparse
from .._inputs.mapped import intact
from ..mlp import MLP
from ..threads import limited
from ._network import NetworkMixin
from ._plain import is_plain

Array = NDArray[Any]

_LONGEST = 380  # characters of a message
_WORDS = 100  # of scikit-learn's, before ours


class RowsMixin:
    """Rows and targets, checked as scikit-learn checks them."""

    n_features_in_: int

    def _checked_rows(self, X: Any) -> Any:
        """Rows that the core reads as they are."""
        intact(X, "X")
        with brief(), naming(X), as_ours():
            X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
            return readable(X)

    def _checked_pair(self, X: Any, y: Any, reset: bool, **options: Any) -> tuple[Any, Any]:
        """Rows to train on that the core reads as they are, and targets; one column is flat."""
        intact(X, "X")
        intact(y, "y")
        if reset and is_plain(X, y):
            vars(self).pop("feature_names_in_", None)
            self.n_features_in_ = X.shape[1]
            return X, y
        with naming(X, y), as_ours():
            X, y = validate_data(
                self,
                X,
                y,
                accept_sparse=["csr", "csc"],
                multi_output=True,
                dtype=(np.float64, np.float32),
                reset=reset,
                **options,
            )
        if y.ndim == 2 and y.shape[1] == 1:
            with as_ours():
                y = column_or_1d(y, warn=True)
        return readable(X), y


class OutputsMixin(RowsMixin, NetworkMixin):
    """Outputs of the network for rows, which are checked where the core cannot read them."""

    n_threads: int | None

    def _forward(self, X: Any, checked: bool = False) -> Array:
        """Outputs (N, K); logits for the cross-entropies."""
        net = self._network()
        if not checked:
            intact(X, "X")
        # One row at a time is what services ask for: what the core reads as it is, is right.
        if checked or (type(X) is np.ndarray and "feature_names_in_" not in self.__dict__):
            Y = self._outputs(net, X)
            if Y is not None:
                return Y
        Y = self._outputs(net, self._checked_rows(X))
        if Y is None:
            raise ValueError(f"X: expected finite numbers that {net.dtype} can hold, got others")
        return Y

    def _outputs(self, net: MLP, X: Any) -> Array | None:
        """None if the core cannot read X as it is."""
        if self.n_threads is None:
            return net._network.forward(X)  # type: ignore[no-any-return]
        with limited(self.n_threads):
            return net._network.forward(X)  # type: ignore[no-any-return]


@contextmanager
def brief() -> Iterator[None]:
    """Errors of scikit-learn's checks, of whole arrays too, in a few lines; others as TypeError."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if len(str(error)) <= _LONGEST:
            raise
        raise _shortened(error) from None
    except (MemoryError, OSError, ImportError, Warning):
        raise
    except Exception as error:  # of a user's object that is asked for its numbers
        came = f"{type(error).__name__}: {error!s:.200}"
        raise TypeError(f"expected parameters and data that can be read, got {came}") from None


@contextmanager
def naming(X: Any, y: Any = None) -> Iterator[None]:
    """Errors of scikit-learn's checks of frames, with the column that is meant."""
    try:
        yield
    except (TypeError, ValueError, OverflowError) as error:
        words = str(error).partition("\n")[0]
        if isinstance(error, OverflowError):
            raise ValueError(f"{words[:_WORDS]}: {_too_large(X, y)}") from None
        of_gaps = " contains " in words or "NA is ambiguous" in words  # NaN or infinity
        if not (of_gaps or "convert" in words or isinstance(error, TypeError)):
            raise
        found = frames.refusal(X, "X")
        if found is None and of_gaps:
            found = frames.refusal(y, "y")
            if found is not None and found.startswith("y: expected numbers"):  # as texts may be
                found = frames.gaps(y, "y") or found
        if found is None:
            raise
        raise ValueError(f"{words[:_WORDS]}{'.' * (words[-1:] != '.')} {found}") from None


def _too_large(X: Any, y: Any) -> str:
    """Which integer no float can hold."""
    for name, value in (("X", X), ("y", y)):
        array = np.asarray(value, dtype=object)
        if (found := odd.beyond_floats(array.ravel())) is not None:
            where = ", ".join(map(str, np.unravel_index(found[0], array.shape)))
            came = f"{shown(found[1])} at {name}[{where}]"
            return f"expected numbers that a float can hold, got {came}"
    return "expected numbers that a float can hold"


def _shortened(error: TypeError | ValueError) -> TypeError | ValueError:
    text = f"{str(error)[:_LONGEST]}…"
    try:
        return type(error)(text)
    except TypeError:  # made of more than a text, as UnicodeError
        return ValueError(text)


def readable(X: Any) -> Any:
    """X as float32 or float64, dense or CSR."""
    if not isinstance(X, np.ndarray):
        X = sparse.csr(X)
    return X if X.dtype in (np.float32, np.float64) else X.astype(np.float64)
