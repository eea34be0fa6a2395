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

        Raises: UsageError where it says only part of it.
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
        rank, size = int(found["RANK"]), int(found["WORLD_SIZE"])
        listening = found.get(LISTENING)
        return cls(
            rank=rank,
            size=size,
            local_rank=int(found.get("LOCAL_RANK", rank)),
            local_size=int(found.get("LOCAL_WORLD_SIZE", size)),
            address=found["MASTER_ADDR"],
            port=int(found["MASTER_PORT"]),
            hosted=found.get(AGENT) == "True",
            listening=int(listening) if listening else None,
            restarts=int(found.get(RESTARTS, 0)),
        )

    @property
    def first(self) -> bool:
        """Whether it is the one that prepares, writes and prints."""
        return self.rank == 0
