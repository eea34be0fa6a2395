"""Processes that train together, as the environment of each says it (torchrun's variables)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from tutelage.core.errors import BadRow, UsageError

NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
REPORT = "TUTELAGE_REPORT"  # file a launched process says its error in
LIFELINE = "TUTELAGE_LIFELINE"  # pipe that ends when the launching process does
LISTENING = "TUTELAGE_LISTENING"  # socket handed down to rank 0
AGENT = "TORCHELASTIC_USE_AGENT_STORE"  # torchrun's own process answers at the address
RESTARTS = "TORCHELASTIC_RESTART_COUNT"
DIGITS = 9  # of any number among them
MOST, PORTS = 10**DIGITS - 1, 65535


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
        """What the environment says; one process alone where it says of no other.

        Raises: UsageError with all that is missing, or is no such number.
        """
        found = os.environ if environ is None else environ
        if not several(found):
            return cls()
        said = _Said(environ=found)
        size = said.number("WORLD_SIZE", (1, MOST))
        rank = said.number("RANK", (0, size - 1))
        local_size = said.number("LOCAL_WORLD_SIZE", (1, size), default=size)
        world = cls(
            rank=rank,
            size=size,
            local_rank=said.number("LOCAL_RANK", (0, local_size - 1), default=rank % local_size),
            local_size=local_size,
            address=said.text("MASTER_ADDR"),
            port=said.number("MASTER_PORT", (1, PORTS)),
            hosted=found.get(AGENT) == "True",
            listening=said.number(LISTENING, (0, MOST), default=0) if LISTENING in found else None,
            restarts=said.number(RESTARTS, (0, MOST), default=0),
        )
        if said.wrong:
            raise UsageError(
                "the environment says of several processes, and not which this one is",
                where="environment",
                expected=", ".join(NEEDED) + ", as torchrun sets them",
                hint="unset them, or start with `torchrun` or `--nproc`",
                rows=said.wrong,
            )
        return world

    @property
    def first(self) -> bool:
        """Whether it is the one that prepares, writes and prints."""
        return self.rank == 0


def several(environ: Mapping[str, str]) -> bool:
    """Whether an environment says of other processes than this one, rightly or not."""
    return environ.get("WORLD_SIZE", "1") != "1" or environ.get("RANK", "0") != "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What an environment says, and what is wrong with it."""

    environ: Mapping[str, str]
    wrong: list[BadRow] = field(default_factory=list)

    def text(self, name: str) -> str:
        """A variable that must be there; empty where it is not."""
        found = self.environ.get(name, "")
        if not found:
            self.wrong.append(BadRow(where=name, problem="is not set"))
        return found

    def number(self, name: str, within: tuple[int, int], default: int | None = None) -> int:
        """A whole number from one to another; the least where it is wrong."""
        least, most = within
        if default is not None and name not in self.environ:
            return default
        if not (found := self.text(name)):
            return least
        plain = found.isascii() and found.isdigit() and len(found) <= DIGITS
        if plain and least <= int(found) <= most:
            return int(found)
        bounds = f"{least} to {most}" if most < MOST else f"at least {least}"
        problem = f"is `{found}`, expected a whole number, {bounds}"
        self.wrong.append(BadRow(where=name, problem=problem))
        return least
