"""Optimizers, as frozen descriptions; the rules themselves are in the core and in the twin."""

from dataclasses import fields

from .._basics.shown import shown
from .._inputs.words import canonical
from ._base import LearningRate, Optimizer, learning_rates
from .adam import Adam
from .adamw import AdamW
from .rmsprop import RMSprop
from .sgd import SGD

OPTIMIZERS: dict[str, type[Optimizer]] = {
    kind.__name__: kind for kind in (SGD, Adam, AdamW, RMSprop)
}

DEFAULT = SGD(0.1, momentum=0.9)  # of `fit`, and of the word "sgd"


def checked_optimizer(value: object) -> Optimizer:
    """The optimizer that an object, a name or a text form, as "adam(lr=0.01)", means.

    Examples
    --------
    >>> checked_optimizer("sgd")
    SGD(lr=0.1, momentum=0.9, nesterov=False, weight_decay=0.0)
    >>> checked_optimizer("adam(lr=0.01)")
    Adam(lr=0.01, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0)
    """
    if isinstance(value, tuple(OPTIMIZERS.values())):
        return value  # type: ignore[return-value]
    words = [name.lower() for name in OPTIMIZERS]
    expected = f"optimizer: expected an object such as em.Adam(1e-3), or one of {words}"
    if not isinstance(value, str):
        raise TypeError(f"{expected}, got {shown(value)}")
    from ..reference.choice import parse

    try:
        name, given = parse(value)
    except ValueError:
        name, given = value, {}
    kind = OPTIMIZERS.get(canonical(name, OPTIMIZERS))
    if kind is None:
        raise ValueError(f"{expected}, got {shown(value)}")
    if kind is SGD and not given:
        return DEFAULT
    known = [field.name for field in fields(kind)]
    for key in given:
        if key not in known:
            raise ValueError(f"optimizer: expected parameters {known}, got {shown(key)}")
    if "lr" not in given and kind is SGD:
        raise ValueError(f"optimizer: expected an lr among the parameters, got {shown(value)}")
    return kind(**given)


__all__ = [
    "DEFAULT",
    "OPTIMIZERS",
    "SGD",
    "Adam",
    "AdamW",
    "LearningRate",
    "Optimizer",
    "RMSprop",
    "checked_optimizer",
    "learning_rates",
]
