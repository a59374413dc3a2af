"""The ``eigenmlp`` command: what it evaluates, predicts and says of itself."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp.cli import main
from eigenmlp.cli.arguments import RECIPES
from support.command import accuracy_in, write_blobs


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
        assert main(["train", "data.csv", "--quiet", "--plain"]) == 0
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
