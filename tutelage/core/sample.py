"""A Sample: one task's answer by one system, with its scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one system answered to one task and what the scorers gave it."""

    task: str  # id of the task's row
    cluster: str  # tasks that are not independent share it
    system: str
    seed: int
    prompt_digest: str  # of the prompt's token ids
    answer: str
    scores: Mapping[str, float] = field(default_factory=dict)
    tokens: int = 0  # generated
    seconds: float = 0.0
