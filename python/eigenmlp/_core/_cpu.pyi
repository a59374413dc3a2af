# Written by tools/stubs.py from the compiled modules: change those, then run it again.
"""
What this machine's processor can run.
"""

def levels_of(vendor: str, v2: bool, v3: bool, v4: bool, bf16: bool, amx: bool) -> list[str]: ...
def supported_levels() -> list[str]: ...

architecture: str
version: str
