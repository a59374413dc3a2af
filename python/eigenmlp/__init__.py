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

from ._core.loading import version as __version__
from .errors import DivergenceError, RankError
from .info import info
from .threads import get_num_threads, set_num_threads

if TYPE_CHECKING:
    from . import (
        activations,
        datasets,
        losses,
        schedules,
    )
    from . import codegen as codegen
    from . import onnx as onnx
    from . import optimizers as optimizers
    from . import plot as plot
    from . import symbolic as symbolic
    from . import torch as torch
    from ._network.differences import GradientEntry
    from .choices import Choices
    from .gradient_check import GradientReport, check_gradients
    from .history import History
    from .many import fit_many
    from .mlp import MLP, Evaluation
    from .optimizers import (
        SGD,
        Adam,
        AdamW,
        RMSprop,
    )
    from .segments import segment_cross_entropy, segment_softmax, segment_softmax_vjp
    from .trainer import Trainer

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
    "RankError",
    "Trainer",
    "__version__",
    "activations",
    "check_gradients",
    "datasets",
    "fit_many",
    "get_num_threads",
    "info",
    "losses",
    "schedules",
    "segment_cross_entropy",
    "segment_softmax",
    "segment_softmax_vjp",
    "set_num_threads",
]

# Imported at first use, as the type checker sees it above: `import eigenmlp` takes a few
# milliseconds, and nothing that needs an extra is imported unasked.
_MODULES = {
    *("activations", "datasets", "losses", "optimizers", "schedules"),
    *("codegen", "onnx", "plot", "symbolic", "torch"),
}
_MODULE_OF = {
    name: module
    for module, names in {
        "_network.differences": ("GradientEntry",),
        "choices": ("Choices",),
        "gradient_check": ("GradientReport", "check_gradients"),
        "history": ("History",),
        "many": ("fit_many",),
        "mlp": ("MLP", "Evaluation"),
        "optimizers": ("SGD", "Adam", "AdamW", "RMSprop"),
        "segments": ("segment_cross_entropy", "segment_softmax", "segment_softmax_vjp"),
        "trainer": ("Trainer",),
    }.items()
    for name in names
}

if not TYPE_CHECKING:  # which would take it for a promise that any name exists

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return import_module(f"{__name__}.{name}")
        if name in _MODULE_OF:
            value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
            globals()[name] = value
            return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_MODULE_OF})
