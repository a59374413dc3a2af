"""Gradients against central differences: of a network, or of any function that returns both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._basics import html
from ._basics.shown import shown
from ._inputs import checks
from ._network.differences import (
    EPS,
    Differences,
    GradientEntry,
    finite_number,
)
from .choices import Choices
from .mlp import MLP

Array = NDArray[Any]
Function = Callable[[Array], tuple[float, ArrayLike]]

WORST = 10  # entries that a report lists


@dataclass(frozen=True, repr=False)
class GradientReport:
    """What `check_gradients` found; printed, it is a table.

    Attributes
    ----------
    ok : bool
        Whether `max_relative_error` is at most `tolerance`, and at least one entry was judged.
    max_relative_error : float
        Over all entries that were judged; 0 if none was.
    worst : tuple of GradientEntry
        The ten judged entries with the largest relative errors, the largest first.
    kinks : tuple of GradientEntry
        The entries that were not judged.
    tolerance : float
        The largest relative error that passes.
    checked, count : int
        How many entries were judged, and how many there are.
    """

    ok: bool
    max_relative_error: float
    worst: tuple[GradientEntry, ...]
    kinks: tuple[GradientEntry, ...]
    tolerance: float
    checked: int
    count: int

    def __bool__(self) -> bool:
        return self.ok

    @property
    def _verdict(self) -> str:
        if not self.worst:
            return f"gradient not judged: all {len(self.kinks)} entries are at kinks of the loss"
        verdict, sign = ("right", "≤") if self.ok else ("WRONG", ">")
        kinks = f", {len(self.kinks)} more are at kinks" if self.kinks else ""
        return (
            f"gradient {verdict}: largest relative error {self.max_relative_error:.2g} {sign} "
            f"{self.tolerance:.2g}; {self.checked} of {self.count} entries judged{kinks}"
        )

    def __repr__(self) -> str:
        return f"<GradientReport: {self._verdict}>"

    def _repr_html_(self) -> str:
        header = ["entry", "given", "difference", "±", "relative error"]
        rows = [
            [e.name, f"{e.given:.6g}", f"{e.expected:.6g}", f"{e.uncertainty:.1g}",
             f"{e.relative_error:.2g}"]
            for e in self.worst
        ]  # fmt: skip
        return html.table(self._verdict, header if rows else [], rows)

    def __str__(self) -> str:
        if not self.worst:
            return self._verdict
        width = max(len(entry.name) for entry in self.worst)
        lines = [
            self._verdict,
            f"{'entry':{width}}  {'given':>13}  {'difference':>13} {'±':>8}  relative error",
            *(
                f"{e.name:{width}}  {e.given:13.6g}  {e.expected:13.6g} {e.uncertainty:8.1g}  "
                f"{e.relative_error:.2g}"
                for e in self.worst
            ),
        ]
        return "\n".join(lines)


@overload
def check_gradients(
    function: MLP,
    X: ArrayLike,
    y: ArrayLike | Choices,
    *,
    l2: float = 0.0,
    sample_weight: ArrayLike | None = None,
    most: int | None = 200,
    seed: int | np.random.Generator | None = 0,
    tolerance: float | None = None,
) -> GradientReport: ...


@overload
def check_gradients(
    function: Function,
    X: ArrayLike,
    *,
    most: int | None = 200,
    seed: int | np.random.Generator | None = 0,
    tolerance: float | None = None,
) -> GradientReport: ...


def check_gradients(
    function: MLP | Function,
    X: ArrayLike,
    y: ArrayLike | Choices | None = None,
    *,
    l2: float = 0.0,
    sample_weight: ArrayLike | None = None,
    most: int | None = 200,
    seed: int | np.random.Generator | None = 0,
    tolerance: float | None = None,
) -> GradientReport:
    """Compare a gradient with central differences of its loss.

    ``check_gradients(net, X, y)`` checks a float64 copy of a network on its own backend, which
    rounds nothing even if the network's ``compute_dtype`` is ``"bfloat16"``;
    ``check_gradients(function, parameters)`` checks any ``function(parameters) -> (loss,
    gradient)`` at an array of parameters, such as a loss of your own on top of `MLP.vjp`.

    Parameters
    ----------
    function : MLP or callable
        A callable gets float64 arrays of the shape of `parameters`, and returns the loss and the
        gradient, of that shape too.
    X : array_like
        The rows (N, D) for a network; the parameters, of any shape, for a function.
    y, l2, sample_weight
        For a network, as in `MLP.loss_and_gradient`.
    most : int, optional
        Check at most so many entries, drawn at random, of each W and b a fair share; None: all.
    seed : int, numpy.random.Generator or None
        For the draw.
    tolerance : float, optional
        The largest relative error that passes; ε^(1/3) = 6.1e-6 if not given.

    Returns
    -------
    GradientReport
        Its `ok` says whether the gradient is right, and `worst` where it is not.

    Raises
    ------
    TypeError, ValueError
        For data the network cannot take, and for a function whose loss or gradient is not finite
        or not of the right shape.

    Notes
    -----
    With d(h) = (f(x + h) - f(x - h)) / 2h, an entry is compared with d(h / 2), where
    h = η^(1/3) max(1, \\|x\\|) balances truncation, h² f''' / 24, and rounding, η f / h. The
    relative noise η of f is measured by differences of high order (Moré & Wild, Estimating
    computational noise, SIAM J. Sci. Comput. 33, 2011); it is ε = 2.2e-16 at least.

    The uncertainty of d(h / 2) is the sum of
    - \\|d(h) - d(h / 2)\\|, three times the truncation where f is smooth;
    - ½ \\|2 J(h / 2) - J(h)\\|, where J(h) = (f(x + h) - 2 f(x) + f(x - h)) / h is the jump between
      the slopes on either side: it shrinks with h where f is smooth, and stays where f has a kink
      at x. For one kink anywhere within x ± h the two terms bound the error of d(h / 2);
    - 6 standard deviations of the rounding.

    Where it is large, other steps are tried, and the one that leaves the least is kept. If none
    brings the first two terms within `tolerance` of the entry's size or within their own rounding,
    there is a kink at x. Else an entry passes if its error is within its uncertainty, or within
    `tolerance` of its size: differences are good to about ε^(2/3) of f's scale, and half of these
    digits are asked for.

    Examples
    --------
    >>> import eigenmlp as em
    >>> X, y = em.datasets.load_digits()
    >>> report = em.check_gradients(em.MLP([64, 8, 10], seed=0), X[:50], y[:50])
    >>> report.ok
    True

    A derivative that forgets a factor of two:

    >>> report = em.check_gradients(lambda w: ((w**2).sum(), w), [3.0])
    >>> report.ok, report.worst[0].name, round(report.max_relative_error, 6)
    (False, 'parameters[0]', 0.5)
    """
    if tolerance is None:
        tolerance = EPS ** (1 / 3)
    checks.number(tolerance, "tolerance", EPS, below=1.0)
    if most is not None:
        most = checks.integer(most, "most")
    rng = checks.generator(seed)
    if isinstance(function, MLP):
        if y is None:
            raise TypeError("check_gradients: expected (net, X, y), got no y")
        loss, gradient, point, arrays, scale = _of_network(function, X, y, l2, sample_weight)
    elif callable(function):
        if y is not None or l2 or sample_weight is not None:
            raise TypeError(
                "check_gradients: expected (function, parameters); y, l2 and sample_weight are "
                "for networks"
            )
        loss, gradient, point, arrays, scale = _of_function(function, X)
    else:
        raise TypeError(
            f"check_gradients: expected an MLP or a function, got {type(function).__name__}"
        )
    chosen = _draw([int(np.prod(shape)) for _, shape in arrays], most, rng)
    differences = Differences(loss, gradient, point, scale, tolerance)
    entries = [differences.entry(_name(arrays, i), i, float(gradient[i])) for i in chosen]
    judged = sorted((e for e in entries if not e.at_kink), key=lambda e: -e.relative_error)
    worst = judged[0].relative_error if judged else 0.0
    return GradientReport(
        ok=bool(judged) and worst <= tolerance,
        max_relative_error=worst,
        worst=tuple(judged[:WORST]),
        kinks=tuple(e for e in entries if e.at_kink),
        tolerance=tolerance,
        checked=len(judged),
        count=len(point),
    )


# The loss, its gradient (P,), the parameters (P,), the names and shapes of the arrays in these, and
# the size of the numbers of which the loss is a sum, as far as it is known.
Checkable = tuple[Callable[[Array], float], Array, Array, list[tuple[str, tuple[int, ...]]], float]


def _of_network(
    net: MLP, X: ArrayLike, y: ArrayLike | Choices, l2: float, sample_weight: ArrayLike | None
) -> Checkable:
    copy = MLP(**{**net.config, "init": "zeros", "dtype": "float64", "compute_dtype": None})
    point = net.parameters.astype(np.float64)
    copy.parameters = point
    _, gradient = copy.loss_and_gradient(X, y, l2=l2, sample_weight=sample_weight)

    def loss(parameters: Array) -> float:
        copy.parameters = parameters
        squares = sum(float((W**2).sum()) for W in copy.weights) if l2 else 0.0
        return copy.loss(X, y, sample_weight) + l2 / 2 * squares

    arrays: list[tuple[str, tuple[int, ...]]] = []
    for layer, (D, K) in enumerate(pairwise(net.layer_sizes)):
        arrays.append((f"W{layer}", (D, K)))
        if net.config["bias"]:
            arrays.append((f"b{layer}", (K,)))
    scale = float(np.abs(copy.forward(X)).max())  # cross-entropies are differences of outputs
    return loss, gradient, point, arrays, scale


def _of_function(function: Function, parameters: ArrayLike) -> Checkable:
    start = checks.numbers(parameters, "parameters").astype(np.float64)
    if start.size == 0:
        raise ValueError(f"parameters: expected at least one number, got shape {start.shape}")
    checks.finite(start.reshape(-1), "parameters", "float64")

    def both(flat: Array) -> tuple[float, ArrayLike]:
        result = function(flat.reshape(start.shape))
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(f"function: expected (loss, gradient), got {shown(result)}")
        return result

    point = start.reshape(-1)
    value, given = both(point.copy())
    finite_number(value, "loss")
    gradient = checks.numbers(given, "gradient").astype(np.float64)
    if gradient.shape != start.shape:
        raise ValueError(
            f"gradient: expected shape {start.shape}, as the parameters have, got {gradient.shape}"
        )
    flat = gradient.reshape(-1)
    checks.finite(flat, "gradient", "float64")
    return (
        lambda x: finite_number(both(x)[0], "loss"),
        flat,
        point,
        [("parameters", start.shape)],
        0.0,
    )


def _draw(sizes: list[int], most: int | None, rng: np.random.Generator) -> list[int]:
    """At most `most` of all entries; small arrays in full, and the others in equal shares."""
    starts = np.concatenate([[0], np.cumsum(sizes)])
    left = most
    chosen: list[int] = []
    for rank, array in enumerate(np.argsort(sizes, kind="stable")):
        share = sizes[array]
        if left is not None:
            share = min(share, -(-left // (len(sizes) - rank)))
            left -= share
        drawn = np.sort(rng.choice(sizes[array], share, replace=False))
        chosen.extend(int(starts[array] + i) for i in drawn)
    return sorted(chosen)


def _name(arrays: list[tuple[str, tuple[int, ...]]], i: int) -> str:
    """``W1[3, 2]`` of the flat vector's entry i."""
    for name, shape in arrays:
        size = int(np.prod(shape))
        if i < size:
            index = ", ".join(str(int(j)) for j in np.unravel_index(i, shape))
            return f"{name}[{index}]" if shape else name
        i -= size
    raise IndexError(i)
