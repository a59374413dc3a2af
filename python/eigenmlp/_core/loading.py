"""Loads exactly one variant of the compiled core: the best that this machine can run.

``EIGENMLP_ISA=v2|v3|v4|bf16|amx`` forces a variant on x86-64, ``baseline|bf16`` on aarch64; one of
another architecture, one that was not built, or that the processor or the operating system does not
support, is an `ImportError`. On x86-64 ``v4``, ``bf16`` and ``amx`` are one object, which is told
whether the processor multiplies bfloat16, and in AMX's tiles.

A variant is a shared object without Python in it, ``variants/NAME.so`` beside the module
``_bindings``, which loads it.
"""

from __future__ import annotations

import os
import sys

try:
    from . import _cpu

    version: str = _cpu.version
    from . import _bindings  # after _cpu, which refuses interpreters where it would wait for ever
    from ._bindings import load
except ImportError as error:
    refuses = (error.path or "").endswith((".so", ".pyd"))  # or cannot be loaded
    if refuses or error.name not in ("eigenmlp._core", "eigenmlp._core._bindings"):
        raise
    raise ImportError(
        f"eigenmlp: expected modules compiled for {sys.implementation.cache_tag} in "
        f"{os.path.dirname(os.path.abspath(__file__))}, got none: install eigenmlp with this "
        "Python's pip, from its sources with pip install ., and import it from elsewhere"
    ) from error

core = _bindings

_OBJECTS_OF = {
    "x86-64": {"amx": "v4", "bf16": "v4", "v4": "v4", "v3": "v3", "v2": "v2"},
    "aarch64": {"bf16": "bf16", "baseline": "baseline"},
    "other": {"baseline": "baseline"},
}
_OBJECTS = _OBJECTS_OF[_cpu.architecture]


def _path_of(name: str) -> str:
    """Where the object of a variant is, if it was built."""
    folder = os.path.dirname(os.path.abspath(core.__file__))  # not this file's, if it is editable
    return os.path.join(folder, "variants", _OBJECTS[name] + (".dll" if os.name == "nt" else ".so"))


def _choose() -> str:
    built = [x for x in _OBJECTS if os.path.exists(_path_of(x))]
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
    if forced not in _OBJECTS:
        for architecture, objects in _OBJECTS_OF.items():
            if forced in objects:
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
load(_path_of(level), level)
