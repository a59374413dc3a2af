"""The network as users see it: what they do with one, and the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import derivatives
from ._basics.shown import shown
from ._basics.unmoved import unmoved_if
from ._files import model as model_file
from ._files import network as network_file
from ._inputs import checks
from ._network import loss_outputs
from ._network.network import DenseNetwork
from ._network.summary import Summary, summary
from ._training.ranks import Ranks, together
from ._training.streamed import Streamed
from ._training.training import Batches, Callback, Training
from .activations import Activation
from .choices import Choices
from .datasets.shards import is_shards
from .history import History
from .initializers import Initializer
from .losses import Loss
from .optimizers import DEFAULT, Optimizer

Array = NDArray[Any]


@dataclass(frozen=True)
class Evaluation:
    """Mean loss, and the share of rows classified right (None where the loss does not classify)."""

    loss: float
    accuracy: float | None


class MLP(DenseNetwork):
    """A multi-layer perceptron: dense layers ``Y = f(X @ W + b)``.

    Parameters
    ----------
    layer_sizes : sequence of int
        ``[D, h1, …, K]``: inputs, hidden layers if any, outputs.
    activation : str, em.activations.Activation, or a sequence of them
        One, or one for each hidden layer: a name, an object such as
        ``em.activations.Sigmoid(slope=2.0)``, or its text form ``"sigmoid(slope=2.0)"``. Also
        ``"swish"`` (silu), ``"linear"`` (identity) and ``"logistic"`` (sigmoid).
    output_activation : str or em.activations.Activation
        An activation or ``"softmax"``; the cross-entropies bring their own and need ``"identity"``.
    loss : str or em.losses.Loss
        ``"softmax_cross_entropy"``, ``"sigmoid_cross_entropy"``, ``"squared_error"``,
        ``"half_squared_error"``, ``"absolute_error"``, ``"huber"``, ``"quantile"``, ``"poisson"``;
        an object such as ``em.losses.Huber(delta=0.5)``, or its text form. Also ``"mse"``,
        ``"mae"``, ``"bce"`` (sigmoid_cross_entropy) and ``"cross_entropy"``
        (softmax_cross_entropy), both from logits. Each is the mean over rows of the sum over
        outputs. ``"segment_cross_entropy"``: one output scores the rows, from
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
    input_scale : float or array_like (D,)
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
    standardize : bool
        Whether the first `fit` (or `standardize`) measures the mean and the deviation of each
        column of X and, where the loss is of values, of y. The network then takes inputs and gives
        outputs, losses and derivatives in these columns' own units, while its layers see numbers
        around 0 and 1; an optimizer is given the gradient of the loss in the layers' units, so that
        a learning rate means the same for euros and for millimetres.
    input_shift, output_shift, output_scale : float or array_like, (D,) or (K,)
        With `input_scale`, the units themselves, which `standardize` would measure:
        ``Y = f((X - input_shift) * input_scale) * output_scale + output_shift``. The difference is
        taken in float64: columns of 1e6 ± 1 keep their digits. Outputs have units where the loss is
        of values; `output_scale` is above 0.

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
        input_scale: ArrayLike = 1.0,
        seed: int | np.random.Generator | None = None,
        backend: str = "native",
        dropout: float | Sequence[float] = 0.0,
        reduction: str | None = None,
        standardize: bool = False,
        input_shift: ArrayLike = 0.0,
        output_shift: ArrayLike = 0.0,
        output_scale: ArrayLike = 1.0,
    ) -> None:
        super().__init__(
            layer_sizes,
            activation,
            output_activation,
            loss,
            bias,
            init,
            dtype,
            compute_dtype,
            input_scale,
            seed=seed,
            backend=backend,
            dropout=dropout,
            reduction=reduction,
            standardize=standardize,
            input_shift=input_shift,
            output_shift=output_shift,
            output_scale=output_scale,
        )

    def __repr__(self) -> str:
        shape = "-".join(map(str, self._sizes))
        return (
            f"<MLP {shape} {'/'.join(self._all_activations)}, {self._loss_object.text}, "
            f"{self._dtype}, {'bfloat16 products, ' if self._rounds else ''}"
            f"{self._backend}>"
        )

    def summary(self) -> Summary:
        """A table of the layers: arrays, shapes, activations, parameters and their memory.

        Examples
        --------
        >>> import eigenmlp as em
        >>> print(em.MLP([64, 50, 10]).summary())
        MLP 64-50-10 relu/identity, softmax_cross_entropy, float32, native
        layer   shape     activation  parameters   memory
        W0, b0  (64, 50)  relu             3,250  13.0 kB
        W1, b1  (50, 10)  identity           510   2.0 kB
        total                              3,760  15.0 kB
        """
        return summary(self)

    # ---- training

    def fit(
        self,
        X: ArrayLike | Batches,
        y: ArrayLike | Choices | None = None,
        epochs: int = 10,
        batch_size: int = 64,
        optimizer: Optimizer | str | None = None,
        validation: tuple[ArrayLike, ArrayLike | Choices] | None = None,
        sample_weight: ArrayLike | None = None,
        shuffle: bool = True,
        seed: int | np.random.Generator | None = None,
        callbacks: Sequence[Callback] = (),
        progress: bool | str = "auto",
        early_stopping: int | None = None,
        *,
        comm: object = None,
        rows: str = "all",
    ) -> History:
        """Train on the rows of X.

        Parameters
        ----------
        X : array_like (N, D), or iterable of (Xb, yb)
            A `numpy.memmap` is read where it lies; `shuffle=False` reads it in the disk's order.
            `em.datasets.open_shards` reads files larger than memory block by block.
            A CPU tensor of PyTorch, here and wherever an array is taken, is read where it lies.
            Frames and columns of pandas, Polars and PyArrow, here and wherever an array is taken,
            are read if all their columns are numbers or bools and nothing is missing.
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
        optimizer : SGD, Adam, AdamW or RMSprop, or a name, optional
            ``"adam"``, ``"adamw"``, ``"rmsprop"`` stand for those with their defaults, ``"sgd"``
            for ``SGD(0.1, momentum=0.9)``, which also is what is used if none is given; with
            parameters as in ``"adam(lr=0.01)"``.
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
        comm : mpi4py.MPI.Intracomm, optional
            Processes that share the run, ``MPI.COMM_WORLD``: every rank calls the same methods.
        rows : str
            With `comm`. ``"all"``: every rank has all of X and y (a mapped file, say), and shares
            out the batches: the same bits for every number of ranks and threads. ``"own"``: every
            rank has rows of its own, in unequal numbers too; `batch_size` counts those of all, and
            results depend on the number of ranks.

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
        ranks = Ranks.of(comm, rows, "MLP.fit")
        with together(ranks, "MLP.fit"):
            rng = self._rng if seed is None else checks.generator(seed)
            training: Training | None = None
            with unmoved_if(lambda: training is None or not training._has_begun, rng):
                rule = DEFAULT if optimizer is None else optimizer
                training = Training(self, rule, batch_size, rng, comm=ranks, rows=rows)
                return training.run(
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

    # ---- outputs and losses

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
        if not self._gives_probabilities:
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

    def evaluate(
        self, X: ArrayLike, y: ArrayLike | Choices, sample_weight: ArrayLike | None = None
    ) -> Evaluation:
        """Loss over rows X with targets y, and accuracy where the loss classifies."""
        if is_shards(X, y, sample_weight):
            streamed = Streamed(self, X, y, sample_weight)
            loss, correct = streamed.evaluate()
            return Evaluation(loss, correct / len(streamed) if correct >= 0 else None)
        rows, T, weights = self._data(X, y, sample_weight)
        loss, correct = self._network.evaluate(rows, T, weights)
        return Evaluation(float(loss), correct / len(T) if correct >= 0 else None)

    def loss(
        self, X: ArrayLike, y: ArrayLike | Choices, sample_weight: ArrayLike | None = None
    ) -> float:
        """Loss over rows X with targets y: their mean, or sum, as the loss says."""
        return self.evaluate(X, y, sample_weight).loss

    # ---- derivatives

    jvp = derivatives.jvp
    input_gradient = derivatives.input_gradient
    per_sample_gradients = derivatives.per_sample_gradients
    hessian_vector_product = derivatives.hessian_vector_product
    hessian = derivatives.hessian
    taylor = derivatives.taylor
    taylor_outputs = derivatives.taylor_outputs

    # ---- files

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
        model_file.write_model(path, self.config, network_file.named_arrays(self))

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
            return network_file.restored(cls, config, arrays, backend)
