"""A name with parameters, as model files keep it: "relu", "sigmoid(slope=2.0)"."""

import ast
from functools import lru_cache
from typing import Any


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
