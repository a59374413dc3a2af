"""Tables as people write them: what is read of them, and how they are refused."""

from __future__ import annotations

import datetime
import gzip
import re
import types

import pytest

from eigenmlp.cli import table_rows
from eigenmlp.cli.commands import TableOptions
from eigenmlp.cli.reading.numeric import numbers
from eigenmlp.cli.reading.table import ReadOptions, framed, open_table
from eigenmlp.cli.reading.text import Layout, Text, laid_out
from eigenmlp.cli.reading.words import MISSING

pl = pytest.importorskip("polars")


def read(content, kinds=None, missing=MISSING, date_format=None, texts=(), name="t.csv", **layout):
    """Names and rows of a text."""
    with open(name, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    table = open_table(name, ReadOptions(Layout(**layout), missing, date_format, texts))
    return table.names, framed(table, table.names, kinds or {}).rows()


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        ("a;b;c\n1;x y;2.5\n2;y;3.5\n", "abc", [(1, "x y", 2.5), (2, "y", 3.5)]),
        ("a\tb\n1\t\n2\t3\n", "ab", [(1, None), (2, 3)]),
        ("a|b\n1|x\n", "ab", [(1, "x")]),
        ("a b c\n1  2   x\n 4 5 y\n", "abc", [(1, 2, "x"), (4, 5, "y")]),
        ("\ufeffa,b\r\n1,x\r\n2,y\r\n", "ab", [(1, "x"), (2, "y")]),
        ("a,b\r1,x\r", "ab", [(1, "x")]),
        ("sep=;\na;b,c\n1;x\n", ["a", "b,c"], [(1, "x")]),
        ('"a","b ""c"""\n"x, y",1\n', ["a", 'b "c"'], [("x, y", 1)]),
        ('a,b\n"two\nlines",2\n', "ab", [("two\nlines", 2)]),
        ('a,b\n"1","2"\n"3",4\n', "ab", [(1, 2), (3, 4)]),
        ("a,b\n\n1,x\n  \n2,y\n\n", "ab", [(1, "x"), (2, "y")]),
        ("# said\n#\na,b\n# more, here\n1,x\n#end\n", "ab", [(1, "x")]),
        ("# said\n# a,b\n1,2\n3,4\n", "ab", [(1, 2), (3, 4)]),
        ("c,n\n#ff0000,1\n# no\n#00ff00,2\n", "cn", [("#ff0000", 1), ("#00ff00", 2)]),
        ("#said\nc\n#ff0000\n# no\n#\n#00ff00\n", "c", [("#ff0000",), ("#00ff00",)]),
        ('a,b\n"x\n#no comment",1\n', "ab", [("x\n#no comment", 1)]),
        ("a,b\n1,NA\n?,x\nnan,None\n", "ab", [(1, None), (None, "x"), (None, None)]),
        ("a,b\nTrue,yes\nfalse,no\nNA,yes\n", "ab", [(True, True), (False, False), (None, True)]),
        ("a,b\nTRUE,Y\ntrue,n\nNo,N\n", "ab", [(True, True), (True, False), (False, False)]),
        ("a,b\nT,Y\nf,y\nt,Y\n", "ab", [(True, "Y"), (False, "y"), (True, "Y")]),
        ("a,b\nyes,Y\nmaybe,T\n", "ab", [("yes", "Y"), ("maybe", "T")]),
        ("1,x\n2,y\n", ["column_1", "column_2"], [(1, "x"), (2, "y")]),
        ("0,1,2,y\n5,6,7,x\n5,6,7,z\n", "012y", [(5, 6, 7, "x"), (5, 6, 7, "z")]),
        (",0,1,2\n0,5,6,x\n", ["column_1", *"012"], [(0, 5, 6, "x")]),
        ("0,1,2,y\n5,6,7,y\n", [f"column_{i}" for i in range(1, 5)],
         [(0, 1, 2, "y"), (5, 6, 7, "y")]),
        ('"a\nb",1\nc,2\n', ["column_1", "column_2"], [("a\nb", 1), ("c", 2)]),
        ("x;y|z;1\n" * 60 + 'a;"b\n' + "c\n" * 60 + '";2\n', ["column_1", "column_2", "column_3"],
         [("x", "y|z", 1)] * 60 + [("a", "b\n" + "c\n" * 59 + "c", 2)]),
        ("Ulm,red\nBonn,blue\nUlm,red\n", ["column_1", "column_2"],
         [("Ulm", "red"), ("Bonn", "blue"), ("Ulm", "red")]),
        ("town,color\nUlm,color\nBonn,red\n", ["town", "color"],
         [("Ulm", "color"), ("Bonn", "red")]),
        ("column_2,,y\n1,2,x\n", ["column_2", "column_2_", "y"], [(1, 2, "x")]),
        (",b,\n1,x,y\n", ["column_1", "b", "column_3"], [(1, "x", "y")]),
        ("a,b\nMünchen,1\n", "ab", [("München", 1)]),
    ],
)  # fmt: skip
def test_text(empty_folder, text, names, rows):
    assert read(text) == ([*names], rows)


