"""Saves that do not wait for the disk."""

import os

import pytest


@pytest.fixture(autouse=True)
def without_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand saves need not reach the disk: that may take minutes where it is busy."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
