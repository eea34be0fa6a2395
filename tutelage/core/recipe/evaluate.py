"""`evaluate`: the suites, the scorers and what the tuned model is compared with."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tutelage.core.recipe.reading import Reading
from tutelage.core.recipe.section import Section


class Suite(Reading):
    """A file of tasks and the scorers that judge the answers."""

    name: str = Field(pattern=r"^[\w-]+$", description="Name in metrics and rules.")
    scorers: tuple[str, ...] = Field(min_length=1, description="Scorers of every answer.")
    slices: tuple[str, ...] = Field(
        (), description="Keys of a row, or `length`, whose values get metrics of their own."
    )


class Evaluate(Section):
    """Adapter to a Report."""

    suites: tuple[Suite, ...] = Field(min_length=1, description="What is measured.")
    baselines: tuple[Literal["zero_shot", "few_shot"], ...] = Field(
        (), description="The untuned base, alone or with examples in the prompt."
    )
    few_shot_examples: int = Field(4, ge=1, description="Examples in a few-shot prompt.")
    limit: int | None = Field(None, ge=1, description="First so many tasks of a suite; else all.")
    batch_tokens: int = Field(32768, ge=16, description="Tokens generated for side by side.")
