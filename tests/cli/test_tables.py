"""``eigenmlp train``, ``evaluate``, ``predict`` and ``info`` on tables of any columns."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from eigenmlp.cli import main
from support.command import accuracy_in
from support.text_tables import HEADER, columns_of, csv_text, shop_rows

pl = pytest.importorskip("polars")
pytest.importorskip("narwhals")
datasets = pytest.importorskip("sklearn.datasets")

QUICK = ["--quiet", "--epochs", "3", "--hidden", "8"]
ROWS = shop_rows()


@pytest.fixture
def shop(empty_folder):
    (empty_folder / "shop.csv").write_text(csv_text(ROWS), encoding="utf-8")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of the shop's rows whose key is no feature."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.csv").write_text(csv_text(ROWS), encoding="utf-8")
    model = folder / "shop.safetensors"
    command = ["train", str(folder / "shop.csv"), "--id", "key", "--quiet", "--epochs", "20"]
    assert main([*command, "--save", str(model)]) == 0
    return model


def output(capsys, *arguments):
    """What a command that succeeds prints."""
    assert main([*map(str, arguments)]) == 0
    return capsys.readouterr().out


def as_json(capsys, *arguments):
    text = output(capsys, *arguments, "--json")
    assert text.count("\n") == 1
    return json.loads(text)


def write(name, rows, header=HEADER, separator=","):
    Path(name).write_text(csv_text(rows, header, separator), encoding="utf-8")
    return name


class TestWithoutOptions:
    """scikit-learn's tables as their frames write themselves."""

    @pytest.mark.parametrize(
        ("name", "least"), [("breast_cancer", 0.95), ("wine", 0.95), ("digits", 0.97)]
    )
    def test_classes(self, empty_folder, capsys, name, least):
        getattr(datasets, f"load_{name}")(as_frame=True).frame.to_csv("data.csv", index=False)
        found = as_json(capsys, "train", "data.csv")
        assert found["metrics"]["accuracy"] >= least
        assert found["beats_baseline"] and found["task"] == "classify"
        assert found["target"] == "target"

    def test_values(self, empty_folder, capsys):
        linear = pytest.importorskip("sklearn.linear_model")
        X, y = datasets.load_diabetes(return_X_y=True)
        np.savetxt("data.csv", np.column_stack([X, y]), delimiter=",")
        found = as_json(capsys, "train", "data.csv")
        assert found["task"] == "regress" and found["rows"] == 88
        train, test = _held_out(len(y))
        ridge = linear.RidgeCV().fit(X[train], y[train])
        assert found["metrics"]["r2"] >= ridge.score(X[test], y[test]) - 0.03


def _held_out(rows):
    from eigenmlp.datasets import stratified_split

    return stratified_split(np.zeros(rows, int), 0.2, np.random.default_rng(1))


