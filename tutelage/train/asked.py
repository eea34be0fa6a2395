"""Being asked to stop: SIGTERM and Ctrl-C take effect between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass(slots=True)
class Asked:
    """Whether a signal asked to stop."""

    signal: str = ""


@contextmanager
def asked_to_stop() -> Iterator[Asked]:
    """Notes SIGTERM and SIGINT for the block; a second one ends the process as it would have.

    Only the main thread hears signals: elsewhere nothing is ever noted.
    """
    asked = Asked()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    kinds = (signal.SIGTERM, signal.SIGINT)
    before = {kind: signal.getsignal(kind) or signal.SIG_DFL for kind in kinds}

    def note(number: int, frame: FrameType | None) -> None:
        asked.signal = signal.Signals(number).name
        _restore()

    def _restore() -> None:
        for kind, handler in before.items():
            signal.signal(kind, handler)

    for kind in kinds:
        signal.signal(kind, note)
    try:
        yield asked
    finally:
        _restore()
