"""`evaluate`: the suites, the scorers and what the tuned model is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, model_validator

from tutelage.core.recipe.judge import Judge
from tutelage.core.recipe.reading import Reading
from tutelage.core.recipe.section import Section


class Code(Section):
    """How answers that are programs are run."""

    sandbox: Literal["kernel", "none"] = Field(
        "kernel",
        description="`kernel` confines programs or refuses; `none` only limits them.",
    )
    seconds: float = Field(5.0, gt=0, le=600, description="Time of one program, all its tests.")
    memory_mb: int = Field(512, ge=64, description="Memory of one program.")


class Suite(Reading):
    """A file of tasks and the scorers that judge the answers."""

    name: str = Field(pattern=r"^[\w-]+$", description="Name in metrics and rules.")
    scorers: tuple[str, ...] = Field(min_length=1, description="Scorers of every answer.")
    slices: tuple[str, ...] = Field(
        (), description="Keys of a row, or `length`, whose values get metrics of their own."
    )
    samples: int = Field(1, ge=1, le=1000, description="Answers drawn to each task.")
    code: Code = Field(default_factory=Code, description="For the scorer `code`.")

    @model_validator(mode="after")
    def _code_belongs_to_its_scorer(self) -> Suite:
        if self.code != Code() and "code" not in self.scorers:
            raise ValueError("`code` has no effect without the scorer `code`")
        return self


class Evaluate(Section):
    """Adapter to a Report."""

    suites: tuple[Suite, ...] = Field(min_length=1, description="What is measured.")
    baselines: tuple[Literal["zero_shot", "few_shot"], ...] = Field(
        (), description="The untuned base, alone or with examples in the prompt."
    )
    few_shot_examples: int = Field(4, ge=1, description="Examples in a few-shot prompt.")
    limit: int | None = Field(None, ge=1, description="First so many tasks of a suite; else all.")
    judges: tuple[Judge, ...] = Field((), description="Models that rate the answers.")
    batch_tokens: int = Field(32768, ge=16, description="Tokens generated for side by side.")

    def contradictions(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Places of this section that do not go together, and what is wrong."""
        suites = [suite.name for suite in self.suites]
        names = [judge.name for judge in self.judges]
        for index, judge in enumerate(self.judges):
            if judge.name in names[:index]:
                yield ("judges", index, "name"), f"judge `{judge.name}` is named twice"
            if judge.kind == "pairwise" and judge.against not in self.baselines:
                yield (
                    ("judges", index),
                    f"`{judge.against}` is not in evaluate.baselines; add it there",
                )
            for name in judge.suites or ():
                if name not in suites:
                    yield ("judges", index, "suites"), f"there is no suite `{name}`"
