"""``mpiexec -n 2 eigenmlp train …``: one rank prints and writes a model of the same bits."""

from pathlib import Path

from support import mpi

pytestmark = mpi.needs_mpi


def test_ranks_of_the_command_make_one_model(tmp_path: Path) -> None:
    command = ("-m", "eigenmlp", "train", "digits", "--epochs", "3", "--batch-size", "256")
    for ranks in (1, 2):
        said = mpi.run(ranks, *command, "--save", str(tmp_path / f"{ranks}.safetensors"))
        assert said.count("model saved to") == 1
    one, two = (tmp_path / f"{ranks}.safetensors" for ranks in (1, 2))
    assert one.read_bytes() == two.read_bytes()


def test_an_error_of_all_ranks_is_said_once() -> None:
    for arguments in (["train", "nothing.npz"], ["train", "digits", "--lr", "-1"]):
        done = mpi.finish(mpi.start(2, "-m", "eigenmlp", *arguments))
        assert done.returncode == 2
        assert done.stderr.count("eigenmlp: error: ") == 1
