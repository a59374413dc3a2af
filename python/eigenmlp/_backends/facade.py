"""The two backends behind one narrow facade: the compiled core, and the NumPy twin."""

from __future__ import annotations

from typing import Any

from .._basics.warned import warn
from .._core.loading import core, level
from ..losses import Loss, SquaredError
from ..optimizers import Optimizer
from .choices import ChoiceNetwork, ChoiceTrainer
from .protocols import Network, Trainer

BACKENDS = ("native", "numpy")
_warned: list[str] = []  # what was said once
DTYPES = ("float32", "float64")
LOSSES: tuple[str, ...] = tuple(core.losses)
OUTPUT_ACTIVATIONS: tuple[str, ...] = tuple(core.activations)
ACTIVATIONS: tuple[str, ...] = tuple(x for x in core.activations if x != "softmax")


def warn_without_bfloat16() -> None:
    """Say once that this processor, or this variant of the core, has no products of bfloat16."""
    if core.multiplies_bfloat16 or _warned:
        return
    text = (
        f'compute_dtype="bfloat16": this variant of the core ({level}) computes with rounded '
        "operands in float32, which brings no speed; AMX, AVX-512-BF16 or BFDOT would"
    )
    _warned.append(text)
    warn(text)


def make_network(
    backend: str,
    layer_sizes: list[int],
    activations: list[str],
    loss: Loss,
    bias: bool,
    input_scale: float,
    dtype: str,
    rounds: bool = False,
) -> Network:
    """A network of zeros; if it `rounds`, its products read operands rounded to bfloat16."""
    if loss.of_choices:
        by_rows = SquaredError(reduction=loss.reduction)  # of which a trainer asks if it is a sum
        scores = make_network(
            backend, layer_sizes, activations, by_rows, bias, input_scale, dtype, rounds
        )
        return ChoiceNetwork(scores, loss, backend == "native")
    if backend == "native":
        kind = core.Network32 if dtype == "float32" else core.Network64
        network: Network = kind(layer_sizes, activations, loss.core_text, bias, input_scale, rounds)
        return network
    from .. import reference

    return reference.Network(
        layer_sizes, activations, loss.core_text, bias, input_scale, dtype, rounds
    )


def scores_of(network: Network) -> Network:
    """The backend's own network, whose outputs the loss is of."""
    return network.scores if isinstance(network, ChoiceNetwork) else network


def derivatives_of(backend: str) -> Any:
    """The backend's module of derivatives: functions of a network that `make_network` made."""
    if backend == "native":
        return core.derivatives
    from ..reference import derivatives

    return derivatives


def make_trainer(
    backend: str,
    network: Network,
    optimizer: Optimizer,
    dtype: str,
    accumulate: int,
    dropout: list[float],
    dropout_key: int,
) -> Trainer:
    """A trainer with fresh state."""
    if isinstance(network, ChoiceNetwork):
        scores = make_trainer(
            backend, network.scores, optimizer, dtype, accumulate, dropout, dropout_key
        )
        return ChoiceTrainer(scores, network, accumulate)
    limits = {name: x for name, x in optimizer.limits().items() if x is not None}
    rule, hyper = optimizer.rule, optimizer.hyper()
    options: dict[str, Any] = {
        **limits, "accumulate": accumulate, "dropout": dropout, "dropout_key": dropout_key
    }  # fmt: skip
    if backend == "native":
        kind = core.Trainer32 if dtype == "float32" else core.Trainer64
        trainer: Trainer = kind(network, rule, hyper, **options)
        return trainer
    from .. import reference

    assert isinstance(network, reference.Network)
    return reference.Trainer(network, rule, hyper, **options)
