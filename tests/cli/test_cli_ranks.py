"""``mpiexec -n 2 eigenmlp train …``: one rank prints and writes a model of the same bits."""

import importlib.util
from pathlib import Path

import numpy as np

from support import mpi

pytestmark = mpi.needs_mpi


def test_ranks_of_the_command_make_one_model(tmp_path: Path) -> None:
    command = ("-m", "eigenmlp", "train", "digits", "--epochs", "3", "--batch-size", "256")
    for ranks in (1, 2):
        said = mpi.run(ranks, *command, "--save", str(tmp_path / f"{ranks}.safetensors"))
        assert said.count("model saved to") == 1
    one, two = (tmp_path / f"{ranks}.safetensors" for ranks in (1, 2))
    assert one.read_bytes() == two.read_bytes()


def test_standard_input_reaches_all_ranks(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 3))
    table = tmp_path / "table.csv"
    np.savetxt(table, np.column_stack([X, X.sum(axis=1)]), delimiter=",", fmt="%.4f")
    assert table.stat().st_size < 50_000  # of what MPICH hands on, a pipe's buffer must hold all
    command = ("-m", "eigenmlp", "train", "-", "--epochs", "2", "--batch-size", "512")
    for ranks, options in ((1, ["--plain"]), (2, ["--plain"]), (2, [])):
        if not options and importlib.util.find_spec("polars") is None:
            continue  # without it every table is plain
        model = tmp_path / f"{ranks}{'-'.join(options)}.safetensors"
        with table.open() as stdin:
            said = mpi.run(ranks, *command, *options, "--save", str(model), stdin=stdin)
        assert said.count("model saved to") == 1
    one, two = (tmp_path / f"{ranks}--plain.safetensors" for ranks in (1, 2))
    assert one.read_bytes() == two.read_bytes()


def test_an_error_of_all_ranks_is_said_once() -> None:
    for arguments in (["train", "nothing.npz"], ["train", "digits", "--lr", "-1"]):
        done = mpi.finish(mpi.start(2, "-m", "eigenmlp", *arguments))
        assert done.returncode == 2
        assert done.stderr.count("eigenmlp: error: ") == 1
