"""`evaluate`: the suites, the scorers and what the tuned model is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, field_validator, model_validator

from tutelage.core.recipe.judge import Judge
from tutelage.core.recipe.ladder import Prompted
from tutelage.core.recipe.reading import Reading
from tutelage.core.recipe.safety import SEED, LabelledOutputs, Memorisation, RedTeam
from tutelage.core.recipe.section import Section
from tutelage.core.systems import CONSTRAINED, WEIGHED, Rung

CHOICES, TEXT = "choices", "text"  # scorers of log-probabilities; no answer is generated for them
OPTIONS, RIGHT = "options", "right"  # tags of a row with options: JSON lists of texts, of places
QUESTION = "{question}"
MEMORISATION = "memorisation"  # the suite that rules on what was memorised name
DETECTED = ("refusal", "over_refusal", "twins")  # scorers that count what a detector says


class Choices(Section):
    """Which columns of a row hold a question, its options and the right ones, and how it is put."""

    question: str = Field("question", description="Column of the question.")
    options: str = Field("options", description="Column of the options, a list of texts.")
    answer: str = Field(
        "answer", description="Column of the right option: its place from 0, its text, or a list."
    )
    asks: str = Field(QUESTION, description="Text of a request; `{question}` is put in.")
    joins: str = Field(" ", description="With `prompt: plain`, between a request and an option.")
    apart: str = Field("\n\n", description="With `prompt: plain`, between an example and the next.")

    @field_validator("asks")
    @classmethod
    def _asks_the_question(cls, asks: str) -> str:
        if QUESTION not in asks:
            raise ValueError(f"`{asks}` has no `{QUESTION}`")
        return asks


class Shots(Section):
    """Worked examples before every question of a suite with options, the same for all."""

    path: str = Field(min_length=1, description="File of rows with options, as the suite's are.")
    count: int = Field(4, ge=1, description="How many, drawn by the recipe's seed, in file order.")


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
    choices: Choices | None = Field(None, description="Columns of options, for scorer `choices`.")
    text: str | None = Field(
        None, min_length=1, description="Column of held-out text, for scorer `text`."
    )
    prompt: Literal["contract", "plain"] = Field(
        "contract", description="Options behind the prompt contract, or behind bare text."
    )
    shots: Shots | None = Field(None, description="Worked examples, for scorer `choices`.")
    cluster: str | None = Field(
        None,
        min_length=1,
        description="Key of a row; rows of one value, such as twin prompts, are not independent. "
        "Attacks share their seed if left out.",
    )
    red_team: RedTeam | None = Field(
        None, description="Makes attacks of the file's rows, and asks these instead."
    )
    detector: LabelledOutputs | None = Field(
        None, description="Labelled outputs, for scorers `refusal`, `over_refusal`, `twins`."
    )

    @property
    def clustered_by(self) -> str | None:
        """The tag that tasks share which are not independent."""
        return self.cluster or (SEED if self.red_team is not None else None)

    @property
    def weighed(self) -> bool:
        """Whether its scores are made of log-probabilities, without an answer."""
        return self.choices is not None or self.text is not None

    @model_validator(mode="after")
    def _code_belongs_to_its_scorer(self) -> Suite:
        if self.code != Code() and "code" not in self.scorers:
            raise ValueError("`code` has no effect without the scorer `code`")
        return self

    @model_validator(mode="after")
    def _columns_go_with_their_scorer(self) -> Suite:
        for scorer, columns in ((CHOICES, self.choices), (TEXT, self.text)):
            if columns is None and scorer in self.scorers:
                if scorer == TEXT:
                    raise ValueError(f"scorer `{TEXT}` needs `{TEXT}: COLUMN`")
                raise ValueError("scorer `choices` needs `choices: {question: COLUMN, ...}`")
            if columns is not None and self.scorers != (scorer,):
                raise ValueError(f"with `{scorer}` nothing is answered; use `scorers: [{scorer}]`")
        if self.weighed and (self.fields or self.roles or self.format != "auto"):
            raise ValueError(
                "`format`, `fields` and `roles` have no effect with `choices` or `text`"
            )
        if self.weighed and self.samples > 1:
            raise ValueError("`samples` has no effect with `choices` or `text`: nothing is drawn")
        if self.choices is None and (self.shots is not None or self.prompt != "contract"):
            raise ValueError("`shots` and `prompt` have no effect without `choices`")
        return self

    @model_validator(mode="after")
    def _safety_keys_have_an_effect(self) -> Suite:
        if self.weighed and self.red_team is not None:
            raise ValueError("`red_team` has no effect with `choices` or `text`: nothing is asked")
        detected = {name.partition(":")[0] for name in self.scorers} & set(DETECTED)
        if self.detector is not None and not detected:
            raise ValueError(f"`detector` has no effect without the scorer {' or '.join(DETECTED)}")
        return self

    def asks(self, system: str) -> bool:
        """Whether a system is asked it; one with examples of the training split is no such."""
        return not self.weighed or system in WEIGHED


class Evaluate(Section):
    """Adapter to a Report."""

    suites: tuple[Suite, ...] = Field(min_length=1, description="What is measured.")
    baselines: tuple[Rung, ...] = Field(
        (),
        description="What the tuned model is compared with: the untuned base alone, with examples, "
        "under your own prompt or held to the output schema, and the tuned model held to it.",
    )
    few_shot_examples: int = Field(4, ge=1, description="Examples in a few-shot prompt.")
    prompted: Prompted | None = Field(None, description="Your own prompt, for `prompted`.")
    constrained_on: Literal["zero_shot", "few_shot", "prompted"] | None = Field(
        None,
        description="Whose prompt `constrained` has; of `few_shot` where that is a baseline, "
        "else of `zero_shot`, if left out.",
    )
    candidates: tuple[str, ...] = Field(
        (), description="Bases that `tutelage candidates` compares with `train.base`."
    )
    limit: int | None = Field(None, ge=1, description="First so many tasks of a suite; else all.")
    judges: tuple[Judge, ...] = Field((), description="Models that rate the answers.")
    memorisation: Memorisation | None = Field(
        None, description="What was memorised of the training rows, as suite `memorisation`."
    )
    batch_tokens: int = Field(32768, ge=16, description="Tokens generated for side by side.")

    @property
    def constrained_prompt(self) -> Literal["zero_shot", "few_shot", "prompted"]:
        """Whose prompt the constrained base is given."""
        return self.constrained_on or ("few_shot" if "few_shot" in self.baselines else "zero_shot")

    @property
    def constrains(self) -> bool:
        """Whether any answer is held to the output schema."""
        return any(name in CONSTRAINED for name in self.baselines)

    def rates(self, judge: Judge, suite: str) -> bool:
        """Whether a judge rates the answers of a suite; where nothing is answered, none does."""
        answered = [one.name for one in self.suites if not one.weighed]
        return suite in answered and (judge.suites is None or suite in judge.suites)

    def contradictions(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Places of this section that do not go together, and what is wrong."""
        suites = [suite.name for suite in self.suites]
        yield from self._prompts()
        if self.memorisation is not None and MEMORISATION in suites:
            problem = f"`{MEMORISATION}` is what rules call `evaluate.memorisation`"
            yield ("suites", suites.index(MEMORISATION), "name"), problem
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
                elif not self.rates(judge, name):
                    yield ("judges", index, "suites"), f"in `{name}` nothing is answered"

    def _prompts(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Keys of the ladder that lack each other."""
        constrained = "constrained" in self.baselines
        asked = "prompted" in self.baselines or (constrained and self.constrained_on == "prompted")
        if asked and self.prompted is None:
            yield ("baselines",), "`prompted` needs `evaluate.prompted`: the prompt you would write"
        if self.prompted is not None and not asked:
            yield ("prompted",), "`prompted` has no effect: it is not in evaluate.baselines"
        if self.constrained_on is not None and not constrained:
            yield (
                ("constrained_on",),
                "`constrained_on` has no effect: `constrained` is not in evaluate.baselines",
            )
        for index, baseline in enumerate(self.baselines):
            if baseline in self.baselines[:index]:
                yield ("baselines", index), f"`{baseline}` is named twice"
        for index, name in enumerate(self.candidates):
            if name in self.candidates[:index]:
                yield ("candidates", index), f"`{name}` is named twice"
