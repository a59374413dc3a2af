"""A trained network as one C file, for microcontrollers, real-time code and other languages.

>>> import eigenmlp as em
>>> net = em.MLP([4, 3, 2], activation="tanh", seed=0)
>>> em.codegen.to_c(net, "model.c")

and then, for instance, ``cc -std=c99 -O2 -c model.c``. The file's first lines say which functions
it has; they are those of the network: ``forward``, ``predict``, and ``predict_proba`` where there
are probabilities, each for one row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _travelling as travelling
from . import _validate
from ._core import version
from ._travelling import Estimator
from ._whole_file import write_whole
from .activations import Activation
from .mlp import MLP

INPUT_DTYPES = ("float32", "float64", "uint8")


def to_c(
    net: MLP | Estimator, path: str | Path, name: str = "", input_dtype: str | None = None
) -> None:
    """Write a network as one C99 file that needs no other, and no library but libm.

    The file is complete or not there: it is written beside its place, then renamed.

    Parameters
    ----------
    net : MLP or fitted estimator of `eigenmlp.sklearn`
        Its numbers are written in hexadecimal, so that none is rounded.
    path : str or Path
        As ``"model.c"``.
    name : str
        Put before the functions' names, with an underscore, so that a program may have several
        networks: ``name="digits"`` gives ``digits_predict``.
    input_dtype : str, optional
        Of the rows that the functions read: ``"float32"``, ``"float64"`` or ``"uint8"``; the
        network's dtype if not given. `MLP`'s ``input_scale`` is applied in C.

    Raises
    ------
    TypeError, ValueError
        If `net` is no network or has a parameter that is not finite, if `name` is no C identifier,
        or for an unknown `input_dtype`; no file is written then.

    Notes
    -----
    The functions allocate nothing and have no state: layers lie on the stack (the file says how
    many bytes), constants are ``const``. So calls may overlap, in threads and in interrupts. They
    do not check their input: a NaN in it comes out as NaN. Classes are 0, 1, …, whatever an
    estimator calls them. Sums run in the order of the inputs,
    so that outputs differ from the network's own by rounding. With ``compute_dtype="bfloat16"`` the
    file has the float32 parameters, and does not round operands: outputs differ by that.

    Examples
    --------
    >>> import eigenmlp as em
    >>> net = em.MLP([8, 3, 1], loss="squared_error", input_scale=1 / 255, seed=0)
    >>> em.codegen.to_c(net, "height.c", name="height", input_dtype="uint8")
    >>> with open("height.c") as file:
    ...     print([line.strip() for line in file if "predict" in line][0])
    void height_predict(const uint8_t x[8], float y[1]);
    """
    text = c_source(net, name, input_dtype)
    write_whole(path, text.encode("ascii"))


def c_source(net: MLP | Estimator, name: str = "", input_dtype: str | None = None) -> str:
    """The text of the file that `to_c` writes; parameters and errors are the same.

    Examples
    --------
    >>> import eigenmlp as em
    >>> net = em.MLP([1, 1], loss="squared_error", seed=0)
    >>> net.parameters = [0.5, 3.0]
    >>> print(*[x for x in em.codegen.c_source(net).splitlines() if x.endswith("p+1f,")])
      0x1.8p+1f,
    """
    return "".join(_Writer(travelling.network(net, "to_c"), _prefix(name), input_dtype).file())


def _prefix(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"name: expected a C identifier or '', got {name!r}")
    if name and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise ValueError(f"name: expected a C identifier or '', got {name!r}")
    return f"{name}_" if name else ""


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
# Of n rows that are the alternatives of one choice.
_SCORES = "  for (size_t i = 0; i < n; ++i) {p}forward(x + i * {D}, p + i);\n"
_BEST = """\
  {real} y[1], most = 0;
  size_t best = 0;
  for (size_t i = 0; i < n; ++i) {{
    {p}forward(x + i * {D}, y);
    if (i == 0 || y[0] > most) {{
      most = y[0];
      best = i;
    }}
  }}
  return best;
"""


class _Function(NamedTuple):
    """One of the file's functions."""

    prototype: str
    says: str
    body: str


