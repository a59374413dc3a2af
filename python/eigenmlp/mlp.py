"""The network as users see it: checks, then one call of a backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import derivatives
from ._backends.facade import BACKENDS, make_network, warn_without_bfloat16
from ._basics.shown import shown
from ._files import model as model_file
from ._files import replay
from ._files.generators import unmoved_if
from ._inputs import checks, mapped, sparse
from ._inputs.description import described
from ._inputs.foreign import is_foreign, shared
from ._network import architecture, loss_outputs
from .activations import ACTIVATIONS, Activation
from .choices import Choices, checked_choices
from .history import History
from .initializers import INITIALIZERS, Initializer, initial_parameters
from .losses import (
    LOSSES,
    Loss,
    Quantile,
    SoftmaxCrossEntropy,
    check_outputs,
)
from .optimizers import SGD, Optimizer
from .trainer import Batches, Callback, Trainer

Array = NDArray[Any]


@dataclass(frozen=True)
class Evaluation:
    """Mean loss, and the share of rows classified right (None where the loss does not classify)."""

    loss: float
    accuracy: float | None


class MLP:
    """A multi-layer perceptron: dense layers ``Y = f(X @ W + b)``.

    Parameters
    ----------
    layer_sizes : sequence of int
        ``[D, h1, …, K]``: inputs, hidden layers if any, outputs.
    activation : str, em.activations.Activation, or a sequence of them
        One, or one for each hidden layer: a name, an object such as
        ``em.activations.Sigmoid(slope=2.0)``, or its text form ``"sigmoid(slope=2.0)"``.
    output_activation : str or em.activations.Activation
        An activation or ``"softmax"``; the cross-entropies bring their own and need ``"identity"``.
    loss : str or em.losses.Loss
        ``"softmax_cross_entropy"``, ``"sigmoid_cross_entropy"``, ``"squared_error"``,
        ``"half_squared_error"``, ``"absolute_error"``, ``"huber"``, ``"quantile"``, ``"poisson"``;
        an object such as ``em.losses.Huber(delta=0.5)``, or its text form. Each is the mean over
        rows of the sum over outputs. ``"segment_cross_entropy"``: one output scores the rows, from
        each group of which one was chosen (see `Choices`); the mean over groups.
    bias : bool
        Whether layers have biases.
    init : str or callable
        ``"auto"`` (He for the relu family, Glorot otherwise), ``"he_normal"``, ``"he_uniform"``,
        ``"glorot_normal"``, ``"glorot_uniform"``, ``"normal"`` (deviation 0.01), ``"zeros"``, or
        ``(rng, fan_in, fan_out) -> (W, b)``.
    dtype : str
        ``"float32"`` for speed or ``"float64"`` for checks.
    compute_dtype : str, optional
        ``"bfloat16"``, with float32: the operands of every product are rounded to bfloat16 (8 bits,
        to the nearest, ties to even); sums, biases, loss, parameters and optimizer state stay
        float32. Numbers below 1e-38 count as zero in products, as the processors have it. Several
        times faster where the processor has AMX, faster with AVX-512-BF16; elsewhere no faster,
        which a warning says once. `dtype` if not given.
    input_scale : float
        Multiplies every input: ``1 / 255`` for uint8 images.
    seed : int, numpy.random.Generator or None
        For the initial weights, and for the shuffles of `fit` if that is not given a seed.
    backend : str
        ``"native"``, or ``"numpy"``: the twin, the same results to rounding.
    dropout : float or sequence of float
        Share of a hidden layer's units that training leaves out, drawn anew for every row of every
        update, in [0, 1); one number, or one for each hidden layer. The others count
        ``1 / (1 - dropout)`` times, so that outputs and evaluations use all units as they are.
    reduction : str, optional
        ``"mean"`` or ``"sum"`` over rows, instead of what `loss` says.

    Raises
    ------
    TypeError, ValueError
        For anything unknown or out of range, with what was expected.

    Examples
    --------
    >>> import eigenmlp as em
    >>> net = em.MLP([2, 3, 1], activation="tanh", loss="squared_error", seed=0)
    >>> net.forward([[0.5, -1.0]]).shape
    (1, 1)
    """

    def __init__(
        self,
        layer_sizes: Sequence[int],
        activation: str | Activation | Sequence[str | Activation] = "relu",
        output_activation: str | Activation = "identity",
        loss: str | Loss = "softmax_cross_entropy",
        bias: bool = True,
        init: str | Initializer = "auto",
        dtype: str = "float32",
        compute_dtype: str | None = None,
        input_scale: float = 1.0,
        seed: int | np.random.Generator | None = None,
        backend: str = "native",
        dropout: float | Sequence[float] = 0.0,
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
            checks.known(init, ["auto", *INITIALIZERS], "init")
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

    def __repr__(self) -> str:
        shape = "-".join(map(str, self._sizes))
        return (
            f"<MLP {shape} {'/'.join(self._all_activations)}, {self._loss_object.text}, "
            f"{self._dtype}, {'bfloat16 products, ' if self._rounds else ''}"
            f"{self._backend}>"
        )

    # ---- training

    def fit(
        self,
        X: ArrayLike | Batches,
        y: ArrayLike | Choices | None = None,
        epochs: int = 10,
        batch_size: int = 64,
        optimizer: Optimizer | None = None,
        validation: tuple[ArrayLike, ArrayLike | Choices] | None = None,
        sample_weight: ArrayLike | None = None,
        shuffle: bool = True,
        seed: int | np.random.Generator | None = None,
        callbacks: Sequence[Callback] = (),
        progress: bool | str = "auto",
        early_stopping: int | None = None,
    ) -> History:
        """Train on the rows of X.

        Parameters
        ----------
        X : array_like (N, D), or iterable of (Xb, yb)
            A `numpy.memmap` is read where it lies; `shuffle=False` reads it in the disk's order.
            A CPU tensor of PyTorch, here and wherever an array is taken, is read where it lies.
            A sparse matrix of SciPy, here and wherever rows X are taken, is read as CSR, without
            its zeros; the twin and segment_cross_entropy make it dense.
            An iterable (with `y` left out) gives its batches as they come, of any sizes, anew in
            each epoch; a generator gives one epoch.
        y : array_like
            Integer labels (N,) or probabilities (N, K) for softmax_cross_entropy; else targets
            (N, K), or (N,) for one output. `Choices` for segment_cross_entropy.
        epochs, batch_size : int
            With segment_cross_entropy, batches are of whole choices, and this counts them.
            A `batch_size` above N means one batch of N, which is not shuffled.
        optimizer : SGD, Adam, AdamW or RMSprop, optional
            ``SGD(0.1, momentum=0.9)`` if not given.
        validation : (Xv, yv), optional
            Evaluated after each epoch.
        sample_weight : array_like (N,), optional
            The loss of a batch is Σ w l / Σ w. With segment_cross_entropy, of the choices (S,).
        shuffle : bool
            A new order of the rows each epoch.
        seed : int, numpy.random.Generator or None
            For the shuffles; the network's own generator if not given.
        callbacks : sequence of callables
            ``(epoch, history, net) -> bool | None`` after each epoch (from 1); True ends training.
        progress : bool or "auto"
            A bar; "auto": on a terminal or in a notebook.
        early_stopping : int, optional
            Stop after so many epochs without a better validation loss (training loss without
            validation), and restore the best epoch's parameters.

        Returns
        -------
        History

        Raises
        ------
        TypeError, ValueError
            For unusable data or settings; nothing is changed then.
        DivergenceError
            If the loss is no longer finite; the parameters are those before that step, unless it
            was its update that made them infinite.
        KeyboardInterrupt
            After Ctrl-C, at the end of a step; the network stays usable.

        These two, and what a callback raises, come with the `History` so far as their attribute
        `history`; with `early_stopping` the best epoch's parameters are restored then as well.

        Examples
        --------
        >>> import eigenmlp as em
        >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
        >>> net = em.MLP([2, 8, 2], activation="tanh", seed=1)
        >>> history = net.fit(X, y, epochs=500, optimizer=em.SGD(0.5, momentum=0.9))
        >>> net.predict(X)
        array([0, 1, 1, 0])
        """
        rng = self._rng if seed is None else checks.generator(seed)
        trainer: Trainer | None = None
        with unmoved_if(lambda: trainer is None or not trainer._has_begun, rng):
            trainer = Trainer(
                self, SGD(0.1, momentum=0.9) if optimizer is None else optimizer, batch_size, rng
            )
            return trainer.run(
                X,
                y,
                epochs,
                validation=validation,
                sample_weight=sample_weight,
                shuffle=shuffle,
                callbacks=callbacks,
                progress=progress,
                early_stopping=early_stopping,
            )

    # ---- outputs

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

    def predict_proba(self, X: ArrayLike, offsets: ArrayLike | None = None) -> Array:
        """Probabilities (N, K) of rows X (N, D), for the cross-entropies and softmax outputs.

        With segment_cross_entropy: of each alternative (N,) within its choice, `offsets` (S + 1,)
        being as in `Choices`.

        Raises
        ------
        ValueError
            If neither the loss nor the output activation gives probabilities.
        """
        self._check_offsets_given(offsets)
        if not loss_outputs.gives_probabilities(self._loss, self._output_activation):
            raise ValueError(
                "predict_proba: expected a cross-entropy loss or a softmax or sigmoid output, "
                f"got {self._loss} with output_activation {shown(self._output_activation)}"
            )
        return loss_outputs.probabilities(self._loss, self.forward(X), offsets)

    def predict(self, X: ArrayLike, offsets: ArrayLike | None = None) -> Array:
        """What the network says of rows X (N, D).

        With segment_cross_entropy, `offsets` (S + 1,) tell the choices, as in `Choices`.

        Returns
        -------
        ndarray
            softmax_cross_entropy: labels int64 (N,). sigmoid_cross_entropy: 0 or 1, int64 (N, K).
            segment_cross_entropy: the likeliest row of each choice, int64 (S,).
            poisson: rates (N, K). Otherwise the outputs (N, K). All of these are (N,) where
            there is one output; `forward` and `predict_proba` stay (N, 1).

        Examples
        --------
        >>> import eigenmlp as em
        >>> net = em.MLP([2, 1], init="zeros", loss="squared_error")
        >>> net.predict([[1, 2], [3, 4]])
        array([0., 0.], dtype=float32)
        """
        self._check_offsets_given(offsets)
        return loss_outputs.predictions(self._loss, self.forward(X), offsets)

    def _check_offsets_given(self, offsets: ArrayLike | None) -> None:
        if (offsets is not None) != self._of_choices:
            wanted = "offsets (S + 1,)" if offsets is None else "None"
            came = "None" if offsets is None else "offsets"
            raise TypeError(f"offsets: expected {wanted} with {self._loss}, got {came}")

    # ---- losses and gradients

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

    def evaluate(
        self, X: ArrayLike, y: ArrayLike | Choices, sample_weight: ArrayLike | None = None
    ) -> Evaluation:
        """Loss over rows X with targets y, and accuracy where the loss classifies."""
        rows, T, weights = self._data(X, y, sample_weight)
        loss, correct = self._network.evaluate(rows, T, weights)
        return Evaluation(float(loss), correct / len(T) if correct >= 0 else None)

    def loss(
        self, X: ArrayLike, y: ArrayLike | Choices, sample_weight: ArrayLike | None = None
    ) -> float:
        """Loss over rows X with targets y: their mean, or sum, as the loss says."""
        return self.evaluate(X, y, sample_weight).loss

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

    jvp = derivatives.jvp
    input_gradient = derivatives.input_gradient
    per_sample_gradients = derivatives.per_sample_gradients
    hessian_vector_product = derivatives.hessian_vector_product
    hessian = derivatives.hessian
    taylor = derivatives.taylor
    taylor_outputs = derivatives.taylor_outputs

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

    # ---- files and copies

    def save(self, path: str | Path) -> None:
        """Write a safetensors file with the architecture in its metadata.

        The file is complete or not there: it is written beside its place, then renamed. Beside the
        parameters it holds two rows and their outputs, which `load` computes again.

        Raises
        ------
        ValueError
            If a parameter is not finite.
        OSError
            If the file cannot be written, such as on a full disk; an older one stays.
        """
        model_file.write_model(path, self.config, self._named_arrays())

    @classmethod
    def load(cls, path: str | Path, backend: str = "native") -> MLP:
        """Read a network that `save` wrote, also one of an earlier version.

        Nothing in the file is executed or unpickled, so it need not be trusted.

        Raises
        ------
        ValueError
            If the file is truncated, was altered, or is something else; or if its stored sample
            has other outputs here than rounding explains.
        """
        config, arrays, _ = model_file.read_model(path)
        with model_file.sensible(path):
            return cls._from_file(config, arrays, backend)

    @classmethod
    def _from_file(cls, config: dict[str, Any], arrays: dict[str, Array], backend: str) -> MLP:
        # Shapes first: nothing is allocated for sizes that the file does not have.
        sizes = architecture.checked_sizes(config["layer_sizes"])
        vector = model_file.flat_vector(sizes, config["bias"] is True, arrays, "")
        net = cls(**{**config, "init": "zeros", "backend": backend})
        init = checks.known(config["init"], ["auto", "custom", *INITIALIZERS], "init")
        net._init = "auto" if init == "custom" else init
        net.parameters = vector
        if replay.X_NAME in arrays:  # not in older files
            replay.check(net, arrays)
        return net

    def _named_arrays(self) -> dict[str, Array]:
        """What a file holds of the network: its parameters, and a sample of what it computes."""
        parameters = self.parameters  # of one moment, also where another thread trains
        arrays = model_file.named_arrays(self._sizes, self._bias, parameters, "")
        return arrays | replay.sample(
            self._network_at(parameters), self._sizes[0], self._input_scale
        )

    def __getstate__(self) -> dict[str, Any]:
        state = {k: v for k, v in self.__dict__.items() if k != "_network"}
        return {**state, "parameters": self.parameters}

    def __setstate__(self, state: dict[str, Any]) -> None:
        parameters = state.pop("parameters")
        self.__dict__.update(state)
        self._network = self._new_network()
        self._network.set_parameters(parameters)