def test_numbers_alone_are_read_at_once(empty_folder, monkeypatch):
    """Without a look at single rows, as far as nothing is wrong with one."""
    monkeypatch.setattr(Text, "records", lambda self: pytest.fail("row by row"))
    assert read("a,b\n1,2.5\n-3e2,4\n") == (["a", "b"], [(1.0, 2.5), (-300.0, 4.0)])
    text = laid_out(b"1;2,5\n", "t.csv", Layout(point=","))
    assert numbers(text, ",").tolist() == [[1.0, 2.5]]


def test_encodings(empty_folder):
    text = "a\tb\nMünchen\t1\n"
    assert read(text.encode("utf-16"))[1] == [("München", 1)]
    assert read(text.encode("latin-1"), encoding="latin-1")[1] == [("München", 1)]
    with pytest.raises(ValueError, match=r"text in UTF-8: .*0xfc.*--encoding"):
        read(text.encode("latin-1"))


def test_what_is_told(empty_folder):
    assert read("a;b\n1,5;x\n2;y\n", point=",")[1] == [(1.5, "x"), (2.0, "y")]
    assert read("a b;c\n", header=False)[1] == [("a b", "c")]
    assert read("2019,2020\n1,2\n", header=True) == (["2019", "2020"], [(1, 2)])
    assert read("a,b\n-9,x\n1,NA\n", missing=frozenset({"", "-9"}))[1] == [(None, "x"), (1, "NA")]
    assert read("a,b\n007,1\n", texts=("a",))[1] == [("007", 1)]
    assert read("a,b;c\n1,2;3\n", separator=",") == (["a", "b;c"], [(1, "2;3")])


def test_kinds_that_are_told(empty_folder):
    """A file of a few rows may look like another kind than the model's."""
    kinds = {"zip": "texts", "on": "booleans", "day": "times", "n": "numbers"}
    _, rows = read("zip,on,day,n\n007,1,2024/3/9,NA\n", kinds)
    assert rows == [("007", 1, datetime.datetime(2024, 3, 9), None)]
    _, rows = read("a;b\nYES;x\nf;y\n0;z\nNA;z\n", {"a": "booleans"})
    assert [row[0] for row in rows] == [True, False, False, None]
    with pytest.raises(ValueError, match=r"line 3, column 1 .*expected true or false, got 'ajar'"):
        read("a;b\ntrue;x\najar;y\n", {"a": "booleans"})


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["2024-02-29", "NA", "2024-3-1"], [(2024, 2, 29), None, (2024, 3, 1)]),
        (["2024/02/29 23:59"], [(2024, 2, 29, 23, 59)]),
        (["2024-02-29T23:59:01.5Z", "NA"], [(2024, 2, 29, 23, 59, 1, 500_000), None]),
        (["2024-02-29 23:59", "2024-02-29"], [(2024, 2, 29, 23, 59), (2024, 2, 29)]),
        (["2024-02-29 23:59:01+02:00"], [(2024, 2, 29, 23, 59, 1)]),
        (["01.02.2024", "03.02.2024 10:00"], [(2024, 2, 1), (2024, 2, 3, 10)]),
        (["01/02/2024", "13/02/2024"], [(2024, 2, 1), (2024, 2, 13)]),
        (["01/02/2024", "02/13/2024"], [(2024, 1, 2), (2024, 2, 13)]),
        (["11/28/26", "NA", "1/2/25"], [(2026, 11, 28), None, (2025, 1, 2)]),
        (["11/28/2026 03:15 PM", "1/2/2026 12:00 am"], [(2026, 11, 28, 15, 15), (2026, 1, 2)]),
        (["28-Nov-26", "2 Jan 2025"], [(2026, 11, 28), (2025, 1, 2)]),
    ],
)  # fmt: skip
def test_dates(empty_folder, cells, expected):
    dates = [None if one is None else datetime.datetime(*one) for one in expected]
    rows = read("d;n\n" + "".join(f"{cell};1\n" for cell in cells))[1]
    assert [row[0] for row in rows] == dates


