"""The ``eigenmlp`` command: what it trains, prints and writes, and how it refuses."""

from __future__ import annotations

import importlib.util
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp.cli import main
from eigenmlp.cli.arguments import RECIPES
from eigenmlp.cli.npz import read_arrays


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    threads = em.get_num_threads()
    yield tmp_path
    em.set_num_threads(threads)


@pytest.fixture
def refused(capsys):
    """Run the command; expect exit code 2 and one line on stderr, which matches the pattern."""

    def check(arguments, pattern):
        assert main(arguments) == 2
        captured = capsys.readouterr()
        assert captured.err.startswith("eigenmlp: error: "), captured.err
        assert captured.err.count("\n") == 1, captured.err
        assert re.search(pattern, captured.err), captured.err
        assert "Traceback" not in captured.out + captured.err
        assert len(captured.err) < 460, captured.err  # 400, and what stands around them

    return check


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A network trained on the digits by the command itself."""
    path = tmp_path_factory.mktemp("model") / "digits.safetensors"
    assert main(["train", "digits", "--quiet", "--save", str(path)]) == 0
    return path


def accuracy_in(text):
    return float(re.search(r"accuracy +([\d.]+)", text).group(1))


def write_blobs(path, rows=200, dtype=np.float64):
    """Two classes a line tells apart."""
    rng = np.random.default_rng(3)
    y = np.arange(rows) % 2
    X = (rng.normal(size=(rows, 2)) + 4 * y[:, None]).astype(dtype)
    if path.suffix == ".npz":
        np.savez(path, X=X, y=y)
    else:
        lines = [f"{a},{b},{label}" for (a, b), label in zip(X.tolist(), y.tolist(), strict=True)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return X, y


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
        assert main(["train", name, "--quiet"]) == 0
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
        assert main(["train", name, "--quiet"]) == 0
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
        command = ["train", name, "--loss", loss, "--optimizer", "adam", "--quiet"]
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


class TestBadArguments:
    @pytest.mark.parametrize(
        ("arguments", "pattern"),
        [
            ("", "required: COMMAND"),
            ("teach digits", "invalid choice: 'teach'"),
            ("train", "required: DATA"),
            ("train digits --fast", "unrecognized arguments: --fast"),
            ("train digit", r"digits, mnist, or a \.npz or \.csv file to read; got 'digit'"),
            ("train data.txt", r"digits, mnist, or a \.npz or \.csv .* got 'data\.txt'"),
            ("train mnist", "mnist needs --data DIR"),
            ("train mnist --data absent", "absent: expected a folder of IDX files"),
            ("train mnist --data .", "looked for train-images-idx3-ubyte"),
            ("train digits --data .", "--data goes with mnist only"),
            ("train digits --hidden 12,x", "--hidden: expected positive sizes .*'12,x'"),
            ("train digits --hidden 0", "--hidden: expected positive sizes .*'0'"),
            ("train digits --hidden ,", "--hidden: expected positive sizes"),
            ("train digits --activation swosh", "relu.*swosh|swosh.*relu"),
            ("train digits --epochs 0", "--epochs: expected a positive integer, got '0'"),
            ("train digits --epochs 1.5", "--epochs: expected a positive integer, got '1.5'"),
            ("train digits --epochs", "--epochs: expected one argument"),
            ("train digits --batch-size -3", "--batch-size: expected a positive integer"),
            ("train digits --lr 0", "--lr: expected a positive number, got '0'"),
            ("train digits --lr nan", "--lr: expected a positive number, got 'nan'"),
            ("train digits --lr fast", "--lr: expected a number, got 'fast'"),
            ("train digits --momentum 1", "--momentum: expected a number from 0 to below 1"),
            ("train digits --dropout 1", "--dropout: expected a number from 0 to below 1"),
            ("train digits --optimizer best", "--optimizer: invalid choice: 'best'"),
            ("train digits --optimizer adam --momentum 0.5", "--momentum goes with sgd and rmsp"),
            ("train digits --loss best", "--loss: expected one of .*softmax.*'best'"),
            ("train digits --loss segment_cross_entropy", "--loss: expected one of"),
            ("train digits --loss huber(delta=-1)", "--loss: Huber: delta: expected a number"),
            ("train digits --loss huber(gamma=1)", "--loss: expected parameters .*'gamma'"),
            ("train digits --loss sigmoid_cross_entropy", r"y: expected .*\[0, 1\]"),
            ("train digits --schedule step", "--schedule: invalid choice: 'step'"),
            ("train digits --weight-decay -1", "--weight-decay: expected a number of 0 or more"),
            ("train digits --clip-norm 0", "--clip-norm: expected a positive number, got '0'"),
            ("train digits --seed -1", "--seed: expected an integer of 0 or more, got '-1'"),
            ("train digits --threads 0", "--threads: expected a positive integer, got '0'"),
            ("train digits --backend gpu", "--backend: invalid choice: 'gpu'"),
            ("train digits --save .", r"--save: expected a file to write, \. is a folder"),
            ("train digits --save no/where", "--save: cannot write no/where: there is no folder"),
            ("predict", "required: MODEL, DATA"),
            ("predict absent.safetensors digits", r"absent\.safetensors: expected a saved model"),
            ("predict . digits", "expected a saved model, got something that is not a file"),
            ("predict m digits --out a.doc", r"--out: expected a \.csv, \.txt or \.npy file"),
            ("predict m digits --out no/where.csv", "--out: cannot write no/where.csv"),
            ("evaluate absent.safetensors digits", "expected a saved model, found no such file"),
        ],
    )
    def test_refused(self, empty_folder, refused, arguments, pattern):
        refused(arguments.split(), pattern)
        assert not list(empty_folder.iterdir())

    def test_values_have_no_classes(self, refused):
        np.savez("data.npz", X=np.zeros((20, 2)), y=np.linspace(0, 1, 20))
        command = ["train", "data.npz", "--loss", "softmax_cross_entropy"]
        refused(command, "--loss: softmax_cross_entropy tells classes apart, expected integer")

    def test_plot_and_save_are_two_files(self, refused):
        pytest.importorskip("matplotlib")
        refused(["train", "digits", "--plot", "a.png", "--save", "a.png"], "expected two files")
        refused(["train", "digits", "--plot", "a.doc"], r"ends in .*\.png.*got a\.doc")

    def test_a_device_is_not_replaced(self, refused):
        refused(["train", "digits", "--save", "/dev/null"], "not a regular file")

    @pytest.mark.parametrize(
        "odd", ["x" * 3000, "1" * 5000, "\ud800", "a\0b", "relu(1," + 999 * "1,"]
    )
    @pytest.mark.parametrize(
        "option",
        [
            *("--hidden", "--activation", "--epochs", "--batch-size", "--lr", "--momentum"),
            *("--seed", "--threads", "--plot", "--loss", "--optimizer", "--schedule"),
            *("--weight-decay", "--clip-norm", "--dropout", "--compute-dtype", "--data"),
        ],
    )
    def test_options_that_nobody_expects(self, option, odd, refused, empty_folder):
        refused(["train", "digits", "--quiet", "--epochs", "1", option, odd], "error: ")

    def test_out_of_memory_is_one_line(self, refused, monkeypatch):
        def exhaust(*args, **options):
            raise MemoryError("Unable to allocate 7 TiB")

        monkeypatch.setattr(em, "MLP", exhaust)
        refused(["train", "digits"], "not enough memory: Unable to allocate 7 TiB")


class TestBadFiles:
    @pytest.mark.parametrize(
        "header",
        [
            "{'descr': '<f8', 'fortran_order': False, 'shape': (" + "1," * 2000 + ")}",
            "{'descr': '" + "f" * 4000 + "', 'fortran_order': False, 'shape': (1,)}",
            "{" + "x" * 4000,
        ],
        ids=["axes", "dtype", "no dict"],
    )
    def test_damaged_npz_in_a_short_line(self, header, empty_folder, refused):
        text = header.encode() + b"\n"
        with zipfile.ZipFile("bad.npz", "w") as archive:
            archive.writestr("X.npy", b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text)
        refused(["train", "bad.npz"], r"bad\.npz: expected a \.npz archive of numeric arrays: ")

    def test_npz_of_many_arrays(self, empty_folder, refused):
        np.savez("many.npz", **{f"array_{i}": np.ones(1) for i in range(300)})
        refused(["train", "many.npz"], r"expected arrays X and y, found array_0, array_1, .*")

    @pytest.mark.parametrize(
        ("arrays", "pattern"),
        [
            ({}, "expected arrays X and y, found none"),
            ({"x_train": np.ones(3), "y": np.ones(3)}, "X and y, found x_train, y"),
            ({"X": np.ones((9, 2))}, "X and y, got X only"),
            ({"X": np.ones(9), "y": np.ones(9)}, r"X as numbers \(N, D\), got float64 \(9,\)"),
            ({"X": np.ones((0, 2)), "y": np.ones(0)}, r"X as numbers \(N, D\).*\(0, 2\)"),
            ({"X": np.full((9, 2), "a"), "y": np.ones(9)}, r"X as numbers \(N, D\), got <U1"),
            ({"X": np.ones((9, 2)), "y": np.ones(8)}, "a target for each of 9 rows, got 8"),
            ({"X": np.ones((9, 2)), "y": np.full(9, "a")}, "labels.*or values.*got <U1"),
            ({"X": np.ones((9, 2)), "y": np.ones((9, 2), int)}, r"integer labels as \(N,\)"),
            ({"X": np.ones((9, 2)), "y": np.arange(9) - 1}, "expected 0 to K - 1.*got -1 to 7"),
            (
                {"X": np.ones((2, 2)), "y": np.array([0, 2**63 + 9], np.uint64)},
                "integer targets below 2⁶³, got 9223372036854775817",
            ),
            ({"X": np.ones((9, 2)), "y": np.arange(9) * 99}, "got 0 to 792; for regression"),
            ({"X": np.ones((9, 2)), "y": np.arange(9)}, "too few rows.*9 in 9 classes"),
            ({"X": np.ones((1, 2)), "y": np.ones(1)}, "too few rows"),
            ({"X": np.full((9, 2), np.nan), "y": np.zeros(9, int)}, "(?i)nan|finite"),
            ({"X": np.ones((9, 2)), "y": np.full(9, np.inf)}, "(?i)inf|finite"),
            (  # the file's row, not that of the rows that are left to train on
                {"X": np.repeat([[1.0], [np.inf]], [198, 2], 0), "y": np.arange(200) % 2},
                r"X: expected finite numbers, got inf at X\[198, 0\]",
            ),
            (
                {"X": np.ones((200, 2)), "y": np.append(np.ones(198), [1e300, 0])},
                r"y: expected finite float32 numbers, got 1e\+300 at y\[198",
            ),
            ({"X": np.array([{}, {}]), "y": np.ones(2)}, "archive of numeric arrays"),
        ],
    )
    def test_npz(self, empty_folder, refused, arrays, pattern):
        np.savez("data.npz", **arrays)
        refused(["train", "data.npz", "--quiet"], pattern)
        assert [path.name for path in empty_folder.iterdir()] == ["data.npz"]

    @pytest.mark.parametrize("content", [b"", b"no archive", b"PK\3\4 cut short", b"PK\5\6"])
    def test_npz_that_is_none(self, empty_folder, refused, content):
        (empty_folder / "data.npz").write_bytes(content)
        refused(["train", "data.npz"], r"data\.npz: expected ")

    def test_npz_truncated_or_a_bare_array(self, empty_folder, refused):
        np.savez("data.npz", X=np.ones((50, 2)), y=np.zeros(50, int))
        whole = (empty_folder / "data.npz").read_bytes()
        (empty_folder / "data.npz").write_bytes(whole[: len(whole) // 2])
        refused(["train", "data.npz"], r"expected a \.npz archive")
        with (empty_folder / "data.npz").open("wb") as file:
            np.save(file, np.ones((3, 3)))
        refused(["train", "data.npz"], "one array without a name")

    @pytest.mark.parametrize(
        ("header", "pattern"),
        [
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }}", "array's header"),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2", "array's header"),
            ("[" * 5000, "array's header"),
            ("{'descr': 'x', 'fortran_order': False, 'shape': (3, 2), }", "array's header"),
            # Memory is taken only for what the archive has.
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (10**12, 2), }", "array's header"),
            (
                "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 2), }",
                "16,000,000,000,000 bytes, the archive has at most",
            ),
            (
                "{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807, 2), }",
                "bytes, the archive has at most",
            ),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }", "32 bytes, got more"),
            ("{'descr': '|S0', 'fortran_order': False, 'shape': (3, 2), }", "0 bytes, got more"),
        ],
    )
    def test_npz_with_a_damaged_header(self, header, pattern, empty_folder, refused):
        text = header.encode() + b"\n"
        member = b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + bytes(48)
        with zipfile.ZipFile("data.npz", "w") as archive:
            archive.writestr("X.npy", member)
        refused(["train", "data.npz"], rf"numeric arrays: X\.npy: .*{pattern}")

    def test_npz_read_as_numpy_reads_it(self, empty_folder):
        """Orders, byte orders, versions of the header, compression, empty and large arrays."""
        rng = np.random.default_rng(0)
        for X in [
            *(np.asfortranarray(rng.normal(size=(30, 4))), rng.normal(size=(50_000, 3))),
            *(rng.integers(0, 255, (7, 2, 3)).astype(">i2"), rng.normal(size=(5, 2)) > 0),
        ]:
            for write in (np.savez, np.savez_compressed):
                write("data.npz", X=X, y=np.arange(len(X)), other=np.array([{}]))
                found, arrays = read_arrays(Path("data.npz"), ("X", "y", "Z"))
                assert found == ["X", "y", "other"] and [*arrays] == ["X", "y"]
                assert arrays["X"].dtype == X.dtype
                np.testing.assert_array_equal(arrays["X"], X)
                np.testing.assert_array_equal(arrays["y"], np.arange(len(X)))

    @pytest.mark.parametrize(
        ("text", "pattern"),
        [
            ("", "expected rows of numbers, found none"),
            ("a,b,label\n", "expected rows of numbers, found none"),
            ("1,2,0\n1,2\n", "line 2: expected 3 columns, got 2"),
            ("a,b,y\n1,2,0\n1,x,1\n", "line 3, column 2: expected a finite number, got 'x'"),
            ("1,2,0\n1,,1\n", "line 2, column 2: expected a finite number, got ''"),
            ("1,,0\n1,2,1\n", "line 1, column 2: expected a finite number, got ''"),
            ("nan,2,0\n1,2,1\n", "line 1, column 1: expected a finite number, got 'nan'"),
            ("1,2,0\n1,1e999,1\n", "line 2, column 2: expected a finite number"),
            ("1\n2\n3\n", "expected inputs and, last, a target; got one column"),
            ("1,2,-1\n1,2,0\n", "expected 0 to K - 1.*got -1 to 0"),
            ("1,2,5000\n1,2,0\n", "for regression write them as floats"),
        ],
    )
    def test_csv(self, empty_folder, refused, text, pattern):
        (empty_folder / "data.csv").write_text(text, encoding="utf-8")
        refused(["train", "data.csv"], pattern)

    @pytest.mark.parametrize(
        ("first", "column", "cell"),
        [
            *[(f"{cell},b,c", 1, cell) for cell in ("NA", "?", "None", "0x10", "nan", "-", "True")],
            *[(f"{cell},{cell},{cell}", 1, cell) for cell in ("NA", "na", "Null", "-0B1", "5kg")],
            ("1,NA,0", 2, "NA"),
            (",,", 1, ""),
            ("2019,2020,price", 3, "price"),
            (f"1,{'?' * 60},0", 2, "?" * 60),
        ],
    )
    @pytest.mark.parametrize("command", ["train", "evaluate", "predict"])
    def test_first_row_of_values_is_no_header(
        self, empty_folder, refused, first, column, cell, command
    ):
        em.MLP([2, 2], seed=0).save("m.safetensors")
        rows = "".join(f"{i},{-i},{i % 2}\n" for i in range(20))
        (empty_folder / "data.csv").write_text(f"{first}\n{rows}", encoding="utf-8")
        model = [] if command == "train" else ["m.safetensors"]
        expected = f"line 1, column {column}: expected a finite number, got {cell!r}"
        refused([command, *model, "data.csv"], re.escape(expected))

    def test_csv_that_is_none(self, empty_folder, refused):
        (empty_folder / "data.csv").write_bytes(b"\xff\xfe\x00binary")
        refused(["train", "data.csv"], "expected a .csv file in UTF-8")

    @pytest.mark.parametrize("name", ["data.csv", "data.npz"])
    def test_missing_file_and_folder(self, empty_folder, refused, name):
        refused(["train", name], f"{name}: expected .* found no such file")
        (empty_folder / name).mkdir()
        refused(["train", name], f"{name}: expected .* got something else")

    @pytest.mark.parametrize("content", [b"", b"not a model", bytes(200)])
    def test_model_that_is_none(self, empty_folder, refused, content):
        (empty_folder / "bad.safetensors").write_bytes(content)
        refused(["evaluate", "bad.safetensors", "digits"], r"bad\.safetensors")

    def test_truncated_model(self, empty_folder, refused, model):
        (empty_folder / "cut.safetensors").write_bytes(model.read_bytes()[:-7])
        refused(["predict", "cut.safetensors", "digits"], r"cut\.safetensors")

    def test_data_of_another_width(self, empty_folder, refused, model):
        write_blobs(empty_folder / "data.csv")
        message = "the model expects 64 inputs, got 2 columns"
        refused(["evaluate", str(model), "data.csv"], message)
        refused(["predict", str(model), "data.csv"], message)


class TestEvaluateAndPredict:
    def test_evaluate_repeats_what_train_said(self, model, capsys):
        X, y = em.datasets.load_digits()
        _, test = em.datasets.stratified_split(y, 0.2, np.random.default_rng(1))
        expected = em.MLP.load(model).evaluate(X[test], y[test])
        assert main(["evaluate", str(model), "digits", "--threads", "1"]) == 0
        out = capsys.readouterr().out
        assert accuracy_in(out) == pytest.approx(expected.accuracy, abs=5e-5)
        assert re.search(r"rows +359\n", out)

    def test_evaluate_values(self, empty_folder, capsys):
        X = np.random.default_rng(0).normal(size=(60, 2))
        np.savez("data.npz", X=X, y=X)
        assert main(["train", "data.npz", "--quiet"]) == 0
        assert main(["evaluate", "data.safetensors", "data.npz"]) == 0
        out = capsys.readouterr().out
        assert re.search(r"loss +[\d.e-]+ \(squared_error\)", out)
        assert "accuracy" not in out

    def test_evaluate_needs_labels_that_fit(self, empty_folder, refused, model):
        np.savez("data.npz", X=np.ones((5, 64)), y=np.linspace(0, 1, 5))
        refused(["evaluate", str(model), "data.npz"], "expected integer labels, got float64")
        np.savez("data.npz", X=np.ones((5, 64)))
        refused(["evaluate", str(model), "data.npz"], "got X only")
        np.savez("data.npz", X=np.ones((5, 64)), y=np.full(5, 10))
        refused(["evaluate", str(model), "data.npz"], "10")

    def test_predict_prints_a_label_for_each_row(self, model, empty_folder, capsys):
        X, _ = em.datasets.load_digits()
        np.savez("rows.npz", X=X[:20])
        assert main(["predict", str(model), "rows.npz"]) == 0
        labels = [int(line) for line in capsys.readouterr().out.splitlines()]
        assert labels == em.MLP.load(model).predict(X[:20]).tolist()

    @pytest.mark.parametrize("command", ["evaluate", "predict"])
    def test_a_model_of_choices_is_refused(self, command, empty_folder, refused):
        em.MLP([2, 1], loss="segment_cross_entropy").save("choices.safetensors")
        write_blobs(empty_folder / "data.npz")
        pattern = r"choices\.safetensors: expected a model of single rows, got one of choices"
        refused([command, "choices.safetensors", "data.npz"], pattern)

    @pytest.mark.parametrize("ending", ["csv", "txt", "npy"])
    def test_predict_writes_a_file(self, model, empty_folder, capsys, ending):
        X, _ = em.datasets.load_digits()
        expected = em.MLP.load(model).predict(X[:20])
        np.savez("rows.npz", X=X[:20])
        assert main(["predict", str(model), "rows.npz", "--out", f"labels.{ending}"]) == 0
        assert f"20 predictions written to labels.{ending}" in capsys.readouterr().out
        path = empty_folder / f"labels.{ending}"
        got = np.load(path) if ending == "npy" else np.loadtxt(path, dtype=int)
        np.testing.assert_array_equal(got, expected)
        assert sorted(p.name for p in empty_folder.iterdir()) == [path.name, "rows.npz"]

    @pytest.mark.parametrize("outputs", [1, 2])
    def test_predicted_values_keep_their_bits(self, outputs, empty_folder, capsys):
        X = np.random.default_rng(0).normal(size=(30, 3))
        np.savez("data.npz", X=X, y=X[:, :outputs])
        assert main(["train", "data.npz", "--epochs", "2", "--quiet"]) == 0
        expected = em.MLP.load("data.safetensors").predict(X)
        for name in ("values.csv", "values.npy"):
            assert main(["predict", "data.safetensors", "data.npz", "--out", name]) == 0
        np.testing.assert_array_equal(np.loadtxt("values.csv", np.float32, delimiter=","), expected)
        np.testing.assert_array_equal(np.load("values.npy"), expected)
        assert np.load("values.npy").shape == expected.shape == ((30,), (30, 2))[outputs - 1]

    def test_predict_csv_with_and_without_targets(self, empty_folder, capsys):
        X, _ = write_blobs(empty_folder / "data.csv")
        assert main(["train", "data.csv", "--quiet"]) == 0
        np.savetxt("inputs.csv", X, delimiter=",")
        capsys.readouterr()
        assert main(["predict", "data.safetensors", "data.csv"]) == 0
        with_targets = capsys.readouterr().out
        assert main(["predict", "data.safetensors", "inputs.csv"]) == 0
        assert capsys.readouterr().out == with_targets
        assert with_targets.count("\n") == len(X)

    @pytest.mark.parametrize(
        "header",
        [
            "a,b,y",
            ",a,y",
            "#,a,y",
            "# a,b,y",
            "RI,Na,Fe",
            "1stFlr,2ndFlr,price",
            '" x","x 2",_',
            "ä,50%,γ",
        ],
    )
    def test_predict_csv_with_a_header(self, empty_folder, capsys, header):
        em.MLP([2, 2], seed=0).save("m.safetensors")
        rows = [(i, -i, i % 2) for i in range(9)]
        text = "\n".join([header, *(",".join(map(str, row)) for row in rows)])
        (empty_folder / "data.csv").write_text(text, encoding="utf-8")
        assert main(["predict", "m.safetensors", "data.csv"]) == 0
        expected = em.MLP.load("m.safetensors").predict([row[:2] for row in rows])
        assert [int(line) for line in capsys.readouterr().out.split()] == expected.tolist()

    @pytest.mark.parametrize("first", ["NA", "?", "None", "0x10", ""])
    def test_predict_a_column_without_a_header(self, empty_folder, refused, first):
        em.MLP([1, 2], seed=0).save("m.safetensors")
        (empty_folder / "data.csv").write_text(f'"{first}"\n1\n2\n', encoding="utf-8")
        refused(["predict", "m.safetensors", "data.csv"], r"line 1, column 1: expected a finite")


class TestInfoAndHelp:
    def test_info_prints_every_entry(self, capsys):
        assert main(["info"]) == 0
        out = capsys.readouterr().out
        assert all(re.search(rf"^{re.escape(name)}\b", out, re.M) for name in em.info())

    @pytest.mark.parametrize("command", [[], ["train"], ["evaluate"], ["predict"], ["info"]])
    def test_help(self, capsys, command):
        assert main([*command, "--help"]) == 0
        assert "usage: eigenmlp" in capsys.readouterr().out

    def test_version(self, capsys):
        assert main(["--version"]) == 0
        assert capsys.readouterr().out == f"eigenmlp {em.__version__}\n"

    def test_recipes_are_what_the_readme_trains(self):
        assert RECIPES["digits"].hidden == (50,)


class TestProcess:
    """The same through a process of its own: exit codes, streams, and no traceback."""

    @staticmethod
    def run(*arguments, **options):
        command = [sys.executable, "-m", "eigenmlp", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=120, check=False, **options
        )

    def test_train(self, empty_folder):
        done = self.run("train", "digits")
        assert done.returncode == 0, done.stderr
        assert accuracy_in(done.stdout) >= 0.97
        assert (empty_folder / "digits.safetensors").is_file()

    def test_bad_argument(self):
        done = self.run("train", "digits", "--lr", "zero")
        assert done.returncode == 2
        assert done.stdout == ""
        assert "--lr: expected a number, got 'zero'" in done.stderr

    def test_a_closed_pipe_ends_quietly(self, model):
        if importlib.util.find_spec("fcntl") is None:
            pytest.skip("needs POSIX pipes")
        # Enough lines to fill the pipe after its reader has gone.
        np.savez("rows.npz", X=np.zeros((100_000, 64), np.float32))
        command = [sys.executable, "-m", "eigenmlp", "predict", str(model), "rows.npz"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait(timeout=120) == 141
