"""`curate.synthesis`: rows that a teacher drafts, and `curate.review`: who must look at them."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pydantic import Field, field_validator

from tutelage.core.licence import permitted
from tutelage.core.recipe.endpoint import ModelEndpoint
from tutelage.core.recipe.reading import Benchmark
from tutelage.core.recipe.section import Section
from tutelage.core.recipe.source import Licence, SourceFile

Loc = tuple[str | int, ...]
REQUEST, ANSWER, SCHEMA = "{request}", "{answer}", "{schema}"
INSTRUCTION = """Somebody sent this request:

<request>
{request}
</request>

It was answered so:

<answer>
{answer}
</answer>

Write one request that somebody else could send and that is of the same kind: in other words, with \
other particulars. Reply with that request alone."""


class Teacher(ModelEndpoint):
    """A model behind an OpenAI-compatible endpoint that drafts, also one of `tutelage serve`."""

    temperature: float = Field(0.8, ge=0, le=2, description="Of its decoding.")
    licence: Licence = Field(
        description="SPDX name of its answers' licence; held against `curate.licences`."
    )
    at_once: int = Field(4, ge=1, le=256, description="Requests under way together.")

    @property
    def called(self) -> str:
        """What errors call it."""
        return f"teacher `{self.model}`"

    @property
    def place(self) -> str:
        """Where the recipe has it."""
        return "curate.synthesis.teacher"


class Prompts(Benchmark):
    """A file of requests that the teacher answers as they are."""

    licence: Licence = Field(description="SPDX name of the requests' licence.")


class Seeds(Section):
    """What drafts are made from; drawn by the recipe's seed and recorded."""

    sources: tuple[str, ...] = Field(
        (), description="Sources by name: the teacher writes requests in the manner of their rows."
    )
    prompts: Prompts | None = Field(
        None, description="Or a file of requests, answered as they are."
    )
    count: int = Field(100, ge=1, description="Rows drawn; fewer where there are not so many.")
    each: int = Field(1, ge=1, le=1000, description="Requests written in the manner of each.")


class Synthesis(Section):
    """Rows drafted by a teacher; they enter a dataset only after people's review."""

    teacher: Teacher = Field(description="The model that drafts.")
    seeds: Seeds = Field(description="What it drafts from.")
    instruction: str = Field(
        INSTRUCTION,
        description="How it is asked for a new request; `{request}` and `{answer}` of the seed are "
        "put in.",
    )
    guide: str = Field(
        "",
        description="What it is told beside the seed's system prompt when it answers; `{schema}` "
        "is the contract's output schema. No part of the row.",
    )
    samples: int = Field(3, ge=1, le=64, description="Answers drawn to each request.")
    agreement: float = Field(
        0.6, gt=0, le=1, description="Share of them that must be one answer; else the draft goes."
    )
    rows: str = Field(
        "data/synthetic.jsonl",
        min_length=1,
        description="Where rows that passed review are written; list it among `curate.sources`.",
    )

    @field_validator("instruction")
    @classmethod
    def _shows_the_seed(cls, instruction: str) -> str:
        if REQUEST not in instruction:
            raise ValueError(f"it has no `{REQUEST}`: every seed would ask for the same")
        return instruction

    def is_source(self, source: SourceFile) -> bool:
        """Whether a source is the file of reviewed drafts."""
        return source.path == self.rows

    def contradictions(
        self, sources: Collection[SourceFile], licences: Collection[str] | None
    ) -> Iterator[tuple[Loc, str]]:
        """Places that do not go together with the rest of `curate`, and what is wrong."""
        seeds, called = (
            self.seeds,
            sorted({one.called for one in sources if not self.is_source(one)}),
        )
        if bool(seeds.sources) == (seeds.prompts is not None):
            yield ("seeds",), "expected either `sources: [NAME]` or `prompts: {path: FILE, …}`"
        for number, name in enumerate(seeds.sources):
            if name not in called:
                listed = ", ".join(called) or "none"
                yield ("seeds", "sources", number), f"no source is called `{name}` ({listed})"
        if seeds.prompts is not None and "each" in seeds.model_fields_set:
            yield ("seeds", "each"), "`each` has no effect with `prompts`: none is written"
        if seeds.prompts is not None and "instruction" in self.model_fields_set:
            yield ("instruction",), "`instruction` has no effect with `prompts`: none is written"
        if self.samples == 1 and "agreement" in self.model_fields_set:
            yield ("agreement",), "`agreement` has no effect with one sample; give `samples`"
        if self.samples > 1 and self.teacher.temperature == 0:
            yield ("samples",), "at `teacher.temperature` 0 all answers to a request are one answer"
        stated: list[tuple[Loc, str]] = [(("teacher", "licence"), self.teacher.licence)]
        if seeds.prompts is not None:
            stated.append((("seeds", "prompts", "licence"), seeds.prompts.licence))
        for place, licence in stated if licences is not None else ():
            if not permitted(licence, licences or ()):
                yield place, f"`{licence}` is not on the list `curate.licences`"
        for number, one in enumerate(sources):
            if self.is_source(one) and (one.origin != "synthetic" or one.format != "row"):
                yield (
                    ("rows",),
                    f"source {number + 1} reads it; give it `format: row, origin: synthetic`",
                )


class Review(Section):
    """People's review that synthetic rows must have passed to enter a dataset."""

    reviewers: int = Field(
        1, ge=0, le=10, description="People who must agree on a row; 0 asks for no review."
    )
    key_env: str | None = Field(
        None,
        min_length=1,
        description="Environment variable with a key that seals reviews: without it nobody can "
        "forge one.",
    )
