"""What every backend's network and trainer can do: the facade's types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray


class Network(Protocol):
    """Parameters and passes. Entries return None for arrays they cannot take as they are."""

    @property
    def parameter_count(self) -> int: ...
    def get_parameters(self) -> NDArray[Any]: ...
    def set_parameters(self, flat: NDArray[Any]) -> None: ...
    def set_units(
        self,
        input_shift: Sequence[float],
        input_scale: Sequence[float],
        output_shift: Sequence[float],
        output_scale: Sequence[float],
    ) -> None: ...
    def forward(self, X: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any] | None: ...
    def evaluate(
        self,
        X: NDArray[Any],
        T: Any,
        sample_weight: NDArray[Any] | None = None,
        check: Callable[[], None] | None = None,  # called now and then: what it raises ends it
    ) -> tuple[float, int]: ...
    def loss_and_gradient(
        self, X: NDArray[Any], T: Any, sample_weight: NDArray[Any] | None = None
    ) -> tuple[float, NDArray[Any]]: ...
    def vjp(self, X: NDArray[Any], dY: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]: ...


class RunResult(Protocol):
    """What `Trainer.run` did; arrays have an entry for each epoch."""

    @property
    def losses(self) -> NDArray[Any]: ...
    @property
    def correct(self) -> NDArray[Any]: ...
    @property
    def seconds(self) -> NDArray[Any]: ...
    @property
    def batch_losses(self) -> NDArray[Any]: ...  # of all batches, one epoch after the other
    @property
    def penalties(self) -> NDArray[Any]: ...  # what the optimizer's penalty adds to them
    @property
    def epochs(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def diverged_step(self) -> int: ...
    @property
    def interrupted(self) -> bool: ...
    @property
    def refused(self) -> bool: ...
    @property
    def diverged_loss(self) -> float: ...

    error: BaseException | None


class Trainer(Protocol):
    """An optimizer's state and the step."""

    @property
    def state_names(self) -> Sequence[str]: ...
    @property
    def steps(self) -> int: ...
    def get_progress(self) -> tuple[int, int, int, float]: ...
    def set_progress(
        self,
        steps: int,
        batches: int = 0,
        rows: int = 0,
        weight: float = 0.0,
        gathered: NDArray[Any] | None = None,
    ) -> None: ...
    def get_gathered(self) -> NDArray[Any]: ...
    def flush(self, lr: float) -> bool: ...
    def get_state(self, name: str) -> NDArray[Any]: ...
    def set_state(self, name: str, flat: NDArray[Any]) -> None: ...
    def step(
        self,
        X: NDArray[Any],
        T: Any,
        lr: float,
        sample_weight: NDArray[Any] | None = None,
    ) -> float | None: ...
    def apply(self, gradient: NDArray[Any], lr: float) -> bool: ...
    def run(
        self,
        X: NDArray[Any],
        T: Any,
        sample_weight: NDArray[Any] | None,
        batch_size: int,
        orders: NDArray[Any],
        learning_rates: NDArray[Any],
        whole: bool = True,
        check: Callable[[], None] | None = None,
    ) -> RunResult: ...
