"""The two backends behind one narrow facade: the compiled core, and the NumPy twin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from .._basics.warned import warn
from .._core.loading import core, level
from ..losses import Loss, SquaredError
from ..optimizers import Optimizer
from .choices import ChoiceNetwork, ChoiceTrainer
from .protocols import Network, RunResult, Trainer

BACKENDS = ("native", "numpy")
_warned: list[str] = []  # what was said once
_native_trainers: dict[str, Any] = {"float32": core.Trainer32, "float64": core.Trainer64}
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
        trainer: Trainer = _native_trainers[dtype](network, rule, hyper, **options)
        return trainer
    from .. import reference

    assert isinstance(network, reference.Network)
    return reference.Trainer(network, rule, hyper, **options)


def at_once(backend: str, dtype: str, parameters: int, rows: int, count: int, threads: int) -> int:
    """How many of `count` networks of one shape to train side by side; 1 where more do not pay.

    In batches of so many rows, so that none of the threads is without work.
    """
    if backend != "native":
        return 1
    best: int = _native_trainers[dtype].at_once(parameters, rows, count, threads)
    return best


def run_side_by_side(
    trainers: Sequence[Trainer],
    X: Any,
    T: Any,
    sample_weight: NDArray[Any] | None,
    batch_size: int,
    orders: Sequence[NDArray[Any]],
    learning_rates: NDArray[Any],
    check: Callable[[], None] | None,
) -> list[RunResult] | None:
    """What `Trainer.run` does for each, to the same bits, at once.

    None, and nothing done, if they cannot run so: other backends, networks of several shapes,
    rounded operands, sparse rows, dropout, limits that look at whole layers, more than the lanes of
    a vector; or if one of them diverged, which its own run is to find.
    """
    kind = type(trainers[0])
    if kind not in _native_trainers.values() or {type(one) for one in trainers} != {kind}:
        return None
    results: list[RunResult] | None = kind.run_side_by_side(  # type: ignore[attr-defined]
        trainers, X, T, sample_weight, batch_size, orders, learning_rates, check
    )
    return results
