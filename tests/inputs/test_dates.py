"""Dates as people write them: which are read, and which of day and month comes first."""

import datetime

import pytest

from eigenmlp._inputs import dates

EPOCH = datetime.datetime(1970, 1, 1)


def read(*texts: str, order: str = "") -> list[datetime.datetime | None]:
    found = dates.read(texts, order).found
    return [
        EPOCH + datetime.timedelta(microseconds=found[text]) if text in found else None
        for text in texts
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-02-29", (2024, 2, 29)),
        (" 2024/2/9 ", (2024, 2, 9)),
        ("2024.02.29 7:05", (2024, 2, 29, 7, 5)),
        ("2024-02-29T23:59:01.5Z", (2024, 2, 29, 23, 59, 1, 500_000)),
        ("2024-02-29T23:59:01,123456789+0200", (2024, 2, 29, 23, 59, 1, 123_456)),
        ("2024-02-29 12:30 AM", (2024, 2, 29, 0, 30)),
        ("2024-02-29, 12 p.m.", (2024, 2, 29, 12)),
        ("11/28/2026 03:15 PM", (2026, 11, 28, 15, 15)),
        ("11/28/2026 3:15:07\u202fpm", (2026, 11, 28, 15, 15, 7)),
        ("11/28/26", (2026, 11, 28)),
        ("28.11.68", (2068, 11, 28)),
        ("28.11.69", (1969, 11, 28)),
        ("28-NOV-26", (2026, 11, 28)),
        ("28nov2026", (2026, 11, 28)),
        ("3. March 2024", (2024, 3, 3)),
        ("Sat, 28 Nov 2026 15:02:57 GMT", (2026, 11, 28, 15, 2, 57)),
        ("November 28th, 2026 3 PM", (2026, 11, 28, 15)),
        ("2026-Nov-28", (2026, 11, 28)),
    ],
)
def test_forms(text: str, expected: tuple[int, ...]) -> None:
    assert dates.look_so(text)
    assert read(text) == [datetime.datetime(*expected)]


@pytest.mark.parametrize(
    "text",
    ["2024-02-30", "2024-13-01", "13/13/2024", "2024-02-29 13:00 PM", "2024-02-29 24:00",
     "2024-02-29 0:00 AM", "0000-01-01", "29 Feb 2023"],
)  # fmt: skip
def test_what_looks_so_and_is_none(text: str) -> None:
    assert dates.look_so(text)
    assert read(text) == [None]


@pytest.mark.parametrize(
    "text", ["", "soon", "1.2", "10.0.0.1", "1.2.3", "2024-02/29", "2024-02", "20240229", "12:30",
             "3 in 2024", "2024-02-29x", "1/2/2024 7"],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    assert not dates.look_so(text)
    assert read(text) == [None]


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        (["01/02/2024", "13/02/2024"], "dmy"),
        (["01/02/2024", "02/13/2024"], "mdy"),
        (["01/02/24", "02/13/24"], "mdy"),
        (["01.02.2024", "03.04.2024"], "dmy"),  # with dots the day is first
        (["01.02.24"], "dmy"),
        (["28/11/26", "13/01/26", "05/02/25"], "dmy"),  # of few years
        (["95-11-28", "97-01-02"], "ymd"),
        (["01/01/2024", "02/02/2024"], "dmy"),  # the same in both
        (["13/13/2024"], ""),
        (["2024-02-29", "29 Feb 2024"], ""),
    ],
)
def test_all_texts_tell_the_order(texts: list[str], order: str) -> None:
    assert dates.read(texts).order == order


@pytest.mark.parametrize(
    ("texts", "forms"),
    [
        (["01/02/2024", "03/04/2024"], ["%d/%m/%Y", "%m/%d/%Y"]),
        (["1/2/24 10:05 am"], ["%d/%m/%y %I:%M %p", "%m/%d/%y %I:%M %p"]),
        (["26-11-28", "26-11-05"], ["%d-%m-%y", "%y-%m-%d"]),
        (["01/11/26", "01/05/24"], ["%d/%m/%y", "%m/%d/%y", "%y/%m/%d"]),
    ],
)
def test_what_no_text_tells_is_said(texts: list[str], forms: list[str]) -> None:
    with pytest.raises(dates.Undecided, match=r"day and month no row tells apart") as caught:
        dates.read(texts)
    assert caught.value.forms == forms and caught.value.text in texts


def test_an_order_that_is_told() -> None:
    assert read("01/02/26", order="mdy") == [datetime.datetime(2026, 1, 2)]
    assert read("26/01/02", order="ymd") == [datetime.datetime(2026, 1, 2)]
    assert read("13/02/2024", "2024-02-13", order="mdy") == [None, datetime.datetime(2024, 2, 13)]
