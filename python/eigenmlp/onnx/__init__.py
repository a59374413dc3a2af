"""Networks to and from ONNX, the format that ONNX Runtime and many other programs run.

Needs ``pip install onnx``; to run the files, ``pip install onnxruntime``.

>>> import eigenmlp as em
>>> net = em.MLP([64, 50, 10], seed=0)
>>> em.onnx.export(net, "digits.onnx")
>>> em.onnx.load("digits.onnx")
<MLP 64-50-10 relu/identity, softmax_cross_entropy, float32, native>
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .._files.whole import write_whole
from .._inputs import checks
from .._inputs.description import described
from .._interchange.pipelines import inner
from .._interchange.travelling import Estimator, parts
from ..losses import LOSSES, Loss
from ..mlp import MLP
from . import _ensemble
from ._reading import Reader
from ._writing import Writer

__all__ = ["export", "load", "to_model"]


def export(net: MLP | Estimator, path: str | Path, input_dtype: str | None = None) -> None:
    """Write a network as an ONNX file, checked by `onnx.checker`.

    The file's input ``X`` (N, D) are rows as `MLP.predict` takes them, any number of them;
    ``input_scale`` is applied in the file. It computes in the network's dtype. Its outputs are

    =================  ========================================================================
    ``logits``         (N, K), for the cross-entropies: what `MLP.forward` gives
    ``outputs``        (N, K), for other losses: what `MLP.forward` gives
    ``probabilities``  (N, K), where `MLP.predict_proba` gives them for single rows
    ``rates``          (N, K), for poisson: what `MLP.predict` gives
    ``labels``         int64, what `MLP.predict` gives: (N,) for softmax_cross_entropy, (N, K) for
                       sigmoid_cross_entropy
    =================  ========================================================================

    With one output, ``rates`` and ``labels`` are (N,), as `MLP.predict` has them.

    Of a classifier of `eigenmlp.sklearn`, ``labels`` are what its `predict` gives, by its
    ``classes_``: integers, floats, bools or strings; and ``probabilities`` what its `predict_proba`
    gives, (N, 2) for two classes. Classes that ONNX cannot hold are a `ValueError`: strings with a
    lone surrogate, times, long doubles that are no float64.

    Of a model of `eigenmlp.tables` the file has an input (N, 1) for each column that is used, by
    its name: float64 for numbers, booleans (0 and 1) and times (seconds since 1970, as the clock on
    the wall shows them), NaN where one is missing; strings for categories, "" where one is missing.
    A name that the graph needs itself gets ``input:`` before it. Fitted on an array of numbers, it
    has one input ``X`` (N, D). ``outputs`` are in the target's unit.

    A pipeline of scikit-learn's scalers (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler)
    and an estimator of `eigenmlp.sklearn`, and a fitted search over one, are one network whose
    inputs are those of the pipeline.

    Of an ensemble, and of a pack of a table: ``probabilities`` and ``labels``, ``rates`` or
    ``outputs``, of its mean.

    The file is complete or not there: it is written beside its place, then renamed.

    Parameters
    ----------
    net : MLP, or fitted estimator of `eigenmlp.sklearn` or `eigenmlp.tables`, pipeline or search
    path : str or Path
        As ``"model.onnx"``.
    input_dtype : str, optional
        Of ``X``: ``"float32"``, ``"float64"`` or ``"uint8"``; the network's dtype if not given.

    Raises
    ------
    TypeError, ValueError
        If `net` is no network, has a parameter that is not finite, or more of them than the 2 GB
        that ONNX's encoding holds; or for an unknown `input_dtype`. No file is written then.
    ImportError
        Without the package onnx.

    Notes
    -----
    The operators are standard ones of ONNX 1.15 (operator set 20), which ONNX Runtime 1.17 runs in
    float32, 1.18 in float64 too. Where it has none for float64 (leaky_relu, softplus, elu, gelu,
    silu), the file brings a function made of others. With ``compute_dtype="bfloat16"`` the file has
    the float32 parameters and computes in float32: outputs differ from the network's by the
    rounding of its operands.

    Examples
    --------
    >>> import eigenmlp as em
    >>> import onnxruntime
    >>> net = em.MLP([4, 3, 2], seed=0)
    >>> em.onnx.export(net, "model.onnx")
    >>> session = onnxruntime.InferenceSession("model.onnx")
    >>> [output.name for output in session.get_outputs()]
    ['logits', 'probabilities', 'labels']
    >>> session.run(["labels"], {"X": [[0.5, 1.0, -1.0, 2.0]]})[0] == net.predict([[0.5, 1, -1, 2]])
    array([ True])
    """
    content = to_model(net, input_dtype).SerializeToString()
    write_whole(path, content)


def to_model(net: MLP | Estimator, input_dtype: str | None = None) -> Any:
    """The `onnx.ModelProto` that `export` writes; parameters and errors are the same.

    Examples
    --------
    >>> import eigenmlp as em
    >>> model = em.onnx.to_model(em.MLP([4, 3, 2], activation="tanh", seed=0))
    >>> [node.op_type for node in model.graph.node]
    ['Gemm', 'Tanh', 'Gemm', 'Softmax', 'ArgMax']
    """
    if (several := parts(net, "onnx.export")) is not None:
        return _ensemble.model(several, type(inner(net)).__name__, input_dtype)
    return Writer(net, input_dtype).model()


def load(path: str | Path, loss: str | Loss | None = None, backend: str = "native") -> MLP:
    """Read a network from an ONNX file: one of `export`, or of PyTorch's or skl2onnx's exporters.

    The graph must be a chain of Gemm, or MatMul and Add, with the known activations between
    them; inputs may be made flat first, and outputs (N, 1) be given as (N,). Nothing in it is
    executed. What comes after the last layer tells the loss:

    ==================================  ========================================================
    Softmax, LogSoftmax, ArgMax         ``softmax_cross_entropy``; `MLP.predict_proba` gives what
                                        the file's Softmax gives
    Sigmoid, or the last layer > 0      ``sigmoid_cross_entropy``, likewise
    Exp                                 ``poisson``
    nothing, or another activation      ``squared_error``
    ==================================  ========================================================

    Parameters
    ----------
    path : str or Path
        Weights kept in a file beside it are read too.
    loss : str or em.losses.Loss, optional
        Instead of that. With a loss that takes no logits, a Softmax or Sigmoid at the end becomes
        the ``output_activation``.
    backend : str
        As in `MLP`.

    Returns
    -------
    MLP
        In the dtype of the file's weights. A file of `export` gives the network with all its
        settings but ``init``. Classes are 0, 1, … in the file's order, whatever their names.
        For two classes that the file makes of one sigmoid, the network has that one output.

    Raises
    ------
    ValueError
        If the file is no ONNX file, is damaged, or has a node that such a network cannot have:
        the message names it.
    ImportError
        Without the package onnx.

    Examples
    --------
    >>> import eigenmlp as em
    >>> net = em.MLP([8, 3, 1], loss="huber(delta=0.5)", activation="silu", seed=0)
    >>> em.onnx.export(net, "height.onnx")
    >>> em.onnx.load("height.onnx")
    <MLP 8-3-1 silu/identity, huber(delta=0.5), float32, native>
    """
    chosen = None if loss is None else described(loss, LOSSES, "loss")
    return Reader(checks.path(path)).network(chosen, backend)
