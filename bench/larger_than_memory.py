"""Rows larger than memory through 784-128-10, in a process whose memory is limited.

    python -m bench.larger_than_memory FOLDER [--gigabytes 20] [--limit 1.0] [--keep]

Writes 20 files of uint8 rows into FOLDER and trains an epoch on them, batch 256, shuffled; prints
the most memory that the process had, the speed, that of the steps alone on rows in memory, and that
of reading alone, past the page cache and through it, with the seconds of a processor that each
takes. With root's rights and control groups the limit is the system's, page cache included; else
only what was used is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

_FILES = 20
_V1 = Path("/sys/fs/cgroup/memory")  # control groups of version 1
_GROUP = (_V1 if _V1.is_dir() else _V1.parent) / "eigenmlp-bench"
_LIMIT = "memory.limit_in_bytes" if _V1.is_dir() else "memory.max"


def write_files(folder: Path, gigabytes: float) -> None:
    rows = int(gigabytes * 1e9 / 784) // _FILES
    block = np.random.default_rng(0).integers(0, 256, (20_000, 784), dtype=np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(_FILES):
        header = {"descr": "|u1", "fortran_order": False, "shape": (rows, 784)}
        with open(folder / f"{i:02}.npy", "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for begin in range(0, rows, len(block)):
                file.write(block[: min(len(block), rows - begin)].tobytes())
            file.flush()
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def train(folder: Path) -> dict[str, float]:
    import eigenmlp as em

    X = em.datasets.open_shards(folder)
    y = np.random.default_rng(1).integers(0, 10, len(X)).astype(np.uint8)
    net = em.MLP([784, 128, 10], input_scale=1 / 255, seed=0)
    began = time.perf_counter()
    net.fit(X, y, epochs=1, batch_size=256, progress=False)
    took = time.perf_counter() - began
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    few = X[:200_000]
    began = time.perf_counter()
    for _ in range(10):
        net.fit(few, y[: len(few)], epochs=1, batch_size=256, progress=False)
    steps = (time.perf_counter() - began) / (10 * len(few)) * len(X)
    bytes_ = len(X) * X.row_bytes
    return {
        "gigabytes": bytes_ / 1e9,
        "seconds": took,
        "gigabytes_per_second": bytes_ / took / 1e9,
        "most_resident_megabytes": most / 1e6,
        "past_the_cache": X.past_cache,
        "steps_alone_seconds": steps,
        **reading_alone(folder),
    }


def reading_alone(folder: Path) -> dict[str, float]:
    """Seconds, and those of a processor, for one file's bytes, not in the page cache, times the
    files.
    """
    from eigenmlp.datasets.direct import Refused, read_past_cache

    paths = sorted(folder.glob("*.npy"))
    out = memoryview(bytearray(1 << 24))

    def buffered(path: Path) -> None:
        with open(path, "rb", buffering=0) as file:
            while file.readinto(out):
                pass

    def past_cache(path: Path) -> None:
        for begin in range(0, path.stat().st_size, len(out)):
            read_past_cache(path, begin, out)

    found: dict[str, float] = {}
    for read, path in ((buffered, paths[0]), (past_cache, paths[1])):
        with open(path, "rb", buffering=0) as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        began, worked = time.perf_counter(), time.process_time()
        try:
            read(path)
        except Refused:
            continue
        name = f"reading_{read.__name__}"
        found[f"{name}_seconds"] = (time.perf_counter() - began) * len(paths)
        found[f"{name}_processor_seconds"] = (time.process_time() - worked) * len(paths)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gigabytes", type=float, default=20.0)
    parser.add_argument("--limit", type=float, default=1.0)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--worker", action="store_true")
    arguments = parser.parse_args()
    if arguments.worker:
        if (_GROUP / "cgroup.procs").exists():
            (_GROUP / "cgroup.procs").write_text(str(os.getpid()))
        print(json.dumps(train(arguments.folder)))
        return
    if not arguments.folder.exists():
        write_files(arguments.folder, arguments.gigabytes)
    limited = False
    try:
        _GROUP.mkdir(exist_ok=True)
        if not (_GROUP / _LIMIT).exists():
            raise OSError(f"no {_LIMIT}")
        (_GROUP / _LIMIT).write_text(str(int(arguments.limit * 1e9)))
        limited = True
    except OSError as error:
        print(f"no limit by a control group: {error}")
    command = [sys.executable, "-m", "bench.larger_than_memory", str(arguments.folder), "--worker"]
    found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    found["limited_to_gigabytes"] = arguments.limit if limited else None
    if limited:
        _GROUP.rmdir()
    print(json.dumps({name: value and round(value, 2) for name, value in found.items()}))
    if not arguments.keep:
        shutil.rmtree(arguments.folder)


if __name__ == "__main__":
    main()
