"""What came, in an error message."""

from __future__ import annotations

_LONGEST = 80
_LINE = 360


def shown(value: object) -> str:
    """Of a value its repr, as far as it goes on a line; its type where it has none.

    Examples
    --------
    >>> shown("relu"), shown(10**5000)
    ("'relu'", 'an int of 16610 bits')
    >>> len(shown([1] * 1000))
    80
    """
    try:
        text = repr(value)
    except Exception:  # whatever a user's object raises, the message is about something else
        if isinstance(value, int):  # of more digits than Python writes
            return f"an int of {value.bit_length()} bits"
        return f"a {type(value).__name__}"[:_LONGEST]
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def one_line(text: str) -> str:
    """A message on one line, of a length that people read: its beginning and its end."""
    line = " ".join(text.encode(errors="backslashreplace").decode().split())  # any output takes it
    if len(line) <= _LINE:
        return line
    return f"{line[: 2 * _LINE // 3]} … {line[-_LINE // 3 :]}"
