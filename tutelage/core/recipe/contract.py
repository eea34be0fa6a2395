"""`contract`: how conversations become prompts, in training and in serving alike."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tutelage.core.recipe.section import Section

Fit = Literal["reject", "truncate", "fail"]


class Contract(Section):
    """The prompt contract, frozen at training and shipped with the release."""

    template: str = Field(
        "base", description="`base`: the base model's chat template; else a path to a Jinja file."
    )
    output_schema: str | None = Field(
        None, description="Path to the tools or JSON Schema that answers must satisfy."
    )
    fit: Fit = Field(
        "reject",
        description="A lesson longer than the context is left out (reject), cut (truncate) or "
        "stops the run (fail).",
    )
    context_tokens: int | None = Field(
        None, ge=16, description="Longest lesson in tokens; the base model's context if left out."
    )
    system: str | None = Field(
        None, description="System prompt put in front of a conversation that has none."
    )
