"""How much memory this process has held."""

from __future__ import annotations

import resource
import sys


def peak_bytes() -> int:
    """The most memory this process has held at once."""
    told = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return told if sys.platform == "darwin" else told * 1024  # macOS counts bytes, others KiB
