"""How a stage says how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

StageState = Literal["begun", "made", "reused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """How far one stage is."""

    stage: str
    done: float
    total: float | None = None  # None: not known
    unit: str = "rows"
    figures: Mapping[str, float] = field(default_factory=dict)  # such as loss, tokens_per_second


class Progress(Protocol):
    """Whoever listens: a terminal, a log, a test."""

    def stage(self, name: str, state: StageState, note: str) -> None:
        """A stage began, was made, or was taken from the store; `note` names what."""

    def tick(self, tick: Tick) -> None:
        """A stage went forward."""

    def warn(self, message: str) -> None:
        """Something the user should know; it also belongs in a count."""


class Silent:
    """Listens and says nothing."""

    def stage(self, name: str, state: StageState, note: str) -> None:
        """Nothing."""

    def tick(self, tick: Tick) -> None:
        """Nothing."""

    def warn(self, message: str) -> None:
        """Nothing."""


@dataclass(slots=True, kw_only=True)
class Hearing:
    """Passes on what stages say and keeps which were taken from the store."""

    to: Progress
    reused: set[str] = field(default_factory=set)

    def stage(self, name: str, state: StageState, note: str) -> None:
        """A stage began, was made, or was taken from the store."""
        if state == "reused":
            self.reused.add(name)
        self.to.stage(name, state, note)

    def tick(self, tick: Tick) -> None:
        """A stage went forward."""
        self.to.tick(tick)

    def warn(self, message: str) -> None:
        """Something the user should know."""
        self.to.warn(message)
