"""Where an adapter may sit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A linear layer an adapter may sit on: its hub path, its kind's name and its sizes."""

    path: str
    name: str
    inputs: int
    outputs: int
