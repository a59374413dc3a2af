"""Schedules: learning rates that change, as frozen descriptions that a trainer's file holds.

Pass one as an optimizer's `lr`. Each is a function of the update's number, from 0, and any other
such function will do as well; only a file cannot hold that.

>>> import eigenmlp as em
>>> optimizer = em.SGD(em.schedules.Cosine(0.1, steps=1000), momentum=0.9)
>>> optimizer.lr(250)
0.08535533905932738
"""

from typing import Any

from .._basics.shown import shown
from ._base import Schedule, describe
from .constant import Constant
from .cosine import Cosine
from .exponential import Exponential
from .one_cycle import OneCycle
from .reduce_on_plateau import Plateau, ReduceOnPlateau
from .step import Step
from .warm_up import WarmUp

SCHEDULES: dict[str, type[Schedule]] = {
    kind.__name__: kind
    for kind in (Constant, Step, Exponential, Cosine, WarmUp, OneCycle, ReduceOnPlateau)
}


def restored(description: Any) -> Any:
    """The number or the schedule that `describe` described."""
    if not isinstance(description, dict):
        return description
    arguments = {name: restored(x) for name, x in description.items() if name != "schedule"}
    name = description.get("schedule")
    if name not in SCHEDULES:
        raise ValueError(f"lr: expected a schedule of {[*SCHEDULES]}, got {shown(name)}")
    return SCHEDULES[name](**arguments)


__all__ = [
    "SCHEDULES",
    "Constant",
    "Cosine",
    "Exponential",
    "OneCycle",
    "Plateau",
    "ReduceOnPlateau",
    "Schedule",
    "Step",
    "WarmUp",
    "describe",
    "restored",
]
