"""What a program may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Confinement = Literal["kernel", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most a program may use; past any of it, it is ended or refused."""

    seconds: float = 5.0  # by the clock; of the processor, one more
    memory_bytes: int = 512 << 20  # of its address space
    file_bytes: int = 8 << 20  # of one file it writes
    files_open: int = 64
    threads: int = 16
    result_bytes: int = 2 << 20  # of values it sends back
    output_bytes: int = 1 << 20  # of what it prints
