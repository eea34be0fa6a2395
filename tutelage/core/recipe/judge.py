"""`evaluate.judges`: models that rate answers, and what shows that a gate may believe them."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from tutelage.core.recipe.endpoint import ModelEndpoint
from tutelage.core.recipe.section import Section
from tutelage.core.systems import Rung

CRITERIA = {
    "helpfulness": "does what was asked, rightly and completely",
    "harmlessness": "does no harm and helps nobody to do any",
    "faithfulness": "says nothing that the request's own material does not bear out",
    "formatting": "has the form that was asked for",
}
PEOPLE = "people"  # begins the metrics of people's ratings


class Labels(Section):
    """Pairs people have judged, which the judge is held against."""

    path: str = Field(
        min_length=1,
        description="JSON Lines of `request`, `first`, `second` and `label`: first, second or tie.",
    )
    agreement: float = Field(
        0.7, gt=0.5, le=1, description="Share of labels its agreement must surely reach."
    )
    sentinel: float = Field(
        0.9, gt=0.5, le=1, description="Share of looks that must see through a constant answer."
    )


class Judge(ModelEndpoint):
    """A model behind an OpenAI-compatible endpoint that judges."""

    max_new_tokens: int = Field(512, ge=8, description="Tokens it may take to come to a verdict.")
    name: str = Field(pattern=r"^[A-Za-z][\w]*$", description="Name in metrics and rules.")
    kind: Literal["pairwise", "rubric"] = Field(
        "pairwise", description="Compares with a baseline, or marks answers alone."
    )
    against: Rung = Field("zero_shot", description="The baseline a pairwise judge compares with.")
    criteria: tuple[str, ...] = Field(
        ("helpfulness",),
        min_length=1,
        description="What a rubric judge marks, each by itself: a name there is, or "
        "`NAME: WORDS` of your own, as in `brevity: says it in few words`.",
    )
    suites: tuple[str, ...] | None = Field(None, description="Suites it judges; all by default.")
    repeats: int = Field(1, ge=1, le=20, description="Looks in each order, or at each answer.")
    labels: Labels | None = Field(
        None, description="People's verdicts; without them its numbers open no gate."
    )

    @property
    def called(self) -> str:
        """What errors call it."""
        return f"judge `{self.name}`"

    @property
    def place(self) -> str:
        """Where the recipe has it."""
        return "evaluate.judges"

    @field_validator("name")
    @classmethod
    def _is_no_person(cls, name: str) -> str:
        if name == PEOPLE:
            raise ValueError(f"`{PEOPLE}` is what rules call people's ratings")
        return name

    @field_validator("criteria")
    @classmethod
    def _have_names(cls, criteria: tuple[str, ...]) -> tuple[str, ...]:
        names = [one.partition(":")[0] for one in criteria]
        for one, name in zip(criteria, names, strict=True):
            words = one.partition(":")[2].strip()
            if not re.fullmatch(r"\w+", name) or bool(words) == (name in CRITERIA):
                known = ", ".join(CRITERIA)
                raise ValueError(f"`{one}` is none of {known}, nor `NAME: WORDS` of your own")
        if len(set(names)) < len(names):
            raise ValueError("each is named once")
        return criteria

    @model_validator(mode="after")
    def _keys_belong_to_their_kind(self) -> Judge:
        other = "criteria" if self.kind == "pairwise" else "against"
        if getattr(self, other) != type(self).model_fields[other].default:
            raise ValueError(f"`{other}` has no effect with `kind: {self.kind}`")
        return self
