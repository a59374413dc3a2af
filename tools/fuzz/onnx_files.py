"""ONNX files: of `em.onnx.export`, with fields of any message changed."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import onnx

import eigenmlp as em

from .target import ANY, Target, Way

NUMBERS = [0, 1, -1, 2, 3, 7, 9, 2**31 - 1, -(2**31), 2**62, -(2**63), 2**63 - 1]
FLOATS = [0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, 1e38, -1e38, float("inf"), float("nan")]
TEXTS = ["", "X", "W0", "logits", "Gemm", "MatMul", "Add", "Mul", "Relu", "Softmax", "Cast"]
TEXTS += [
    "ai.onnx",
    "eigenmlp",
    "axis",
    "alpha",
    "transB",
    "é\u2603",
    "x" * 5000,
    "../../etc/passwd",
]


def field_changed(rng: random.Random, content: bytes) -> bytes:
    """Some fields of the model cleared, set, repeated, left out, moved or taken from elsewhere."""
    model = onnx.ModelProto.FromString(content)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        messages = within(model)
        message = rng.choice(messages)
        fields = message.DESCRIPTOR.fields
        kept = [one for one, _ in message.ListFields()]
        one = rng.choice(kept if kept and rng.random() < 0.8 else fields)
        if not is_repeated(one):
            change_single(rng, message, one, messages)
        else:
            change_repeated(rng, getattr(message, one.name), one, messages)
    return bytes(model.SerializeToString())


def is_repeated(one: Any) -> bool:
    return bool(one.is_repeated) if hasattr(one, "is_repeated") else one.label == one.LABEL_REPEATED


def within(message: Any) -> list[Any]:
    """A message and all within it."""
    found = [message]
    for one, value in message.ListFields():
        if one.message_type is not None:
            for inner in value if is_repeated(one) else [value]:
                found += within(inner)
    return found


def scalar(rng: random.Random, one: Any) -> Any:
    if one.cpp_type == one.CPPTYPE_STRING:
        text = rng.choice(TEXTS)
        return text.encode() if one.type == one.TYPE_BYTES else text
    if one.cpp_type in (one.CPPTYPE_FLOAT, one.CPPTYPE_DOUBLE):
        return rng.choice(FLOATS)
    if one.cpp_type == one.CPPTYPE_ENUM:
        return rng.choice([value.number for value in one.enum_type.values])
    if one.cpp_type in (one.CPPTYPE_INT32, one.CPPTYPE_UINT32):
        return rng.choice([0, 1, 2, 3, 7, 11, 2**31 - 1])
    if one.cpp_type == one.CPPTYPE_UINT64:
        return rng.choice([abs(n) for n in NUMBERS])
    if one.cpp_type == one.CPPTYPE_BOOL:
        return rng.random() < 0.5
    return rng.choice(NUMBERS)


def other(rng: random.Random, one: Any, messages: list[Any]) -> Any:
    """A message of the field's type out of the model's; None now and then."""
    fitting = [m for m in messages if one.message_type == m.DESCRIPTOR and m.ByteSize() < 10_000]
    chosen = rng.choice([*fitting, None])
    if chosen is None:
        return None
    copy = type(chosen)()
    copy.CopyFrom(chosen)
    return copy


def change_single(rng: random.Random, message: Any, one: Any, messages: list[Any]) -> None:
    if rng.random() < 0.3:
        message.ClearField(one.name)
    elif one.message_type is None:
        setattr(message, one.name, scalar(rng, one))
    elif (copy := other(rng, one, messages)) is not None:
        getattr(message, one.name).CopyFrom(copy)
    else:
        message.ClearField(one.name)


def change_repeated(rng: random.Random, values: Any, one: Any, messages: list[Any]) -> None:
    way, n = rng.randrange(4), len(values)
    if way == 0 and n:
        del values[rng.randrange(n)]
    elif way == 1 and n:
        values.extend([values[rng.randrange(n)]])
    elif way == 2 and n > 1:
        order = [*values]
        rng.shuffle(order)
        if one.message_type is not None:  # which go with their list
            order = [type(x).FromString(x.SerializeToString()) for x in order]
        del values[:]
        values.extend(order)
    elif one.message_type is None:
        value = scalar(rng, one)
        if n and rng.random() < 0.7:
            values[rng.randrange(n)] = value
        else:
            values.append(value)
    elif (copy := other(rng, one, messages)) is not None:
        values.extend([copy])


WAYS: dict[Way, int] = {**ANY, field_changed: 700}


def originals(folder: Path) -> list[bytes]:
    """A classifier in float32; activations that are functions, in float64; several heads."""
    nets = [
        em.MLP([3, 4, 2], seed=0, input_scale=0.5),
        em.MLP([3, 4, 5, 1], ["gelu", "elu(alpha=0.5)"], loss="sigmoid_cross_entropy", seed=0),
        em.MLP([2, 3, 2], "silu", loss="poisson", dtype="float64", seed=0),
        em.MLP([2, 3, 2], "sigmoid(slope=2.0)", "tanh", "squared_error", bias=False, seed=0),
    ]
    return [em.onnx.to_model(net).SerializeToString() for net in nets]


def state(net: em.MLP) -> tuple[Any, ...]:
    return net.parameters.tobytes(), net.config


def check(net: em.MLP, folder: Path) -> None:
    """Finite parameters and usable outputs; exported again, it gives the same."""
    assert np.isfinite(net.parameters).all()
    rows = np.eye(net.layer_sizes[0])
    Y = net.forward(rows)
    assert Y.shape == (len(rows), net.layer_sizes[-1])
    em.onnx.export(net, folder / "again.onnx")
    again = em.onnx.load(folder / "again.onnx")
    assert state(again)[0] == state(net)[0]
    assert again.forward(rows).tobytes() == Y.tobytes()


ONNX = Target(".onnx", originals, em.onnx.load, state, check, WAYS)
