"""Loads exactly one variant of the compiled core: the best that this machine can run.

``EIGENMLP_ISA=v2|v3|v4|amx`` forces a variant; one that was not built, or that the processor cannot
run, is an `ImportError`.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import TYPE_CHECKING

from . import _cpu

version: str = _cpu.version

_LEVELS = ("amx", "v4", "v3", "v2", "baseline")  # best first


def _choose() -> str:
    built = [x for x in _LEVELS if importlib.util.find_spec(f"{__package__}._core_{x}")]
    supported: list[str] = _cpu.supported_levels()
    usable = [x for x in built if x in supported]
    forced = os.environ.get("EIGENMLP_ISA")
    if not forced:
        if not usable:
            raise ImportError(
                f"eigenmlp was built for {built}, but this processor runs only {supported}"
            )
        return usable[0]
    if forced not in _LEVELS:
        raise ImportError(f"EIGENMLP_ISA={forced!r} is unknown; expected one of {usable}")
    if forced not in built:
        raise ImportError(f"EIGENMLP_ISA={forced!r} was not built; this installation has {built}")
    if forced not in supported:
        raise ImportError(
            f"EIGENMLP_ISA={forced!r} cannot run on this processor, which supports {supported}"
        )
    return forced


level: str = _choose()
if TYPE_CHECKING:
    from . import _variant  # a stub, the same for all of them

    core = _variant
else:
    core = importlib.import_module(f"{__package__}._core_{level}")
