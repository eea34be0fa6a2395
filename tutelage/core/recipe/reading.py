"""How a file of rows is read: shared by `curate.sources` and `evaluate.suites`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from tutelage.core.conversation import Role
from tutelage.core.recipe.section import Section

Format = Literal[
    "auto",
    "messages",
    "sharegpt",
    "alpaca",
    "prompt_completion",
    "preference",
    "fields",
    "chat_log",
    "transcript",
    "policy",
    "row",
]

SPEAKERLESS: tuple[Format, ...] = ("alpaca", "fields", "policy")


class Fields(Section):
    """Which columns of a flat row hold which role's words."""

    user: str = Field(description="Column of the request.")
    assistant: str | None = Field(
        None, description="Column of the answer to teach or to expect; a suite may have none."
    )
    system: str | None = Field(None, description="Column of the system prompt.")


class Reading(Section):
    """A file of rows and how to read it."""

    path: str = Field(
        min_length=1,
        description="File, pattern (`logs/*.jsonl.gz`) or folder of JSON Lines, JSON, CSV, TSV "
        "(these also .gz or .zst), Parquet or Arrow; relative to the recipe's folder.",
    )
    format: Format = Field("auto", description="Layout of the rows; `auto` looks at them.")
    fields: Fields | None = Field(None, description="Column names, for `format: fields`.")
    roles: Mapping[str, Role] = Field(
        default_factory=dict,
        description="Roles by the names that speakers have in the file, such as "
        "`{Agent: assistant}`; `*` in a transcript is whoever is not named.",
    )

    @model_validator(mode="after")
    def _fields_belong_to_their_format(self) -> Reading:
        if self.format == "fields" and self.fields is None:
            raise ValueError("`format: fields` needs `fields: {user: COLUMN, assistant: COLUMN}`")
        if self.fields is not None and self.format not in ("fields", "auto"):
            raise ValueError(f"`fields` has no effect with `format: {self.format}`; use `fields`")
        if self.roles and self.format in SPEAKERLESS:
            raise ValueError(f"`roles` has no effect with `format: {self.format}`: it has no turns")
        return self


class Benchmark(Reading):
    """A file of evaluation items that nothing may be learned from."""

    prompt: str | None = Field(
        None, min_length=1, description="Column of the item's words; rows of examples if left out."
    )
