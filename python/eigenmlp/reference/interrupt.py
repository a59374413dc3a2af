"""Ctrl-C at a step boundary: a step that has begun is finished first."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class CtrlC:
    """Whether Ctrl-C was pressed."""

    pressed = False


@contextmanager
def ctrl_c_waits() -> Iterator[CtrlC]:
    """Within the block, note Ctrl-C instead of raising KeyboardInterrupt in mid-step.

    Handlers other than Python's own are left alone. Python delivers signals to the main thread
    only, and lets no other thread set a handler; there, nothing needs to be done.
    """
    ctrl_c = CtrlC()

    def note(signal_number: int, frame: FrameType | None) -> None:
        ctrl_c.pressed = True

    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield ctrl_c
        return
    try:
        signal.signal(signal.SIGINT, note)
    except ValueError:  # not the main thread
        yield ctrl_c
        return
    try:
        yield ctrl_c
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
