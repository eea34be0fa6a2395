"""`monitor`: what is measured of served answers, and what must hold."""

from __future__ import annotations

from pydantic import Field

from tutelage.core.recipe.rules import Line
from tutelage.core.recipe.section import Section
from tutelage.core.served import MOST_HOURS


class Monitor(Section):
    """Events to a Report."""

    window_hours: float = Field(
        24.0, gt=0, le=MOST_HOURS, description="How far back events count; at most ten years."
    )
    segments: tuple[str, ...] = Field(
        (), description="Keys of a request's `metadata` whose values get figures of their own."
    )
    rules: tuple[Line, ...] = Field(
        (), description="What must hold, such as `served.valid >= evaluation - 0.02`."
    )
