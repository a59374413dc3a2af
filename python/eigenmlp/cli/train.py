"""``eigenmlp train``: load, split, fit, test, save."""

from __future__ import annotations

import time

import numpy as np

import eigenmlp as em

from .arguments import OPTIMIZERS, Recipe, TrainCommand
from .data import Split, load_split
from .output import LossCurve, check_writable


def train(command: TrainCommand) -> None:
    """Train as the command says; whatever can be refused is refused before the training."""
    recipe = command.recipe
    check_writable(command.save, "--save")
    curve = LossCurve(command.plot) if command.plot is not None else None
    if curve is not None and curve.path.resolve() == command.save.resolve():
        raise ValueError(f"--plot and --save: expected two files, got {command.save} for both")
    if command.threads is not None:
        em.set_num_threads(command.threads)

    split = load_split(command.source, command.seed)
    net = _network(command, split)
    shape = "-".join(map(str, net.layer_sizes))
    kind = "classes" if split.classifies else "values"
    print(
        f"{command.source.name}: {len(split.X):,} rows to train on, {len(split.X_test):,} held "
        f"out, {net.layer_sizes[0]:,} inputs, {net.layer_sizes[-1]:,} {kind}"
    )
    print(
        f"{shape} {recipe.activation}, {recipe.epochs} epochs in batches of "
        f"{recipe.batch_size}, {_shown(recipe)}, seed {command.seed}",
        flush=True,
    )

    start = time.perf_counter()
    history = net.fit(
        split.X,
        split.y,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        optimizer=OPTIMIZERS[recipe.optimizer](recipe.lr, **_momentum(recipe)),
        seed=command.seed,
        progress=False if command.quiet else "auto",
    )
    seconds = time.perf_counter() - start

    result = net.evaluate(split.X_test, split.y_test)
    net.save(command.save)
    if result.accuracy is not None:
        right = round(result.accuracy * len(split.X_test))
        print(f"test accuracy   {result.accuracy:.4f} ({right:,} of {len(split.X_test):,})")
    else:
        print(f"test loss       {result.loss:.6g} (squared error)")
    print(f"training speed  {history.samples_per_second:,.0f} samples per second ({seconds:.3f} s)")
    print(f"model saved to  {command.save}")
    if curve is not None:
        curve.save(history.loss, f"{command.source.name}: {shape}")
        print(f"loss curve in   {curve.path}")


def _momentum(recipe: Recipe) -> dict[str, float]:
    return {} if recipe.momentum is None else {"momentum": recipe.momentum}


def _shown(recipe: Recipe) -> str:
    """The optimizer and its numbers, as far as they are not what everybody expects."""
    parts = [] if recipe.optimizer == "sgd" else [recipe.optimizer]
    parts.append(f"lr {recipe.lr:g}")
    parts += [f"{name} {x:g}" for name, x in _momentum(recipe).items()]
    return ", ".join(parts + ([f"dropout {recipe.dropout:g}"] if recipe.dropout else []))


def _network(command: TrainCommand, split: Split) -> em.MLP:
    if split.classifies:
        # Two classes at least: a softmax over one output has nothing to learn.
        outputs = max(2, 1 + int(max(split.y.max(), split.y_test.max())))
    else:
        outputs = split.y.shape[1]
    return em.MLP(
        [split.X.shape[1], *command.recipe.hidden, outputs],
        activation=command.recipe.activation,
        loss="softmax_cross_entropy" if split.classifies else "squared_error",
        input_scale=1 / 255 if split.X.dtype == np.uint8 else 1.0,  # bytes are pixels
        seed=command.seed,
        backend=command.backend,
        dropout=command.recipe.dropout,
    )
