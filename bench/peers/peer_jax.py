"""JAX: a jitted step that gives its buffers back, and many of them in one jitted loop."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from .tasks import MOMENTUM, Data, Program, Task, Unsupported

VARIANTS = ("jax", "jax loop")
MODULES = ("jax", "jaxlib")

_ACTIVATIONS = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "identity": lambda Z: Z}


def make(task: Task, data: Data, variant: str, lr: float) -> Program:
    """`jax`: one call a step. `jax loop`: `fori_loop` over steps, as an epoch would be."""
    parameters = [tuple(map(jnp.array, p)) for p in zip(data.weights, data.biases, strict=True)]
    X, y = jnp.array(data.X), jnp.array(data.y)
    names = [task.activation] * (len(task.sizes) - 2) + [task.output_activation]

    def forward(parameters: Any, Y: Any) -> Any:
        for (W, b), name in zip(parameters, names, strict=True):
            Y = _ACTIVATIONS[name](Y @ W + b)
        return Y

    if task.kind == "predict":
        if variant == "jax loop":
            raise Unsupported("trains")
        jitted = jax.jit(forward)
        return Program(
            lambda: jitted(parameters, X), lambda: jitted(parameters, X).block_until_ready()
        )

    def loss_of(parameters: Any, X: Any, y: Any) -> Any:
        Y = forward(parameters, X)
        if task.loss == "squared_error":
            return jnp.mean(jnp.sum((Y - y) ** 2, axis=1))
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(Y), y[:, None], axis=1))

    def step(parameters: Any, velocities: Any, X: Any, y: Any) -> Any:
        loss, gradient = jax.value_and_grad(loss_of)(parameters, X, y)
        velocities = jax.tree.map(lambda v, g: MOMENTUM * v + g, velocities, gradient)
        return jax.tree.map(lambda p, v: p - lr * v, parameters, velocities), velocities, loss

    jitted = jax.jit(step, donate_argnums=(0, 1))
    state = [parameters, jax.tree.map(jnp.zeros_like, parameters), jnp.zeros(())]

    def one() -> Any:
        state[:] = jitted(state[0], state[1], X, y)
        return state[2]

    def finish() -> object:
        return jax.block_until_ready(state)

    if variant == "jax":
        return Program(lambda: float(one()), one, finish=finish)

    steps = int(min(1000, max(2, 2e9 / task.operations)))

    def loop(parameters: Any, velocities: Any, X: Any, y: Any, count: Any) -> Any:
        start = (parameters, velocities, jnp.zeros(()))
        return jax.lax.fori_loop(0, count, lambda _, s: step(s[0], s[1], X, y), start)

    jitted_loop = jax.jit(loop, donate_argnums=(0, 1))

    def many(count: int = steps) -> Any:
        state[:] = jitted_loop(state[0], state[1], X, y, count)
        return state[2]

    return Program(lambda: float(many(1)), many, steps=steps, finish=finish)