class TestTrain:
    def test_mixed_columns(self, shop, capsys):
        out = output(capsys, "train", "shop.csv", "--drop", "key", "--quiet")
        assert "target: 'kind', the last column" in out
        assert "96 rows to train on, 24 held out, 4 inputs, 3 classes" in out
        assert "inputs: 1 number, 1 text, 1 time, 1 boolean" in out
        assert accuracy_in(out) > 0.8
        assert "always 3" in out or "always 5" in out or "always 8" in out

    def test_labels_as_they_are(self, shop, capsys):
        found = as_json(capsys, "train", "shop.csv", "--drop", "key", *QUICK)
        assert [one["label"] for one in found["classes"]] == [3, 5, 8]
        assert found["network"]["layer_sizes"][-1] == 3

    @pytest.mark.parametrize("target", ["kind", "0", "-6"])
    def test_target_anywhere(self, empty_folder, capsys, target):
        order = ["kind", *(name for name in HEADER if name != "kind")]
        name = write("first.csv", columns_of(ROWS, HEADER, order), order)
        found = as_json(capsys, "train", name, "--target", target, "--drop", "key", *QUICK)
        assert found["target"] == "kind"
        assert [one["name"] for one in found["columns"]] == ["size", "color", "when", "open"]
        assert found["columns"][0] == {"name": "size", "kind": "numbers"}

    def test_a_name_before_an_index(self, empty_folder, capsys):
        name = write("t.csv", [[str(i), str(i % 2)] for i in range(40)], ["n", "0"])
        assert as_json(capsys, "train", name, "--header", "--target", "0", *QUICK)["target"] == "0"

    def test_tasks(self, empty_folder, capsys):
        rows = [[f"{i / 7:.3f}", str(i % 5)] for i in range(60)]
        name = write("t.csv", rows, ["x", "stars"])
        assert as_json(capsys, "train", name, *QUICK)["task"] == "classify"
        found = as_json(capsys, "train", name, "--task", "regress", *QUICK)
        assert found["task"] == "regress" and set(found["metrics"]) == {"r2", "mae", "rmse"}
        found = as_json(capsys, "train", name, "--target", "x", *QUICK)
        assert found["task"] == "regress"

    def test_json(self, shop, capsys):
        found = as_json(capsys, "train", "shop.csv", "--id", "key", *QUICK, "--seed", "3")
        assert set(found) == {
            *("command", "data", "task", "target", "columns", "train_rows", "rows", "metrics"),
            *("baseline", "beats_baseline", "classes", "network", "seed", "seconds", "model"),
            "warnings",
        }
        assert set(found["metrics"]) == {"accuracy", "balanced_accuracy", "log_loss", "auc"}
        assert set(found["baseline"]) == {"constant", *found["metrics"]}
        assert set(found["classes"][0]) == {"label", "precision", "recall", "rows"}
        assert (found["train_rows"], found["rows"], found["seed"]) == (96, 24, 3)
        assert Path(found["model"]).is_file()

    def test_options_reach_the_model(self, shop, capsys):
        pytest.importorskip("matplotlib")
        options = "--hidden 7,6 --epochs 2 --batch-size 16 --lr 0.01 --dropout 0.1"
        options += " --weight-decay 0.01 --seed 4 --threads 1 --class-weight balanced"
        options += " --save m.safetensors --plot loss.png"
        out = output(capsys, "train", "shop.csv", "--drop", "key", *options.split(), "--quiet")
        assert "-7-6-3 relu" in out and "seed 4" in out
        assert Path("loss.png").read_bytes().startswith(b"\x89PNG")
        about = as_json(capsys, "info", "m.safetensors")
        assert about["network"]["layer_sizes"][1:] == [7, 6, 3]

    def test_same_seed_same_file(self, shop, capsys):
        command = ["train", "shop.csv", "--drop", "key", *QUICK]
        for name, seed in (("a", 1), ("b", 1), ("c", 2)):
            output(capsys, *command, "--seed", seed, "--save", name)
        output(capsys, "predict", "a", "shop.csv", "--proba", "--out", "a.csv")
        output(capsys, "predict", "b", "shop.csv", "--proba", "--out", "b.csv")
        output(capsys, "predict", "c", "shop.csv", "--proba", "--out", "c.csv")
        a, b, c = (Path(f"{name}.csv").read_bytes() for name in "abc")
        assert a == b != c

    def test_rows_of_another_file(self, shop, empty_folder, capsys):
        order = ["kind", "open", "when", "color", "size"]
        write("test.csv", columns_of(shop_rows(30, seed=5), HEADER, order), order, ";")
        found = as_json(capsys, "train", "shop.csv", "--drop", "key", "--test", "test.csv", *QUICK)
        assert (found["train_rows"], found["rows"]) == (120, 30)
        command = ["train", "shop.csv", "--drop", "key", "--valid", "test.csv", *QUICK]
        both = as_json(capsys, *command)
        assert (both["train_rows"], both["rows"], both["validation"]["rows"]) == (96, 24, 30)
        assert "valid accuracy" in output(capsys, *command)

    def test_training_stops_by_the_validation_file(self, shop, empty_folder, capsys):
        """Where its labels are nonsense, an early epoch is the best; where they are right, not."""
        rows = shop_rows(300, seed=5)
        write("right.csv", rows)
        wrong = [[*row[:-1], {"3": "5", "5": "8", "8": "3"}[row[-1]]] for row in rows]
        write("wrong.csv", wrong)
        command = ["train", "shop.csv", "--drop", "key", "--quiet", "--hidden", "8"]
        right = as_json(capsys, *command, "--epochs", "40", "--valid", "right.csv")
        misled = as_json(capsys, *command, "--epochs", "40", "--valid", "wrong.csv")
        assert misled["network"]["best_epoch"] < right["network"]["best_epoch"]
        text = output(capsys, *command, "--epochs", "3", "--valid", "right.csv")
        assert "right.csv: 300 rows to validate with" in text

    def test_every_option_of_a_network_reaches_a_table(self, shop, empty_folder, capsys):
        pytest.importorskip("matplotlib")
        command = "train shop.csv --drop key --quiet --hidden 6,4 --activation tanh --epochs 4 "
        command += "--batch-size 8 --lr 0.02 --momentum 0.5 --seed 3 --threads 1 --save m "
        text = output(capsys, *command.split(), "--plot", "loss.png")
        assert "6-4-3 tanh, 4 epochs" in text and "seed 3" in text
        assert Path("loss.png").read_bytes()[:4] == b"\x89PNG"
        assert "tanh" in output(capsys, "info", "m")

    def test_no_better_than_a_constant(self, empty_folder, capsys):
        rng = np.random.default_rng(0)
        rows = [[f"{x:.4f}", str(i % 2)] for i, x in enumerate(rng.normal(size=200))]
        write("noise.csv", rows, ["x", "y"])
        assert main(["train", "noise.csv", *QUICK, "--lr", "1e-9", "--weight-decay", "0"]) == 0
        captured = capsys.readouterr()
        assert "eigenmlp: warning: the model is no better than a constant" in captured.err
        assert main(["train", "noise.csv", *QUICK, "--target", "x", "--json"]) == 0
        captured = capsys.readouterr()
        found = json.loads(captured.out)
        assert found["beats_baseline"] == (found["warnings"] == [])

    @pytest.mark.parametrize("name", ["shop.csv.gz", "shop.tsv", "shop.parquet", "-"])
    def test_files_alike(self, shop, empty_folder, capsys, monkeypatch, name):
        """The same table in any form gives the same model."""
        expected = as_json(capsys, "train", "shop.csv", "--drop", "key", *QUICK)
        text = csv_text(ROWS)
        if name == "shop.parquet":
            pl.read_csv("shop.csv", null_values=["NA"], try_parse_dates=True).write_parquet(name)
        elif name == "shop.tsv":
            write(name, ROWS, separator="\t")
        elif name == "-":
            stdin = io.TextIOWrapper(io.BytesIO(text.encode()))
            monkeypatch.setattr(sys, "stdin", stdin)
        else:
            Path(name).write_bytes(gzip.compress(text.encode()))
        found = as_json(capsys, "train", name, "--drop", "key", *QUICK)
        assert found["metrics"] == expected["metrics"]
        assert found["columns"] == expected["columns"]
        assert found["model"] == ("model.safetensors" if name == "-" else "shop.safetensors")

    def test_decimal_commas(self, empty_folder, capsys):
        rows = [[f"{i // 8},{i % 8}", f"{i // 4},{i % 4}5"] for i in range(60)]
        write("t.csv", rows, ["x", "y"], ";")
        found = as_json(capsys, "train", "t.csv", "--decimal", ",", *QUICK)
        assert found["columns"] == [{"name": "x", "kind": "numbers"}]
        assert found["task"] == "regress"

    def test_an_index_is_no_feature(self, empty_folder, capsys):
        rows = [[str(i), f"{i % 7}", str(i % 2)] for i in range(40)]
        write("t.csv", rows, ["", "x", "y"])
        assert "column 1 only tells the rows apart" in output(capsys, "train", "t.csv", *QUICK)
        write("x.csv", [row[1:] for row in rows[:3]], ["x", "y"])
        assert output(capsys, "predict", "t.safetensors", "x.csv").count("\n") == 3

    def test_constant_columns_are_told_of(self, empty_folder, capsys):
        write("t.csv", [["1", f"{i % 7}", str(i % 2)] for i in range(60)], ["same", "x", "y"])
        assert main(["train", "t.csv", *QUICK]) == 0
        assert "got 1 in every row of 'same'" in capsys.readouterr().err

    def test_plain(self, empty_folder, capsys):
        """Columns of any units, and a value of another."""
        X = np.random.default_rng(0).normal([0, 1e6, 5], [1, 3, 1e-4], (300, 3))
        y = 1e5 + 1e4 * (X[:, 0] + (X[:, 1] - 1e6) / 3)
        np.savetxt("t.csv", np.column_stack([X, y]), delimiter=",")
        found = as_json(capsys, "train", "t.csv", "--plain", "--quiet")
        assert found["metrics"]["r2"] > 0.95
        again = as_json(capsys, "evaluate", "t.safetensors", "t.csv")
        assert again["metrics"]["r2"] > 0.95

    @pytest.mark.parametrize("missing", ["polars", "narwhals"])
    def test_without_the_extra(self, empty_folder, capsys, monkeypatch, refused, missing):
        """Numbers are trained on, all else says what to install."""
        monkeypatch.setitem(sys.modules, missing, None)
        for name in [*sys.modules]:
            if name.startswith("eigenmlp.tables"):
                monkeypatch.delitem(sys.modules, name)
        import eigenmlp

        monkeypatch.delattr(eigenmlp, "tables", raising=False)
        datasets.load_wine(as_frame=True).frame.to_csv("wine.csv", index=False)
        assert main(["train", "wine.csv", "--quiet"]) == 0
        captured = capsys.readouterr()
        assert accuracy_in(captured.out) >= 0.95
        assert "pip install polars scikit-learn narwhals" in captured.err
        assert main(["evaluate", "wine.safetensors", "wine.csv"]) == 0
        assert accuracy_in(capsys.readouterr().out) >= 0.95
        write("shop.csv", ROWS)
        assert main(["train", "shop.csv"]) == 2
        assert "line 2, column 1 ('key'): expected a finite number" in capsys.readouterr().err
        refused(["train", "a.parquet"], "pip install polars scikit-learn")


