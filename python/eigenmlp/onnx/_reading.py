"""A network from an ONNX model: the graph is followed node by node, and nothing in it is run."""

from __future__ import annotations

import json
import math
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._basics.shown import one_line
from .._files.container import opened
from .._inputs.description import described
from .._network.units import NAMES as UNITS
from ..activations import ACTIVATIONS
from ..losses import Loss
from ..mlp import MLP
from . import _arithmetic, _functions, _heads, _labels, _shapes, _sizes
from ._chain import Chain
from ._operators import ATTRIBUTES, OPERATORS
from ._package import onnx
from ._terms import Constant, Term, Value, Z

_READ_BY = (_arithmetic, _labels, _shapes, _sizes)  # whose import fills the table of operators


class Reader:
    """Reads one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.chain = Chain(path.parent)
        self.functions: dict[tuple[str, str], bytes] = {}
        self.values: dict[str, Value] = {}

    def network(self, loss: Loss | None, backend: str) -> MLP:
        """The network that the file holds."""
        model = self.parsed()
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # refused as parameters
                self.follow(model)
            return self.assembled(model, loss, backend)
        except (ValueError, TypeError, OverflowError) as error:
            raise ValueError(one_line(f"{self.path}: {error}")) from None

    def parsed(self) -> Any:
        """The file as a ModelProto."""
        model_type = onnx().ModelProto
        decode_error = import_module("google.protobuf.message").DecodeError
        try:
            with opened(self.path) as file:
                model = model_type.FromString(file.read())
        except (decode_error, RuntimeError, ValueError) as error:
            raise ValueError(one_line(f"{self.path}: expected an ONNX file: {error}")) from None
        if not model.graph.node:
            raise ValueError(f"{self.path}: expected an ONNX file with nodes, got none")
        return model

    # ---- the graph

    def follow(self, model: Any) -> None:
        """Find out what every value is."""
        graph = model.graph
        if graph.sparse_initializer:
            raise ValueError("expected dense weights, got sparse_initializer")
        self.functions = {
            (f.domain, f.name): f.SerializeToString(deterministic=True) for f in model.functions
        }
        for tensor in graph.initializer:
            self.values[tensor.name] = Constant(self.chain.array(tensor))
        inputs = [x for x in graph.input if x.name not in self.values]
        if len(inputs) != 1:
            raise ValueError(f"expected one input, got {[x.name for x in inputs]}")
        sizes = inputs[0].type.tensor_type.shape.dim
        self.chain.input_shape = [x.dim_value if x.HasField("dim_value") else None for x in sizes]
        self.values[inputs[0].name] = Term(1.0, (Z(0),))
        for node in graph.node:
            self.visit(node)

    def visit(self, node: Any) -> None:
        """Find out what a node's first output is."""
        self.chain.what = f"node {node.name or ', '.join(node.output)!r} ({node.op_type})"
        domain = "" if node.domain == "ai.onnx" else node.domain
        reads = OPERATORS.get((domain, node.op_type))
        if reads is None:
            known = sorted({name for _, name in OPERATORS})
            label = f"{domain}.{node.op_type}" if domain else node.op_type
            raise ValueError(f"{self.chain.what}: expected one of {known!s:.160}…, got {label:.60}")
        if domain == _functions.DOMAIN:
            self.check_function(node.op_type)
        unknown = [name for name in node.input if name and name not in self.values]
        if unknown or not node.output:
            raise ValueError(f"{self.chain.what}: expected values that are there, got {unknown}")
        inputs = [self.values[name] if name else None for name in node.input]
        attributes = {a.name: a for a in node.attribute}
        for name, attribute in attributes.items():
            came = type(attribute).AttributeType.Name(attribute.type)
            if ATTRIBUTES.get(name, came) != came:
                raise ValueError(
                    f"{self.chain.what}: {name}: expected {ATTRIBUTES[name]}, got {came}"
                )
        values = (read(self.chain, inputs, attributes) for read in reads)
        value = next((value for value in values if value is not None), None)
        if value is None:
            raise ValueError(
                f"{self.chain.what}: expected inputs and attributes that fit a chain of layers"
            )
        if node.output[0] in self.values:
            raise ValueError(f"{self.chain.what}: expected a new name, got {node.output[0]!r}")
        self.values[node.output[0]] = value

    def check_function(self, operator: str) -> None:
        """A function within the file must be what `export` writes."""
        ours = _functions.function(operator).SerializeToString(deterministic=True)
        if self.functions.get((_functions.DOMAIN, operator)) != ours:
            raise ValueError(f"{self.chain.what}: expected the function that eigenmlp writes")

    # ---- the whole

    def assembled(self, model: Any, loss: Loss | None, backend: str) -> MLP:
        """The network, once every node is known."""
        if not self.chain.layers:
            raise ValueError("expected at least one Gemm or MatMul, got none")
        missing = [x.name for x in model.graph.output if x.name not in self.values]
        if missing or not model.graph.output:
            raise ValueError(f"expected outputs that nodes give, got {missing or 'none'}")
        outputs = [self.values[x.name] for x in model.graph.output]
        dtypes = {x.dtype.name for layer in self.chain.layers for x in layer if x is not None}
        if len(dtypes) != 1:
            raise ValueError(f"expected weights of one dtype, got {sorted(dtypes)}")
        sizes = [
            self.chain.layers[0].W.shape[0],
            *(layer.W.shape[1] for layer in self.chain.layers),
        ]
        given = self.given_config(model)
        head = _heads.head(outputs, self.chain.last(), loss, given)
        bias = any(layer.b is not None for layer in self.chain.layers)
        config = {
            "layer_sizes": sizes,
            "activation": [one.text for one in self.chain.activations],
            "output_activation": head.activation.text,
            "loss": head.loss.text,
            "bias": bias,
            "dtype": dtypes.pop(),
            **self.units(sizes[0]),
        }
        net = MLP(**{**config, **self.exact(config, given)}, init="zeros", backend=backend)
        parts: list[NDArray[Any]] = []
        for W, b in self.chain.layers:
            parts.append(W.ravel())
            if bias:
                parts.append(np.zeros(W.shape[1], W.dtype) if b is None else b)
        net.parameters = np.concatenate(parts)
        net._init = "auto"
        return net

    def units(self, D: int) -> dict[str, Any]:
        """The units of inputs and outputs, as arguments of MLP."""
        found = self.chain.units
        factor = self.chain.input_scale
        scale = found.get("input_scale")
        values: dict[str, Any] = {
            "input_scale": factor if scale is None else scale * factor,
            "input_shift": found.get("input_shift", 0.0),
            "output_scale": found.get("output_scale", 1.0),
            "output_shift": found.get("output_shift", 0.0),
        }
        return values

    def given_config(self, model: Any) -> dict[str, Any]:
        """What `export` noted of the network; empty if another program wrote the file."""
        for entry in model.metadata_props:
            if entry.key == "eigenmlp.config":
                try:
                    config = json.loads(entry.value)
                except (ValueError, RecursionError):
                    return {}
                return config if isinstance(config, dict) else {}
        return {}

    def exact(self, config: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
        """What the graph has in float32 or not at all, if `given` agrees with the graph."""

        def numbers(settings: dict[str, Any]) -> list[tuple[str, float]]:
            texts = [*settings["activation"], settings["output_activation"]]
            chosen = [described(text, ACTIVATIONS, "activation") for text in texts]
            found = [(one.name, x) for one in chosen for x in (0.0, *one.numbers().values())]
            units = [(name, float(x)) for name in UNITS for x in np.ravel(settings[name])]
            return [*found, *units]

        try:
            pairs = [*zip(numbers(config), numbers(given), strict=True)]
            noted = {key: given[key] for key in _NOTED}
            if given["compute_dtype"] is not None and config["dtype"] != "float32":
                return {}
        except (KeyError, TypeError, ValueError, OverflowError):
            return {}
        u = float(np.finfo(np.float32).eps)
        same = all(a == b and math.isclose(x, y, rel_tol=u) for (a, x), (b, y) in pairs)
        return noted if same else {}


_NOTED = (
    *("activation", "output_activation", "dropout", "compute_dtype"),
    *("standardize", *UNITS),
)
