"""Loads exactly one variant of the compiled core: the best that this machine can run.

``EIGENMLP_ISA=v2|v3|v4|bf16|amx`` forces a variant; one that was not built, or that the processor
or the operating system does not support, is an `ImportError`. ``bf16`` and ``amx`` are one module,
without and with AMX's tiles.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import TYPE_CHECKING

from . import _cpu

version: str = _cpu.version

_MODULES = {
    "amx": "_core_amx",
    "bf16": "_core_amx",
    "v4": "_core_v4",
    "v3": "_core_v3",
    "v2": "_core_v2",
    "baseline": "_core_baseline",
}


def _choose() -> str:
    built = [x for x in _MODULES if importlib.util.find_spec(f"{__package__}.{_MODULES[x]}")]
    supported: list[str] = _cpu.supported_levels()  # best first
    usable = [x for x in supported if x in built]
    forced = os.environ.get("EIGENMLP_ISA")
    if not forced:
        if not usable:
            raise ImportError(
                f"eigenmlp was built for {built}, but this processor runs only {supported}: "
                "install it here, or build with --config-settings=cmake.define.EIGENMLP_ISA=all"
            )
        return usable[0]
    if forced not in _MODULES:
        raise ImportError(f"EIGENMLP_ISA={forced!r} is unknown; expected one of {usable}")
    if forced not in built:
        raise ImportError(
            f"EIGENMLP_ISA={forced!r} was not built; this installation has {built}: build with "
            "--config-settings=cmake.define.EIGENMLP_ISA=all"
        )
    if forced not in supported:
        raise ImportError(
            f"EIGENMLP_ISA={forced!r} cannot run here: the processor and the operating system "
            f"support {supported}"
        )
    return forced


level: str = _choose()
if TYPE_CHECKING:
    from . import _variant  # a stub, the same for all of them

    core = _variant
else:
    core = importlib.import_module(f"{__package__}.{_MODULES[level]}")
    if level == "bf16":
        core.use_tiles(False)