class _Writer:
    """Writes one network."""

    def __init__(self, net: MLP, prefix: str, input_dtype: str | None) -> None:
        self.net, self.sizes = net, net.layer_sizes
        self.layers = travelling.layers(net)
        self.activations = [layer.activation for layer in self.layers]
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
        _validate.known(input_dtype, INPUT_DTYPES, "input_dtype")
        types = {"float32": "float", "float64": "double", "uint8": "uint8_t"}
        self.input = types[input_dtype]

    def file(self) -> Iterator[str]:
        """The file in parts."""
        functions = self.functions()
        yield self.opening(functions)
        yield "\n#include <math.h>\n#include <stddef.h>\n"
        if self.input == "uint8_t":
            yield "#include <stdint.h>\n"
        yield "\n" + "".join(f"{function.prototype};\n" for function in functions)
        yield from self.constants()
        code = [self.layer(layer) for layer in range(len(self.activations))]
        code += [f"\n{one.prototype} {{\n{one.body}}}\n" for one in functions]
        for helper, uses in ((_SIGMOID, "sigmoid("), (_SOFTMAX, "softmax(")):
            if any(f"{self.names['p']}{uses}" in part for part in code):
                yield helper.format(**self.names)
        yield from code

    # ---- text around the code

    def opening(self, functions: list[_Function]) -> str:
        shape = "-".join(map(str, self.sizes))
        listed = "\n".join(f"     {one.prototype};\n       {one.says}" for one in functions)
        return (
            f"/* A multi-layer perceptron, written by eigenmlp {version}.\n\n"
            f"   layers {shape}, {self.net.dtype}\n"
            f"   activations {', '.join(one.text for one in self.activations)}\n"
            f"   loss {self.loss}\n\n"
            f"{listed}\n\n"
            "   C99; libm is all it needs. Nothing is allocated, and nothing is static but\n"
            "   constants: calls may overlap, in threads and in interrupts. Layers take\n"
            f"   {self.stack_bytes()} bytes of stack at most. Arrays that are passed may not\n"
            "   overlap, and x is not checked: a NaN in it comes out as NaN. */\n"
        )

    def stack_bytes(self) -> int:
        # Those that predict keeps while it looks for the best.
        logits = self.sizes[-1] if self.loss.endswith("cross_entropy") else 0
        return (sum(self.buffers()) + logits) * self.net.dtype.itemsize

    def constants(self) -> Iterator[str]:
        real, p = self.names["real"], self.names["p"]
        for layer, (W, b, _) in enumerate(self.layers):
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
        for start in range(0, len(flat), 6):
            line = [f"{self.number(x)}," for x in flat[start : start + 6].tolist()]
            yield f"  {' '.join(line)}\n"

    def number(self, value: float) -> str:
        """Exactly, in hexadecimal: 0x1.8p+1f is 3."""
        digits, _, exponent = float(self.net.dtype.type(value)).hex().partition("p")
        digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
        return f"{digits}p{exponent}{self.names['f']}"

    def times(self, factor: float) -> str:
        return "" if factor == 1 else f"{self.number(factor)} * "

    # ---- layers

    def layer(self, layer: int) -> str:
        """Z = X @ W + b and Y = f(Z), of one row."""
        D, K = self.sizes[layer], self.sizes[layer + 1]
        real, p = self.names["real"], self.names["p"]
        x, value = (real, "x[i]") if layer else (self.input, self.scaled())
        start = f"{p}b{layer}[k]" if self.net.biases else "0"
        return (
            f"\nstatic void {p}layer{layer}(const {x} x[{D}], {real} y[{K}]) {{\n"
            f"  for (size_t k = 0; k < {K}; ++k) y[k] = {start};\n"
            f"  for (size_t i = 0; i < {D}; ++i) {{\n"
            f"    const {real} a = {value};\n"
            f"    for (size_t k = 0; k < {K}; ++k) y[k] += a * {p}W{layer}[i * {K} + k];\n"
            "  }\n"
            f"{self.activated(self.activations[layer], K)}"
            "}\n"
        )

    def scaled(self) -> str:
        scale = travelling.input_scale(self.net)
        value = "x[i]" if self.input == self.names["real"] else f"({self.names['real']})x[i]"
        return f"{self.times(scale)}{value}"

    def activated(self, activation: Activation, K: int) -> str:
        if activation.name == "identity":
            return ""
        if activation.name == "softmax":
            return f"  {self.names['p']}softmax({K}, y);\n"
        values = {**activation.numbers(), "half": 0.5, "root_half": 0.5**0.5}
        factors = {key: self.times(x) for key, x in values.items()}
        formula = _FORMULAS[activation.name].format(z="y[k]", **self.names, **factors)
        return f"  for (size_t k = 0; k < {K}; ++k) y[k] = {formula};\n"

    # ---- functions

    def buffers(self) -> list[int]:
        """How many numbers the buffers hold that hidden layers use in turn."""
        hidden = self.sizes[1:-1]
        return [max(part) for part in (hidden[::2], hidden[1::2]) if part]

    def functions(self) -> list[_Function]:
        x, (D, K) = self.input, (self.sizes[0], self.sizes[-1])
        real, p = self.names["real"], self.names["p"]
        takes = f"const {x} x[{D}]"
        given = f"void {p}predict({takes}, {real} y[{K}])"
        run = f"  {p}forward(x, y);\n"
        each = f"  for (size_t k = 0; k < {K}; ++k) "
        what = "logits" if self.loss.endswith("cross_entropy") else "outputs"
        forward = _Function(
            f"void {p}forward({takes}, {real} y[{K}])", f"{what} of one row", self.forward_body()
        )
        if self.chooses:
            return [forward, *self.of_choices()]
        to_probabilities = self.to_probabilities()
        proba = [] if to_probabilities is None else [
            _Function(
                f"void {p}predict_proba({takes}, {real} y[{K}])",
                "probabilities",
                run + to_probabilities,
            )
        ]  # fmt: skip
        if self.loss == "softmax_cross_entropy":
            predict = _Function(
                f"int {p}predict({takes})",
                f"the likeliest class, 0 to {K - 1}; the first of equals",
                f"  {real} y[{K}];\n  int best = 0;\n{run}"
                f"  for (int k = 1; k < {K}; ++k)\n    if (y[k] > y[best]) best = k;\n"
                "  return best;\n",
            )
        elif self.loss == "sigmoid_cross_entropy":
            predict = _Function(
                f"void {p}predict({takes}, int labels[{K}])",
                "0 or 1 for each output: whether its probability is above 1/2",
                f"  {real} y[{K}];\n{run}{each}labels[k] = y[k] > 0;\n",
            )
        elif self.loss == "poisson":
            rates = f"{each}y[k] = exp{self.names['f']}(y[k]);\n"
            predict = _Function(given, "rates: exp of the outputs", run + rates)
        else:
            predict = _Function(given, "the outputs", run)
        return [forward, *proba, predict]

    def of_choices(self) -> list[_Function]:
        """What segment_cross_entropy has: functions of the n alternatives of one choice."""
        real, p, rows = self.names["real"], self.names["p"], f"size_t n, const {self.input} x[]"
        return [
            _Function(
                f"void {p}predict_proba({rows}, {real} p[])",
                f"probabilities of n > 0 alternatives, {self.sizes[0]} numbers each in x",
                f"{_SCORES}  {{p}}softmax(n, p);\n".format(**self.names),
            ),
            _Function(
                f"size_t {p}predict({rows})",
                "the likeliest of n > 0 alternatives, 0 to n - 1; the first of equals",
                _BEST.format(**self.names),
            ),
        ]

    def forward_body(self) -> str:
        real, p, last = self.names["real"], self.names["p"], len(self.activations) - 1
        lines = [f"  {real} h{i}[{size}];\n" for i, size in enumerate(self.buffers())]
        for layer in range(last + 1):
            source = f"h{(layer - 1) % 2}" if layer else "x"
            target = f"h{layer % 2}" if layer < last else "y"
            lines.append(f"  {p}layer{layer}({source}, {target});\n")
        return "".join(lines)

    def to_probabilities(self) -> str | None:
        """Lines that turn outputs y into probabilities; None if there are none."""
        p, K = self.names["p"], self.sizes[-1]
        if self.loss == "softmax_cross_entropy":
            return f"  {p}softmax({K}, y);\n"
        if self.loss == "sigmoid_cross_entropy":
            return f"  for (size_t k = 0; k < {K}; ++k) y[k] = {p}sigmoid(y[k]);\n"
        return "" if self.activations[-1].name in ("softmax", "sigmoid") else None
