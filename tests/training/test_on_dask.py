"""Searches, packs of networks and predictions on two workers of Dask; see `support.dask_checks`."""

import importlib.util
import subprocess
import sys

import pytest

from support.paths import ROOT


@pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="needs pip install 'dask[distributed]'"
)
def test_a_cluster_gives_what_this_process_gives() -> None:
    checks = ROOT / "tests" / "support" / "dask_checks.py"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(checks)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout
