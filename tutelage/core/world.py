"""Processes that train together, as the environment of each says it (torchrun's variables)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from tutelage.core.errors import UsageError

NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
REPORT = "TUTELAGE_REPORT"  # file a launched process says its error in
LIFELINE = "TUTELAGE_LIFELINE"  # pipe that ends when the launching process does
LISTENING = "TUTELAGE_LISTENING"  # socket handed down to rank 0
AGENT = "TORCHELASTIC_USE_AGENT_STORE"  # torchrun's own process answers at the address
RESTARTS = "TORCHELASTIC_RESTART_COUNT"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """How many processes train together, and which of them this one is."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0  # among those of this machine
    local_size: int = 1
    address: str = ""
    port: int = 0
    hosted: bool = False  # another process answers at the address
    listening: int | None = None
    restarts: int = 0

    @classmethod
    def here(cls, environ: Mapping[str, str] | None = None) -> World:
        """What the environment says; one process alone where it says nothing.

        Raises: UsageError where it says only part of it, or what is no number.
        """
        found = os.environ if environ is None else environ
        if "RANK" not in found or found.get("WORLD_SIZE", "1") == "1":
            return cls()
        missing = [name for name in NEEDED if name not in found]
        if missing:
            raise UsageError(
                f"RANK is set, and {', '.join(missing)} is not",
                where="environment",
                expected=", ".join(NEEDED) + ", as torchrun sets them",
                hint="unset RANK, or start with `torchrun` or `--nproc`",
            )
        rank, size = _number(found, "RANK", 0), _number(found, "WORLD_SIZE", 1)
        if rank >= size:
            raise UsageError(
                f"RANK is {rank} of a WORLD_SIZE of {size}",
                where="environment",
                expected=f"0 to {size - 1}",
            )
        listening = found.get(LISTENING)
        return cls(
            rank=rank,
            size=size,
            local_rank=_number(found, "LOCAL_RANK", 0, default=rank),
            local_size=_number(found, "LOCAL_WORLD_SIZE", 1, default=size),
            address=found["MASTER_ADDR"],
            port=_number(found, "MASTER_PORT", 1),
            hosted=found.get(AGENT) == "True",
            listening=int(listening) if listening else None,
            restarts=int(found.get(RESTARTS, 0)),
        )

    @property
    def first(self) -> bool:
        """Whether it is the one that prepares, writes and prints."""
        return self.rank == 0


def _number(found: Mapping[str, str], name: str, least: int, default: int | None = None) -> int:
    said = found[name] if default is None else found.get(name, str(default))
    if not said.isascii() or not said.isdigit() or int(said) < least:
        raise UsageError(
            f"{name} is `{said}`",
            where="environment",
            expected=f"a whole number, at least {least}",
            hint="unset it, or start with `torchrun` or `--nproc`",
        )
    return int(said)
