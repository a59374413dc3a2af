"""Activations in float64 that ONNX Runtime has no operator for, as functions within the file."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._package import onnx

DOMAIN, OPSET = "eigenmlp", 20

# (1 + √2 a) exp(a²/2) Q(a) for a >= 0, with Q the normal distribution above a, as a polynomial in
# t = (a - 5) / (a + 5): see activations/gelu.hpp.
_GELU = (
    *(0.620820926494837226, -0.0700524136206178181, -0.00419370817828272926),
    *(0.0476486613389361444, -0.0571590489719736262, 0.0443988613290415559),
    *(-0.0251785548358220219, 0.0102088513895997164, -0.00246126513065931007),
    *(-0.0000446002807427233856, 0.000282889282460893738, -0.0000762108623667767422),
    *(-0.0000167473264585896737, 0.0000133389000927441846, 1.79952580213723174e-7),
    *(-1.9503310776268202e-6, 1.49206939511225518e-7, 2.94432197507459326e-7),
    *(-3.29192039759859717e-8, -4.66246431623633017e-8, 4.5467610081195099e-9),
    *(6.69414402057306991e-9, -3.47300459903739326e-10, -5.90685449566643654e-10),
)


class Body:
    """Nodes under construction; each method adds one and gives its output's name."""

    def __init__(self) -> None:
        self.helper = onnx("helper")
        self.nodes: list[Any] = []

    def __call__(self, operator: str, *inputs: str | float) -> str:
        """A node whose inputs are names or numbers."""
        names = [self.number(x) if isinstance(x, (int, float)) else x for x in inputs]
        return self.add(operator, names)

    def number(self, value: float) -> str:
        """A number in float64."""
        tensor = onnx("numpy_helper").from_array(np.asarray(value, np.float64))
        return self.add("Constant", [], value=tensor)

    def add(self, operator: str, names: list[str], **attributes: Any) -> str:
        """A node; its output is named by its place."""
        output = f"v{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(operator, names, [output], **attributes))
        return output


def leaky_relu(f: Body) -> None:
    """z where z > 0, else negative_slope z."""
    f("Where", f("Greater", "z", 0), "z", f("Mul", "parameter", "z"))


def elu(f: Body) -> None:
    """z where z > 0, else alpha (exp(z) - 1); exp of what is not above 0 cannot overflow."""
    e = f("Sub", f("Exp", f("Min", "z", 0)), 1)
    f("Where", f("Greater", "z", 0), "z", f("Mul", "parameter", e))


def softplus(f: Body) -> None:
    """max(z, 0) + log(1 + exp(-|z|))."""
    e = f("Exp", f("Neg", f("Abs", "z")))
    f("Add", f("Max", "z", 0), f("Log", f("Add", 1, e)))


def silu(f: Body) -> None:
    """z / (1 + exp(-z)): ONNX Runtime fuses z sigmoid(z) into an operator without float64."""
    f("Div", "z", f("Add", 1, f("Exp", f("Neg", "z"))))


def gelu(f: Body) -> None:
    """z P with P = Q(|z|) where z < 0, else 1 - Q(|z|)."""
    a = f("Abs", "z")
    t = f("Div", f("Sub", a, 5), f("Add", a, 5))
    total = f.number(_GELU[-1])
    for coefficient in reversed(_GELU[:-1]):
        total = f("Add", f("Mul", total, t), coefficient)
    e = f("Exp", f("Mul", f("Mul", a, a), -0.5))
    q = f("Div", f("Mul", e, total), f("Add", 1, f("Mul", a, 2**0.5)))
    p = f("Where", f("Greater", "z", 0), f("Sub", 1, q), q)
    f("Mul", "z", p)


BODIES = {
    "LeakyRelu": (leaky_relu, ["z", "parameter"]),
    "Elu": (elu, ["z", "parameter"]),
    "Softplus": (softplus, ["z"]),
    "Gelu": (gelu, ["z"]),
    "Silu": (silu, ["z"]),
}


def function(operator: str) -> Any:
    """The `onnx.FunctionProto` of an operator in `BODIES`."""
    helper = onnx("helper")
    write, inputs = BODIES[operator]
    body = Body()
    write(body)
    body.nodes[-1].output[0] = "y"
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_function(DOMAIN, operator, inputs, ["y"], body.nodes, opsets)
