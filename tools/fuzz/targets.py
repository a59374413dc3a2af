"""The kinds of files by name; each is imported when it is asked for, since onnx takes a while."""

from __future__ import annotations

from importlib import import_module

from .target import Target

FILES = {
    "model": ("model_files", "MODEL"),
    "trainer": ("model_files", "TRAINER"),
    "onnx": ("onnx_files", "ONNX"),
    "idx": ("idx_files", "IDX"),
    "csv": ("tables", "CSV"),
    "table": ("tables", "TABLE"),
    "npz": ("tables", "NPZ"),
}


def find(name: str) -> Target:
    module, variable = FILES[name]
    target: Target = getattr(import_module(f"{__package__}.{module}"), variable)
    return target
