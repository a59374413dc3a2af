"""The network itself: its architecture, its parameters, the data it takes, and its passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

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
from ..initializers import INITIALIZERS, Initializer, initial_parameters
from ..losses import LOSSES, Loss, Quantile, SoftmaxCrossEntropy, check_outputs
from . import architecture

Array = NDArray[Any]


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
        input_scale: float,
        backend: str,
        dropout: float | Sequence[float],
        seed: int | np.random.Generator | None = None,
        reduction: str | None = None,
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
        largest = checks.largest(self._dtype)
        scale = checks.number(input_scale, "input_scale", -largest, below=largest)
        self._backend = checks.known(backend, BACKENDS, "backend")
        if self._rounds and self._backend == "native":
            warn_without_bfloat16()
        self._rng = checks.generator(seed)
        self._bias, self._input_scale = bool(bias), scale
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
        return make_network(
            self._backend,
            self._sizes,
            self._all_activations,
            self._loss_object,
            self._bias,
            self._input_scale,
            self._dtype,
            self._rounds and not exact,
        )

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
            "input_scale": self._input_scale,
            "backend": self._backend,
            "dropout": list(self._dropout),
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

    # ---- data, as the backend takes them

    def _rows(self, X: ArrayLike, what: str = "X") -> Any:
        """Checked rows (N, D): an array, or a CSR matrix, which the twin and choices have dense."""
        expected = (self._sizes[0], self._dtype, self._input_scale, what)
        if not sparse.is_sparse(X):
            return checks.inputs(X, *expected)
        rows = sparse.inputs(X, *expected)
        return rows.toarray() if self._backend == "numpy" or self._of_choices else rows

    def _data(
        self, X: ArrayLike, y: ArrayLike | Choices, sample_weight: ArrayLike | None
    ) -> tuple[Array, Any, Array | None]:
        """Checked rows, targets and weights; as many targets as the loss is a mean of."""
        rows = self._rows(X)
        N = rows.shape[0]
        if self._of_choices:
            choices = checked_choices(y, N)
            return rows, choices, checks.sample_weights(sample_weight, len(choices))
        if isinstance(y, Choices):
            raise TypeError(f"y: expected an array for {self._loss}, got {shown(y)}")
        K, loss = self._sizes[-1], self._loss_object
        shared = isinstance(loss, Quantile) and isinstance(loss.q, tuple)
        T = checks.targets(y, N, K, loss.name, self._dtype, shared)
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
        self._network = self._new_network()
        self._network.set_parameters(parameters)
