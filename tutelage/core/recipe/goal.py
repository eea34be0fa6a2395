"""`goals`: what the model must come to do, in words and as a metric."""

from __future__ import annotations

from pydantic import Field

from tutelage.core.recipe.section import Section


class Goal(Section):
    """One thing the team wants, and the metric that shows it."""

    id: str = Field(min_length=1, description="Short name of the goal.")
    says: str = Field(min_length=1, description="The goal in one sentence.")
    metric: str = Field(
        pattern=r"^[\w-]+\.[\w-]+$", description="The metric that shows it, as `suite.metric`."
    )
