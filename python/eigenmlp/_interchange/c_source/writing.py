"""The text of a C file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._core.loading import version
from ...activations import Activation
from .classes import declaration, definition
from .functions import Function, functions
from .model import Model

# Formulas of one number z, as in reference/activations: none overflows where its value does not.
# {p}: the prefix, {f}: the suffix of constants and of libm's functions, {NAME}: a parameter and *.
_FORMULAS = {
    "relu": "{z} < 0 ? 0 : {z}",
    "leaky_relu": "{z} > 0 ? {z} : {negative_slope}{z}",
    "sigmoid": "{p}sigmoid({slope}{z})",
    "tanh": "tanh{f}({z})",
    "softplus": "fmax{f}({z}, 0) + log1p{f}(exp{f}(-fabs{f}({z})))",
    "elu": "{z} > 0 ? {z} : {alpha}expm1{f}({z})",
    "gelu": "{half}{z} * erfc{f}({root_half}-{z})",
    "silu": "{z} * {p}sigmoid({z})",
}

_SIGMOID = """
static {real} {p}sigmoid({real} z) {{
  const {real} e = exp{f}(-fabs{f}(z)); /* cannot overflow */
  return (z >= 0 ? 1 : e) / (1 + e);
}}
"""
_SOFTMAX = """
static void {p}softmax(size_t n, {real} y[]) {{
  {real} largest = y[0], sum = 0;
  for (size_t k = 1; k < n; ++k)
    if (y[k] > largest) largest = y[k];
  for (size_t k = 0; k < n; ++k) {{
    y[k] = exp{f}(y[k] - largest); /* cannot overflow */
    sum += y[k];
  }}
  for (size_t k = 0; k < n; ++k) y[k] /= sum;
}}
"""


def hexadecimal(value: float) -> str:
    """A number exactly: 0x1.8p+1 is 3."""
    digits, _, exponent = value.hex().partition("p")
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return f"{digits}p{exponent}"


def includes(model: Model) -> Iterator[str]:
    """The headers that a file needs."""
    yield "\n#include <math.h>\n#include <stddef.h>\n"
    if model.input == "uint8_t":
        yield "#include <stdint.h>\n"
    if model.encoder is not None and model.encoder.copies:
        yield "#include <string.h>\n"


def code_of_texts(model: Model) -> Iterator[str]:
    """What a table with columns of texts has besides."""
    if model.encoder is not None and model.encoder.has_texts:
        p = str(model.names["p"])
        yield f"double {p}code(size_t column, const char *text);\n"
        yield model.encoder.code(p)


class Writer:
    """Writes one network."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def file(self) -> Iterator[str]:
        """The file in parts."""
        public = functions(self.model)
        yield self.opening(public)
        yield from includes(self.model)
        classes = declaration(self.model)
        yield f"\nextern {classes};\n" if classes else "\n"
        yield "".join(f"{function.prototype};\n" for function in public)
        yield from code_of_texts(self.model)
        yield definition(self.model)
        yield from self.constants()
        encoder = self.model.encoder
        if encoder is not None:
            yield encoder.source(str(self.model.names["real"]), str(self.model.names["p"]))
        code = [self.layer(layer) for layer in range(len(self.model.activations))]
        code += [f"\n{one.prototype} {{\n{one.body}}}\n" for one in public]
        yield from self.helpers(code)
        yield from code

    def helpers(self, code: list[str]) -> Iterator[str]:
        """Functions that the code uses."""
        for helper, uses in ((_SIGMOID, "sigmoid("), (_SOFTMAX, "softmax(")):
            if any(f"{self.model.names['p']}{uses}" in part for part in code):
                yield helper.format(**self.model.names)

    # ---- text around the code

    def opening(self, public: list[Function]) -> str:
        shape = "-".join(map(str, self.model.sizes))
        columns = ""
        if self.model.encoder is not None:
            columns = self.model.encoder.says(str(self.model.names["p"]))
        listed = "\n".join(f"     {one.prototype};\n       {one.says}" for one in public)
        if classes := declaration(self.model):
            listed += f"\n     extern {classes};\n       what the classes 0, 1, ... are called"
        return (
            f"/* A multi-layer perceptron, written by eigenmlp {version}.\n\n"
            f"   layers {shape}, {self.model.net.dtype}\n"
            f"   activations {', '.join(one.text for one in self.model.activations)}\n"
            f"   loss {self.model.loss}\n\n"
            f"{listed}\n\n"
            f"{columns}"
            "   C99; libm is all it needs. Nothing is allocated, and nothing is static but\n"
            "   constants: calls may overlap, in threads and in interrupts. Layers take\n"
            f"   {self.stack_bytes()} bytes of stack at most. Arrays that are passed may not\n"
            "   overlap, and x is not checked: a NaN in it comes out as NaN. */\n"
        )

    def stack_bytes(self) -> int:
        # Those that predict keeps while it looks for the best.
        encoded = 0 if self.model.encoder is None else self.model.sizes[0]
        logits = self.model.sizes[-1] if self.model.loss.endswith("cross_entropy") else 0
        return (sum(self.model.buffers()) + encoded + logits) * self.model.net.dtype.itemsize

    def constants(self) -> Iterator[str]:
        real, p = self.model.names["real"], self.model.names["p"]
        for name, values in self.model.units._asdict().items():
            if isinstance(values, np.ndarray):
                kind = "double" if name == "m" else real
                yield f"\nstatic const {kind} {p}{name}[{len(values)}] = {{\n"
                yield from self.numbers(values if name == "m" else values.astype(self.dtype))
                yield "};\n"
        for layer, (W, b, _) in enumerate(self.model.layers):
            D, K = W.shape
            yield f"\nstatic const {real} {p}W{layer}[{D} * {K}] = {{ /* a row for each input */\n"
            yield from self.numbers(W)
            yield "};\n"
            if b is not None:
                yield f"\nstatic const {real} {p}b{layer}[{K}] = {{\n"
                yield from self.numbers(b)
                yield "};\n"

    def numbers(self, values: NDArray[Any]) -> Iterator[str]:
        """Six on a line."""
        flat = values.ravel()
        f = "f" if values.dtype == np.float32 else ""
        for start in range(0, len(flat), 6):
            line = [f"{hexadecimal(x)}{f}," for x in flat[start : start + 6].tolist()]
            yield f"  {' '.join(line)}\n"

    def number(self, value: float) -> str:
        """A number of the network's dtype exactly."""
        return f"{hexadecimal(value)}{self.model.names['f']}"

    def times(self, factor: float) -> str:
        """The start of a product; nothing if the factor is 1."""
        return "" if factor == 1 else f"{self.number(float(self.dtype.type(factor)))} * "

    @property
    def dtype(self) -> np.dtype[Any]:
        """The network's."""
        return self.model.net.dtype

    # ---- layers

    def layer(self, layer: int) -> str:
        """Z = X @ W + b and Y = f(Z), of one row."""
        D, K = self.model.sizes[layer], self.model.sizes[layer + 1]
        real, p = self.model.names["real"], self.model.names["p"]
        x, value = real, "x[i]"
        if layer == 0 and self.model.encoder is None:
            x, value = self.model.input, self.scaled()
        start = "0" if self.model.layers[layer].b is None else f"{p}b{layer}[k]"
        return (
            f"\nstatic void {p}layer{layer}(const {x} x[{D}], {real} y[{K}]) {{\n"
            f"  for (size_t k = 0; k < {K}; ++k) y[k] = {start};\n"
            f"  for (size_t i = 0; i < {D}; ++i) {{\n"
            f"    const {real} a = {value};\n"
            f"    for (size_t k = 0; k < {K}; ++k) y[k] += a * {p}W{layer}[i * {K} + k];\n"
            "  }\n"
            f"{self.activated(self.model.activations[layer], K)}"
            f"{self.to_units() if layer == len(self.model.layers) - 1 else ''}"
            "}\n"
        )

    def scaled(self) -> str:
        """(x - m) * s of input i; the difference as a double, which keeps the digits of 1e6 + 1."""
        real, (m, s, _, _) = self.model.names["real"], self.model.units
        value = "x[i]" if self.model.input == real else f"({real})x[i]"
        if m is not None:
            shift = self.unit("m", m, "i") if isinstance(m, np.ndarray) else hexadecimal(m)
            value = f"({real})((double)x[i] - {shift})"
        return value if s is None else f"{self.unit('s', s, 'i')} * {value}"

    def unit(self, name: str, value: float | NDArray[Any], index: str) -> str:
        """A unit's number, or where the array of them has it."""
        if isinstance(value, np.ndarray):
            return f"{self.model.names['p']}{name}[{index}]"
        return self.number(float(self.dtype.type(value)))

    def to_units(self) -> str:
        """The line that gives outputs their unit, if they have one."""
        _, _, b, a = self.model.units
        if a is None and b is None:
            return ""
        value = "y[k]" if a is None else f"{self.unit('a', a, 'k')} * y[k]"
        value = value if b is None else f"{value} + {self.unit('b', b, 'k')}"
        return f"  for (size_t k = 0; k < {self.model.sizes[-1]}; ++k) y[k] = {value};\n"

    def activated(self, activation: Activation, K: int) -> str:
        if activation.name == "identity":
            return ""
        if activation.name == "softmax":
            return f"  {self.model.names['p']}softmax({K}, y);\n"
        values = {**activation.numbers(), "half": 0.5, "root_half": 0.5**0.5}
        factors = {key: self.times(x) for key, x in values.items()}
        formula = _FORMULAS[activation.name].format(z="y[k]", **self.model.names, **factors)
        return f"  for (size_t k = 0; k < {K}; ++k) y[k] = {formula};\n"
