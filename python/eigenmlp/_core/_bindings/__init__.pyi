# Written by tools/stubs.py from the compiled modules: change those, then run it again.
"""
The core of eigenmlp: Python's side of it, and one of its variants once that is loaded.
"""

import collections.abc
import numpy
import numpy.typing
import typing
from . import derivatives as derivatives

class RunResult:
    error: typing.Any

    @property
    def batch_losses(self) -> numpy.typing.NDArray[numpy.float64]: ...
    @property
    def correct(self) -> numpy.typing.NDArray[numpy.int64]: ...
    @property
    def diverged_loss(self) -> float: ...
    @property
    def diverged_step(self) -> int: ...
    @property
    def epochs(self) -> int: ...
    @property
    def interrupted(self) -> bool: ...
    @property
    def losses(self) -> numpy.typing.NDArray[numpy.float64]: ...
    @property
    def penalties(self) -> numpy.typing.NDArray[numpy.float64]: ...
    @property
    def refused(self) -> bool: ...
    @property
    def seconds(self) -> numpy.typing.NDArray[numpy.float64]: ...
    @property
    def steps(self) -> int: ...

class Network32:
    def __init__(
        self,
        layer_sizes: collections.abc.Sequence[int],
        activations: collections.abc.Sequence[str],
        loss: str,
        bias: bool,
        input_scale: float,
        rounds: bool = False,
    ) -> None: ...
    def evaluate(
        self,
        X: typing.Any,
        y: typing.Any,
        sample_weight: typing.Any = None,
        check: typing.Any = None,
    ) -> tuple[float, int]: ...
    def evaluate_part(
        self, X: typing.Any, y: typing.Any, sample_weight: typing.Any, part: int, parts: int
    ) -> tuple[numpy.typing.NDArray[numpy.float64], int]: ...
    def forward(
        self, X: typing.Any, out: typing.Any = None
    ) -> numpy.typing.NDArray[numpy.float32] | None: ...
    def get_parameters(self) -> numpy.typing.NDArray[numpy.float32]: ...
    def loss_and_gradient(
        self, X: typing.Any, y: typing.Any, sample_weight: typing.Any = None
    ) -> tuple[float, numpy.typing.NDArray[numpy.float32]]: ...
    def set_parameters(self, flat: numpy.typing.NDArray[numpy.float32]) -> None: ...
    def set_units(
        self,
        input_shift: collections.abc.Sequence[float],
        input_scale: collections.abc.Sequence[float],
        output_shift: collections.abc.Sequence[float],
        output_scale: collections.abc.Sequence[float],
    ) -> None: ...
    def vjp(
        self, X: typing.Any, dY: typing.Any
    ) -> tuple[numpy.typing.NDArray[numpy.float32], numpy.typing.NDArray[numpy.float32]]: ...
    @property
    def parameter_count(self) -> int: ...

class Network64:
    def __init__(
        self,
        layer_sizes: collections.abc.Sequence[int],
        activations: collections.abc.Sequence[str],
        loss: str,
        bias: bool,
        input_scale: float,
        rounds: bool = False,
    ) -> None: ...
    def evaluate(
        self,
        X: typing.Any,
        y: typing.Any,
        sample_weight: typing.Any = None,
        check: typing.Any = None,
    ) -> tuple[float, int]: ...
    def evaluate_part(
        self, X: typing.Any, y: typing.Any, sample_weight: typing.Any, part: int, parts: int
    ) -> tuple[numpy.typing.NDArray[numpy.float64], int]: ...
    def forward(
        self, X: typing.Any, out: typing.Any = None
    ) -> numpy.typing.NDArray[numpy.float64] | None: ...
    def get_parameters(self) -> numpy.typing.NDArray[numpy.float64]: ...
    def loss_and_gradient(
        self, X: typing.Any, y: typing.Any, sample_weight: typing.Any = None
    ) -> tuple[float, numpy.typing.NDArray[numpy.float64]]: ...
    def set_parameters(self, flat: numpy.typing.NDArray[numpy.float64]) -> None: ...
    def set_units(
        self,
        input_shift: collections.abc.Sequence[float],
        input_scale: collections.abc.Sequence[float],
        output_shift: collections.abc.Sequence[float],
        output_scale: collections.abc.Sequence[float],
    ) -> None: ...
    def vjp(
        self, X: typing.Any, dY: typing.Any
    ) -> tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]]: ...
    @property
    def parameter_count(self) -> int: ...

