"""`improve`: how rated answers become rows of the next dataset."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tutelage.core.recipe.section import Section
from tutelage.core.recipe.source import Licence


class Improve(Section):
    """Feedback to proposed rows."""

    review: str = Field("review.jsonl", description="File of proposals, which a person edits.")
    rows: str = Field(
        "data/feedback.jsonl",
        description="Where approved rows are written; list it among `curate.sources`.",
    )
    licence: Licence = Field(
        description="SPDX expression of the rows' licence, as their users agreed."
    )
    propose: tuple[Literal["corrected", "praised"], ...] = Field(
        ("corrected",), min_length=1, description="Answers with a correction, or rated up as given."
    )