class TestPredict:
    def test_columns_by_name(self, trained, empty_folder, capsys):
        rows = shop_rows(20, seed=9)
        wanted = ["when", "size", "open", "color"]
        write("a.csv", rows)
        write("b.csv", columns_of(rows, HEADER, wanted), wanted, ";")
        expected = output(capsys, "predict", trained, "a.csv")
        assert output(capsys, "predict", trained, "b.csv") == expected
        assert set(expected.split()) <= {"3", "5", "8"} and expected.count("\n") == 20

    def test_other_columns_are_told_of(self, trained, empty_folder, capsys):
        write("a.csv", [[*row, "1"] for row in ROWS[:3]], [*HEADER, "more"])
        assert main(["predict", str(trained), "a.csv", "--id", "key"]) == 0
        assert "columns that the model does not know, ignored: 'more'" in capsys.readouterr().err

    def test_probabilities_and_ids(self, trained, empty_folder, capsys):
        write("a.csv", [["007", *ROWS[0][1:]], *ROWS[1:5]])
        lines = [*csv.reader(io.StringIO(output(capsys, "predict", trained, "a.csv", "--proba")))]
        assert lines[0] == ["3", "5", "8"]
        P = np.array(lines[1:], float)
        np.testing.assert_allclose(P.sum(axis=1), 1, atol=1e-6)
        labels = output(capsys, "predict", trained, "a.csv").split()
        assert labels == [lines[0][k] for k in P.argmax(axis=1)]
        out = output(capsys, "predict", trained, "a.csv", "--id", "key")
        lines = [*csv.reader(io.StringIO(out))]
        assert lines[0] == ["key", "kind"]
        keys = ["007", "s1", "s2", "s3", "s4"]
        assert lines[1:] == [[key, label] for key, label in zip(keys, labels, strict=True)]
        out = output(capsys, "predict", trained, "a.csv", "--id", "key", "--proba")
        assert out.splitlines()[0] == "key,3,5,8"

    def test_files(self, trained, empty_folder, capsys):
        write("a.csv", ROWS[:6])
        labels = output(capsys, "predict", trained, "a.csv")
        said = output(capsys, "predict", trained, "a.csv", "--out", "p.csv")
        assert "6 predictions written to p.csv" in said
        assert Path("p.csv").read_text(encoding="utf-8") == labels
        output(capsys, "predict", trained, "a.csv", "--proba", "--out", "p.npy")
        assert np.load("p.npy").shape == (6, 3)

    def test_without_names(self, empty_folder, capsys):
        """A target in the first column may be there or not."""
        rows = [[str(i % 2), f"{i % 7}", f"{i % 5}"] for i in range(60)]
        write("t.csv", rows, None)
        output(capsys, "train", "t.csv", "--target", "0", *QUICK)
        write("x.csv", [row[1:] for row in rows[:9]], None)
        write("xy.csv", rows[:9], None)
        expected = output(capsys, "predict", "t.safetensors", "xy.csv")
        assert output(capsys, "predict", "t.safetensors", "x.csv") == expected
        assert as_json(capsys, "evaluate", "t.safetensors", "xy.csv")["rows"] == 9
        assert main(["evaluate", "t.safetensors", "x.csv"]) == 2  # its first column is no target
        assert "the 2 columns of the model and the target, got 2" in capsys.readouterr().err

    def test_standard_input(self, trained, empty_folder, capsys, monkeypatch):
        write("a.csv", ROWS[:4])
        expected = output(capsys, "predict", trained, "a.csv")
        stdin = io.TextIOWrapper(io.BytesIO(Path("a.csv").read_bytes()))
        monkeypatch.setattr(sys, "stdin", stdin)
        assert output(capsys, "predict", trained, "-") == expected

    def test_texts_as_labels(self, empty_folder, capsys):
        rows = [[f"{i % 2}", ["no", "yes, or so"][i % 2]] for i in range(60)]
        Path("t.csv").write_text(
            "x,y\n" + "".join(f'{x},"{y}"\n' for x, y in rows), encoding="utf-8"
        )
        output(capsys, "train", "t.csv", "--quiet")
        lines = output(capsys, "predict", "t.safetensors", "t.csv").splitlines()
        assert lines[:2] == ["no", '"yes, or so"']


