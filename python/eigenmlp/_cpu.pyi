# Written by tools/stubs.py from the compiled modules: change those, then run it again.
"""
What this machine's processor can run.
"""

def supported_levels() -> list[str]: ...

version: str
