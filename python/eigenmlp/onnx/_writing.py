"""A network as an ONNX model."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._basics.shown import shown
from .._core.loading import version
from .._inputs import checks
from .._interchange import travelling as travelling
from ..activations import Activation
from ..mlp import MLP
from . import _columns, _functions
from ._package import onnx

INPUT_DTYPES = ("float32", "float64", "uint8")
OPSET, IR_VERSION = 20, 9  # of ONNX 1.15: the first with Gelu
LARGEST = 2**31 - 2**20  # bytes of parameters: protobuf's limit, and room for the graph

OPERATORS = {
    "relu": "Relu",
    "leaky_relu": "LeakyRelu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "softplus": "Softplus",
    "elu": "Elu",
    "gelu": "Gelu",
    "silu": "Silu",  # not one of ONNX's at this opset: a function within the file, or two nodes
    "softmax": "Softmax",
}


class Writer:
    """Writes one network."""

    def __init__(self, given: MLP | travelling.Estimator, input_dtype: str | None) -> None:
        self.helper = onnx("helper")
        self.net = net = travelling.network(given, "onnx.export", tables=True)
        self.table = travelling.table(given)
        self.names = travelling.class_names(given, "onnx.export")
        self.units = travelling.units(net)
        dtype = net.dtype
        if self.table is not None and input_dtype is not None:
            raise ValueError(
                "input_dtype: expected None with a model of tables, whose columns have theirs, got "
                f"{shown(input_dtype)}"
            )
        if input_dtype is None:
            input_dtype = dtype.name
        checks.known(input_dtype, INPUT_DTYPES, "input_dtype")
        size = net.parameter_count * dtype.itemsize
        if size > LARGEST:
            raise ValueError(
                f"onnx.export: expected at most {LARGEST:,} bytes of parameters, as ONNX's "
                f"encoding holds, got {size:,}"
            )
        self.input_type = self.element_type(input_dtype)
        self.real, self.integer = self.element_type(dtype), self.element_type("int64")
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.outputs: list[Any] = []
        self.functions: dict[str, Any] = {}

    def element_type(self, dtype: Any) -> int:
        """ONNX's number for a dtype."""
        return int(self.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def model(self) -> Any:
        """The checked model."""
        helper, sizes = self.helper, self.net.layer_sizes
        if self.table is None:
            inputs = [helper.make_tensor_value_info("X", self.input_type, ["N", sizes[0]])]
            value = self.scaled("X")
        else:
            inputs, value = _columns.encoded(self, self.table)
        for layer, (W, b, activation) in enumerate(travelling.layers(self.net)):
            names = [value, self.constant(f"W{layer}", W)]
            if b is not None:
                names.append(self.constant(f"b{layer}", b))
            value = self.node("Gemm", names, f"Z{layer}")
            value = self.activated(value, activation, f"Y{layer}")
        self.finish(self.in_units(value))
        graph = helper.make_graph(
            self.nodes,
            "eigenmlp",
            inputs,
            self.outputs,
            self.constants,
            doc_string=repr(self.net),
        )
        opsets = [helper.make_opsetid("", OPSET)]
        if any(node.domain == _columns.DOMAIN for node in self.nodes):
            opsets.append(helper.make_opsetid(_columns.DOMAIN, _columns.OPSET))
        if self.functions:
            opsets.append(helper.make_opsetid(_functions.DOMAIN, 1))
        model = helper.make_model(
            graph,
            opset_imports=opsets,
            ir_version=IR_VERSION,
            functions=[*self.functions.values()],
            producer_name="eigenmlp",
            producer_version=version,
        )
        if self.table is None:
            config = {k: v for k, v in self.net.config.items() if k not in ("init", "backend")}
            helper.set_model_props(model, {"eigenmlp.config": json.dumps(config)})
        onnx("checker").check_model(model, full_check=True)
        return model

    # ---- parts of the graph

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node; its output's name."""
        name = f"{output}/{operator}"
        self.nodes.append(self.helper.make_node(operator, inputs, [output], name, **attributes))
        return output

    def constant(self, name: str, value: Any) -> str:
        """Add numbers in the network's dtype; their name."""
        return self.array(name, np.asarray(value, self.net.dtype))

    def array(self, name: str, array: NDArray[Any]) -> str:
        """Add an array as it is; its name."""
        self.constants.append(onnx("numpy_helper").from_array(array, name))
        return name

    def output(self, name: str, shape: list[Any], element_type: int) -> None:
        """Make a value an output of the graph."""
        self.outputs.append(self.helper.make_tensor_value_info(name, element_type, shape))

    def scaled(self, value: str) -> str:
        """(X - m) * s in the network's dtype; the difference in float64."""
        m, s, _, _ = self.units
        kind = self.input_type
        if m is not None:
            double = self.element_type(np.float64)
            if kind != double:
                value = self.node("Cast", [value], "X/double", to=double)
            shift = self.array("input_shift", np.asarray(m, np.float64))
            value, kind = self.node("Sub", [value, shift], "X/shifted"), double
        if kind != self.real:
            value = self.node("Cast", [value], "X/real", to=self.real)
        if s is None:
            return value
        return self.node("Mul", [value, self.constant("input_scale", s)], "X/scaled")

    def in_units(self, value: str) -> str:
        """Y * a + b, where outputs have a unit."""
        _, _, b, a = self.units
        if a is None and b is None:
            return value
        K = self.net.layer_sizes[-1]
        scale, shift = (np.broadcast_to(1.0 if a is None else a, K), 0.0 if b is None else b)
        value = self.node("Mul", [value, self.constant("output_scale", scale)], "Y/scaled")
        shift = np.broadcast_to(shift, K)
        return self.node("Add", [value, self.constant("output_shift", shift)], "Y/shifted")

    def activated(self, z: str, activation: Activation, output: str) -> str:
        """Y = f(Z)."""
        name, numbers = activation.name, activation.numbers()
        if name == "identity":
            return z
        if name == "silu" and self.net.dtype == np.float32:
            p = self.node("Sigmoid", [z], f"{output}/sigmoid")
            return self.node("Mul", [z, p], output)
        if name == "sigmoid" and numbers["slope"] != 1:
            slope = self.constant(f"{output}/slope", numbers["slope"])
            z = self.node("Mul", [z, slope], f"{output}/scaled")
        operator = OPERATORS[name]
        if self.net.dtype == np.float64 and operator in _functions.BODIES:
            self.functions[operator] = _functions.function(operator)
            inputs = [z, *(self.constant(f"{output}/{key}", x) for key, x in numbers.items())]
            return self.node(operator, inputs, output, domain=_functions.DOMAIN)
        attributes = (
            {"alpha": next(iter(numbers.values()))} if name in ("leaky_relu", "elu") else {}
        )
        return self.node(operator, [z], output, **attributes)

    def finish(self, last: str) -> None:
        """The outputs, from that of the last layer."""
        loss, rows = travelling.loss_of(self.net).name, ["N", self.net.layer_sizes[-1]]
        value = "logits" if loss.endswith("cross_entropy") else "outputs"
        node = self.nodes[-1]  # which gives the last layer's output
        assert node.output[0] == last
        node.output[0], node.name = value, f"{value}/{node.op_type}"
        self.output(value, rows, self.real)
        if loss == "softmax_cross_entropy":
            self.output(self.node("Softmax", [value], "probabilities"), rows, self.real)
            best = "labels" if self.names is None else "best"
            self.node("ArgMax", [value], best, axis=1, keepdims=0)
            self.named(best)
        elif loss == "sigmoid_cross_entropy" and self.names is not None:
            self.two_classes(value)
        elif loss == "sigmoid_cross_entropy":
            self.output(self.node("Sigmoid", [value], "probabilities"), rows, self.real)
            above = self.node("Greater", [value, self.constant("zero", 0)], "above")
            self.predicted("Cast", above, "labels", self.integer, to=self.integer)
        elif loss == "poisson":
            self.predicted("Exp", value, "rates", self.real)
        elif self.net._gives_probabilities:
            self.output(self.node("Identity", [value], "probabilities"), rows, self.real)

    def predicted(self, operator: str, value: str, name: str, kind: int, **options: Any) -> None:
        """An output that an operator gives for each of the last layer's: (N, K), or (N,)."""
        K = self.net.layer_sizes[-1]
        if K > 1:
            self.output(self.node(operator, [value], name, **options), ["N", K], kind)
            return
        column = self.node(operator, [value], f"{name}/column", **options)
        self.output(self.flat(column, name), ["N"], kind)

    def flat(self, column: str, name: str) -> str:
        """(N, 1) as (N,)."""
        return self.node("Squeeze", [column, self.array("axes", np.array([1]))], name)

    def two_classes(self, value: str) -> None:
        """Probabilities (N, 2) and labels (N,) of two classes, from one logit (N, 1)."""
        p = self.node("Sigmoid", [value], "p")
        other = self.node("Sub", [self.constant("one", 1), p], "1-p")
        both = self.node("Concat", [other, p], "probabilities", axis=1)
        self.output(both, ["N", 2], self.real)
        above = self.node("Greater", [value, self.constant("zero", 0)], "above")
        column = self.node("Cast", [above], "column", to=self.integer)
        self.named(self.flat(column, "best"))

    def named(self, best: str) -> None:
        """The output labels (N,): numbers of classes, or the names that an estimator has."""
        if self.names is None:
            self.output(best, ["N"], self.integer)
            return
        labels = self.node("Gather", [self.array("classes", self.names), best], "labels")
        self.output(labels, ["N"], self.element_type(self.names.dtype))
