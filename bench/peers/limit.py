"""The multiply-add limit: builds native/fma_limit.cpp and lets it take its turns."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "native" / "fma_limit.cpp"


class Limit:
    """A process that measures GF/s in float32 whenever it is asked; None without a compiler."""

    def __init__(self, isa: str, threads: int) -> None:
        self.process: subprocess.Popen[str] | None = None
        compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
        if not compiler:
            return
        x86 = platform.machine() in ("x86_64", "AMD64")
        march = f"x86-64-{isa}" if x86 and isa in ("v2", "v3", "v4") else "native"
        self._folder = tempfile.TemporaryDirectory(prefix="fma_limit_")
        program = str(Path(self._folder.name, "fma_limit"))
        flags = ["-std=c++20", "-O3", f"-march={march}", "-ffp-contract=fast", "-pthread"]
        built = subprocess.run([compiler, *flags, str(SOURCE), "-o", program])
        if built.returncode == 0:
            self.process = subprocess.Popen(
                [program, str(threads)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )

    def turn(self, seconds: float) -> float | None:
        """GF/s of all threads together."""
        if self.process is None:
            return None
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline()) * 1e-9

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()
            self._folder.cleanup()