def test_date_format(empty_folder):
    text = "d,n\n01/02/2024,1\n03/04/2024,2\n"
    with pytest.raises(ValueError, match=r"line 2, column 1 \('d'\).*day and month.*--date-format"):
        read(text)
    rows = read(text, date_format="%d/%m/%Y")[1]
    assert rows[0][0] == datetime.datetime(2024, 2, 1)
    with pytest.raises(ValueError, match=r"--date-format '%d/%m/%y %I:%M %p', or '%m/%d/%y"):
        read("d,n\n01/02/24 1:00 PM,1\n03/04/24 2:00 PM,2\n")
    day = datetime.datetime(2026, 11, 28)
    rows = read("d,n\n20261128,1\nNA,2\n", date_format="%Y%m%d")[1]
    assert rows == [(day, 1), (None, 2)]
    assert read("d,n\n28~11~26,1\n", date_format="%d~%m~%y")[1] == [(day, 1)]


def test_words_that_are_told_are_no_dates(empty_folder):
    rows = read("d,n\n2024-02-29,1\n2024-03-01,2\n", texts=("d",))[1]
    assert rows == [("2024-02-29", 1), ("2024-03-01", 2)]


def test_gzip_and_parquet(empty_folder):
    text = "a,b\n1,x\n2,\n"
    expected = (["a", "b"], [(1, "x"), (2, None)])
    assert read(gzip.compress(text.encode()), name="t.csv.gz") == expected
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", None]})
    frame.write_parquet("t.parquet")
    with open("t.parquet", "rb") as file:
        assert read(file.read(), name="t.parquet") == expected
    frame.with_columns(c=pl.Series([[1], [2]])).write_parquet("t.parquet")
    table = open_table("t.parquet", ReadOptions())
    frame.clear().write_parquet("none.parquet")
    with pytest.raises(ValueError, match=r"none\.parquet: expected rows, found none"):
        open_table("none.parquet", ReadOptions())
    with pytest.raises(ValueError, match=r"column 3 \('c'\): expected numbers, .*got List"):
        table.column("c")


@pytest.mark.parametrize("index", ["__index_level_0__", "day"])
def test_the_index_of_a_frame_is_no_data(empty_folder, index):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": [1, 2, 3], "y": [0, 1, 1]}, index=[2, 0, 1])
    frame.index.name = None if index.startswith("_") else index
    frame.to_parquet("t.parquet")
    table = open_table("t.parquet", ReadOptions())
    assert table.indexes == [index]
    said = []
    report = types.SimpleNamespace(say=said.append)
    assert table_rows.chosen_columns(table, TableOptions(), report) == ("y", ["a"])
    assert f"column 3 ('{index}') is the frame's index: left out" in said[0]
    assert table_rows.chosen_columns(table, TableOptions(id=index), report) == ("y", ["a"])
    assert (table.place("0", "--drop"), table.place(index, "--id")) == ("a", index)
    with pytest.raises(ValueError, match=r"got 2: t\.parquet has 2 columns"):
        table.place("2", "--target")


ORDERLY = "".join(f"{i},{i}\n" for i in range(30))


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        ("", "expected rows, found none$"),
        (" \n\n", "expected rows, found none$"),
        ("a,b\n", "found none but a header"),
        ("a,b\n\u00a0\n\u3000 \u0085", "found none but a header"),  # blank, though no ASCII
        ("a,b,a\n1,2,3\n", "expected each name once, got 'a' for columns 1 and 3"),
        ("a,b,c\n1,2,3\n4,5\n", "line 3: expected 3 columns, got 2"),
        ("a,b,c\n1,2,\n4,5\n", "line 3: expected 3 columns, got 2"),
        ('a,b,c\n1,"2",\n# no\n"4",5\n', "line 4: expected 3 columns, got 2"),
        ("a,b\n1,2,3\n", "line 2: expected 2 columns, got 3"),
        ('a,b\n1,"2\n3,4\n', r"line 2, column 2 \('b'\): expected quotes around whole"),
        (f"a,b\n{ORDERLY}\n7,oops\n{ORDERLY}", r"line 33, column 2 \('b'\): .*a number.*'oops'"),
        (f"{ORDERLY}1,inf\n", "line 31, column 2: expected a finite number, got 'inf'"),
        (f"a;b\n# c\n\n1;x\n{ORDERLY.replace(',', ';')}2;-Infinity\n", "expected a number as"),
        ("a,b\n1e400,x\n2,y\n", r"line 2, column 1 \('a'\): expected a finite number, got '1e400'"),
        ("d,b\n2024-01-05,x\n2024-13-05,y\n2024-02-05,z\n", "line 3, column 1.*'2024-13-05'"),
        ("2019,2023,price\n1,2,3\n4,5,6\n", "line 1, column 3: .*'price' .a header"),
        ("a;b\n1,5;x\n2,5;y\n", r"line 2, column 1 \('a'\): .* got '1,5' .--decimal ,"),
        ("a;b\n13;x\n12,5;y\n14;z\n", r"line 3, column 1 .'a'.: .* got '12,5' .--decimal ,"),
        ("a;b\n130;x\n1,500;y\n14;z\n", r"line 3, column 1 .*got '1,500' .commas .*thousands"),
        ("a;b\n1,500,000;x\n", r"line 2, column 1 .*got '1,500,000' .commas .*thousands"),
        ('a,b\n1,x\n\n2,"y"z\n', r"line 4, column 2 \('b'\): expected quotes around whole"),
        ('a,b\n1,x"y\n2,z\n', r"line 2, column 2 \('b'\): expected quotes around whole"),
        ('a,b\n1,2,x"y\n', r"line 2, column 3: expected quotes around whole"),  # without a name
        (b"\x89PNG\r\n\x1a\n", "expected a table: .*got a picture"),
        (b"PK\3\4abc", "got a ZIP archive .an Excel workbook"),
        (b"PAR1 and no more", "expected a whole Parquet file"),
        (b"\x1f\x8b\x08\0\0\0", "expected a whole gzip file"),
        (b"a,b\n1,2\n3,\0\n", "got a zero byte in line 3$"),
        ("a,b\n1,2\n".encode("utf-16-le"), "zero byte in line 1 .text in UTF-16 is told by --enc"),
        ('{"a": 1, "b": 2}\n', "got JSON"),
        ('[{"a": 1}]\n', "got JSON"),
    ],
)  # fmt: skip
def test_refused(empty_folder, content, pattern):
    with pytest.raises(ValueError, match=pattern) as error:
        read(content)
    assert re.match(r"t\.csv: ", str(error.value)) and len(str(error.value)) < 400


def test_a_quote_inside_a_name_takes_no_rows(empty_folder):
    """Only one that begins a field goes on beyond the line."""
    rows = [(i, i + 1) for i in range(70)]
    body = "".join(f"{a},{b}\n" for a, b in rows)
    assert read(f'\n5" disks,b\n{body}') == (['5" disks', "b"], rows)
    assert read(f'"5""\ndisks",b\n{body}') == (['5"disks', "b"], rows)


def test_blank_lines_of_any_spaces_are_no_rows(empty_folder):
    text = "a,b\n1,x\n\u00a0\n2,y\n\u3000\t\u2003\n"
    assert read(text) == (["a", "b"], [(1, "x"), (2, "y")])


