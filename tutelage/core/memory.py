"""How much memory this process has held."""

from __future__ import annotations

import ctypes
import resource
import sys
from pathlib import Path


def peak_bytes() -> int:
    """The most memory this process has held at once."""
    told = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return told if sys.platform == "darwin" else told * 1024  # macOS counts bytes, others KiB


def held_bytes() -> int:
    """The memory this process holds now; the most it has held where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return peak_bytes()
    return pages * resource.getpagesize()


def give_back() -> bool:
    """Returns memory that is freed but held to the system; whether the C library could."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError):  # not glibc's
        return False
