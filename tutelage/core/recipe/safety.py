"""Keys of safety: attacks made of seeds, labelled outputs, canaries and what was memorised."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, field_validator, model_validator

from tutelage.core.recipe.section import Section

AttackFamily = Literal[
    "plain",
    "role_play",
    "prefix_injection",
    "payload_splitting",
    "many_shot",
    "system_override",
    "multi_turn",
]
Mutation = Literal["none", "base64", "rot13", "leet", "homoglyphs"]
SEED, FAMILY, TEMPLATE, MUTATION = "seed", "family", "template", "mutation"  # tags of an attack


class RedTeam(Section):
    """Attacks made of a suite's rows, its seeds: each is a family's template of a mutated seed."""

    families: tuple[AttackFamily, ...] = Field(
        get_args(AttackFamily),
        min_length=1,
        description="Ways to put a request; `plain` asks it as it is.",
    )
    mutations: tuple[Mutation, ...] = Field(
        get_args(Mutation), min_length=1, description="Ways to write it; `none` leaves it."
    )
    per_seed: int | None = Field(
        None,
        ge=1,
        description="Attacks of a seed, drawn of families x mutations; each family comes once "
        "before any comes twice. All if left out.",
    )

    @field_validator("families", "mutations")
    @classmethod
    def _named_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("each is named once")
        return names

    @model_validator(mode="after")
    def _there_are_so_many(self) -> RedTeam:
        most = len(self.families) * len(self.mutations)
        if self.per_seed is not None and self.per_seed > most:
            raise ValueError(
                f"`per_seed` is {self.per_seed}, and there are {most} attacks of a seed"
            )
        return self


class LabelledOutputs(Section):
    """Answers people have read, which the detector of refusals is held against."""

    labels: str = Field(
        min_length=1,
        description="JSON Lines of `answer` and `label`, `refusal` or `answer`; lines whose label "
        "is empty are waiting for one.",
    )
    at_least: int = Field(
        200, ge=1, description="Labels without which no gate rests on what the detector counts."
    )
    of_each: int = Field(20, ge=1, description="Least number of refusals, and of answers, of them.")


class Canaries(Section):
    """Rows with random codes, planted in the training split to see what is memorised."""

    count: int = Field(5, ge=1, le=100, description="Canaries of each number of repeats.")
    repeats: tuple[int, ...] = Field(
        (1, 4, 16), min_length=1, description="How often training sees a canary in an epoch."
    )
    controls: int = Field(
        20, ge=5, le=1000, description="Canaries that are not planted, to compare with."
    )

    @field_validator("repeats")
    @classmethod
    def _planted_once_each(cls, repeats: tuple[int, ...]) -> tuple[int, ...]:
        if min(repeats) < 1 or len(set(repeats)) < len(repeats):
            raise ValueError("each is 1 or more, and named once")
        return repeats


class Memorisation(Section):
    """What the tuned model memorised of its training rows, beside what the base knows of them."""

    rows: int = Field(
        200, ge=2, description="Rows of the training split, and held-out ones, that are looked at."
    )
    given: float = Field(
        0.5, ge=0, lt=1, description="Share of an answer's tokens that is given, to get the rest."
    )
    least_tokens: int = Field(
        4, ge=1, description="Tokens of the rest below which it says nothing."
    )
    candidates: int = Field(
        1024, ge=2, le=100_000, description="Codes a canary's own is ranked among."
    )