@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize("blank", [" ", "\v", "\f", "\x1c", "\u00a0", "\u00a0 "])
@pytest.mark.parametrize("end", ["", "\n"])
def test_blank_lines_at_the_end_and_among_tabs_are_no_rows(empty_folder, separator, blank, end):
    text = f"a,b\n1,x\n{blank}\n2,\n{blank}{end}".replace(",", separator)
    assert read(text) == (["a", "b"], [(1, "x"), (2, None)])


def test_words_among_numbers_are_told_of(empty_folder):
    rows = "".join(f"{i},x\n" for i in range(20))
    with open("t.csv", "w", encoding="utf-8") as file:
        file.write(f"a,b\n{rows}c1,x\nc2,y\n")
    table = open_table("t.csv", ReadOptions())
    assert table.column("a").dtype == pl.String
    expected = "t.csv: line 22, column 1 ('a'): taken as words, as 'c1' is no number; 20 of 22"
    assert [note.startswith(expected) for note in table.notes] == [True]


@pytest.mark.parametrize(
    "cells",
    [
        ["12%", "7 %"], ["$12.50", "-$7"], ["12 €", "7,50 €"], ["1.234.567", "7.654.321"],
        ["1 000", "2 500"], ["\u22121.5", "\u22122"], ["$1,234.50", "$7"],
    ],
)  # fmt: skip
def test_numbers_with_signs_are_told_of(empty_folder, cells):
    with open("t.csv", "w", encoding="utf-8") as file:
        file.write("a;b\n" + "".join(f"{cell};x\n" for cell in cells))
    table = open_table("t.csv", ReadOptions())
    assert table.column("a").to_list() == cells
    (note,) = table.notes
    assert note.startswith(f"t.csv: line 2, column 1 ('a'): taken as words, as '{cells[0]}' is no")


def test_codes_with_zeros_are_told_of(empty_folder):
    with open("t.csv", "w", encoding="utf-8") as file:
        file.write("zip,b\n2139,x\n01007,y\n")
    table = open_table("t.csv", ReadOptions())
    assert table.column("zip").to_list() == [2139, 1007]
    assert table.notes == [
        "t.csv: line 3, column 1 ('zip'): '01007' is taken as a number; --text 'zip' takes words"
    ]


def test_thousands_beside_decimal_commas(empty_folder):
    with pytest.raises(
        ValueError, match=r"line 2, column 1 .'a'.: .*'1\.234,5' .dots that separate"
    ):
        read("a;b\n1.234,5;x\n2.000;y\n7;z\n", point=",")


def test_columns_of_words_beside_a_few_numbers_are_words(empty_folder):
    rows = read("a,b\n12,x\nA7,y\nB9,z\n")[1]
    assert [row[0] for row in rows] == ["12", "A7", "B9"]


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        (",a\n0,x\n1,y\n", True),
        (",a\n9,x\n4,y\n", True),
        (",a\n9,x\n9,y\n", False),
        ("id,a\n7,x\n8,y\n9,x\n", True),
        ("id,a\n7,x\n9,y\n10,x\n", False),
        ("n,a\n1,x\n2,y\n", False),
    ],
)
def test_a_first_column_that_counts_rows(empty_folder, text, counts):
    with open("t.csv", "w", encoding="utf-8") as file:
        file.write(text)
    table = open_table("t.csv", ReadOptions())
    assert (table.counter() is not None) == counts


