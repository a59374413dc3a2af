"""The network: its parameters, its forward pass and its backward pass."""

from collections.abc import Callable, Sequence
from functools import wraps
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

import numpy as np

from eigenmlp._basics.turns import Turns
from eigenmlp.reference import activation, bfloat16, loss
from eigenmlp.reference.loss_in_units import LossInUnits
from eigenmlp.reference.types import Array, Bools, Floats
from eigenmlp.reference.units import Units

Masks: TypeAlias = Sequence[Floats]  # (N, out) for each hidden layer, or none at all

_BLOCK = 1 << 27  # operations of an array expression: some 10 ms, for which Ctrl-C has to wait
_FUNCTION = 256  # as many as an elementwise function takes


Function = TypeVar("Function", bound=Callable[..., Any])


def at_one_moment(function: Function) -> Function:
    """A function of a network, or a method of what has its `turns`: no step comes in between."""

    @wraps(function)
    def alone(network: Any, *args: Any, **kwargs: Any) -> Any:
        with network.turns, network.turns.lock:
            return function(network, *args, **kwargs)

    return cast(Function, alone)


class LayerPass(NamedTuple):
    """What a layer's forward pass leaves for its backward pass."""

    X: Floats  # (N, in)
    Z: Floats  # (N, out), Z = X @ W + b
    Y: Floats  # (N, out), Y = f(Z)


