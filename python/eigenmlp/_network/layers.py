"""The layers: what a network is made of, and the parameters it has."""

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
from .._inputs import checks, words
from .._inputs.description import described
from ..activations import ACTIVATIONS, Activation
from ..initializers import INITIALIZERS, Initializer, initial_parameters
from ..losses import LOSSES, Loss, check_outputs
from . import architecture, loss_outputs
from .units import Units

Array = NDArray[Any]


class Layers:
    """Sizes, activations, loss and units, checked, and the backend's network of them."""

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

    # ---- networks at other points

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
