"""What the parts of a C file need to know of the network."""

from __future__ import annotations

import numpy as np

from ..._inputs import checks
from ...mlp import MLP
from .. import travelling as travelling
from .columns import encoder

INPUT_DTYPES = ("float32", "float64", "uint8")


class Model:
    """A network, and what its C calls things."""

    def __init__(
        self, given: MLP | travelling.Estimator, prefix: str, input_dtype: str | None
    ) -> None:
        self.net = net = travelling.network(given, "to_c", tables=True)
        self.encoder = encoder(given, input_dtype)
        self.classes = travelling.class_names(given, "to_c")
        self.sizes = net.layer_sizes
        self.layers = travelling.layers(net)
        self.activations = [layer.activation for layer in self.layers]
        self.units = travelling.units(net)
        self.loss = travelling.loss_of(net).name
        self.chooses = travelling.loss_of(net).of_choices
        single = net.dtype == np.float32
        self.names = {
            "p": prefix,
            "f": "f" if single else "",
            "real": "float" if single else "double",
            "D": self.sizes[0],
            "K": self.sizes[-1],
        }
        if input_dtype is None:
            input_dtype = net.dtype.name
        checks.known(input_dtype, INPUT_DTYPES, "input_dtype")
        types = {"float32": "float", "float64": "double", "uint8": "uint8_t"}
        self.input = types[input_dtype] if self.encoder is None else "double"
        self.given = self.sizes[0] if self.encoder is None else self.encoder.columns

    def buffers(self) -> list[int]:
        """How many numbers the buffers hold that hidden layers use in turn."""
        hidden = self.sizes[1:-1]
        return [max(part) for part in (hidden[::2], hidden[1::2]) if part]
