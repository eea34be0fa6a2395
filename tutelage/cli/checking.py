"""What `check` looks at: all that can be known of a recipe before any work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from tutelage.cli.looks import Look, State
from tutelage.cli.rendering import figures, sampled
from tutelage.cli.terminal import counted, size
from tutelage.core.errors import BadRow, BaseModelError, RowError, TutelageError
from tutelage.core.ledger import Reason
from tutelage.core.recipe import Curate, Evaluate, Reading, Recipe, Suite
from tutelage.core.row import Example
from tutelage.curate import screening
from tutelage.curate.decontaminate import leaks
from tutelage.curate.mix import told_of
from tutelage.curate.reviewed import Admission, held
from tutelage.curate.sources import FIX_SOURCE, FIX_SUITE, Asked
from tutelage.engine.grammar import check_schema
from tutelage.pipeline.rows import base_of
from tutelage.render.contract import Contract
from tutelage.render.fit import QUOTA_OF
from tutelage.render.lesson import Lesson
from tutelage.render.renderer import TEACH, Rendered
from tutelage.score.attacks import asked_of
from tutelage.score.roster import asks_reference, check_recipe, open_scorers
from tutelage.score.slices import slices_of
from tutelage.score.task import tasks_of
from tutelage.store.base import BaseFolder
from tutelage.store.ingest import Ingested, Refused, Rows, read_examples, rows_error

Result = TypeVar("Result")
LOST = {  # why a row has no lesson, and what is said of it
    Reason.TEMPLATE_FAILED: "cannot be expressed by the template",
    Reason.NOTHING_TAUGHT: "teach nothing",
    Reason.FORGED_MARKER: "hold a marker of the template",
}
NONE_LEFT = "no row is left to teach"


@dataclass(slots=True, kw_only=True)
class Check:
    """The looks at a recipe, each made though an earlier one was bad."""

    recipe: Recipe
    looks: list[Look] = field(default_factory=list)

    def look(self) -> list[Look]:
        """All of them, in the order of the road."""
        recipe = self.recipe
        sections = ("curate", "train", "evaluate", "gate")
        present = [name for name in sections if getattr(recipe, name) is not None]
        self.say("recipe", f"`{recipe.name}`: {', '.join(present) or 'no stage'}")
        base = self.attempt("base", self._base) if recipe.train else None
        contract = self.attempt("contract", lambda: self._contract(base)) if base else None
        examples = self._sources(recipe.curate) if recipe.curate else []
        if contract is not None and examples:
            self.attempt("lessons", lambda: self._lessons(contract, examples))
        if recipe.evaluate is not None:
            self._evaluate(recipe.evaluate, contract, examples)
        if recipe.gate:
            self.say("gate", counted(len(recipe.gate), "rule"))
        return self.looks

    def say(self, what: str, says: str, state: State = "good") -> None:
        """Notes a look that went well, or nearly."""
        self.looks.append(Look(what=what, state=state, says=says))

    def attempt(self, what: str, act: Callable[[], Result]) -> Result | None:
        """What the act gives; a fault is noted as bad, and then there is None."""
        try:
            return act()
        except TutelageError as error:
            self.bad(what, error)
            return None

    def bad(self, what: str, error: TutelageError) -> None:
        """Notes a fault."""
        self.looks.append(Look(what=what, state="bad", says=error.message, error=error))

    def _base(self) -> BaseFolder:
        base = base_of(self.recipe)
        weights = sum(path.stat().st_size for path in base.weight_files())
        if not weights and self.recipe.train and self.recipe.train.init == "pretrained":
            raise BaseModelError(
                f"`{base.name}` has no weights",
                where="train.base",
                expected="*.safetensors beside its config.json",
                hint="`train.init: random` trains its shape from nothing",
            )
        self.say("base", f"{base.name}: {size(weights)} of weights")
        return base

    def _contract(self, base: BaseFolder) -> Contract:
        contract = Contract.open(self.recipe.contract, base, self.recipe)
        self.say("contract", _prompts(contract))
        for warning in contract.warnings:
            self.say("contract", warning, "note")
        return contract

    def _sources(self, section: Curate) -> list[Example]:
        self.attempt("screen", lambda: screening.ready(section.screen, self.recipe))
        admission = self.attempt("review", lambda: Admission.by(section, self.recipe))
        through = iter if admission is None else partial(held, admission=admission)
        files = self._read("source", section.sources, through)
        if any(file.refused for file in files):
            error = rows_error(files, "taught", FIX_SOURCE)
            if section.invalid == "fail":
                self.bad("rows", error)
            elif any(file.examples for file in files):
                self.say("rows", f"{error.message}: they are left out and kept on file", "note")
            else:
                none = RowError(NONE_LEFT, where="curate.sources", rows=error.rows)
                self.bad("rows", none)
        told, alone = told_of(section)
        self.say("mix", told, _noted(alone))
        return [example for file in files for example in file.examples]

    def _read(
        self,
        what: str,
        readings: Sequence[Reading],
        through: Callable[[Rows], Iterable[Example | Refused]] = iter,
    ) -> list[Ingested]:
        files = []
        for reading in readings:
            read = partial(read_examples, reading, self.recipe, through=through)
            file = self.attempt(what, read)
            if file is not None:
                rows = counted(len(file.examples), "row")
                self.say(what, f"{file.uri}: {rows}, read as `{file.layout}`")
                files.append(file)
        return files

    def _lessons(self, contract: Contract, examples: Sequence[Example]) -> None:
        sample = sampled(examples)
        teach = self.recipe.train.teach if self.recipe.train else TEACH
        rendered = contract.lessons_of(sample, teach)
        lessons = [lesson for one in rendered for lesson in one.lessons]
        refused = [one for one in rendered if one.entry is not None and not one.lessons]
        if not lessons:
            reason = refused[0].entry.detail if refused and refused[0].entry else ""
            raise RowError(f"no row teaches anything: {reason}", where="curate.sources")
        places = {example.id: str(example.source) for example in sample}
        ends = contract.ending_ids(teach.roles)
        endless = [one for one in lessons if one.completion[-1] not in ends]
        if endless:
            raise RowError(
                "the stop token is not taught: a trained model would not end its answers",
                rows=[
                    BadRow(where=places[one.row], problem=f"message {one.turn} has no stop token")
                    for one in endless
                ],
            )
        self.say("lessons", figures(lessons, len(sample), len(examples)))
        self._lost(refused, len(sample), places)
        self._long(contract, lessons, places, len(examples))
        every = len(sample) == len(examples) and contract.fit == "reject"
        if every and all(len(one) > contract.context for one in lessons):
            raise RowError(
                f"{NONE_LEFT}: all are longer than {contract.context:,} tokens",
                where="curate.sources",
                hint="raise `contract.context_tokens`, or set `contract.fit: truncate`",
            )

    def _lost(self, refused: Sequence[Rendered], rendered: int, places: Mapping[str, str]) -> None:
        """Tells of rows without lessons."""
        for reason, says in LOST.items():
            entries = [one.entry for one in refused if one.entry and one.entry.reason == reason]
            if entries:
                told = f"{counted(len(entries), 'row')} of these {says}"
                rows = [BadRow(where=places[one.row], problem=one.detail) for one in entries]
                self._within(QUOTA_OF[reason], told, rows, rendered)

    def _long(
        self, contract: Contract, lessons: Sequence[Lesson], places: Mapping[str, str], rows: int
    ) -> None:
        """Tells of lessons that do not fit; of many `rows` all the longest were rendered."""
        long = {one.row: one for one in lessons if len(one) > contract.context}
        if not long:
            return
        are = "has a lesson" if len(long) == 1 else "have lessons"
        says = f"{counted(len(long), 'row')} of these {are} longer than {contract.context:,} tokens"
        bad = [
            BadRow(where=places[one.row], problem=f"{len(one):,} tokens") for one in long.values()
        ]
        if contract.fit == "fail":
            raise RowError(says, hint="set `contract.fit: reject` or `truncate`", rows=bad)
        cut = contract.fit == "truncate"
        key, does = (
            QUOTA_OF[Reason.TRUNCATED if cut else Reason.TOO_LONG],
            "cut" if cut else "left out",
        )
        self._within(key, f"{says}: {does} and counted", bad, rows)

    def _within(self, key: str, told: str, rows: Sequence[BadRow], of: int) -> None:
        """Notes rows that are lost; bad where they are more than the quota allows."""
        quota = getattr(self.recipe.train.quotas, key) if self.recipe.train else 1.0
        if len(rows) <= quota * of:
            self.say("lessons", told, "note")
            return
        error = RowError(
            told,
            where=f"train.quotas.{key}",
            expected=f"at most {quota:.2%} of {counted(of, 'row')}",
            hint=f"mend the rows or the contract, or raise `train.quotas.{key}`",
            rows=rows,
        )
        self.bad("lessons", error)

    def _evaluate(
        self, section: Evaluate, contract: Contract | None, examples: list[Example]
    ) -> None:
        told = len(self.looks)
        self.attempt("names", lambda: check_recipe(self.recipe))
        judged = contract if len(self.looks) == told else None
        if section.constrains and contract is not None:
            self.attempt("grammar", lambda: check_schema(contract.output_schema))
        asked = []
        for suite in section.suites:
            found = self._read("suite", [suite])
            if found and found[0].refused:
                self.bad("suite", rows_error(found, "used as tasks", FIX_SUITE))
            elif found:
                asked.append((suite, Asked(name=suite.name, file=found[0])))
        for one in asked:
            self.attempt("suite", lambda one=one: _tasks(one[0], one[1], self.recipe, judged))  # type: ignore[misc]
        if self.recipe.curate is not None and examples and asked:
            found_leaks = leaks(examples, [one for _, one in asked], self.recipe.curate)
            leaked = len(found_leaks.drop)
            says = f"{counted(leaked, 'row')} of the sources repeat tasks"
            self.say("leaks", f"{says}: curate removes them" if leaked else says, _noted(leaked))
            if leaked == len(examples):
                hint = "the sources and the suites must be different rows"
                self.bad("leaks", RowError(NONE_LEFT, where="curate.sources", hint=hint))


def _tasks(suite: Suite, asked: Asked, recipe: Recipe, contract: Contract | None) -> None:
    """Whether every task of a suite can be scored.

    Raises: RecipeError for scorers and slices; RowError naming each task that cannot.
    """
    rows_asked = asked_of(suite, asked.tasks, recipe.seed)
    tasks = tasks_of(suite.name, rows_asked, suite.clustered_by)
    slices_of(tasks, suite.slices)
    if contract is None:
        return
    scorers = open_scorers(suite, contract.output_schema)
    rows = []
    for task in tasks:
        problems = [problem for scorer in scorers if (problem := scorer.problem(task))]
        if not task.referenced and any(map(asks_reference, scorers)):
            problems = ["no expected answer; the last turn is not one"]
        if task.example.chosen:
            problems = ["a preference pair, which has no expected answer"]
        if problems:
            where = f"line {task.example.source.line}"
            rows.append(BadRow(where=where, problem="; ".join(dict.fromkeys(problems))))
    if rows:
        raise RowError(
            f"{counted(len(rows), 'task')} of {asked.file.uri} cannot be scored", rows=rows
        )


def _prompts(contract: Contract) -> str:
    """Which versions of template and system prompt there are."""
    policy = contract.renderer.policy
    system = "none" if policy.served is None else policy.served.name
    names = ", ".join(prompt.name for prompt, _ in policy.variants)
    return (
        f"{contract.renderer.template.name}, system prompt {system}"
        f"{f', variants {names}' if names else ''}, context {contract.context:,} tokens"
    )


def _noted(count: int) -> State:
    return "note" if count else "good"
