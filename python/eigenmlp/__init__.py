"""Multi-layer perceptrons on a CPU, trained and run fast.

>>> import eigenmlp as em
>>> X, y = em.datasets.load_digits()
>>> net = em.MLP([64, 50, 10], seed=0)
>>> history = net.fit(X, y, epochs=20, optimizer=em.SGD(0.1, momentum=0.9), progress=False)
>>> bool(net.evaluate(X, y).accuracy > 0.99)
True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import activations, datasets, losses, schedules
from ._core import version as __version__
from .choices import Choices
from .errors import DivergenceError
from .history import History
from .info import info
from .mlp import MLP, Evaluation
from .optimizers import SGD, Adam, AdamW, RMSprop
from .segments import segment_cross_entropy, segment_softmax, segment_softmax_vjp
from .threads import get_num_threads, set_num_threads
from .trainer import Trainer

if TYPE_CHECKING:
    from . import codegen as codegen
    from . import plot as plot
    from . import symbolic as symbolic
    from ._differences import GradientEntry
    from .gradient_check import GradientReport, check_gradients

__all__ = [
    "MLP",
    "SGD",
    "Adam",
    "AdamW",
    "Choices",
    "DivergenceError",
    "Evaluation",
    "GradientEntry",
    "GradientReport",
    "History",
    "RMSprop",
    "Trainer",
    "__version__",
    "activations",
    "check_gradients",
    "datasets",
    "get_num_threads",
    "info",
    "losses",
    "schedules",
    "segment_cross_entropy",
    "segment_softmax",
    "segment_softmax_vjp",
    "set_num_threads",
]

# What is imported at first use: modules that need an extra, and what few programs need.
_LAZY_MODULES = ("codegen", "plot", "symbolic")
_LAZY_NAMES = {
    "GradientEntry": "_differences",
    "GradientReport": "gradient_check",
    "check_gradients": "gradient_check",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY_MODULES:
        return import_module(f"{__name__}.{name}")
    if name in _LAZY_NAMES:
        value = getattr(import_module(f"{__name__}.{_LAZY_NAMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY_MODULES, *_LAZY_NAMES])
