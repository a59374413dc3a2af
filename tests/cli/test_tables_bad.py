"""``eigenmlp`` refuses tables in one line that names column and row, and writes nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from eigenmlp.cli import main
from support.text_tables import HEADER, csv_text, shop_rows

pytest.importorskip("polars")
pytest.importorskip("narwhals")
pytest.importorskip("sklearn")

ROWS = shop_rows(60)
TABLE = csv_text(ROWS)
COUNT = range(60)


def table(*columns, header):
    return csv_text([[*map(str, row)] for row in zip(*columns, strict=True)], header.split(","))


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        ("--target price", r"--target: expected one of the columns of t\.csv, .*got 'price'"),
        ("--target 6", "--target: expected an index from 0 to 5, or from the end -1 to -6, got 6"),
        ("--target -7", "--target: expected an index from 0 to 5"),
        ("--drop size,weight", "--drop: expected one of the columns .*got 'weight'"),
        ("--drop kind", "--drop and --target: expected two columns, got 'kind' for both"),
        ("--id kind", "--id and --target: expected two columns, got 'kind' for both"),
        ("--id nr", "--id: expected one of the columns"),
        ("--text nr", "--text: expected one of the columns"),
        ("--target key", r"column 1 \('key'\): expected a target whose classes come again, got 60"),
        ("--target color --task regress", "line .*expected"),
        (
            "--target open --task regress",
            "line 2, column 5 .*a target of numbers .*got '",
        ),
        (
            "--target when",
            r"column 4 \('when'\): expected a target of classes or numbers, got d",
        ),
        ("--target size", r"column 2 \('size'\): expected a target, got 'NA', a missing value"),
        ("--task regress --class-weight balanced --drop key", "--class-weight: goes with classes"),
        ("--class-weight 2", "--class-weight: invalid choice: '2'"),
        ("--task guess", "--task: invalid choice: 'guess'"),
        ("--sep ab", "--sep: expected one character, or one of tab,"),
        ("--sep 1", "--sep: expected one character"),
        ("--decimal ;", "--decimal: invalid choice: ';'"),
        ("--sep , --decimal ,", "--decimal and --sep: expected two characters"),
        ("--encoding utf-99", "--encoding: expected the name of one, such as utf-8"),
        ("--encoding base64", "--encoding: expected the name of one"),
        ("--date-format %Y", "--date-format: expected a format such as"),
        ("--loss huber", "--loss: models of tables are trained with AdamW.*--plain"),
        ("--schedule constant", "--schedule: models of tables are trained with AdamW"),
        ("--activation wave", "activation: expected .*'wave'"),
        ("--momentum 0.5 --optimizer adam", "--momentum goes with sgd and rmsprop, not with adam"),
        ("--loss huber", "--loss: models of tables"),
        ("--optimizer sgd", "--optimizer: models of tables"),
        ("--backend numpy", "--backend: models of tables"),
        ("--plain", r"line 2, column 1 \('key'\): expected a finite number, got 's0'"),
        ("--plain --target size", "--target: a plain network takes all columns in their order"),
        ("--test absent.csv --drop key", r"absent\.csv: expected a table, found no such file"),
        ("--seed 4294967296", "--seed: expected at most 4294967295 for tables, got 4294967296"),
        ("--save no/where", "--save: cannot write no/where"),
    ],
)
def test_options(empty_folder, refused, options, pattern):
    (empty_folder / "t.csv").write_text(TABLE, encoding="utf-8")
    refused(["train", "t.csv", "--quiet", *options.split()], pattern)
    assert [path.name for path in empty_folder.iterdir()] == ["t.csv"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "t.csv", "--save", "t.csv"],
        ["train", "t.csv", "--save", "./link.csv"],
        ["train", "t.csv", "--test", "o.csv", "--save", "o.csv"],
        ["train", "t.csv", "--valid", "o.csv", "--save", "o.csv"],
        ["train", "t.csv", "--plot", "t.csv"],
        ["predict", "m.safetensors", "t.csv", "--out", "t.csv"],
        ["predict", "t.csv", "o.csv", "--out", "t.csv"],
    ],
)
def test_what_is_read_is_not_written_over(empty_folder, refused, arguments):
    for name in ("t.csv", "o.csv"):
        (empty_folder / name).write_text(TABLE, encoding="utf-8")
    os.link("t.csv", "link.csv")
    refused(arguments, "--(save|out|plot): expected a file beside those that are read, got ")
    for name in ("t.csv", "o.csv"):
        assert (empty_folder / name).read_text(encoding="utf-8") == TABLE


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("a,b\n", "expected rows, found none but a header"),
        ("y\n1\n2\n", "expected inputs and, last, a target; got one column"),
        ("a,b,a\n1,2,3\n", "expected each name once, got 'a'"),
        (
            table(COUNT, [1, *[""] * 2, *COUNT[3:]], header="a,y"),
            r"line 3, column 2 \('y'\): .*as in 1 other",
        ),
        (
            table(COUNT, ["yes"] * 60, header="a,y"),
            r"column 2 \('y'\): expected a target of two cla.*'yes'",
        ),
        (table(COUNT, [7] * 60, header="a,y"), "expected a target of two classes or more, got 7"),
        (
            table(COUNT, ["NA"] * 60, [i % 2 for i in COUNT], header="n,gone,y"),
            r"column 2 \('gone'\): .*got none",
        ),
        (table(["1"] * 60, [i % 2 for i in COUNT], header="same,y"), "same"),
        (
            table(COUNT, [i % 2 for i in COUNT], [i % 2 for i in COUNT], header="n,z,y"),
            r"column 2 \('z'\): .*the target 'y' again",
        ),
        (
            table(COUNT, [f"c{i}" for i in COUNT], header="n,y"),
            "classes come again, got 60 different",
        ),
        (
            table(["inf", *COUNT[1:]], COUNT, header="x,y"),
            r"line 2, column 1 \('x'\): expected a finite.*'inf'",
        ),
        (
            table(["2024-02-30", *["2024-01-05"] * 59], COUNT, header="d,y"),
            "line 2, column 1 .*'2024-02-30'",
        ),
        (
            table(COUNT, [""] * 60, header="a,y"),
            r"column 2 .'y'.: expected a target, got nothing in all 60 rows: --target takes",
        ),
        ("a,y\n1,p\n2,q\n", "too few rows to hold a fifth out: 2 in 2 classes"),
        ("a,y\n1,2.5\n", "expected a target of values that differ|too few rows"),
        ("just some words\nand no table of any kind\n", "got one column"),
    ],
)
def test_tables(empty_folder, refused, text, pattern):
    (empty_folder / "t.csv").write_text(text, encoding="utf-8")
    refused(["train", "t.csv", "--quiet"], pattern)
    assert [path.name for path in empty_folder.iterdir()] == ["t.csv"]


@pytest.mark.parametrize("option", ["--valid", "--test"])
@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("size,color,open,kind\n1,red,true,3\n", r"v\.csv: expected .*columns, found no 'when'"),
        (f"{','.join(HEADER)}\ns1,1,red,2024-01-02,true,4\n", r"v\.csv: line 2, column 6 .*got 4"),
        (f"{','.join(HEADER)}\ns1,1,red,2024-01-02,true,\n", r"v\.csv: line 2, .* a target"),
        (f"{','.join(HEADER)}\ns1,1,red,2024-13-02,true,3\n", r"v\.csv: line 2, .*'2024-13-02'"),
        (f"{','.join(HEADER)}\n", r"v\.csv: expected rows, found none"),
        ("", r"v\.csv: expected "),
    ],
)
def test_other_files(empty_folder, refused, option, text, pattern):
    (empty_folder / "t.csv").write_text(TABLE, encoding="utf-8")
    (empty_folder / "v.csv").write_text(text, encoding="utf-8")
    refused(["train", "t.csv", "--drop", "key", "--quiet", option, "v.csv"], pattern)
    assert sorted(path.name for path in empty_folder.iterdir()) == ["t.csv", "v.csv"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    (folder / "t.csv").write_text(TABLE, encoding="utf-8")
    command = ["train", str(folder / "t.csv"), "--drop", "key", "--quiet", "--epochs", "2"]
    assert main([*command, "--save", str(folder / "m")]) == 0
    return str(folder / "m")


class TestModels:
    @pytest.mark.parametrize(
        ("row", "pattern"),
        [
            (
                "k,large,red,2024-01-02,true,3",
                r"line 2, column 2 \('size'\): expected a number.*'large'",
            ),
            (
                "k,1,red,2024-31-02,true,3",
                r"line 2, column 4 \('when'\): expected a date.*2024-31-02",
            ),
            (
                "k,1,red,2024-01-02,ajar,3",
                r"line 2, column 5 \('open'\): expected true or false.*'ajar'",
            ),
            (
                "k,1,red,2024-01-02,true,4",
                r"line 2, column 6 \('kind'\): .*classes \[3, 5, 8\], got 4",
            ),
            (
                "k,1,red,2024-01-02,true,",
                r"line 2, column 6 \('kind'\): expected a target, got a miss",
            ),
        ],
    )
    def test_cells(self, trained, empty_folder, capsys, row, pattern):
        (empty_folder / "t.csv").write_text(",".join(HEADER) + f"\n{row}\n", encoding="utf-8")
        assert main(["evaluate", trained, "t.csv"]) == 2
        assert re.search(pattern, capsys.readouterr().err.splitlines()[-1])

    @pytest.mark.parametrize(
        ("arguments", "pattern"),
        [
            ("predict m some.csv", r"expected the model's columns, found no 'size' and 2 others"),
            ("predict m bare.csv", "expected a header with the model's columns .*--no-header"),
            ("predict m digits", "digits: .* is a model of tables, expected one"),
            ("predict m all.csv --id nr", "--id: expected one of the columns"),
            ("predict m all.csv --id key --out p.npy", "--id: goes with .csv and .txt files"),
            ("evaluate m no.csv", r"expected the target 'kind', found .*--target"),
            (
                "predict values all.csv --proba",
                "--proba: goes with classes, values predicts val",
            ),
        ],
    )
    def test_commands(self, trained, empty_folder, refused, capsys, arguments, pattern):
        def write(name, columns, header=True):
            places = [HEADER.index(column) for column in columns.split(",")]
            rows = [[row[place] for place in places] for row in ROWS]
            text = csv_text(rows, columns.split(",") if header else None)
            (empty_folder / name).write_text(text, encoding="utf-8")

        write("some.csv", "color,kind")
        write("bare.csv", "size,color,when,open", header=False)
        write("all.csv", "key,size,color,when,open,kind")
        write("no.csv", "size,color,when,open")
        write("few.csv", "color,open,size")
        text = Path("few.csv").read_text(encoding="utf-8").replace("NA", "0")
        Path("few.csv").write_text(text, encoding="utf-8")
        command = ["train", "few.csv", "--quiet", "--epochs", "1", "--save", "values"]
        assert main(command) == 0
        capsys.readouterr()
        words = [trained if word == "m" else word for word in arguments.split()]
        refused(words, pattern)
        assert not Path("p.npy").exists()

    def test_a_damaged_model(self, trained, empty_folder, refused):
        content = Path(trained).read_bytes()
        Path("m").write_bytes(content[:-5])
        refused(["predict", "m", "digits"], "m: ")
        Path("m").write_bytes(content.replace(b"TableClassifier", b"TableClassifies"))
        refused(["info", "m"], "m: ")