class Network:
    """A multi-layer perceptron with a loss.

    Parameters
    ----------
    layer_sizes : sequence of int
        [D, h1, …, K]: the number of inputs, of units in each hidden layer, and of outputs.
    activations : sequence of str
        One name per layer, L in all, with parameters if need be: "sigmoid(slope=2.0)". The last
        one may be "softmax".
    loss : str
        A name, with parameters if need be: "huber(delta=0.5)", "squared_error(reduction='sum')".
    bias : bool
        Whether the layers have a b: Z = X @ W + b, or Z = X @ W.
    input_scale : float
        Multiplies every input.
    dtype : str
        "float64" or "float32": of the parameters, and of the arithmetic.
    rounds : bool
        Whether the operands of every product are rounded to bfloat16; with "float32" only.

    Attributes
    ----------
    parameter_count : int
        P.
    weights, biases : list of ndarray
        W (in, out) and b (out,) of each layer: views of the one vector that holds them all.
        `biases` is empty if there are none.

    Notes
    -----
    All parameters are 0 until `set_parameters` is called.
    If numbers grow out of range, the loss is not finite; NumPy's warnings would say no more.

    Examples
    --------
    Exclusive or, by two hidden units:

    >>> network = Network([2, 2, 1], ["relu", "identity"], "squared_error",
    ...                   bias=True, input_scale=1.0)
    >>> network.set_parameters([1, 1, 1, 1, 0, -1, 1, -2, 0])  # W0, b0, W1, b1
    >>> X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> network.forward(X).ravel()
    array([0., 1., 1., 0.])
    """

    def __init__(
        self,
        layer_sizes: Sequence[int],
        activations: Sequence[str],
        loss: str,
        bias: bool,
        input_scale: float,
        dtype: str = "float64",
        rounds: bool = False,
    ) -> None:
        if rounds and dtype != "float32":
            raise ValueError(f"rounds: expected dtype 'float32', got {dtype!r}")
        self.turns = Turns()  # of the threads that use the parameters
        self.rounds = rounds
        self.activations = list(activations)
        self.loss = loss
        self.units = Units(s=float(input_scale))
        self.dtype = np.dtype(dtype)

        shapes = list(pairwise(layer_sizes))  # (in, out) of each layer
        self.parameter_count = sum(D * K + (K if bias else 0) for D, K in shapes)
        self.parameters: Floats = np.zeros(self.parameter_count, self.dtype)  # (P,)
        self.is_weight: Bools = np.zeros(self.parameter_count, np.bool_)  # (P,)
        self.weights: list[Floats] = []
        self.biases: list[Floats] = []
        start = 0
        for D, K in shapes:
            end = start + D * K
            self.weights.append(self.parameters[start:end].reshape(D, K))
            self.is_weight[start:end] = True
            start = end
            if bias:
                end = start + K
                self.biases.append(self.parameters[start:end])
                start = end

    @at_one_moment
    def get_parameters(self) -> Floats:
        """A copy of all parameters (P,): W0, b0, W1, b1, …, each in C order."""
        return self.parameters.copy()

    @at_one_moment
    def set_parameters(self, flat: Array | Sequence[float]) -> None:
        """Set all parameters (P,), in the order of `get_parameters`."""
        self.parameters[:] = flat

    @at_one_moment
    def set_units(
        self,
        input_shift: Sequence[float] | Array,
        input_scale: Sequence[float] | Array,
        output_shift: Sequence[float] | Array,
        output_scale: Sequence[float] | Array,
    ) -> None:
        """Units of inputs (D,) and outputs (K,) instead of those so far; empty: none.

        See `units.py`.

        Examples
        --------
        >>> network = Network([1, 1], ["identity"], "squared_error", True, 1.0)
        >>> network.set_parameters([3.0, 1.0])
        >>> network.set_units(*(np.array([x]) for x in (10.0, 0.5, 100.0, 20.0)))
        >>> network.forward(np.array([[14.0]]))  # (3·2 + 1) 20 + 100
        array([[240.]])
        """
        none = (0.0, 1.0, 0.0, 1.0)
        given = (input_shift, input_scale, output_shift, output_scale)
        numbers = (
            np.asarray(x, np.float64) if len(x) else nothing
            for x, nothing in zip(given, none, strict=True)
        )
        self.units = Units(*numbers)

    @at_one_moment
    @np.errstate(over="ignore", invalid="ignore")
    def forward(self, X: Array, out: Floats | None = None) -> Floats:
        """The outputs (N, K) of the rows of X (N, D); logits for the cross-entropies.

        Parameters
        ----------
        X : ndarray (N, D)
            Floats, integers or bools.
        out : ndarray (N, K), optional
            Filled and returned, instead of a new array.
        """
        Y = self.units.outputs(self.last_outputs(X))
        if out is None:
            return Y
        out[...] = Y
        return out

    @at_one_moment
    @np.errstate(over="ignore", invalid="ignore")
    def evaluate(
        self,
        X: Array,
        T: Array,
        sample_weight: Array | None = None,
        check: Callable[[], None] | None = None,
    ) -> tuple[float, int]:
        """The loss, and the number of rows classified right (-1 if the loss does not classify).

        Parameters
        ----------
        X : ndarray (N, D)
        T : ndarray
            Labels (N,) for softmax_cross_entropy; otherwise, or as probabilities, (N, K).
        sample_weight : ndarray (N,), optional
            The loss is Σ wᵢ lᵢ / Σ wᵢ; all wᵢ are 1 unless given. Rows are counted, not weighed.
        check : callable, optional
            Called before; what it raises ends this.

        Examples
        --------
        >>> network = Network([1, 2], ["identity"], "softmax_cross_entropy", True, 1.0)
        >>> value, n_correct = network.evaluate(np.array([[1.0], [2.0]]), np.array([0, 1]))
        >>> round(value, 4), n_correct  # all parameters are 0: log 2, and the first class
        (0.6931, 1)
        """
        if check is not None:
            check()
        T = self.as_targets(T)
        Y = self.last_outputs(X)
        return self.loss_of(sample_weight).value(Y, T), loss.count_correct(self.loss, Y, T)

    @at_one_moment
    @np.errstate(over="ignore", invalid="ignore")
    def loss_and_gradient(
        self, X: Array, T: Array, sample_weight: Array | None = None
    ) -> tuple[float, Floats]:
        """The loss, as in `evaluate`, and its gradient (P,) at the current parameters.

        Examples
        --------
        >>> network = Network([1, 1], ["identity"], "squared_error", True, 1.0)
        >>> network.set_parameters([3.0, 1.0])
        >>> network.loss_and_gradient(np.array([[2.0]]), np.array([[5.0]]))  # (3·2 + 1 - 5)²
        (4.0, array([8., 4.]))
        """
        T = self.as_targets(T)
        total = loss.divisor(self.loss, len(X), sample_weight)
        value, gradient = 0.0, np.zeros_like(self.parameters)
        for rows in self.blocks(len(X)):
            passes = self.forward_pass(X[rows])
            w = None if sample_weight is None else sample_weight[rows]
            Y, rows_loss = passes[-1].Y, self.loss_of(w, total)
            value += rows_loss.value(Y, T[rows])
            gradient += self.backward_pass(passes, rows_loss.derivative(Y, T[rows]))[0]
        return value, gradient

    @at_one_moment
    @np.errstate(over="ignore", invalid="ignore")
    def vjp(self, X: Array, dY: Array) -> tuple[Floats, Floats]:
        """The gradients of Σ dY · Y with respect to the parameters (P,) and to X (N, D).

        Examples
        --------
        >>> network = Network([2, 1], ["identity"], "squared_error", bias=True, input_scale=0.5)
        >>> network.set_parameters([3.0, 4.0, 0.0])
        >>> network.vjp(np.array([[10.0, 20.0]]), np.array([[1.0]]))
        (array([ 5., 10.,  1.]), array([[1.5, 2. ]]))
        """
        gradient, dX = np.zeros_like(self.parameters), []
        for rows in self.blocks(len(X)):
            passes = self.forward_pass(X[rows])
            deltas = self.units.output_move(dY[rows].astype(self.dtype))
            gradient_of_rows, dX_of_rows = self.backward_pass(passes, deltas)
            gradient += gradient_of_rows
            dX.append(dX_of_rows)
        return gradient, np.concatenate(dX)

    def last_outputs(self, X: Array) -> Floats:
        """The last layer's outputs (N, K), in its own unit."""
        return np.concatenate([self.forward_pass(X[rows])[-1].Y for rows in self.blocks(len(X))])

    def loss_of(self, sample_weight: Array | None, total: float | None = None) -> LossInUnits:
        """The loss of rows, from `last_outputs` and `as_targets`."""
        return LossInUnits(self.loss, self.units, sample_weight, total)

    def blocks(self, N: int, arrays: int = 1) -> list[slice]:
        """N rows in blocks, so that no array expression takes longer than Ctrl-C may wait.

        `arrays`: expressions over so many arrays at once.
        """
        widths = sum(sum(W.shape) for W in self.weights)
        rows = max(1, _BLOCK // (arrays * (self.parameter_count + _FUNCTION * widths)))
        return [slice(start, start + rows) for start in range(0, N, rows)]

    def forward_pass(self, X: Array, masks: Masks = ()) -> list[LayerPass]:
        """Through all layers, from X (N, D) to Y (N, K).

        `masks`, if any, has one for each hidden layer: its Y (N, out) is multiplied by it.
        """
        passes = []
        Y = self.units.inputs(X, self.dtype)
        for layer, name in enumerate(self.activations):
            X = Y
            Z = self.operand(X) @ self.operand(self.weights[layer])
            if self.biases:
                Z = Z + self.biases[layer]
            Y = activation.forward(name, Z)
            passes.append(LayerPass(X, Z, Y))
            if layer < len(masks):
                Y = Y * masks[layer]
        return passes

    def backward_pass(
        self, passes: list[LayerPass], dY: Floats, masks: Masks = ()
    ) -> tuple[Floats, Floats]:
        """Through all layers, from dY (N, K) back to the gradient (P,) and dX (N, D)."""
        gradients: list[Floats] = []  # dW0, db0, dW1, db1, …, filled from the end
        for layer in reversed(range(len(passes))):
            X, Z, Y = passes[layer]
            if layer < len(masks):
                dY = dY * masks[layer]
            dZ = activation.backward(self.activations[layer], Z, Y, dY)
            dW = self.operand(X).T @ self.operand(dZ)
            db = dZ.sum(axis=0)
            dX = self.operand(dZ) @ self.operand(self.weights[layer]).T
            gradients = [dW.ravel(), db, *gradients] if self.biases else [dW.ravel(), *gradients]
            dY = dX
        return np.concatenate(gradients), self.units.input_move(dY, self.dtype)

    def operand(self, x: Floats) -> Floats:
        """What a product reads of x."""
        return bfloat16.rounded(x) if self.rounds else x

    def as_targets(self, T: Array) -> Array:
        """T in the network's dtype and the last layer's unit, unless it is labels."""
        return T if T.ndim == 1 else self.units.targets(T, self.dtype)
