"""The network itself: layers in the units of the data, and the passes through them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._inputs import checks, mapped
from .._inputs.foreign import is_foreign, shared
from ..choices import Choices
from ..datasets.shards import Shards, refuse_row
from .in_units import LayersInUnits

Array = NDArray[Any]


class DenseNetwork(LayersInUnits):
    """Dense layers on a backend: what trainer, derivatives, files and plots know of a network.

    The parameters are those of `eigenmlp.MLP`, which adds what users do with one. Every entry
    checks what it is given, then makes one call of the backend.
    """

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
            try:
                self.forward(X[begin:end], out[begin:end])
            except ValueError:
                refuse_row(lambda a, b: self._rows(X[a:b]), begin, end)
                raise
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
