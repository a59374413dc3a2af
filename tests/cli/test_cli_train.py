"""``eigenmlp train``: what it trains, prints and writes."""

from __future__ import annotations

import re
import struct
import sys

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp.cli import main
from support.command import accuracy_in, write_blobs


def plain(name):
    """Of tables the network that .npz files have; their own models are in test_tables_train."""
    return ["--plain"] if name.endswith(".csv") else []


class TestTrain:
    @pytest.mark.parametrize("backend", ["native", "numpy"])
    def test_digits(self, empty_folder, capsys, backend):
        assert main(["train", "digits", "--quiet", "--backend", backend]) == 0
        out = capsys.readouterr().out
        assert accuracy_in(out) >= 0.97
        assert re.search(r"[\d,]+ samples per second", out)
        assert re.search(r"model saved to +digits\.safetensors\n", out)
        assert "1,438 rows to train on, 359 held out" in out
        assert "64-50-10 relu" in out
        net = em.MLP.load("digits.safetensors")
        assert net.layer_sizes == [64, 50, 10]

    def test_same_seed_same_bits_at_any_thread_count(self, empty_folder):
        options = ["train", "digits", "--epochs", "2", "--quiet"]
        assert main([*options, "--seed", "7", "--threads", "1", "--save", "a"]) == 0
        assert main([*options, "--seed", "7", "--threads", "2", "--save", "b"]) == 0
        assert main([*options, "--seed", "8", "--threads", "2", "--save", "c"]) == 0
        a, b, c = (em.MLP.load(name).parameters for name in "abc")
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()

    def test_options_reach_the_network(self, empty_folder, capsys):
        options = "--hidden 12,7 --activation tanh --epochs 3 --batch-size 50 --lr 0.05"
        assert main(["train", "digits", *options.split(), "--momentum", "0.5", "--quiet"]) == 0
        out = capsys.readouterr().out
        assert "64-12-7-10 tanh, 3 epochs in batches of 50, lr 0.05, momentum 0.5, seed 1" in out
        net = em.MLP.load("digits.safetensors")
        assert net.layer_sizes == [64, 12, 7, 10]

    @pytest.mark.filterwarnings('ignore:compute_dtype="bfloat16"')
    @pytest.mark.parametrize(
        ("options", "shown"),
        [
            ("adam", "adam, lr 0.001"),
            ("adamw --lr 0.01", "adamw, lr 0.01"),
            ("rmsprop --momentum 0.5 --lr 0.001", "rmsprop, lr 0.001, momentum 0.5"),
            ("adam --dropout 0.2", "adam, lr 0.001, dropout 0.2"),
            ("adam --compute-dtype bfloat16", "adam, lr 0.001, bfloat16"),
            ("adamw --lr 0.01 --schedule cosine", "adamw, lr 0.01, cosine"),
            ("sgd --schedule one_cycle", "lr 0.2, one_cycle, momentum 0.9"),
            ("adam --weight-decay 0 --clip-norm 1", "adam, lr 0.001, weight decay 0, clip norm 1"),
        ],
    )
    def test_optimizers(self, capsys, options, shown):
        command = ["train", "digits", "--epochs", "10", "--quiet", "--optimizer", *options.split()]
        assert main(command) == 0
        out = capsys.readouterr().out
        assert f"in batches of 64, {shown}, seed 1" in out
        assert accuracy_in(out) > 0.85

    def test_no_hidden_layer(self, empty_folder):
        assert main(["train", "digits", "--hidden", "none", "--epochs", "2", "--quiet"]) == 0
        assert em.MLP.load("digits.safetensors").layer_sizes == [64, 10]

    @pytest.mark.parametrize("name", ["data.npz", "data.csv"])
    def test_files_with_labels(self, empty_folder, capsys, name):
        write_blobs(empty_folder / name)
        assert main(["train", name, "--quiet", *plain(name)]) == 0
        out = capsys.readouterr().out
        assert "160 rows to train on, 40 held out, 2 inputs, 2 classes" in out
        assert accuracy_in(out) >= 0.95
        assert em.MLP.load("data.safetensors").config["loss"] == "softmax_cross_entropy"

    @pytest.mark.parametrize("name", ["data.npz", "data.csv"])
    def test_files_with_values(self, empty_folder, capsys, name):
        X = np.random.default_rng(0).normal(size=(100, 3))
        y = X @ [1.0, -2.0, 0.5]
        if name == "data.npz":
            np.savez(name, X=X, y=y)
        else:
            np.savetxt(name, np.column_stack([X, y]), delimiter=",", header="a,b,c,t", comments="")
        assert main(["train", name, "--quiet", *plain(name)]) == 0
        out = capsys.readouterr().out
        assert "3 inputs, 1 values" in out
        assert float(re.search(r"test loss +([\d.e+-]+)", out).group(1)) < 0.5 * y.var()
        assert em.MLP.load("data.safetensors").config["loss"] == "squared_error"

    @pytest.mark.parametrize(
        ("loss", "outputs"),
        [
            ("absolute_error", 1),
            ("huber(delta=0.5)", 1),
            ("poisson", 1),
            ("quantile(q=[0.1, 0.5, 0.9])", 3),
        ],
    )
    @pytest.mark.parametrize("name", ["data.npz", "data.csv"])
    def test_integers_as_values(self, empty_folder, capsys, name, loss, outputs):
        """Counts: too large for classes, but the loss says that they are values."""
        rng = np.random.default_rng(0)
        X = rng.normal(size=(100, 3))
        y = rng.poisson(np.exp(X[:, 0] + 3))
        if name == "data.npz":
            np.savez(name, X=X, y=y)
        else:
            np.savetxt(name, np.column_stack([X, y]), delimiter=",", fmt=["%g"] * 3 + ["%d"])
        command = ["train", name, *plain(name), "--loss", loss, "--optimizer", "adam", "--quiet"]
        assert main(command) == 0
        out = capsys.readouterr().out
        assert f"3 inputs, {outputs} values" in out
        assert f"in batches of 32, {loss}, adam, lr 0.001, seed 1" in out
        assert f"({loss})" in re.search(r"test loss +([\d.e+-]+ .*)", out).group(1)
        net = em.MLP.load("data.safetensors")
        assert (net.layer_sizes[-1], net.config["loss"]) == (outputs, loss)
        assert main(["evaluate", "data.safetensors", name]) == 0
        assert f"({loss})" in capsys.readouterr().out

    def test_yes_or_no(self, empty_folder, capsys):
        write_blobs(empty_folder / "data.npz")
        assert main(["train", "data.npz", "--loss", "sigmoid_cross_entropy", "--quiet"]) == 0
        assert accuracy_in(capsys.readouterr().out) >= 0.95
        assert main(["evaluate", "data.safetensors", "data.npz"]) == 0
        assert accuracy_in(capsys.readouterr().out) >= 0.95

    @pytest.mark.filterwarnings("ignore:after training")  # labels as values, for one epoch
    def test_digits_are_held_out_alike_for_every_loss(self, empty_folder, capsys):
        for loss in ("softmax_cross_entropy(label_smoothing=0.1)", "squared_error"):
            assert main(["train", "digits", "--epochs", "1", "--quiet", "--loss", loss]) == 0
            trained = re.search(r"test (accuracy|loss) +([\d.]+)", capsys.readouterr().out)
            assert main(["evaluate", "digits.safetensors", "digits"]) == 0
            assert trained.group(2) in capsys.readouterr().out

    def test_bytes_are_scaled(self, empty_folder):
        images = np.random.default_rng(0).integers(0, 256, (40, 3, 2), dtype=np.uint8)
        np.savez("data.npz", X=images, y=np.arange(40) % 3)
        assert main(["train", "data.npz", "--epochs", "1", "--quiet"]) == 0
        net = em.MLP.load("data.safetensors")
        assert net.config["input_scale"] == pytest.approx(1 / 255)
        assert net.layer_sizes[0] == 6

    def test_mnist(self, empty_folder, capsys):
        rng = np.random.default_rng(0)
        for prefix, rows in (("train", 50), ("t10k", 20)):
            header = struct.pack(">4B3I", 0, 0, 8, 3, rows, 4, 4)
            pixels = rng.integers(0, 256, (rows, 16), dtype=np.uint8).tobytes()
            (empty_folder / f"{prefix}-images-idx3-ubyte").write_bytes(header + pixels)
            labels = (np.arange(rows) % 10).astype(np.uint8).tobytes()
            header = struct.pack(">4BI", 0, 0, 8, 1, rows)
            (empty_folder / f"{prefix}-labels-idx1-ubyte").write_bytes(header + labels)
        assert main(["train", "mnist", "--data", ".", "--epochs", "1", "--quiet"]) == 0
        assert "50 rows to train on, 20 held out, 16 inputs" in capsys.readouterr().out
        assert main(["evaluate", "mnist.safetensors", "mnist", "--data", "."]) == 0
        assert re.search(r"rows +20\n", capsys.readouterr().out)

    def test_plot(self, empty_folder, capsys):
        pytest.importorskip("matplotlib")
        assert main(["train", "digits", "--epochs", "2", "--quiet", "--plot", "loss.png"]) == 0
        picture = (empty_folder / "loss.png").read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert int.from_bytes(picture[16:20], "big") >= 1200  # pixels wide
        assert "loss.png" in capsys.readouterr().out

    def test_plot_without_matplotlib_is_refused_before_training(
        self, empty_folder, refused, monkeypatch
    ):
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
        refused(["train", "digits", "--plot", "a.png"], r"pip install matplotlib")
        assert not list(empty_folder.iterdir())

    def test_divergence_is_one_line_and_exit_code_1(self, empty_folder, capsys, monkeypatch):
        def diverge(*args, **options):
            raise em.DivergenceError(epoch=3, step=14)

        monkeypatch.setattr(em.MLP, "fit", diverge)
        assert main(["train", "digits"]) == 1
        err = capsys.readouterr().err
        assert "epoch 3, step 14" in err
        assert "--lr" in err
        assert not list(empty_folder.iterdir())

    def test_a_real_divergence(self, empty_folder, capsys):
        rng = np.random.default_rng(0)
        np.savez("data.npz", X=rng.normal(size=(50, 3)), y=rng.normal(size=50))
        assert main(["train", "data.npz", "--lr", "1e12", "--hidden", "none", "--quiet"]) == 1
        assert "Traceback" not in capsys.readouterr().err

    def test_ctrl_c_is_exit_code_130(self, empty_folder, capsys, monkeypatch):
        def interrupt(*args, **options):
            raise KeyboardInterrupt

        monkeypatch.setattr(em.MLP, "fit", interrupt)
        assert main(["train", "digits"]) == 130
        assert capsys.readouterr().err == "eigenmlp: error: interrupted\n"
        assert not list(empty_folder.iterdir())
