"""The estimators' network, seen as scikit-learn's lists `coefs_` and `intercepts_`."""

from __future__ import annotations

import weakref
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ..mlp import MLP
from ..trainer import Trainer
from . import _saved

Array = NDArray[Any]


class NetworkMixin:
    """A network whose parameters can be read and changed as lists of arrays.

    The parameters live in the network. The lists are made when somebody asks for them; as long as
    somebody may have them, or one of their arrays, each use of the network looks whether they were
    changed.
    """

    _net: MLP | None = None
    _trainer: Trainer | None = None
    _lists: tuple[Layers, Layers] | None = None
    _seen: Array | None = None  # what the lists held when the network last had the same

    @property
    def coefs_(self) -> list[Array]:
        """Of each layer, the weights (in, out)."""
        return self._get_lists("coefs_")[0]

    @coefs_.setter
    def coefs_(self, coefs: list[Array]) -> None:
        self._lists = (Layers(coefs), self._get_lists("coefs_")[1])

    @property
    def intercepts_(self) -> list[Array]:
        """Of each layer, the biases (out,)."""
        return self._get_lists("intercepts_")[1]

    @intercepts_.setter
    def intercepts_(self, intercepts: list[Array]) -> None:
        self._lists = (self._get_lists("intercepts_")[0], Layers(intercepts))

    def _get_lists(self, name: str) -> tuple[Layers, Layers]:
        if self._net is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        lists = self._lists
        if lists is None:
            self._seen = self._net.parameters
            self._lists = lists = layers(self._seen.copy(), self._net.layer_sizes)
        return lists

    def _take_changes(self) -> None:
        """From the lists; which are forgotten if nobody else can change them any more."""
        found = self._lists
        if found is None or self._net is None:
            return  # another thread's prediction has just forgotten them
        coefs, intercepts = found
        del found
        flat = flattened(coefs, intercepts)
        if not np.array_equal(flat, self._seen):  # type: ignore[arg-type]
            self._net.parameters = flat
            self._seen = flat
        whole = coefs[0].base  # of all arrays, as they were made
        if not all(array.base is whole for array in (*coefs, *intercepts)):
            return  # there are others among them, which anybody may have
        lists, held = (weakref.ref(coefs), weakref.ref(intercepts)), weakref.ref(whole)
        self._lists = None
        del coefs, intercepts, whole
        whole = held()
        if whole is not None:
            made = layers(whole, self._net.layer_sizes)
            both = [ref() for ref in lists]
            self._lists = (
                made[0] if both[0] is None else both[0],
                made[1] if both[1] is None else both[1],
            )

    def _network(self) -> MLP:
        """The network, with the parameters that the lists hold."""
        if self._net is None:
            check_is_fitted(self)  # complains
            raise AttributeError("expected a fitted estimator, got one without a network")
        if self._lists is not None:
            self._take_changes()
        return self._net

    def _parameters_changed(self) -> None:
        """After the network was trained: the lists are made anew."""
        self._lists = self._seen = None

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = {**super().__getstate__()}  # type: ignore[dict-item]
        if self._net is None:
            return state
        net = self._network()
        for name in ("_net", "_trainer", "_lists", "_seen"):
            state.pop(name, None)
        return {**state, "_saved": _saved.saved(net, self._trainer)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        saved = state.pop("_saved", None)
        super().__setstate__(state)  # type: ignore[misc]
        if saved is not None:
            self._net, self._trainer = _saved.restored(saved)


def flattened(coefs: list[Array], intercepts: list[Array]) -> Array:
    """The flat vector W0, b0, W1, b1, … (P,)."""
    pairs = zip(coefs, intercepts, strict=True)
    return np.concatenate([np.ravel(part) for pair in pairs for part in pair])


class Layers(list[Array]):
    """A list that weak references can point to."""


def layers(flat: Array, sizes: list[int]) -> tuple[Layers, Layers]:
    """W and b of each layer, as parts of the flat vector (P,)."""
    coefs, intercepts, at = Layers(), Layers(), 0
    for D, K in pairwise(sizes):
        coefs.append(flat[at : at + D * K].reshape(D, K))
        at += D * K
        intercepts.append(flat[at : at + K])
        at += K
    return coefs, intercepts
