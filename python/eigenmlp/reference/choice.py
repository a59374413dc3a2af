"""A name with parameters, as model files keep it: "relu", "sigmoid(slope=2.0)"."""

import ast
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any, TypeVar, cast

Kind = TypeVar("Kind")


@lru_cache(maxsize=1024)
def parse(text: str) -> tuple[str, dict[str, Any]]:
    """The name, and the parameters that are given.

    Raises
    ------
    ValueError
        If the text is neither NAME nor NAME(KEY=VALUE, …).

    Examples
    --------
    >>> parse("relu")
    ('relu', {})
    >>> parse("quantile(q=[0.1, 0.9], reduction='sum')")
    ('quantile', {'q': [0.1, 0.9], 'reduction': 'sum'})
    """
    if "(" not in text:
        return text, {}
    try:
        call = ast.parse(text, mode="eval").body
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.args:
            values = {str(key.arg): ast.literal_eval(key.value) for key in call.keywords}
            if len(values) == len(call.keywords) and "None" not in values:
                return call.func.id, values
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        pass
    raise ValueError(f"expected NAME or NAME(KEY=VALUE, …), got {text!r:.80}")


def with_parameters(entry: Kind, parameters: dict[str, Any]) -> Kind:
    """A table's entry with the values of its parameters, which its functions take already.

    Examples
    --------
    >>> import numpy as np
    >>> from eigenmlp.reference.activations import elu
    >>> with_parameters(elu, {"alpha": 2.0}).value(np.array([1.0, -1000.0]))
    array([ 1., -2.])
    """
    own = {
        name: partial(x, **parameters) if callable(x) else x
        for name, x in vars(entry).items()
        if not name.startswith("__")
    }
    return cast(Kind, SimpleNamespace(**{**own, "parameters": parameters}))
