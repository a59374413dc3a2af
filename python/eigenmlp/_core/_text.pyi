# Written by tools/stubs.py from the compiled modules: change those, then run it again.
"""
Numbers in text.
"""

def numbers(text: bytes, separator: str, point: str) -> tuple[bytearray, int, int]:
    """
    Float64 values row after row, how many a row has, and -1; or none, and where in the text something else came.
    """
