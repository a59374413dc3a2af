"""``eigenmlp train``: load, split, fit, test, save."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

import eigenmlp as em
from eigenmlp._inputs.description import described

from .._training.ranks import Ranks
from . import launched
from .arguments import LOSSES, OPTIMIZERS
from .commands import Recipe, TrainCommand
from .data import Split, load_split
from .models import needs_tables
from .output import LossCurve, check_apart, check_writable
from .plain import INSTALL, Units, load_plain, standardized
from .reading.source import stdin_from
from .report import Report, judged_as_json
from .saved import judged_network
from .table_train import train_table


def train(command: TrainCommand) -> None:
    """Train as the command says; whatever can be refused is refused before the training.

    Ranks that `mpiexec` started share the training of a network; rank 0 prints and writes.
    """
    comm = launched.world()
    if comm is None:
        _train(command, None)
        return
    ranks = Ranks.of(comm, "all", "eigenmlp train")
    assert ranks is not None

    def stdin() -> bytes:  # which `mpiexec` gives to rank 0 alone
        own = sys.stdin.buffer.read() if ranks.index == 0 else b""
        return bytes(ranks.gather(own)[0])

    with ranks.together("eigenmlp train"), stdin_from(stdin):
        _train(command, comm)


def _train(command: TrainCommand, comm: Any) -> None:
    bundled = command.source.bundled
    inputs = (None if bundled else command.source.name, command.table.test, command.table.valid)
    check_apart(command.save, "--save", inputs)
    check_writable(command.save, "--save")
    if command.plot is not None:
        check_apart(command.plot, "--plot", inputs)
    curve = LossCurve(command.plot) if command.plot is not None else None
    if curve is not None and curve.path.resolve() == command.save.resolve():
        raise ValueError(f"--plot and --save: expected two files, got {command.save} for both")
    if command.threads is not None:
        em.set_num_threads(command.threads)
    report = Report(command.json)
    if command.source.is_table and not command.table.plain:
        if _tables_work():
            if comm is not None:
                report.warn("models of tables are trained by rank 0 alone; --plain shares")
                if not launched.is_first():
                    return
            with stdin_from(sys.stdin.buffer.read):
                train_table(command, curve, report)
            return
        if command.source.name.lower().endswith((".parquet", ".pq")):
            raise needs_tables(f"{command.source.name}: Parquet")
        report.warn(
            "Polars, scikit-learn or narwhals is not installed: a plain network is trained, on "
            f"numbers alone and without names of columns; for all else {INSTALL}"
        )
    _train_network(command, curve, report, comm)


def _tables_work() -> bool:
    try:
        import polars  # noqa: F401

        from .. import tables  # noqa: F401
    except ImportError:
        return False
    return True


def _train_network(
    command: TrainCommand, curve: LossCurve | None, report: Report, comm: Any
) -> None:
    recipe = command.recipe
    loss = None if recipe.loss is None else described(recipe.loss, LOSSES, "--loss")
    of_values = not (loss is None or _of_classes(loss))
    if command.source.is_table:
        if recipe.compute_dtype == "bfloat16":
            raise ValueError("--compute-dtype: bfloat16 has too few digits for a table's units")
        split = load_plain(command, of_values)
    else:
        split = load_split(command.source, command.seed, of_values)
    if loss is None:
        loss = LOSSES["softmax_cross_entropy" if split.classifies else "squared_error"]()
    elif _of_classes(loss) and split.y.shape[1:] == (1,):
        raise ValueError(f"--loss: {loss.text} tells classes apart, expected integer targets")
    trained, units = split, None
    if command.source.is_table:
        trained, units = standardized(split, isinstance(loss, em.losses.SquaredError))
    net = _network(command, split, loss, units)
    optimizer = _optimizer(recipe, len(split.X))
    shape = "-".join(map(str, net.layer_sizes))
    kind = "classes" if _of_classes(loss) else "values"
    report.say(
        f"{command.source.name}: {len(split.X):,} rows to train on, {len(split.X_test):,} held "
        f"out, {net.layer_sizes[0]:,} inputs, {net.layer_sizes[-1]:,} {kind}"
    )
    report.say(
        f"{shape} {recipe.activation}, {recipe.epochs} epochs in batches of "
        f"{recipe.batch_size}, {_shown(recipe, loss)}, seed {command.seed}"
    )

    start = time.perf_counter()
    history = net.fit(
        trained.X,
        trained.y,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        optimizer=optimizer,
        seed=command.seed,
        progress=False if command.quiet or command.json else "auto",
        comm=comm,
    )
    if not launched.is_first():
        return
    seconds = time.perf_counter() - start
    if units is not None:
        units.restore(net)

    result = net.evaluate(split.X_test, split.y_test)
    judged = None
    if command.source.is_table or command.json:
        judged = judged_network(net, split.X_test, split.y_test, split.y)
    net.save(command.save)
    of_table = judged is not None and command.source.is_table
    if result.accuracy is None:
        report.say(f"test loss       {result.loss:.6g} ({loss.text})")
    elif not of_table:
        right = round(result.accuracy * len(split.X_test))
        report.say(f"test accuracy   {result.accuracy:.4f} ({right:,} of {len(split.X_test):,})")
    if judged is not None and of_table:
        report.judge(judged, "test ")
    speed = history.samples_per_second
    report.say(f"training speed  {speed:,.0f} samples per second ({seconds:.3f} s)")
    report.say(f"model saved to  {command.save}")
    if curve is not None:
        curve.save(history, f"{command.source.name}: {shape}")
        report.say(f"loss curve in   {curve.path}")
    report.finish(
        {
            "command": "train",
            "data": command.source.name,
            "task": "classify" if _of_classes(loss) else "regress",
            "train_rows": len(split.X),
            "rows": len(split.X_test),
            "loss": result.loss,
            **({} if judged is None else judged_as_json(judged)),
            "network": {"layer_sizes": net.layer_sizes, "epochs": len(history.loss)},
            "seed": command.seed,
            "samples_per_second": speed,
            "seconds": seconds,
            "model": str(command.save),
        }
    )


def _of_classes(loss: em.losses.Loss) -> bool:
    """Whether integer targets are classes."""
    return isinstance(loss, em.losses.SoftmaxCrossEntropy)


def _optimizer(recipe: Recipe, rows: int) -> em.optimizers.Optimizer:
    steps = recipe.epochs * -(-rows // recipe.batch_size)
    lr: em.optimizers.LearningRate = recipe.lr
    if recipe.schedule == "cosine":
        lr = em.schedules.Cosine(recipe.lr, steps)
    elif recipe.schedule == "one_cycle":
        lr = em.schedules.OneCycle(recipe.lr, steps)
    optimizer: em.optimizers.Optimizer = OPTIMIZERS[recipe.optimizer](lr, **_given(recipe))
    return optimizer


def _given(recipe: Recipe) -> dict[str, float]:
    """The optimizer's numbers beside lr, as far as they were given."""
    names = ("momentum", "weight_decay", "clip_norm")
    return {name: getattr(recipe, name) for name in names if getattr(recipe, name) is not None}


