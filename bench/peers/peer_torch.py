"""PyTorch: eager and `torch.compile`, `inference_mode` to predict, SGD in its fused form.

In bfloat16 by `torch.autocast`.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from .tasks import MOMENTUM, Data, Program, Task

VARIANTS = ("torch", "torch compile", "torch bfloat16", "torch compile bfloat16")
MODULES = ("torch",)

_ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}


def network(task: Task, data: Data) -> nn.Sequential:
    """Linear layers with the task's weights, transposed as PyTorch wants them."""
    modules: list[nn.Module] = []
    names = [task.activation] * (len(task.sizes) - 2) + [task.output_activation]
    layers = zip(pairwise(task.sizes), names, data.weights, data.biases, strict=True)
    for (inputs, outputs), name, W, b in layers:
        linear = nn.Linear(inputs, outputs)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W.T.copy()))
            linear.bias.copy_(torch.from_numpy(b))
        modules.append(linear)
        if name != "identity":
            modules.append(_ACTIVATIONS[name]())
    return nn.Sequential(*modules)


def make(task: Task, data: Data, variant: str, lr: float) -> Program:
    """The usual loop body; compiled: the network and its loss as one graph."""
    net = network(task, data)
    X, y = torch.from_numpy(data.X), torch.from_numpy(data.y)
    compiled = variant.startswith("torch compile")
    bfloat16 = variant.endswith("bfloat16")

    def precision() -> torch.autocast:
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16)

    notes: dict[str, object] = {"threads": torch.get_num_threads()}
    if task.kind == "predict":
        forward = torch.compile(net) if compiled else net

        def predict() -> torch.Tensor:
            with torch.inference_mode(), precision():
                return forward(X)

        return Program(lambda: predict().float().numpy(), predict, notes=notes)

    def loss_of(X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        if task.loss == "squared_error":
            return (net(X) - y).square().sum(1).mean()
        return F.cross_entropy(net(X), y)

    compute = torch.compile(loss_of) if compiled else loss_of
    optimizer = torch.optim.SGD(net.parameters(), lr, momentum=MOMENTUM, fused=True)

    def step() -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        with precision():
            loss = compute(X, y)
        loss.backward()
        optimizer.step()
        return loss

    return Program(lambda: step().item(), step, notes=notes)
