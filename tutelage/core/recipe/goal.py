"""`goals`: what the model must come to do, in words and as a metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from tutelage.core.recipe.section import Section

GOALS = "goals"  # the suite under which rules name a goal: `goals.ID >= 0.9`


def _whole(shares: Mapping[str, float]) -> Mapping[str, float]:
    keys = {name.partition("=")[0] for name in shares}
    if shares and (len(keys) > 1 or any("=" not in name for name in shares)):
        raise ValueError("shares are of one slice's values, each written `key=value`")
    if any(not 0 < share <= 1 for share in shares.values()):
        raise ValueError("a share is above 0 and at most 1")
    if shares and not math.isclose(math.fsum(shares.values()), 1, abs_tol=1e-6):
        raise ValueError(f"shares add up to 1; these to {math.fsum(shares.values()):g}")
    return shares


class Goal(Section):
    """One thing the team wants, and the metric that shows it."""

    id: str = Field(min_length=1, description="Short name of the goal; rules say `goals.ID`.")
    says: str = Field(min_length=1, description="The goal in one sentence.")
    metric: str = Field(
        pattern=r"^[\w-]+\.[\w-]+$", description="The metric that shows it, as `suite.metric`."
    )
    shares: Annotated[Mapping[str, float], AfterValidator(_whole)] = Field(
        default_factory=dict,
        description="Share of production of each value of a slice, as `intent=refund: 0.3`; "
        "the goal's metric is weighted by them.",
    )

    @property
    def sliced_by(self) -> str:
        """The slice's key its shares are of, empty without shares."""
        return next(iter(self.shares), "").partition("=")[0]
