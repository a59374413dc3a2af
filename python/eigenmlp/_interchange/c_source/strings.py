"""Texts as C has them."""

from __future__ import annotations

from ..._basics.shown import shown

_PLAIN = frozenset(b" abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_LONGEST = 4095  # bytes of a string that every C99 compiler takes


def string(value: str, what: str) -> str:
    """UTF-8 written in ASCII, so that quotes, line ends and trigraphs are nothing but bytes."""
    try:
        text = value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"to_c: expected {what} that UTF-8 can hold, got {shown(value)}") from None
    if 0 in text:
        raise ValueError(f"to_c: expected {what} without NUL, which ends C's, got {shown(value)}")
    if len(text) > _LONGEST:
        raise ValueError(
            f"to_c: expected {what} of at most {_LONGEST:,} bytes, as C99 has them, got "
            f"{len(text):,}: {shown(value)}"
        )
    return '"' + "".join(chr(x) if x in _PLAIN else f"\\{x:03o}" for x in text) + '"'
