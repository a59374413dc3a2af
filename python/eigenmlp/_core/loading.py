"""Loads exactly one variant of the compiled core: the best that this machine can run.

``EIGENMLP_ISA=v2|v3|v4|bf16|amx`` forces a variant on x86-64, ``baseline|bf16`` on aarch64; one of
another architecture, one that was not built, or that the processor or the operating system does not
support, is an `ImportError`. On x86-64 ``bf16`` and ``amx`` are one module, without and with AMX's
tiles.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import TYPE_CHECKING

from . import _cpu

version: str = _cpu.version

_MODULES_OF = {
    "x86-64": {
        "amx": "_core_amx",
        "bf16": "_core_amx",
        "v4": "_core_v4",
        "v3": "_core_v3",
        "v2": "_core_v2",
    },
    "aarch64": {"bf16": "_core_bf16", "baseline": "_core_baseline"},
    "other": {"baseline": "_core_baseline"},
}
_MODULES = _MODULES_OF[_cpu.architecture]


def _choose() -> str:
    built = [x for x in _MODULES if importlib.util.find_spec(f"{__package__}.{_MODULES[x]}")]
    supported: list[str] = _cpu.supported_levels()  # best first
    usable = [x for x in supported if x in built]
    forced = os.environ.get("EIGENMLP_ISA")
    if not forced:
        if not usable:
            raise ImportError(
                f"eigenmlp was built for {built}, but this processor runs only {supported}: "
                "install it here from source (pip install --no-binary eigenmlp eigenmlp), or build "
                "with --config-settings=cmake.define.EIGENMLP_ISA=all"
            )
        return usable[0]
    if forced not in _MODULES:
        for architecture, modules in _MODULES_OF.items():
            if forced in modules:
                raise ImportError(
                    f"EIGENMLP_ISA={forced!r} is a variant for {architecture}, and this processor "
                    f"is of {_cpu.architecture}; expected one of {usable}, or unset EIGENMLP_ISA"
                )
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
