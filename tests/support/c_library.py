"""What `em.codegen.to_c` writes, compiled and called."""

import ctypes
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em

CC = next(filter(None, map(shutil.which, filter(None, [os.environ.get("CC"), "cc", "gcc"]))), None)


def compiled(given: Any, folder: Path, **options: Any) -> Any:
    if CC is None:
        pytest.skip("no C compiler: neither $CC nor cc nor gcc")
    source, library = folder / "model.c", folder / "model.so"
    em.codegen.to_c(given, source, **options)
    warnings = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wdouble-promotion"]
    command = [CC, "-std=c99", "-O1", *warnings, "-shared", "-fPIC", source, "-o", library, "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return ctypes.CDLL(str(library))


def each(function: Any, X: Any, outputs: int, dtype: Any) -> Any:
    Y = np.zeros((len(X), outputs), dtype)
    for x, y in zip(X, Y, strict=True):
        function(x.ctypes.data_as(ctypes.c_void_p), y.ctypes.data_as(ctypes.c_void_p))
    return Y
