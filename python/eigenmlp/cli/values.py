"""One value of an option, from text; argparse puts the option's name before the message."""

from __future__ import annotations

import argparse
import codecs
import math

from .._basics.shown import shown

_SEPARATORS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " ", "pipe": "|"}


def sizes(text: str) -> tuple[int, ...]:
    if text == "none":
        return ()
    try:
        return tuple(positive_int(size) for size in text.split(","))
    except argparse.ArgumentTypeError:
        expected = "positive sizes with commas between them (128,64), or none"
        raise argparse.ArgumentTypeError(f"expected {expected}; got {shown(text)}") from None


def positive_int(text: str) -> int:
    if not (_is_short(text.strip()) and 1 <= int(text) < 2**31):
        raise argparse.ArgumentTypeError(f"expected a positive integer, got {shown(text)}")
    return int(text)


def seed(text: str) -> int:
    if not (_is_short(text) and int(text) < 2**63):
        raise argparse.ArgumentTypeError(f"expected an integer of 0 or more, got {shown(text)}")
    return int(text)


def positive_float(text: str) -> float:
    value = _number(text)
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"expected a positive number, got {shown(text)}")
    return value


def not_negative(text: str) -> float:
    value = _number(text)
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"expected a number of 0 or more, got {shown(text)}")
    return value


def share(text: str) -> float:
    value = _number(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to below 1, got {shown(text)}")
    return value


def names(text: str) -> tuple[str, ...]:
    """Columns, or words, with commas between them."""
    return tuple(name.strip() for name in text.split(","))


def separator(text: str) -> str:
    text = _SEPARATORS.get(text, text)
    if len(text) != 1 or not text.isascii() or text.isalnum() or text in '"\n\r\0#.+-':
        raise argparse.ArgumentTypeError(
            f"expected one character, or one of {', '.join(_SEPARATORS)}; got {shown(text)}"
        )
    return text


def encoding(text: str) -> str:
    try:
        codecs.lookup(text)
        "".encode(text)
    except (LookupError, ValueError):
        raise argparse.ArgumentTypeError(
            f"expected the name of one, such as utf-8, latin-1 or cp1252; got {shown(text)}"
        ) from None
    return text


def date_format(text: str) -> str:
    if not {"%d", "%m"} <= {text[i : i + 2] for i in range(len(text))} or len(text) > 60:
        raise argparse.ArgumentTypeError(
            f"expected a format such as %d/%m/%Y or '%m/%d/%Y %H:%M', got {shown(text)}"
        )
    return text


def _is_short(text: str) -> bool:
    """Digits, not more than Python reads."""
    return text.isdecimal() and len(text) < 100


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {shown(text)}") from None
