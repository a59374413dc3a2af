"""``eigenmlp`` refuses files in one line."""

from __future__ import annotations

import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp.cli.npz import read_arrays
from support.command import write_blobs


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
            ("", "expected rows, found none"),
            ("a,b,label\n", "expected rows, found none but a header"),
            ("a,b,label\n\u00a0\n", "expected rows, found none but a header"),
            ("1,2,0\n1,2\n", "line 2: expected 3 columns, got 2"),
            (
                "a,b,y\n1,2,0\n1,x,1\n",
                r"line 3, column 2 \('b'\): expected a finite number, got 'x'",
            ),
            ("1,2,0\n1,,1\n", "line 2, column 2: expected a finite number, got ''"),
            ("1,,0\n1,2,1\n", "line 1, column 2: expected a finite number, got ''"),
            ("nan,2,0\n1,2,1\n", "line 1, column 1: expected a finite number, got 'nan'"),
            ("1,2,0\n1,1e999,1\n", "line 2, column 2: expected a finite number"),
            ("1\n2\n3\n", "expected inputs and, last, a target; got one column"),
            ("1,2,-1\n1,2,0\n", "classes are 0 to K - 1, got -1, 0; --task regress"),
            ("1,2,5000\n1,2,0\n", "classes are 0 to K - 1, got 0, 5000; --task regress"),
        ],
    )
    def test_csv_of_numbers(self, empty_folder, refused, text, pattern):
        """For a plain network; what tables may hold is in test_tables_bad_files."""
        (empty_folder / "data.csv").write_text(text, encoding="utf-8")
        refused(["train", "data.csv", "--plain"], pattern)
        assert [path.name for path in empty_folder.iterdir()] == ["data.csv"]

    @pytest.mark.parametrize(
        ("first", "column", "cell"),
        [
            *[(f"{cell},b,c", 1, cell) for cell in ("NA", "?", "None", "0x10", "nan", "-", "True")],
            *[(f"{cell},{cell},{cell}", 1, cell) for cell in ("NA", "na", "Null", "-0B1", "5kg")],
            ("1,NA,0", 2, "NA"),
            (",,", 1, ""),
            ("2019,2023,price", 3, "price"),
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
        model = ["--plain"] if command == "train" else ["m.safetensors"]
        expected = f"line 1, column {column}: expected a finite number, got {cell!r}"
        refused([command, *model, "data.csv"], re.escape(expected))

    def test_csv_that_is_none(self, empty_folder, refused):
        (empty_folder / "data.csv").write_bytes(b"\xff\xfe\x00binary")
        refused(["train", "data.csv"], "data.csv: expected a table as text in utf-16: ")

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