def _shown(recipe: Recipe, loss: em.losses.Loss) -> str:
    """Loss, optimizer and their numbers, as far as they are not what everybody expects."""
    parts = [] if recipe.loss is None else [loss.text]
    parts += [] if recipe.optimizer == "sgd" else [recipe.optimizer]
    parts.append(f"lr {recipe.lr:g}")
    parts += [] if recipe.schedule == "constant" else [recipe.schedule]
    parts += [f"{name.replace('_', ' ')} {x:g}" for name, x in _given(recipe).items()]
    parts += [f"dropout {recipe.dropout:g}"] if recipe.dropout else []
    parts += ["bfloat16"] if recipe.compute_dtype == "bfloat16" else []
    return ", ".join(parts)


def _network(
    command: TrainCommand, split: Split, loss: em.losses.Loss, units: Units | None
) -> em.MLP:
    if split.classifies:
        # Two classes at least: a softmax over one output has nothing to learn.
        outputs = max(2, 1 + int(max(split.y.max(), split.y_test.max())))
    else:
        several = getattr(loss, "q", None)  # quantiles have an output each
        outputs = len(several) if isinstance(several, tuple) else split.y.shape[1]
    return em.MLP(
        [split.X.shape[1], *command.recipe.hidden, outputs],
        activation=command.recipe.activation,
        loss=loss,
        dtype="float32" if units is None else units.dtype,
        input_scale=1 / 255 if split.X.dtype == np.uint8 else 1.0,  # bytes are pixels
        seed=command.seed,
        backend=command.backend,
        dropout=command.recipe.dropout,
        compute_dtype=command.recipe.compute_dtype,
    )
