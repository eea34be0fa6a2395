"""The memory a training has: the device's where it is on one, else the machine's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from tutelage.core.memory import held_bytes, peak_bytes

KIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Memory of one device."""

    device: torch.device

    @property
    def apart(self) -> bool:
        """Whether it is another memory than the one files are read into and copies kept in."""
        return self.device.type != "cpu"

    def free(self) -> int | None:
        """Bytes that can still be had; None where nothing tells."""
        if not self.apart:
            return available_bytes()
        unused = torch.cuda.memory_reserved(self.device) - self.held()
        return torch.cuda.mem_get_info(self.device)[0] + unused

    def held(self) -> int:
        """Bytes that this process holds now."""
        return torch.cuda.memory_allocated(self.device) if self.apart else held_bytes()

    def peak(self) -> int:
        """The most that this process has held at once."""
        return torch.cuda.max_memory_allocated(self.device) if self.apart else peak_bytes()


def available_bytes() -> int | None:
    """Memory this machine can still give; None where it does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    told = {name: rest for name, _, rest in (line.partition(":") for line in lines)}
    return int(told["MemAvailable"].split()[0]) * KIB if "MemAvailable" in told else None
