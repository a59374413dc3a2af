"""The table of optimizers.

To add an optimizer, write `optimizers/<name>.py` and give it a line in the table.
"""

from typing import Protocol

from eigenmlp.reference.optimizers import (
    adam,
    adamw,
    rmsprop,
    sgd,
)
from eigenmlp.reference.types import Bools, Floats


class Optimizer(Protocol):
    """What a file in `optimizers/` contains: a rule that updates all P parameters at once."""

    state_names: tuple[str, ...]  # arrays (P,) that the rule keeps between steps; zero at first
    defaults: dict[str, float]  # the hyperparameters and their default values

    def update(
        self,
        W: Floats,
        dW: Floats,
        is_weight: Bools,
        state: dict[str, Floats],
        lr: float,
        hyper: dict[str, float],
        t: int,
    ) -> None:
        """Change the parameters W (P,) and the arrays in `state` in place, given dW (P,).

        `is_weight` (P,) tells the weights from the biases; `t` is the update's number, from 1.
        """


OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": sgd,
    "adam": adam,
    "adamw": adamw,
    "rmsprop": rmsprop,
}
