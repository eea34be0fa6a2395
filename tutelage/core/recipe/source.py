"""`curate.sources`: files of examples, and where each comes from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from tutelage.core.licence import problem
from tutelage.core.recipe.reading import Reading
from tutelage.core.recipe.section import Section
from tutelage.core.row import Origin


def _known(written: str) -> str:
    if found := problem(written):
        raise ValueError(found)
    return written


Licence = Annotated[str, Field(min_length=1), AfterValidator(_known)]


class GeneratedBy(Section):
    """What wrote a source's synthetic rows."""

    model: str = Field(min_length=1, description="Name and version of the model.")
    prompt_digest: str | None = Field(None, description="Digest of the prompt it was given.")
    parameters: Mapping[str, bool | int | float | str] = Field(
        default_factory=dict, description="How its answers were drawn, such as temperature."
    )
    seed: int | None = Field(
        None, ge=-(2**63), lt=2**63, description="Seed of the draw, a number of 64 bits."
    )
    licence: Licence | None = Field(None, description="SPDX name of its answers' licence.")


class Columns(Section):
    """Columns that say for each row what the source says for all; `a.b` is `b` inside `a`."""

    origin: str | None = Field(None, description="Column of the origin.")
    licence: str | None = Field(None, description="Column of the SPDX name.")
    licence_basis: str | None = Field(None, description="Column of what the licence rests on.")
    consent_key: str | None = Field(
        None, description="Column of the key by which somebody may take the row back."
    )
    generator: str | None = Field(None, description="Column of the model, or of all about it.")
    editor: str | None = Field(None, description="Column of who edited the row.")
    parents: str | None = Field(None, description="Column of the rows it was made from.")


class SourceFile(Reading):
    """Examples of one origin, with where they come from and under what licence."""

    origin: Origin = Field(description="Who wrote the answers.")
    licence: Licence = Field(
        description="SPDX expression such as CC0-1.0; a licence of your own is LicenseRef-NAME."
    )
    licence_basis: str | None = Field(
        None, description="Where or by whom the licence is stated, such as a file or a contract."
    )
    author: str | None = Field(None, description="Column that names each row's author.")
    generator: GeneratedBy | None = Field(
        None, description="What wrote the rows; `origin: synthetic` needs it, here or in each row."
    )
    editor: str | None = Field(
        None, description="Who edited the rows; `origin: human_edited` needs it, here or in each."
    )
    columns: Columns = Field(
        default_factory=Columns, description="Columns that say such things for each row."
    )
    name: str | None = Field(
        None, min_length=1, description="What stages call it; its file's name if left out."
    )

    @property
    def called(self) -> str:
        """Its name, or that of its file without what follows the first dot."""
        return self.name or PurePosixPath(self.path).name.partition(".")[0]

    @model_validator(mode="after")
    def _keys_have_an_effect(self) -> SourceFile:
        if self.generator is not None and self.origin == "human":
            raise ValueError("`generator` is of what a model wrote, and `origin` is human")
        if self.format == "row" and self.columns != Columns():
            raise ValueError("`columns` has no effect with `format: row`, whose rows say all")
        return self
