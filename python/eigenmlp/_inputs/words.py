"""Words that people use for what has another name here: one table, which messages show."""

from __future__ import annotations

from collections.abc import Iterable

from .._basics.shown import shown

# Losses are computed from logits, and summed over outputs, under these names too.
ALIASES = {
    "mse": "squared_error",
    "mae": "absolute_error",
    "bce": "sigmoid_cross_entropy",
    "cross_entropy": "softmax_cross_entropy",
    "mean_squared_error": "squared_error",
    "mean_absolute_error": "absolute_error",
    "binary_cross_entropy": "sigmoid_cross_entropy",
    "categorical_cross_entropy": "softmax_cross_entropy",
    "linear": "identity",
    "logistic": "sigmoid",
    "swish": "silu",
    "leakyrelu": "leaky_relu",
    "xavier_normal": "glorot_normal",
    "xavier_uniform": "glorot_uniform",
    "kaiming_normal": "he_normal",
    "kaiming_uniform": "he_uniform",
}


def canonical(name: str, names: Iterable[str]) -> str:
    """Which of `names` a word means; the word itself, if none.

    Letters of any case, hyphens for underscores and PyTorch's ending are understood.

    Examples
    --------
    >>> names = ["relu", "silu", "squared_error", "SGD"]
    >>> [canonical(word, names) for word in ("ReLU", "swish", "MSELoss", "sgd", "foo")]
    ['relu', 'silu', 'squared_error', 'SGD', 'foo']
    """
    names = list(names)
    if name in names:
        return name
    word = name.strip().lower().replace("-", "_").replace(" ", "_")
    word = word.replace("crossentropy", "cross_entropy").removesuffix("loss").rstrip("_")
    word = ALIASES.get(word, word)
    return next((known for known in names if known.lower() == word), name)


def chosen(name: object, names: Iterable[str], what: str) -> str:
    """Which of `names` a word means, or an error that lists them and the words for them.

    Raises
    ------
    TypeError, ValueError
        If it is no word, or means none of them.
    """
    names = list(names)
    found = canonical(name, names) if isinstance(name, str) else None
    if found in names:
        return found
    others = [alias for alias, meant in ALIASES.items() if meant in names]
    also = f" or {', '.join(others)}" if others else ""
    error = ValueError if isinstance(name, str) else TypeError
    raise error(f"{what}: expected one of {names}{also}, got {shown(name)}")
