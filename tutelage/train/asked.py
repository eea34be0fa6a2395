"""Being asked to stop, by SIGTERM, Ctrl-C or a closed terminal: a training stops between steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType


@dataclass(slots=True)
class Asked:
    """Signals that asked to stop, the first of them first."""

    signals: list[int] = field(default_factory=list)

    @property
    def by(self) -> str:
        """The first of them by name; empty where none did."""
        return signal.Signals(self.signals[0]).name if self.signals else ""


@contextmanager
def asked_to_stop(*, again: bool = False) -> Iterator[Asked]:
    """Notes SIGTERM, SIGINT and SIGHUP for the block; a second one ends the process as it would
    have, unless it is to be noted `again`.

    Only the main thread hears signals: elsewhere nothing is ever noted.
    """
    asked = Asked()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    kinds = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as under nohup
        kinds.append(signal.SIGHUP)
    before = {kind: signal.getsignal(kind) or signal.SIG_DFL for kind in kinds}

    def note(number: int, frame: FrameType | None) -> None:
        asked.signals.append(number)
        if not again:
            restore()

    def restore() -> None:
        for kind, handler in before.items():
            signal.signal(kind, handler)

    for kind in kinds:
        signal.signal(kind, note)
    try:
        yield asked
    finally:
        restore()


@contextmanager
def stopping() -> Iterator[None]:
    """A block that SIGTERM and SIGHUP end as Ctrl-C does; `asked_to_stop` within it comes first.

    Raises: KeyboardInterrupt.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kinds = [
        kind for kind in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(kind) == signal.SIG_DFL
    ]

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for kind in kinds:
        signal.signal(kind, stop)
    try:
        yield
    finally:
        for kind in kinds:
            signal.signal(kind, signal.SIG_DFL)
