"""`release`: what a proven adapter is shipped with, and exceptions someone answers for."""

from __future__ import annotations

from datetime import date

from pydantic import Field, field_validator

from tutelage.core.recipe.section import Section


class Waiver(Section):
    """A named, expiring exception from one rule of the gate."""

    rule: str = Field(min_length=1, description="The rule, as `gate` has it.")
    by: str = Field(min_length=1, description="Who answers for it.")
    reason: str = Field(min_length=1, description="Why it may be shipped all the same.")
    expires: date = Field(description="First day on which it no longer holds, such as 2027-01-31.")

    @field_validator("rule", "by", "reason")
    @classmethod
    def _says_something(cls, words: str) -> str:
        if not words.strip():
            raise ValueError("blanks name nobody and nothing")
        return words


class Release(Section):
    """Verdict to a Release."""

    notes: str = Field("", description="What a reader of the card should know.")
    opt_out: str | None = Field(
        None,
        min_length=1,
        description="File of keys, authors and texts that were taken back: with a row of theirs "
        "nothing is released.",
    )
    waivers: tuple[Waiver, ...] = Field(
        (), description="Rules that may stay shut, each with a name and an end."
    )
