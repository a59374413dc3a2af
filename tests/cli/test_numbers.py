"""Numbers in text are the doubles nearest to them, and nothing else is a number."""

from __future__ import annotations

import decimal
import random

import numpy as np
import pytest

from eigenmlp._core import _text


def written(rng):
    """A number as programs write them: shortest, fixed, scientific, long, or next to a tie."""
    x = rng.gauss(0, 1)
    way = rng.randrange(7)
    if way == 0:
        return repr(x * 10.0 ** rng.randint(-30, 30))
    if way == 1:
        return f"{x:.18e}"
    if way == 2:
        return f"{x:.6g}"
    if way == 3:
        return str(rng.randint(-(10 ** rng.randint(1, 25)), 10**18))
    if way == 4:
        return f"{x:.{rng.randint(0, 22)}f}"
    if way == 5:
        return f"{'+' if x > 0 else '-'}{abs(x):.3E}"
    with decimal.localcontext() as context:
        context.prec = rng.choice([17, 18, 19, 20, 40, 800])
        middle = (decimal.Decimal(abs(x)) + decimal.Decimal(float(np.nextafter(abs(x), 9)))) / 2
        return str(+middle)


def test_nearest_doubles():
    rng = random.Random(1)
    texts = [written(rng) for _ in range(60_000)]
    data, columns, stopped = _text.numbers("\n".join(texts).encode(), ",", ".")
    assert (columns, stopped) == (1, -1)
    expected = np.array([float(text) for text in texts])
    np.testing.assert_array_equal(np.frombuffer(data).view("u8"), expected.view("u8"))


@pytest.mark.parametrize("text", ["0", "-0", "00.0", ".5", "5.", "1e5", "1E+05", "1e-400", "1e400"])
def test_forms(text):
    data, _, stopped = _text.numbers(text.encode(), ",", ".")
    assert stopped == -1
    expected = np.array([float(text)])
    np.testing.assert_array_equal(np.frombuffer(data).view("u8"), expected.view("u8"))


@pytest.mark.parametrize(
    "text",
    [
        *("nan", "inf", "x", "", ".", "-", "1e", "e5", "1_0", "0x10", "1.2.3", "1 2", "--1", "٣"),
        *("1e+", "1,", '"1"', "1;2"),
    ],
)
def test_no_numbers(text):
    content = f"1\n{text}\n2\n" if text else "1,2\n,3\n"
    data, _, stopped = _text.numbers(content.encode(), ",", ".")
    assert len(data) == 0 and stopped >= 0


def test_rows_and_spaces():
    data, columns, stopped = _text.numbers(b"\n 1 ;\t2,5\r\n\n\n 3 ; 4 ", ";", ",")
    assert (columns, stopped) == (2, -1)
    np.testing.assert_array_equal(np.frombuffer(data), [1, 2.5, 3, 4])
    assert _text.numbers(b"", ",", ".") == (bytearray(), 0, -1)


@pytest.mark.parametrize("text", [b"1,2\n3\n", b"1,2\n3,4,5\n", b"1\n2,3\n", b"1,2\n3,", b"1,2,\n"])
def test_rows_of_different_lengths(text):
    data, _, stopped = _text.numbers(text, ",", ".")
    assert len(data) == 0 and 0 < stopped <= len(text)
