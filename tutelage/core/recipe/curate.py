"""`curate`: which rows are taken, checked and held out."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from tutelage.core.recipe.reading import Benchmark
from tutelage.core.recipe.safety import Canaries
from tutelage.core.recipe.screen import Screen
from tutelage.core.recipe.section import Section
from tutelage.core.recipe.source import Licence, SourceFile
from tutelage.core.recipe.synthesis import Review, Synthesis

Loc = tuple[str | int, ...]
Share = Annotated[float, Field(gt=0)]
STRATA = ("origin", "length", "difficulty", "edge_tags")
Alone = Literal["report", "review", "drop"]


class Stage(Section):
    """One part of the training, and what it is mixed from; stages follow one another."""

    name: str = Field(min_length=1, description="What rows, the card and counts call it.")
    mix: Mapping[str, Share] = Field(
        min_length=1, description="Sources by name with their shares; 4 and 1 are 80 % and 20 %."
    )
    rows: int | None = Field(
        None, ge=1, description="Its length; if left out as many as its own sources allow."
    )


class Duplicates(Section):
    """Repeats among the examples; exact ones always go."""

    near: bool = Field(True, description="Also drop near-duplicates, each verified.")
    prompts: Alone = Field(
        "report", description="Rows whose prompt alone repeats another's: count, review or drop."
    )
    answers: Alone = Field(
        "report", description="Rows whose answer alone repeats another's: count, review or drop."
    )
    jaccard: float = Field(
        0.7,
        gt=0,
        le=1,
        description="Share of common shingles from which rows repeat each other; of leaks and of "
        "the split it is 0.7.",
    )


class Leakage(Section):
    """Overlap with what the model is measured on: suites, benchmarks, rows held out."""

    coverage: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of an evaluation item's 13-grams (8-grams of a short item) found in a "
        "row that makes it a leak.",
    )
    benchmarks: tuple[Benchmark, ...] = Field(
        (), description="Files of evaluation items besides the suites that rows must not hold."
    )


class Scale(Section):
    """Who works on the rows, and on how many at once; the dataset is the same whoever does."""

    runner: Literal["local", "daft", "ray"] = Field(
        "local",
        description="Processes of this machine, Daft on it, or a Ray cluster; the last two are "
        "the extra `scale`.",
    )
    address: str | None = Field(
        None, min_length=1, description="Address of the Ray cluster; one is started if left out."
    )
    workers: int | None = Field(
        None, ge=1, description="Processes at work; one a core, or one for few rows, if left out."
    )
    part_rows: int = Field(
        8192, ge=1, description="Rows of a part, which a process has in memory at a time."
    )

    def contradictions(self) -> Iterator[tuple[Loc, str]]:
        """Places of this section that do not go together, and what is wrong."""
        if self.address is not None and self.runner != "ray":
            yield ("address",), "`address` has no effect: `runner` is not `ray`"


class Card(Section):
    """What the Dataset card tells beyond counts."""

    tokenizer: str | None = Field(
        None,
        min_length=1,
        description="Base whose tokenizer the card counts tokens by: `tutelage/tiny`, a folder or "
        "a Hugging Face id; words and bytes alone if left out.",
    )
    encoder: str | None = Field(
        None,
        min_length=1,
        description="Base whose hidden states tell how far requests lie apart, of a sample; needs "
        "torch, and is not measured if left out.",
    )


class Curate(Section):
    """Sources to a Dataset."""

    sources: tuple[SourceFile, ...] = Field(min_length=1, description="Files of examples.")
    rows: int | None = Field(
        None, ge=1, description="Take so many rows, chosen by a seeded shuffle; all if left out."
    )
    validation: float = Field(0.05, ge=0, lt=1, description="Share of groups held out.")
    group_by: Literal["example", "author"] = Field(
        "author", description="Examples sharing this stay on one side."
    )
    stratify: tuple[str, ...] = Field(
        STRATA,
        description="What both sides have shares of: `origin`, `length` of the request, tags.",
    )
    licences: tuple[Licence, ...] | None = Field(
        None, min_length=1, description="Licences that rows may have; others are left out."
    )
    opt_out: str | None = Field(
        None, min_length=1, description="File of keys, authors and texts that were taken back."
    )
    people: Literal["keep", "pseudonymise"] = Field(
        "keep",
        description="Names of authors and editors and consent keys: as they are, or pseudonyms by "
        "the key of `screen`.",
    )
    invalid: Literal["fail", "reject"] = Field(
        "fail", description="A bad row stops the run (fail) or is left out and kept on file."
    )
    expected: Benchmark | None = Field(
        None,
        description="Sample of prompts expected in production; the card tells how far the rows are "
        "from it in length and in the tags `intent`, `domain` and `difficulty`.",
    )
    stages: tuple[Stage, ...] = Field(
        (), description="Stages in order, each with its mix; all rows at once if left out."
    )
    screen: Screen = Field(default_factory=Screen, description="Personal data, secrets and such.")
    duplicates: Duplicates = Field(default_factory=Duplicates, description="Repeats among rows.")
    conflicting: Literal["review", "drop"] = Field(
        "review",
        description="Rows that answer one prompt differently: kept for a person to look at, or "
        "left out unless more than half of them agree.",
    )
    invalid_output: Literal["review", "drop"] = Field(
        "review",
        description="Rows whose answer `contract.output_schema` does not allow: kept for a person "
        "to look at, or left out.",
    )
    leakage: Leakage = Field(default_factory=Leakage, description="Overlap with evaluation items.")
    canaries: Canaries | None = Field(
        None, description="Rows planted to see what is memorised; leave out of what is shipped."
    )
    synthesis: Synthesis | None = Field(
        None, description="Rows a teacher drafts: `tutelage draft`, then `tutelage review`."
    )
    review: Review = Field(
        default_factory=Review, description="The review synthetic rows must have passed."
    )
    card: Card = Field(default_factory=Card, description="What the card tells beyond counts.")
    scale: Scale = Field(default_factory=Scale, description="Who works on the rows.")

    def contradictions(self) -> Iterator[tuple[Loc, str]]:
        """Places of this section that do not go together, and what is wrong."""
        yield from self._unreviewed()
        names = [stage.name for stage in self.stages]
        called = [source.called for source in self.sources]
        keyed = self.screen.key_env is not None or self.screen.key_file is not None
        if self.people == "pseudonymise" and not keyed:
            yield ("people",), "pseudonyms need a key: `screen: {key_env: NAME}`, or `key_file`"
        for number, by in enumerate(self.stratify):
            close = difflib.get_close_matches(by, STRATA, n=1, cutoff=0.8)
            if by not in STRATA and close:
                yield ("stratify", number), f"`{by}` is no stratum; did you mean `{close[0]}`?"
        for place, problem in self.screen.contradictions(keyed=self.people == "pseudonymise"):
            yield ("screen", *place), problem
        for place, problem in self.scale.contradictions():
            yield ("scale", *place), problem
        for number, stage in enumerate(self.stages):
            if stage.name in names[:number]:
                yield ("stages", number, "name"), f"stage `{stage.name}` is named twice"
            for name in stage.mix:
                place = ("stages", number, "mix", name)
                if name not in called:
                    listed = ", ".join(sorted(set(called)))
                    yield place, f"no source is called `{name}`; expected some of {listed}"
                elif called.count(name) > 1:
                    yield place, f"several sources are called `{name}`; give them a `name` each"

    def _unreviewed(self) -> Iterator[tuple[Loc, str]]:
        if self.review.reviewers == 0 and self.review.key_env is not None:
            yield ("review", "key_env"), "`key_env` has no effect where nobody reviews"
        if self.synthesis is None:
            return
        if self.review.reviewers == 0:
            yield ("review", "reviewers"), "what `synthesis` drafts is reviewed; expected 1 or more"
        for place, problem in self.synthesis.contradictions(self.sources, self.licences):
            yield ("synthesis", *place), problem