class Trainer32:
    @staticmethod
    def at_once(parameters: int, rows: int, count: int, threads: int) -> int: ...
    @staticmethod
    def run_side_by_side(
        trainers: collections.abc.Sequence[Trainer32],
        X: typing.Any,
        y: typing.Any,
        sample_weight: typing.Any,
        batch_size: int,
        orders: collections.abc.Sequence[numpy.typing.NDArray[numpy.int64]],
        learning_rates: numpy.typing.NDArray[numpy.float64],
        check: typing.Any = None,
    ) -> list[RunResult] | None: ...
    def __init__(
        self,
        network: typing.Any,
        rule: str,
        hyper: collections.abc.Mapping[str, float],
        clip_norm: float = ...,
        l1: float = 0.0,
        max_norm: float = ...,
        penalty: float = 0.0,
        accumulate: int = 1,
        dropout: collections.abc.Sequence[float] = [],
        dropout_key: int = 0,
    ) -> None: ...
    def apply(self, gradient: numpy.typing.NDArray[numpy.float32], lr: float) -> bool: ...
    def flush(self, lr: float) -> bool: ...
    def get_gathered(self) -> numpy.typing.NDArray[numpy.float32]: ...
    def get_progress(self) -> tuple[int, int, int, float]: ...
    def get_state(self, name: str) -> numpy.typing.NDArray[numpy.float32]: ...
    def run(
        self,
        X: typing.Any,
        y: typing.Any,
        sample_weight: typing.Any,
        batch_size: int,
        orders: numpy.typing.NDArray[numpy.int64],
        learning_rates: numpy.typing.NDArray[numpy.float64],
        whole: bool = True,
        check: typing.Any = None,
        goes_on: bool = False,
        own_batches: int = 0,
        divisors: numpy.typing.NDArray[numpy.float64] | None = None,
        rows_before: numpy.typing.NDArray[numpy.int64] | None = None,
        rows_of_all: numpy.typing.NDArray[numpy.int64] | None = None,
    ) -> RunResult: ...
    def set_progress(
        self,
        steps: int,
        batches: int = 0,
        rows: int = 0,
        weight: float = 0.0,
        gathered: numpy.typing.NDArray[numpy.float32] | None = None,
    ) -> None: ...
    def set_ranks(self, index: int, size: int, own_rows: bool, swap: typing.Any) -> None: ...
    def set_state(self, name: str, flat: numpy.typing.NDArray[numpy.float32]) -> None: ...
    def step(
        self,
        X: typing.Any,
        y: typing.Any,
        lr: float,
        sample_weight: typing.Any = None,
        divisor: float | None = None,
        rows_before: int = 0,
        rows_of_all: int = 0,
    ) -> float | None: ...
    @property
    def state_names(self) -> list[str]: ...
    @property
    def steps(self) -> int: ...

class Trainer64:
    @staticmethod
    def at_once(parameters: int, rows: int, count: int, threads: int) -> int: ...
    @staticmethod
    def run_side_by_side(
        trainers: collections.abc.Sequence[Trainer64],
        X: typing.Any,
        y: typing.Any,
        sample_weight: typing.Any,
        batch_size: int,
        orders: collections.abc.Sequence[numpy.typing.NDArray[numpy.int64]],
        learning_rates: numpy.typing.NDArray[numpy.float64],
        check: typing.Any = None,
    ) -> list[RunResult] | None: ...
    def __init__(
        self,
        network: typing.Any,
        rule: str,
        hyper: collections.abc.Mapping[str, float],
        clip_norm: float = ...,
        l1: float = 0.0,
        max_norm: float = ...,
        penalty: float = 0.0,
        accumulate: int = 1,
        dropout: collections.abc.Sequence[float] = [],
        dropout_key: int = 0,
    ) -> None: ...
    def apply(self, gradient: numpy.typing.NDArray[numpy.float64], lr: float) -> bool: ...
    def flush(self, lr: float) -> bool: ...
    def get_gathered(self) -> numpy.typing.NDArray[numpy.float64]: ...
    def get_progress(self) -> tuple[int, int, int, float]: ...
    def get_state(self, name: str) -> numpy.typing.NDArray[numpy.float64]: ...
    def run(
        self,
        X: typing.Any,
        y: typing.Any,
        sample_weight: typing.Any,
        batch_size: int,
        orders: numpy.typing.NDArray[numpy.int64],
        learning_rates: numpy.typing.NDArray[numpy.float64],
        whole: bool = True,
        check: typing.Any = None,
        goes_on: bool = False,
        own_batches: int = 0,
        divisors: numpy.typing.NDArray[numpy.float64] | None = None,
        rows_before: numpy.typing.NDArray[numpy.int64] | None = None,
        rows_of_all: numpy.typing.NDArray[numpy.int64] | None = None,
    ) -> RunResult: ...
    def set_progress(
        self,
        steps: int,
        batches: int = 0,
        rows: int = 0,
        weight: float = 0.0,
        gathered: numpy.typing.NDArray[numpy.float64] | None = None,
    ) -> None: ...
    def set_ranks(self, index: int, size: int, own_rows: bool, swap: typing.Any) -> None: ...
    def set_state(self, name: str, flat: numpy.typing.NDArray[numpy.float64]) -> None: ...
    def step(
        self,
        X: typing.Any,
        y: typing.Any,
        lr: float,
        sample_weight: typing.Any = None,
        divisor: float | None = None,
        rows_before: int = 0,
        rows_of_all: int = 0,
    ) -> float | None: ...
    @property
    def state_names(self) -> list[str]: ...
    @property
    def steps(self) -> int: ...

def ends_in_memory(array: numpy.ndarray) -> bool: ...
def force_threads(n: int) -> None: ...
def helper(at_work: bool) -> None: ...
def last_decision() -> tuple[int, str]: ...
def limit_threads(n: int) -> int: ...
def load(path: str, level: str) -> None: ...
def max_threads() -> int: ...
def permutations(bit_generator: typing.Any, orders: numpy.typing.NDArray[numpy.int64]) -> None: ...
def segment_cross_entropy(
    z: typing.Any, offsets: typing.Any, chosen: typing.Any, mean: bool, weights: typing.Any
) -> tuple[float, numpy.ndarray] | None: ...
def segment_softmax(z: typing.Any, offsets: typing.Any) -> numpy.ndarray | None: ...
def segment_softmax_vjp(
    p: typing.Any, dp: typing.Any, offsets: typing.Any
) -> numpy.ndarray | None: ...
def set_max_threads(n: int) -> None: ...
def shuffle_orders(
    bit_generator: typing.Any,
    order: numpy.typing.NDArray[numpy.int64],
    orders: numpy.typing.NDArray[numpy.int64],
) -> None: ...

activations: list[str]
build_flags: str
compiler: str
eigen_version: str
losses: list[str]
multiplies_bfloat16: bool
optimizers: list[str]