ROWS = "".join(f"{3 * i % 7}.5,{i * i % 11},{i % 2}\n" for i in range(20))


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        (f"2019,2020,2021\n{ROWS}", ["2019", "2020", "2021"], 20),
        (f"0,1,2\n{ROWS}", ["0", "1", "2"], 20),
        (f"2000,2005,2010\n{ROWS}", ["2000", "2005", "2010"], 20),
        (f"2019,2020,price\n{ROWS}", ["2019", "2020", "price"], 20),
        (f",2019,2020\n{ROWS}", ["column_1", "2019", "2020"], 20),
        (f'"7","3","9"\n{ROWS}', ["7", "3", "9"], 20),
        ("2019,2020,town\n1,2.5,Ulm\n3,4.5,Bonn\n", ["2019", "2020", "town"], 2),
        (ROWS, None, 20),
        (f"2019,2020,2021\n{ROWS}2019,2020,2021\n", None, 22),  # one of several
        ("1,2,3\n2,3,4\n3,4,5\n", None, 3),
        ("2019,2020,Ulm\n2001,2002,Ulm\n2003,2005,Bonn\n", None, 3),
        ("2019,x,kind\n" + "5,a,no\n6,b,yes\n7,c,no\n" * 2, ["2019", "x", "kind"], 6),
        ("3,town,7\n" + "5,Ulm,1\n6,Bonn,2\n7,Ulm,4\n" * 3, ["3", "town", "7"], 9),
        (
            "3,x,day\n" + "".join(f"{i},{i}b,2024-01-0{i}\n" for i in range(1, 8)),
            ["3", "x", "day"],
            7,
        ),
        ("2019,2020,2021\n", None, 1),
        ("3,Rome,7\n" + "5,Ulm,1\n6,Bonn,2\n7,Rome,4\n" * 3, None, 10),
        ("3.5,Rome,7\n" + "5,Ulm,1\n6,Bonn,2\n7,Ulm,4\n" * 3, None, 10),
        ("3,x,7\n" + "".join(f"{i},x{i},1\n" for i in range(9)), None, 10),
        ("5,3,9\n1,8,2\n", None, 2),
    ],
)
def test_numbers_for_names(empty_folder, text, names, rows):
    """No row is lost, and none is made of names, without a word."""
    with open("t.csv", "w", encoding="utf-8") as file:
        file.write(text)
    table = open_table("t.csv", ReadOptions())
    assert table.rows == rows
    assert table.names == (names or ["column_1", "column_2", "column_3"])
    said, is_odd = table.assumed
    assert is_odd == (names is not None) or re.match(r"3(\.5)?,[xR]", text)
    if names is None:
        assert re.match(
            r"t\.csv: no header: the first row is taken for data: .*--header takes", said
        )
    else:
        assert re.match(r"t\.csv: the first row is taken for names: .*; --no-header takes", said)


@pytest.mark.parametrize(
    ("first", "is_odd"),
    [
        ("2019,2031,2007", True),  # far from what is below
        ("5,2.5,north", True),
        ("5,2,7", False),
        ("0,3,south", False),
        ("5,2,1.5", False),
    ],
)
def test_a_first_row_that_stands_out_is_told_of(empty_folder, first, is_odd):
    last = "south" if first.endswith("th") else "1"
    with open("t.csv", "w", encoding="utf-8") as file:
        file.write(f"{first}\n" + "".join(f"{i % 9},{i % 5},{last}\n" for i in range(20)))
    table = open_table("t.csv", ReadOptions())
    assert (table.rows, table.assumed[1]) == (21, is_odd)
    assert open_table("t.csv", ReadOptions(Layout(header=False))).assumed == ("", False)
    assert open_table("t.csv", ReadOptions(Layout(header=True))).assumed == ("", False)


def test_words_that_come_again_are_no_names(empty_folder):
    with open("t.csv", "w", encoding="utf-8") as file:
        file.write("Ulm,red\nBonn,blue\nUlm,red\n")
    assert open_table("t.csv", ReadOptions()).assumed[1]
    assert open_table("t.csv", ReadOptions(Layout(header=True))).names == ["Ulm", "red"]
    assert open_table("t.csv", ReadOptions(), ["red"]).names == ["Ulm", "red"]


def test_the_names_that_a_model_expects_are_a_header(empty_folder):
    with open("t.csv", "w", encoding="utf-8") as file:
        file.write("7,3\n1,2\n")
    table = open_table("t.csv", ReadOptions(), ["3", "7"])
    assert (table.names, table.rows) == (["7", "3"], 1)
    assert open_table("t.csv", ReadOptions(), ["3", "8"]).rows == 2
    with open("u.csv", "w", encoding="utf-8") as file:
        file.write("a;b,c\n1,2\n")
    assert open_table("u.csv", ReadOptions(), ["c", "a;b"]).names == ["a;b", "c"]
    assert open_table("t.csv", ReadOptions(Layout(header=False)), ["3", "7"]).rows == 2