class TestEvaluateAndInfo:
    def test_evaluate_repeats_what_train_said(self, shop, empty_folder, capsys):
        write("test.csv", shop_rows(40, seed=6))
        trained = as_json(capsys, "train", "shop.csv", "--id", "key", "--test", "test.csv", *QUICK)
        found = as_json(capsys, "evaluate", "shop.safetensors", "test.csv")
        assert found["metrics"] == trained["metrics"]
        assert found["classes"] == trained["classes"]
        out = output(capsys, "evaluate", "shop.safetensors", "test.csv")
        assert accuracy_in(out) == pytest.approx(found["metrics"]["accuracy"], abs=5e-5)

    def test_a_target_of_another_name(self, trained, empty_folder, capsys):
        write("a.csv", ROWS, [*HEADER[:-1], "sort"])
        found = as_json(capsys, "evaluate", trained, "a.csv", "--target", "sort")
        assert found["target"] == "sort" and found["metrics"]["accuracy"] > 0.8

    def test_info(self, trained, capsys):
        out = output(capsys, "info", trained)
        for pattern in ("kind", "TableClassifier", "columns.size", "number from", "columns.color"):
            assert pattern in out
        found = as_json(capsys, "info", trained)
        assert [*found["columns"]] == ["size", "color", "when", "open"]
        assert found["classes"] == [3, 5, 8] and found["target"] == "kind"
        assert found["training"]["rows"] == 96
        assert found["network"]["layer_sizes"][-1] == 3

    def test_info_of_a_network(self, model, capsys):
        found = as_json(capsys, "info", model)
        assert found["kind"] == "network" and found["layer_sizes"] == [64, 50, 10]


