"""The estimators' network, seen as scikit-learn's lists `coefs_` and `intercepts_`."""

from __future__ import annotations

import weakref
from abc import abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .._inputs import checks
from .._inputs.checks import numbers
from ..mlp import MLP
from ..trainer import Trainer
from . import _saved

Array = NDArray[Any]


class NetworkMixin:
    """A network whose parameters can be read and changed as lists of arrays.

    The parameters live in the network. The lists are made when somebody asks for them; as long as
    somebody may have them, or one of their arrays, each use of the network looks whether they were
    changed. Lists that are assigned stay the user's own; they need no fit before, and their shapes
    are the network's.
    """

    _net: MLP | None = None
    _trainer: Trainer | None = None
    _lists: tuple[Any, Any] | None = None  # one is None where the user has assigned the other first
    _seen: Array | None = None  # what the lists held when the network last had the same
    _assigned_sizes: list[int] | None = None  # of layers, where they are not hidden_layer_sizes
    _best_parameters: Array | None = None

    @abstractmethod
    def _make_net(self, units: list[int], dtype: Any) -> MLP:
        """A network of zeros."""

    @abstractmethod
    def _hidden_sizes(self) -> list[int]:
        """hidden_layer_sizes."""

    @property
    def coefs_(self) -> list[Array]:
        """Of each layer, the weights (in, out)."""
        return self._found(self._both_lists()[0], "coefs_")

    @coefs_.setter
    def coefs_(self, coefs: list[Array]) -> None:
        self._lists = (_given(coefs, "coefs_"), self._both_lists()[1])

    @coefs_.deleter
    def coefs_(self) -> None:
        self._lists = (None, self._both_lists()[1])

    @property
    def intercepts_(self) -> list[Array]:
        """Of each layer, the biases (out,)."""
        return self._found(self._both_lists()[1], "intercepts_")

    @intercepts_.setter
    def intercepts_(self, intercepts: list[Array]) -> None:
        self._lists = (self._both_lists()[0], _given(intercepts, "intercepts_"))

    @intercepts_.deleter
    def intercepts_(self) -> None:
        self._lists = (self._both_lists()[0], None)

    def _found(self, arrays: list[Array] | None, name: str) -> list[Array]:
        if arrays is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return arrays

    def _both_lists(self) -> tuple[Any, Any]:
        lists = self._lists
        if lists is None:
            if self._net is None:
                return None, None
            self._seen = self._net.parameters
            self._lists = lists = layers(self._seen.copy(), self._net.layer_sizes)
        return lists

    def _take_changes(self) -> None:
        """From the lists; which are forgotten if nobody else can change them any more."""
        found = self._lists
        if found is None:
            return  # another thread's prediction has just forgotten them
        coefs, intercepts = self._found(found[0], "coefs_"), self._found(found[1], "intercepts_")
        del found
        flat = flattened(coefs, intercepts)
        sizes = _sizes(coefs, intercepts)
        if self._net is None or self._net.layer_sizes != sizes:
            self._begin_with(sizes, flat)
        elif not np.array_equal(flat, self._seen, equal_nan=True):  # type: ignore[arg-type]
            _set_parameters(self._net, flat)
            self._seen = flat
        whole = getattr(coefs, "whole", None)  # of all arrays, as they were made
        if whole is None or getattr(intercepts, "whole", None) is not whole:
            return  # the user's own
        if not all(array.base is whole for array in (*coefs, *intercepts)):
            return  # there are others among them, which anybody may have
        lists, held = (weakref.ref(coefs), weakref.ref(intercepts)), weakref.ref(whole)
        self._lists = None
        del coefs, intercepts, whole
        whole = held()
        if whole is not None and self._net is not None:
            made = layers(whole, self._net.layer_sizes)
            both = [ref() for ref in lists]
            self._lists = (
                made[0] if both[0] is None else both[0],
                made[1] if both[1] is None else both[1],
            )

    def _begin_with(self, sizes: list[int], flat: Array) -> None:
        """A network of the parameters that were assigned, without a trainer."""
        given = np.float32 if flat.dtype == np.float32 else np.float64
        net = self._make_net(sizes, given if self._net is None else self._net.dtype)
        _set_parameters(net, flat)
        self._net, self._trainer, self._seen, self._best_parameters = net, None, flat, None
        self._assigned_sizes = sizes if sizes[1:-1] != self._hidden_sizes() else None
        self.n_layers_, self.n_outputs_ = len(sizes), sizes[-1]

    def _network(self) -> MLP:
        """The network, with the parameters that the lists hold."""
        if self._lists is not None:
            self._take_changes()
        if self._net is None:
            check_is_fitted(self)  # complains
            raise AttributeError("expected a fitted estimator, got one without a network")
        return self._net

    def _parameters_changed(self) -> None:
        """After the network was trained: the lists are made anew."""
        self._lists = self._seen = None

    def __getstate__(self) -> dict[str, Any]:
        turns = vars(self).get("_turns")
        if turns is None:
            return self._state()
        with turns, turns.lock:  # of one moment, also where another thread trains
            return self._state()

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = {**super().__getstate__()}  # type: ignore[dict-item]
        state.pop("_turns", None)
        if self._net is None:  # there may be lists, which the user assigned
            return state
        net = self._network()
        for name in ("_net", "_trainer", "_lists", "_seen"):
            state.pop(name, None)
        # What goes on changing: the generator's own state is set when the copy is made.
        state |= {name: list(value) for name, value in state.items() if type(value) is list}
        rng = state.get("_random_state")
        if rng is not None and rng is not np.random.mtrand._rand:
            state["_drawn"] = rng.get_state(legacy=False)
        return {**state, "_saved": _saved.saved(net, self._trainer)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        saved, drawn = state.pop("_saved", None), state.pop("_drawn", None)
        super().__setstate__(state)  # type: ignore[misc]
        if drawn is not None:
            vars(self)["_random_state"].set_state(drawn)
        if saved is not None:
            self._net, self._trainer = _saved.restored(saved)


def _given(arrays: Any, name: str) -> Any:
    if arrays is None:
        raise TypeError(f"{name}: expected a list of arrays, one for each layer, got None")
    return arrays


def flattened(coefs: Sequence[Any], intercepts: Sequence[Any]) -> Array:
    """The flat vector W0, b0, W1, b1, … (P,)."""
    if len(coefs) != len(intercepts):
        raise ValueError(
            f"coefs_, intercepts_: expected one array of each for each layer, got {len(coefs)} and "
            f"{len(intercepts)}"
        )
    pairs = zip(coefs, intercepts, strict=True)
    named = ((("coefs_", W), ("intercepts_", b)) for W, b in pairs)
    return np.concatenate([numbers(part, name).ravel() for pair in named for name, part in pair])


def _sizes(coefs: Sequence[Any], intercepts: Sequence[Any]) -> list[int]:
    """D, the hidden layers' sizes and K, if the arrays fit together."""
    shapes = [np.shape(W) for W in coefs]
    units = [shape[-1] if len(shape) == 2 else 0 for shape in shapes]
    expected = [*zip([shapes[0][0], *units[:-1]], units, strict=True)] if all(units) else None
    if shapes != expected or units != [np.size(b) for b in intercepts]:
        raise ValueError(
            "coefs_, intercepts_: expected weights (in, out) and biases (out,) that follow on one "
            f"another, got shapes {shapes} and {[np.shape(b) for b in intercepts]}"[:390]
        )
    return [shapes[0][0], *units]


def _set_parameters(net: MLP, flat: Array) -> None:
    for name, parts in zip(("coefs_", "intercepts_"), layers(flat, net.layer_sizes), strict=True):
        for i, part in enumerate(parts):
            checks.finite(part, f"{name}[{i}]", net._dtype)
    vector = checks.flat(flat, net.parameter_count, net._dtype, "coefs_, intercepts_")
    net._network.set_parameters(vector)


class Layers(list[Array]):
    """A list that weak references can point to, of parts of one array."""

    whole: Array


def layers(flat: Array, sizes: list[int]) -> tuple[Layers, Layers]:
    """W and b of each layer, as parts of the flat vector (P,)."""
    coefs, intercepts, at = Layers(), Layers(), 0
    coefs.whole = intercepts.whole = flat
    for D, K in pairwise(sizes):
        coefs.append(flat[at : at + D * K].reshape(D, K))
        at += D * K
        intercepts.append(flat[at : at + K])
        at += K
    return coefs, intercepts
