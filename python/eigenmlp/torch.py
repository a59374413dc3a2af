"""Networks to and from PyTorch.

Needs PyTorch (``pip install torch``). Where a method takes an array it also takes a CPU tensor, and
reads it where it lies: see `MLP.fit`.

>>> import eigenmlp as em
>>> import torch
>>> from torch import nn
>>> net = em.torch.from_torch(nn.Sequential(nn.Linear(64, 50), nn.ReLU(), nn.Linear(50, 10)))
>>> net
<MLP 64-50-10 relu/identity, squared_error, float32, native>
>>> net.predict(torch.zeros(3, 64)).shape
(3, 10)
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ._inputs.description import described
from ._interchange import travelling as travelling
from ._interchange.travelling import Estimator
from .activations import (
    Activation,
    Elu,
    Gelu,
    Identity,
    LeakyRelu,
    Relu,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Tanh,
)
from .losses import LOSSES, Loss
from .mlp import MLP

if TYPE_CHECKING:
    Sequential = Any


def from_torch(
    sequential: Sequential, loss: str | Loss | None = None, backend: str = "native"
) -> MLP:
    """A network with the weights of an ``nn.Sequential``, copied.

    It may hold ``Linear`` layers, with or without biases; after each of them ``ReLU``,
    ``LeakyReLU``, ``Sigmoid``, ``Tanh``, ``Softplus``, ``ELU``, ``GELU``, ``SiLU``, ``Identity`` or
    none; ``Dropout`` between layers, which becomes `MLP`'s ``dropout``; ``Flatten`` first; at the
    end also ``Softmax`` or ``LogSoftmax``; and Sequentials of these.

    Parameters
    ----------
    sequential : torch.nn.Sequential
    loss : str or em.losses.Loss, optional
        If not given: ``softmax_cross_entropy`` for a Softmax or LogSoftmax at the end, whose
        probabilities `MLP.predict_proba` gives, while `MLP.forward` gives what comes before;
        ``sigmoid_cross_entropy`` for a Sigmoid at the end, likewise; else ``squared_error``. With
        a loss that takes no logits, Softmax and Sigmoid become the ``output_activation``.
    backend : str
        As in `MLP`.

    Returns
    -------
    MLP
        In the dtype of the weights, float32 or float64.

    Raises
    ------
    TypeError, ValueError
        For a module that a network cannot have; the message names it and its place.
    ImportError
        Without PyTorch.

    Examples
    --------
    >>> import eigenmlp as em
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Dropout(0.1), nn.Linear(3, 1)).double()
    >>> em.torch.from_torch(model, loss="poisson").config["dropout"]
    [0.1]
    """
    chosen = None if loss is None else described(loss, LOSSES, "loss")
    reading = _Reading()
    if not reading.is_sequential(sequential):
        raise TypeError(
            f"from_torch: expected a torch.nn.Sequential, got {type(sequential).__name__}"
        )
    reading.visit("", sequential)
    return reading.network(chosen, backend)


def to_torch(net: MLP | Estimator) -> Sequential:
    """An ``nn.Sequential`` that gives what `MLP.forward` gives: logits for the cross-entropies.

    Parameters
    ----------
    net : MLP or fitted estimator of `eigenmlp.sklearn`
        Its weights are copied. ``dropout`` becomes ``Dropout``; ``input_scale`` and the slope of a
        sigmoid become modules of this package, since PyTorch has none for them.

    Returns
    -------
    torch.nn.Sequential
        In the network's dtype, on the CPU, in evaluation mode: call ``.train()`` before training.

    Raises
    ------
    TypeError, ValueError
        If `net` is no network, or has a parameter that is not finite.
    ImportError
        Without PyTorch.

    Notes
    -----
    The weights of a network with ``compute_dtype="bfloat16"`` are its float32 ones, and the modules
    compute in float32: outputs differ from the network's by the rounding of its operands.

    Examples
    --------
    >>> import eigenmlp as em
    >>> net = em.MLP([4, 3, 2], activation="elu(alpha=0.5)", seed=0)
    >>> em.torch.to_torch(net)
    Sequential(
      (0): Linear(in_features=4, out_features=3, bias=True)
      (1): ELU(alpha=0.5)
      (2): Linear(in_features=3, out_features=2, bias=True)
    )
    """
    net = travelling.network(net, "to_torch")
    torch = _torch()
    nn, own = torch.nn, import_module("eigenmlp._interchange.torch_modules")
    make: dict[type[Activation], Callable[[Any], Any]] = {
        Relu: lambda _: nn.ReLU(),
        LeakyRelu: lambda f: nn.LeakyReLU(f.negative_slope),
        Sigmoid: lambda f: nn.Sigmoid() if f.slope == 1 else own.SlopedSigmoid(f.slope, dtype),
        Tanh: lambda _: nn.Tanh(),
        # PyTorch takes z for softplus(z) above a threshold: here where it is, to the last bit.
        Softplus: lambda _: nn.Softplus(threshold=40),
        Elu: lambda f: nn.ELU(f.alpha),
        Gelu: lambda _: nn.GELU(),
        Silu: lambda _: nn.SiLU(),
        Softmax: lambda _: nn.Softmax(dim=1),
    }
    layers = travelling.layers(net)
    dtype = getattr(torch, net.dtype.name)
    m, s, b_out, a_out = travelling.units(net)
    dropout = [*net.config["dropout"], 0.0]
    D, K = net.layer_sizes[0], net.layer_sizes[-1]

    def of_columns(module: Any, shift: Any, scale: Any, columns: int) -> Any:
        shift = np.full(columns, 0.0 if shift is None else shift)
        return module(shift, np.full(columns, 1.0 if scale is None else scale), dtype)

    modules = []
    if m is None and isinstance(s, float):
        modules = [own.Scale(s, dtype)]
    elif not (m is None and s is None):
        modules = [of_columns(own.InputUnits, m, s, D)]
    for (W, b, activation), rate in zip(layers, dropout, strict=True):
        # Made without numbers, so that PyTorch's generator is left alone.
        linear = nn.utils.skip_init(nn.Linear, *W.shape, bias=b is not None, dtype=dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W.T.copy()))
            if b is not None:
                linear.bias.copy_(torch.from_numpy(b.copy()))
        modules.append(linear)
        if not isinstance(activation, Identity):
            modules.append(make[type(activation)](activation))
        if rate:
            modules.append(nn.Dropout(rate))
    if not (a_out is None and b_out is None):
        modules.append(of_columns(own.OutputUnits, b_out, a_out, K))
    return nn.Sequential(*modules).eval()


def _torch() -> Any:
    try:
        return import_module("torch")
    except ImportError as error:
        raise ImportError("em.torch needs PyTorch: pip install torch") from error


class _Reading:
    """A network, from modules one after the other."""

    def __init__(self) -> None:
        self.nn = _torch().nn
        self.own = import_module("eigenmlp._interchange.torch_modules")
        self.what = ""
        self.linears: list[Any] = []
        self.activations: list[Activation | None] = []  # of each layer; None as long as none came
        self.dropout: list[float] = []
        self.scale = 1.0
        self.units: dict[str, Any] = {}
        self.log = False  # LogSoftmax at the end

    def is_sequential(self, module: object) -> bool:
        """Whether it calls its modules one after the other, and does nothing else."""
        plain = self.nn.Sequential
        return isinstance(module, plain) and type(module).forward is plain.forward

    def visit(self, place: str, module: Any) -> None:
        """The next module, at a place such as "0" or, in a Sequential at 2, "2.1"."""
        self.what, nn = f"module {place or 'itself'} ({type(module).__name__})", self.nn
        self.expect("output_scale" not in self.units, "nothing after OutputUnits")
        self.expect_plain(module)
        if self.is_sequential(module):
            for number, inner in enumerate(module):
                self.visit(f"{place}.{number}" if place else f"{number}", inner)
            return
        if self.activations and isinstance(self.activations[-1], Softmax):
            raise ValueError(f"{self.what}: expected nothing after the Softmax")
        kind = type(module)
        if kind is nn.Linear:
            self.layer(module)
        elif kind is nn.Flatten:
            self.expect(not self.linears, "Flatten before the first Linear")
            self.expect((module.start_dim, module.end_dim) == (1, -1), "Flatten(1, -1)")
        elif kind is self.own.Scale:
            self.expect(not self.linears, "Scale before the first Linear")
            self.scale *= module.value
        elif kind is self.own.InputUnits:
            self.expect(not self.linears and not self.units, "InputUnits before the first Linear")
            self.units |= {"input_shift": module.shift, "input_scale": module.scale}
        elif kind is self.own.OutputUnits:
            self.expect(bool(self.linears), "OutputUnits at the end")
            self.units |= {"output_shift": module.shift, "output_scale": module.scale}
        elif kind is nn.Dropout:
            self.drop(module.p)
        elif kind is not nn.Identity:
            activation = self.activation(module)
            free = bool(self.linears) and self.activations[-1] is None
            self.expect(free, "one activation after each Linear")
            linear_like = isinstance(activation, (Relu, LeakyRelu))
            self.expect(not self.dropout[-1] or linear_like, "Dropout after the activation")
            self.activations[-1] = activation
            self.log = kind is nn.LogSoftmax

    def expect(self, holds: bool, what: str) -> None:
        """Refuse the module at hand unless that holds."""
        if not holds:
            raise ValueError(f"{self.what}: expected {what}")

    def expect_plain(self, module: Any) -> None:
        """Refuse a module that does something else than its class says, or not yet anything."""
        lazy = getattr(module, "has_uninitialized_params", None)
        self.expect(lazy is None or not lazy(), "weights: call a lazy module with a row first")
        own = (*module.parameters(recurse=False), *module.buffers(recurse=False))
        on_meta = any(tensor.is_meta for tensor in own)
        self.expect(not on_meta, "weights with numbers, got the device meta")
        changed = ("_forward_hooks", "_forward_pre_hooks", "forward")
        self.expect(not any(map(vars(module).get, changed)), "a module without hooks")

    def layer(self, linear: Any) -> None:
        """A Linear, whose weight is (out, in)."""
        if self.linears:
            before, came = self.linears[-1].weight.shape[0], linear.weight.shape[1]
            self.expect(before == came, f"{before} inputs, as the layer before gives, got {came}")
        self.linears.append(linear)
        self.activations.append(None)
        self.dropout.append(0.0)

    def drop(self, rate: float) -> None:
        """Dropout: of a layer's outputs, once."""
        if rate == 0:
            return
        self.expect(bool(self.linears), "no Dropout of the inputs")
        self.expect(self.dropout[-1] == 0, "one Dropout after a layer")
        self.expect(rate < 1, "a rate below 1")
        self.dropout[-1] = float(rate)

    def activation(self, module: Any) -> Activation:
        """What a module does, as an activation."""
        nn, kind = self.nn, type(module)
        plain = {nn.ReLU: Relu, nn.Sigmoid: Sigmoid, nn.Tanh: Tanh, nn.SiLU: Silu}
        if kind in plain:
            found: Activation = plain[kind]()
            return found
        if kind is nn.LeakyReLU:
            slope = module.negative_slope
            self.expect(slope >= 0, f"a negative_slope of at least 0, got {slope}")
            return LeakyRelu(slope)
        if kind is nn.ELU:
            self.expect(module.alpha >= 0, f"an alpha of at least 0, got {module.alpha}")
            return Elu(module.alpha)
        if kind is self.own.SlopedSigmoid:
            return Sigmoid(module.value)
        if kind is nn.Softplus:
            exact = module.beta == 1 and module.threshold >= 20
            self.expect(exact, "Softplus with beta=1 and a threshold of at least 20")
            return Softplus()
        if kind is nn.GELU:
            self.expect(module.approximate == "none", "GELU(approximate='none')")
            return Gelu()
        if kind in (nn.Softmax, nn.LogSoftmax):
            self.expect(module.dim in (None, 1, -1), f"{kind.__name__}(dim=1)")
            return Softmax()
        names = ["Linear", "Flatten", "Dropout", "Identity", "ReLU", "LeakyReLU", "Sigmoid"]
        names += ["Tanh", "Softplus", "ELU", "GELU", "SiLU", "Softmax", "LogSoftmax"]
        raise ValueError(f"{self.what}: expected one of {names}")

    def own_units(self) -> dict[str, Any]:
        """The units of inputs and outputs, as arguments of MLP."""
        units = {name: x.detach().cpu().double().numpy() for name, x in self.units.items()}
        return {
            "input_scale": self.scale,
            **{name: x * self.scale if name == "input_scale" else x for name, x in units.items()},
        }

    def network(self, loss: Loss | None, backend: str) -> MLP:
        """The network, after the last module."""
        if not self.linears:
            raise ValueError("from_torch: expected at least one Linear, got none")
        dtypes = {str(p.dtype).removeprefix("torch.") for x in self.linears for p in x.parameters()}
        if len(dtypes) != 1 or not dtypes <= {"float32", "float64"}:
            raise ValueError(
                f"from_torch: expected weights in float32 or in float64, got {sorted(dtypes)}"
            )
        *hidden, last = [one or Identity() for one in self.activations]
        if self.dropout.pop():
            raise ValueError("from_torch: expected no Dropout of the outputs")
        if any(isinstance(one, Softmax) for one in hidden):
            raise ValueError("from_torch: expected Softmax at the end only")
        name = "log_softmax" if self.log else last.name
        ending = travelling.ending(name, Identity() if self.log else last, loss)
        bias = any(linear.bias is not None for linear in self.linears)
        net = MLP(
            [self.linears[0].weight.shape[1], *(linear.weight.shape[0] for linear in self.linears)],
            activation=hidden,
            output_activation=ending.activation,
            loss=ending.loss,
            bias=bias,
            init="zeros",
            dtype=dtypes.pop(),
            **self.own_units(),
            backend=backend,
            dropout=self.dropout,
        )
        parts = []
        for linear in self.linears:
            parts.append(linear.weight.detach().cpu().numpy().T.ravel())
            if linear.bias is not None:
                parts.append(linear.bias.detach().cpu().numpy())
            elif bias:
                parts.append(np.zeros(linear.weight.shape[0], net.dtype))
        net.parameters = np.concatenate(parts)
        net._init = "auto"
        return net
