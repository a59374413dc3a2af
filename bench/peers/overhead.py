"""What a call from Python costs over native steps: `python -m bench.peers.overhead` prints JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from statistics import median
from time import perf_counter

import numpy as np

import eigenmlp as em

from .tasks import MOMENTUM, TASKS, TIMED_LR, Data

_REPEATS = 9


def main() -> None:
    """Steps in turns: many in one native call, one by one, and one epoch a call."""
    results = {}
    for name in ("xor", "A"):
        task = TASKS[name]
        data = Data.of(task)
        net = em.MLP(
            task.sizes,
            activation=task.activation,
            output_activation=task.output_activation,
            loss=task.loss,
            seed=0,
        )
        trainer = em.Trainer(net, em.SGD(TIMED_LR, momentum=MOMENTUM), task.rows, seed=0)
        X, y = data.X, data.y
        count = 20_000 if name == "xor" else 1_000
        native, step, epoch = _in_turns(
            lambda t=trainer, X=X, y=y, n=count: t.run(X, y, n),
            lambda t=trainer, X=X, y=y, n=count: [t.step(X, y) for _ in range(n)],
            lambda t=trainer, X=X, y=y, n=count: [t.run(X, y, 1) for _ in range(n // 10)],
        )
        native, step, epoch = native / count, step / count, epoch / (count // 10)
        results[name] = {
            "native_step_us": 1e6 * native,
            "step_over_native_us": 1e6 * (step - native),
            "epoch_call_over_native_us": 1e6 * (epoch - native),
        }
    results["xor_50000_epochs_seconds"] = _xor()
    results["rows"] = _rows()
    print(json.dumps(results))


def _xor() -> float:
    """Of 50,000 epochs on XOR's four rows, as a user calls it."""
    data = Data.of(TASKS["xor"])
    seconds = []
    for _ in range(_REPEATS):
        net = em.MLP(
            [2, 3, 1],
            activation="sigmoid",
            output_activation="sigmoid",
            loss="squared_error",
            seed=1,
        )
        start = perf_counter()
        sgd = em.SGD(0.5, momentum=MOMENTUM)
        net.fit(data.X, data.y, epochs=50_000, batch_size=4, optimizer=sgd, progress=False)
        seconds.append(perf_counter() - start)
    return median(seconds)


def _rows() -> dict[str, float]:
    """Microseconds of forward for one row through a network with hardly any arithmetic."""
    net = em.MLP([1, 1], loss="squared_error", seed=0)
    x, out = np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32)
    n = 20_000
    forward, predict = _in_turns(
        lambda: [net.forward(x, out) for _ in range(n)], lambda: [net.predict(x) for _ in range(n)]
    )
    return {"forward_1_1_us": 1e6 * forward / n, "predict_1_1_us": 1e6 * predict / n}


def _in_turns(*bodies: Callable[[], object]) -> list[float]:
    """Median seconds of each."""
    times: list[list[float]] = [[] for _ in bodies]
    for repeat in range(_REPEATS + 1):
        for body, seconds in zip(bodies, times, strict=True):
            start = perf_counter()
            body()
            if repeat:  # the first one warms up
                seconds.append(perf_counter() - start)
    return [median(seconds) for seconds in times]


if __name__ == "__main__":
    main()
