"""The package onnx, imported when it is needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def onnx(part: str = "") -> Any:
    """The module ``onnx``, or ``onnx.part``."""
    try:
        return import_module(f"onnx.{part}" if part else "onnx")
    except ImportError as error:
        raise ImportError("ONNX files need onnx: pip install onnx") from error