class TestWhatPeopleWrite:
    """The same thing in several spellings, in the rows of a model and in those to come."""

    @pytest.mark.parametrize(
        ("words", "other"),
        [
            (["TRUE", "true", "False", "FALSE"], "tRue"),
            (["yes", "Yes", "NO", "no"], "YES"),
            (["Y", "y", "N", "n"], "y"),
        ],
    )
    def test_truths(self, empty_folder, capsys, words, other):
        """As a column they are two values, as a target two classes."""
        often = [0, 0, 2, 2, 0, 1, 2, 3]  # the first spelling of each more often
        rows = [[words[often[i % 8]], str(i % 7), words[often[(i + 3) % 8]]] for i in range(80)]
        name = write("t.csv", rows, ["on", "x", "kind"])
        found = as_json(capsys, "train", name, *QUICK)
        assert found["columns"][0]["kind"] == "booleans"
        assert [one["label"] for one in found["classes"]] == sorted({words[0], words[2]})
        other_rows = [[word, "3", label] for word in words for label in words] * 2
        write("p.csv", other_rows, ["on", "x", "kind"])
        judged = as_json(capsys, "evaluate", found["model"], "p.csv")
        assert judged["rows"] == 32 and len(judged["classes"]) == 2
        write("q.csv", [[other, "3"], [words[0], "3"]], ["on", "x"])
        first, second = output(capsys, "predict", found["model"], "q.csv", "--proba").split()[1:]
        assert first == second

    def test_classes_that_differ_in_case(self, empty_folder, capsys):
        rows = [[str(i % 7), ["Ulm", "ulm", "Bonn"][i % 3]] for i in range(60)]
        found = as_json(capsys, "train", write("t.csv", rows, ["x", "town"]), *QUICK)
        assert any("'Ulm' and 'ulm', which differ in case" in said for said in found["warnings"])

    def test_an_order_of_dates_is_kept(self, empty_folder, capsys):
        """A row alone does not tell it, and need not."""
        rows = [[f"{i % 12 + 1:02d}/{i % 28 + 1:02d}/26", str(i % 2)] for i in range(60)]
        found = as_json(capsys, "train", write("t.csv", rows, ["day", "y"]), *QUICK)
        assert found["columns"] == [{"name": "day", "kind": "times"}]
        write("a.csv", [["03/04/26"]], ["day"])
        write("b.csv", [["2026-03-04"]], ["day"])
        first, second = (
            output(capsys, "predict", found["model"], name, "--proba")
            for name in ("a.csv", "b.csv")
        )
        assert first == second
        write("c.csv", [["13/04/26"]], ["day"])
        assert main(["predict", found["model"], "c.csv"]) == 2
        assert "or the month first as trained on, got '13/04/26'" in capsys.readouterr().err

    def test_years_for_names(self, empty_folder, capsys):
        """No row of the file is lost, nor is one made of its names."""
        rows = [[str(i % 7 + 0.5), str(i % 5), str(i % 2)] for i in range(60)]
        found = as_json(capsys, "train", write("t.csv", rows, ["2019", "2020", "2021"]), *QUICK)
        assert found["train_rows"] + found["rows"] == 60 and found["target"] == "2021"
        assert "the first row is taken for names: 2019, 2020, 2021" in found["warnings"][0]
        write("p.csv", [["4", "1.5"]], ["2020", "2019"])
        assert len(output(capsys, "predict", found["model"], "p.csv").split()) == 1
        bare = write("b.csv", rows, None)
        found = as_json(capsys, "train", bare, *QUICK)
        assert found["train_rows"] + found["rows"] == 60
        assert "no header: the first row is taken for data: 0.5, 0, 0; --header" in output(
            capsys, "train", bare, *QUICK
        )


def test_whole_numbers_that_are_names(empty_folder, capsys):
    """A model with a column of codes is used on a file as any other is."""
    rng = np.random.default_rng(0)
    town = rng.integers(0, 50, 1000)
    lines = [f"{100 + 7 * t},{y}" for t, y in zip(town, rng.normal(size=50)[town], strict=True)]
    Path("towns.csv").write_text("\n".join(["town,y", *lines]))
    train = ["train", "towns.csv", *QUICK, "--save", "m.safetensors"]
    assert main(train) == 0
    capsys.readouterr()
    assert "code, 50 from 100 to 443" in output(capsys, "info", "m.safetensors")
    assert len(output(capsys, "predict", "m.safetensors", "towns.csv").splitlines()) == 1000
    assert as_json(capsys, "evaluate", "m.safetensors", "towns.csv")["rows"] == 1000
