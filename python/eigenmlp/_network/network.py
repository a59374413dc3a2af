"""The network itself: its architecture, its parameters, the data it takes, and its passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._backends.facade import BACKENDS, make_network, warn_without_bfloat16
from .._basics.shown import shown
from .._basics.unmoved import unmoved_if
from .._inputs import checks, mapped, sparse, words
from .._inputs.description import described
from .._inputs.foreign import is_foreign, shared
from ..activations import ACTIVATIONS, Activation
from ..choices import Choices, checked_choices
from ..datasets.shards import Shards
from ..initializers import INITIALIZERS, Initializer, initial_parameters
from ..losses import LOSSES, Loss, Quantile, SoftmaxCrossEntropy, check_outputs
from . import architecture, loss_outputs, units
from .units import Units

Array = NDArray[Any]
Kind = TypeVar("Kind", bound="DenseNetwork")


class DenseNetwork:
    """Dense layers on a backend: what trainer, derivatives, files and plots know of a network.

    The parameters are those of `eigenmlp.MLP`, which adds what users do with one. Every entry
    checks what it is given, then makes one call of the backend.
    """

    def __init__(
        self,
        layer_sizes: Sequence[int],
        activation: str | Activation | Sequence[str | Activation],
        output_activation: str | Activation,
        loss: str | Loss,
        bias: bool,
        init: str | Initializer,
        dtype: str,
        compute_dtype: str | None,
        input_scale: ArrayLike,
        backend: str,
        dropout: float | Sequence[float],
        seed: int | np.random.Generator | None = None,
        reduction: str | None = None,
        standardize: bool = False,
        input_shift: ArrayLike = 0.0,
        output_shift: ArrayLike = 0.0,
        output_scale: ArrayLike = 1.0,
    ) -> None:
        self._sizes = architecture.checked_sizes(layer_sizes)
        hidden = architecture.checked_activations(activation, len(self._sizes) - 2)
        output = described(output_activation, ACTIVATIONS, "output_activation")
        chosen_loss = described(loss, LOSSES, "loss")
        if reduction is not None:
            chosen_loss = replace(
                chosen_loss, reduction=checks.known(reduction, ("mean", "sum"), "reduction")
            )
        self._loss_object = chosen_loss
        self._loss = chosen_loss.name
        check_outputs(chosen_loss, self._sizes[-1])
        if chosen_loss.takes_logits and output.name != "identity":
            raise ValueError(
                f"output_activation: expected 'identity' with {self._loss}, which brings its own, "
                f"got {shown(output.text)}"
            )
        checks.checked_bool(bias, "bias")
        if not callable(init):
            init = words.chosen(init, ["auto", *INITIALIZERS], "init")
        self._dtype = architecture.checked_dtype(dtype)
        self._rounds = architecture.checked_compute_dtype(compute_dtype, self._dtype)
        self._units = Units.checked(
            self._sizes[0],
            self._sizes[-1],
            self._dtype,
            chosen_loss.of_values,
            input_shift=input_shift,
            input_scale=input_scale,
            output_shift=output_shift,
            output_scale=output_scale,
        )
        self._standardize = checks.checked_bool(standardize, "standardize")
        # Arrays are what an earlier measurement gave.
        self._to_be_measured = self._standardize and not self._units.arrays()
        if self._to_be_measured:
            self._units.refuse_given("standardize=True, which measures it")
        self._backend = checks.known(backend, BACKENDS, "backend")
        if self._rounds and self._backend == "native":
            warn_without_bfloat16()
        self._rng = checks.generator(seed)
        self._bias = bool(bias)
        self._init: str | Initializer = init
        self._dropout = architecture.checked_dropout(dropout, len(self._sizes) - 2)
        if chosen_loss.of_choices and self._drops:
            raise ValueError(f"dropout: expected 0 with {self._loss}, got {shown(dropout)}")
        for chosen in (*hidden, output, chosen_loss):
            architecture.check_range(chosen, self._dtype)
        self._output_activation = output.name
        self._all_activations = [chosen.text for chosen in (*hidden, output)]
        names = [chosen.name for chosen in (*hidden, output)]
        self._network = self._new_network()
        with unmoved_if(lambda: True, self._rng):
            start = initial_parameters(self._sizes, names, self._bias, init, self._rng, self._dtype)
            self._network.set_parameters(start.astype(self._dtype))

    def _new_network(self, exact: bool = False) -> Any:
        """A network of zeros; if `exact`, its products read their operands as they are."""
        own = self._units
        plain = own.are_plain
        network = make_network(
            self._backend,
            self._sizes,
            self._all_activations,
            self._loss_object,
            self._bias,
            own.input_scale if plain else 1.0,  # type: ignore[arg-type]  # a float, if plain
            self._dtype,
            self._rounds and not exact,
        )
        if not plain:
            network.set_units(*own.lists(self._sizes[0], self._sizes[-1]))
        return network

    # ---- what it is

    @property
    def config(self) -> dict[str, Any]:
        """The constructor's arguments but `seed`, as a new dict."""
        return {
            "layer_sizes": list(self._sizes),
            "activation": self._all_activations[:-1],
            "output_activation": self._all_activations[-1],
            "loss": self._loss_object.text,
            "bias": self._bias,
            "init": self._init,
            "dtype": self._dtype,
            "compute_dtype": "bfloat16" if self._rounds else None,
            "backend": self._backend,
            "dropout": list(self._dropout),
            "standardize": self._standardize,
            **self._units.described(),
        }

    @property
    def layer_sizes(self) -> list[int]:
        """``[D, h1, …, K]``."""
        return list(self._sizes)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of parameters and outputs."""
        return np.dtype(self._dtype)

    @property
    def parameter_count(self) -> int:
        """P, the length of `parameters`."""
        return int(self._network.parameter_count)

    @property
    def _drops(self) -> bool:
        return any(self._dropout)

    @property
    def _gives_probabilities(self) -> bool:
        no_unit = np.all(self._units.output_shift == 0.0) and np.all(
            self._units.output_scale == 1.0
        )
        return bool(no_unit) and loss_outputs.gives_probabilities(
            self._loss, self._output_activation
        )

    # ---- units

    @property
    def input_shift(self) -> float | Array:
        """What is taken from inputs: a number, or a read-only array (D,)."""
        return self._units.input_shift

    @property
    def input_scale(self) -> float | Array:
        """What inputs are multiplied by after that: a number, or a read-only array (D,)."""
        return self._units.input_scale

    @property
    def output_shift(self) -> float | Array:
        """What is added to outputs, after `output_scale`: a number, or a read-only array (K,)."""
        return self._units.output_shift

    @property
    def output_scale(self) -> float | Array:
        """What outputs are multiplied by: a number, or a read-only array (K,)."""
        return self._units.output_scale

    def standardize(self: Kind, X: ArrayLike, y: ArrayLike | None = None) -> Kind:
        """Measure the columns of X (N, D), and of y (N, K) where the loss is of values.

        The network then takes its inputs, and gives its outputs, in the units of these columns:
        ``Y = f((X - input_shift) * input_scale) * output_scale + output_shift``, with each column's
        mean and deviation. A column that does not vary has scale 1; sparse rows keep their zeros,
        and have no shift. Parameters stay as they are. With ``MLP(standardize=True)`` the first
        `fit` calls this.

        Returns
        -------
        MLP
            The network itself.

        Examples
        --------
        >>> import eigenmlp as em
        >>> net = em.MLP([2, 1], loss="squared_error", init="zeros")
        >>> net.standardize([[0.0, 10.0], [2.0, 30.0]], [100.0, 300.0]).forward([[1.0, 20.0]])
        array([[200.]], dtype=float32)
        """
        rows, T = self._rows(X, digits=True), None
        if y is not None:
            rows, T, _ = self._data(X, y, None, digits=True)
        self._measure(rows, T)
        return self

    def _measure(self, rows: Any, T: Any) -> None:
        of_values = self._loss_object.of_values
        self._set_units(
            replace(self._units, **units.measured(rows, T if of_values else None, self._dtype))
        )
        self._standardize, self._to_be_measured = True, False

    def _set_units(self, new: Units) -> None:
        for numbers in new.arrays().values():
            numbers.flags.writeable = False
        self._network.set_units(*new.lists(self._sizes[0], self._sizes[-1]))
        self._units = new

    @contextmanager
    def _measuring(
        self, data: tuple[Any, Any, Any], has_begun: Callable[[], bool]
    ) -> Iterator[None]:
        """Around the first training on checked data: units are measured, if they are to be.

        They are as before if that ends with an error before it has begun.
        """
        if not self._to_be_measured:
            yield
            return
        before = self._units
        self._measure(*data[:2])
        try:
            yield
        except BaseException:
            if not has_begun():
                self._set_units(before)
                self._to_be_measured = True
            raise

    def _check_units_hold(self, X: Any, T: Any, what: str) -> None:
        """Refuse checked data that leave the range of numbers by units measured since."""
        self._units.check_inputs(X, self._dtype, f"{what}X")
        if self._loss_object.of_values:
            self._units.check_targets(T, self._dtype, f"{what}y")

    def _refuse_unmeasured(self, what: str) -> None:
        if self._to_be_measured:
            raise ValueError(
                f"{what}: expected units that are known, got a network that is to measure them: "
                "call net.standardize(X, y) first, or fit on arrays"
            )

    # ---- data, as the backend takes them

    @property
    def _needs_digits(self) -> bool:
        """Whether integers whose mean is taken must keep their digits until then."""
        return self._to_be_measured or self._units.shifts

    def _rows(self, X: ArrayLike, what: str = "X", digits: bool = False) -> Any:
        """Checked rows (N, D): an array, or a CSR matrix, which the twin and choices have dense.

        With `digits`, integers become float64 at least.
        """
        factor = self._units.input_scale
        factor = factor if isinstance(factor, float) else 1.0
        expected = (self._sizes[0], self._dtype, factor, what)
        if not sparse.is_sparse(X):
            wide = "float64" if digits or self._needs_digits else self._dtype
            rows = checks.inputs(X, *expected, integers=wide)
            self._units.check_inputs(rows, self._dtype, what)
            return rows
        rows = sparse.inputs(X, *expected)
        self._units.check_inputs(rows, self._dtype, what)
        return rows.toarray() if self._backend == "numpy" or self._of_choices else rows

    def _data(
        self,
        X: ArrayLike,
        y: ArrayLike | Choices,
        sample_weight: ArrayLike | None,
        digits: bool = False,
    ) -> tuple[Array, Any, Array | None]:
        """Checked rows, targets and weights; as many targets as the loss is a mean of."""
        rows = self._rows(X, digits=digits)
        N = rows.shape[0]
        if self._of_choices:
            choices = checked_choices(y, N)
            return rows, choices, checks.sample_weights(sample_weight, len(choices))
        if isinstance(y, Choices):
            raise TypeError(f"y: expected an array for {self._loss}, got {shown(y)}")
        K, loss = self._sizes[-1], self._loss_object
        shared = isinstance(loss, Quantile) and isinstance(loss.q, tuple)
        wide = loss.of_values and (digits or self._needs_digits)
        T = checks.targets(
            y, N, K, loss.name, self._dtype, shared, integers="float64" if wide else None
        )
        if loss.of_values:
            self._units.check_targets(T, self._dtype)
        weights = checks.sample_weights(sample_weight, N)
        return rows, T, self._with_class_weights(T, weights)

    @property
    def _of_choices(self) -> bool:
        return self._loss_object.of_choices

    @property
    def _has_class_weights(self) -> bool:
        loss = self._loss_object
        return isinstance(loss, SoftmaxCrossEntropy) and loss.class_weight is not None

    def _with_class_weights(self, T: Array, weights: Array | None) -> Array | None:
        """Sample weights, each times that of its row's label if the loss has class weights."""
        loss = self._loss_object
        if not isinstance(loss, SoftmaxCrossEntropy) or loss.class_weight is None:
            return weights
        if T.ndim != 1:
            raise ValueError(
                f"y: expected integer labels (N,) with class_weight, got targets of shape {T.shape}"
            )
        by_class: Array = np.array(loss.class_weight)[T]
        return by_class if weights is None else by_class * weights

    # ---- passes

    def forward(self, X: ArrayLike, out: Array | None = None) -> Array:
        """Outputs (N, K) of rows X (N, D), in the network's dtype; logits for the cross-entropies.

        `out`, if given, is a C-order array (N, K) of that dtype that is filled and returned; it
        may be a CPU tensor of PyTorch too.

        Examples
        --------
        >>> import eigenmlp as em
        >>> net = em.MLP([2, 1], init="zeros", loss="squared_error")
        >>> net.forward([[1, 2], [3, 4]])
        array([[0.],
               [0.]], dtype=float32)
        """
        if out is not None and not isinstance(out, np.ndarray) and is_foreign(out):
            self.forward(X, shared(out, "out"))
            return out
        if isinstance(X, Shards):
            return self._forward_blocks(X, out)
        if (type(X) is not np.ndarray or X.base is not None) and not is_foreign(X):
            mapped.intact(X, "X")
        if out is not None:
            mapped.intact(out, "out")
        if self._backend == "native":
            Y = self._network.forward(X, out)  # None if X or out cannot be taken as they are
            if Y is not None:
                return Y  # type: ignore[no-any-return]
        rows = self._rows(X)
        if out is not None:
            checks.output_array(out, (rows.shape[0], self._sizes[-1]), self._dtype)
        Y = self._network.forward(rows, out)
        if Y is None:
            raise ValueError("X: expected data that stay as they were checked, got NaN or Inf")
        return Y  # type: ignore[no-any-return]

    def _forward_blocks(self, X: Shards, out: Array | None) -> Array:
        """The same of rows that are read block by block."""
        checks.matrix(X.shape, self._sizes[0], "X", "D")
        shape = (len(X), self._sizes[-1])
        if out is None:
            out = np.empty(shape, self._dtype)
        checks.output_array(out, shape, self._dtype)
        for begin, end in X.blocks():
            self.forward(X[begin:end], out[begin:end])
        return out

    def loss_and_gradient(
        self,
        X: ArrayLike,
        y: ArrayLike | Choices,
        parameters: ArrayLike | None = None,
        l2: float = 0.0,
        sample_weight: ArrayLike | None = None,
        l1: float = 0.0,
    ) -> tuple[float, Array]:
        """Loss over all rows, and its gradient by the parameters.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        parameters : array_like (P,), optional
            Where to evaluate, instead of the network's own parameters, which stay as they are.
        l2 : float
            Adds ``l2 / 2 · Σ W²`` over all weights, not biases.
        l1 : float
            Adds ``l1 · Σ |W|`` over all weights, whose derivative counts as 0 at 0.

        Returns
        -------
        loss : float
        gradient : ndarray (P,)
            In the order of `parameters`.

        Examples
        --------
        >>> import eigenmlp as em
        >>> net = em.MLP([1, 1], loss="squared_error", init="zeros", dtype="float64")
        >>> net.loss_and_gradient([[3.0]], [1.0])
        (1.0, array([-6., -2.]))
        """
        rows, T, weights = self._data(X, y, sample_weight)
        checks.number(l2, "l2", 0.0, below=checks.largest(self._dtype))
        checks.number(l1, "l1", 0.0, below=checks.largest(self._dtype))
        if parameters is None and (l1 or l2 or self._of_choices):  # all of it at one point
            parameters = self.parameters
        network = self._network_at(parameters)
        loss, gradient = network.loss_and_gradient(rows, T, weights)
        if l1 or l2:
            W = network.get_parameters() * self._is_weight()
            loss += l1 * float(np.abs(W, dtype=np.float64).sum())
            loss += 0.5 * l2 * float(W.astype(np.float64) @ W)
            gradient += np.asarray(l1, dtype=self._dtype) * np.sign(W)
            gradient += np.asarray(l2, dtype=self._dtype) * W
        return float(loss), gradient

    def vjp(self, X: ArrayLike, dY: ArrayLike) -> tuple[Array, Array]:
        """Derivatives of ``Σ dY · forward(X)``: by the parameters (P,) and by X (N, D).

        For losses of your own: pass the loss's derivative by the outputs as dY (N, K).

        Examples
        --------
        >>> import eigenmlp as em
        >>> net = em.MLP([2, 1], loss="squared_error", dtype="float64", init="zeros")
        >>> net.parameters = [2.0, -1.0, 0.5]
        >>> net.vjp([[3.0, 4.0]], [[1.0]])
        (array([3., 4., 1.]), array([[ 2., -1.]]))
        """
        rows = self._rows(X)
        deltas = checks.inputs(dY, self._sizes[-1], self._dtype, what="dY", letter="K")
        if rows.shape[0] != len(deltas):
            raise ValueError(
                f"dY: expected {rows.shape[0]} rows, as X has, got shape {deltas.shape}"
            )
        gradient, dX = self._network.vjp(rows, deltas)
        return gradient, dX

    def _network_at(self, parameters: ArrayLike | None, exact: bool = False) -> Any:
        """The network; or, where `parameters` is given, one that has those.

        If `exact`, one whose products read their operands as they are.
        """
        if parameters is None:
            if not (exact and self._rounds):
                return self._network
            point = self._network.get_parameters()
        else:
            point = checks.flat(parameters, self.parameter_count, self._dtype, "parameters")
        network = self._new_network(exact)
        network.set_parameters(point)
        return network

    def _exact_network(self, parameters: ArrayLike | None = None) -> Any:
        return self._network_at(parameters, exact=True)

    # ---- parameters

    @property
    def parameters(self) -> Array:
        """The flat vector W0, b0, W1, b1, … (P,), a copy; assign a vector to set all."""
        return self._network.get_parameters()  # type: ignore[no-any-return]

    @parameters.setter
    def parameters(self, flat: ArrayLike) -> None:
        vector = checks.flat(flat, self.parameter_count, self._dtype, "parameters")
        self._network.set_parameters(vector)

    @property
    def weights(self) -> list[Array]:
        """Each layer's W (in, out), read-only."""
        return [W for W, _ in self._layers()]

    @property
    def biases(self) -> list[Array]:
        """Each layer's b (out,), read-only; an empty list without biases."""
        return [b for _, b in self._layers() if b is not None]

    def _layers(self) -> list[tuple[Array, Array | None]]:
        flat = self.parameters
        flat.flags.writeable = False
        layers: list[tuple[Array, Array | None]] = []
        at = 0
        for D, K in pairwise(self._sizes):
            W = flat[at : at + D * K].reshape(D, K)
            at += D * K
            layers.append((W, flat[at : at + K] if self._bias else None))
            at += K if self._bias else 0
        return layers

    def _is_weight(self) -> Array:
        """1 where `parameters` holds a weight, 0 where it holds a bias (P,)."""
        mask = [
            np.concatenate([np.ones(D * K), np.zeros(K if self._bias else 0)])
            for D, K in pairwise(self._sizes)
        ]
        return np.concatenate(mask).astype(self._dtype)

    # ---- copies

    def __getstate__(self) -> dict[str, Any]:
        state = {k: v for k, v in self.__dict__.items() if k != "_network"}
        return {**state, "parameters": self.parameters}

    def __setstate__(self, state: dict[str, Any]) -> None:
        parameters = state.pop("parameters")
        self.__dict__.update(state)
        if "_units" not in state:  # pickled by an earlier version
            scale = state["_input_scale"]
            self._units = Units(
                input_shift=0.0, input_scale=scale, output_shift=0.0, output_scale=1.0
            )
            self._standardize = self._to_be_measured = False
        self._network = self._new_network()
        self._network.set_parameters(parameters)
