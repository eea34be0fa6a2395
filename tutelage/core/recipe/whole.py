"""The Recipe: the one YAML a Run follows, its sections together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import Field, PrivateAttr

from tutelage.core.digest import strong_digest
from tutelage.core.recipe.contract import Contract
from tutelage.core.recipe.curate import Curate
from tutelage.core.recipe.evaluate import MEMORISATION, Evaluate, Suite
from tutelage.core.recipe.goal import GOALS, Goal
from tutelage.core.recipe.improve import Improve
from tutelage.core.recipe.monitor import Monitor
from tutelage.core.recipe.release import Release
from tutelage.core.recipe.rules import Line
from tutelage.core.recipe.section import Section
from tutelage.core.recipe.serve import Serve
from tutelage.core.recipe.train import Train
from tutelage.core.rule import Rule, parse
from tutelage.core.served import rule_problem
from tutelage.core.systems import CONSTRAINED

BESIDE = (None, "zero_shot", "previous")  # of `memorisation`: the base is asked in any case


class Recipe(Section):
    """One YAML file: a section's presence enables its stage."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][\w.-]*$", max_length=60, description="Name of the project."
    )
    seed: int = Field(0, ge=0, description="Root of every random stream.")
    goals: tuple[Goal, ...] = Field((), description="What the model must come to do.")
    contract: Contract = Field(default_factory=Contract, description="Prompts and answers.")
    curate: Curate | None = Field(None, description="Sources to a dataset.")
    train: Train | None = Field(None, description="Dataset to an adapter.")
    evaluate: Evaluate | None = Field(None, description="Adapter to a report.")
    gate: tuple[Line, ...] | None = Field(
        None, min_length=1, description="Rules that must hold, one a line."
    )
    release: Release | None = Field(None, description="Verdict to a release.")
    serve: Serve = Field(default_factory=Serve, description="Release to answers and events.")
    monitor: Monitor = Field(default_factory=Monitor, description="Events to a report.")
    improve: Improve | None = Field(None, description="Feedback to proposed rows.")
    _base_dir: Path = PrivateAttr(default_factory=Path)

    @property
    def base_dir(self) -> Path:
        """The folder the recipe's paths are relative to; never written down."""
        return self._base_dir

    def at(self, base_dir: Path) -> Recipe:
        """The same recipe, its paths relative to `base_dir`."""
        recipe = self.model_copy()
        recipe._base_dir = base_dir
        return recipe

    def path(self, written: str) -> Path:
        """Where a path written in the recipe leads."""
        return self._base_dir / Path(written).expanduser()

    def rules(self) -> tuple[Rule, ...]:
        """The gate's rules, parsed."""
        return tuple(parse(line) for line in self.gate or ())

    def suite(self, metric: str) -> Suite:
        """The suite of SUITE.METRIC, which `contradictions` found to be there."""
        name = metric.partition(".")[0]
        return next(
            suite for suite in (self.evaluate.suites if self.evaluate else ()) if suite.name == name
        )

    def digest(self) -> str:
        """SHA-256 of what the recipe says, wherever it lies."""
        return strong_digest(self.model_dump(mode="json"))

    def contradictions(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Places where one section asks for what another does not give, and what is wrong."""
        suites = [suite.name for suite in self.evaluate.suites] if self.evaluate else []
        yield from self._asked(suites)
        yield from self._held(suites)
        for place, problem in self.contract.contradictions():
            yield ("contract", *place), problem
        for place, problem in self.curate.contradictions() if self.curate else ():
            yield ("curate", *place), problem
        for place, problem in self.evaluate.contradictions() if self.evaluate else ():
            yield ("evaluate", *place), problem
        yield from self._constrained()
        for place, problem in self.train.contradictions() if self.train else ():
            yield ("train", *place), problem
        if self.curate and self.curate.invalid_output == "drop" and not self.contract.output_schema:
            problem = "`drop` has no effect without `contract.output_schema`"
            yield ("curate", "invalid_output"), problem
        yield from self._served()
        yield from self._stopped(suites)
        train = self.train if self.evaluate else None
        if train and train.init == "random" and train.method != "full":
            yield (
                ("train", "init"),
                "an adapter on untrained weights cannot be evaluated: it does not hold those "
                "weights; `train.method: full` is the control run",
            )
        roles = self.train.teach.roles if self.train else ()
        for index, role in enumerate(roles):
            if role in roles[:index]:
                yield ("train", "teach", "roles", index), f"`{role}` is named twice"
        yield from self._wanted(suites)

    def _constrained(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        for index, name in enumerate(self.evaluate.baselines if self.evaluate else ()):
            if name in CONSTRAINED and self.contract.output_schema is None:
                yield (
                    ("evaluate", "baselines", index),
                    f"`{name}` needs a schema to hold answers to: set "
                    "`contract.output_schema: FILE`, or leave it out",
                )

    def _asked(self, suites: Sequence[str]) -> Iterator[tuple[tuple[str | int, ...], str]]:
        for index, name in enumerate(suites):
            if name in suites[:index]:
                yield ("evaluate", "suites", index, "name"), f"suite `{name}` is named twice"
        sources = [source.path for source in self.curate.sources] if self.curate else []
        for index, suite in enumerate(self.evaluate.suites if self.evaluate else ()):
            if suite.samples > 1 and self.contract.decoding.temperature == 0:
                yield (
                    ("evaluate", "suites", index, "samples"),
                    "at `contract.decoding.temperature` 0 all answers to a task are one answer",
                )
            if suite.path in sources:
                problem = f"`{suite.path}` is a source of `curate`, too: a test is not trained on, "
                problem += "nor may held-out rows of it choose a checkpoint"
                yield ("evaluate", "suites", index, "path"), problem

    def _held(self, suites: Sequence[str]) -> Iterator[tuple[tuple[str | int, ...], str]]:
        listed = ", ".join(suites) or "none"
        memorised = self.evaluate is not None and self.evaluate.memorisation is not None
        for index, rule in enumerate(self.rules()):
            if rule.suite == MEMORISATION and memorised and rule.baseline in BESIDE:
                continue
            if rule.suite == GOALS and GOALS not in suites:
                if problem := self._unmet(rule):
                    yield ("gate", index), problem
            elif rule.suite not in suites:
                yield ("gate", index), f"suite `{rule.suite}` is not in evaluate.suites ({listed})"
            measured = self.evaluate.baselines if self.evaluate else ()
            if rule.baseline == "evaluation":
                yield ("gate", index), "only `monitor` compares with `evaluation`"
            elif rule.baseline and rule.baseline not in (*measured, "previous"):
                yield (
                    ("gate", index),
                    f"baseline `{rule.baseline}` is not in evaluate.baselines; add it there",
                )
            elif (
                rule.baseline in measured
                and rule.suite in suites
                and not self.suite(f"{rule.suite}.{rule.metric}").asks(rule.baseline)
            ):
                problem = f"`{rule.suite}` is weighed without `{rule.baseline}`"
                yield ("gate", index), f"{problem}; compare with `zero_shot`"

    def _wanted(self, suites: Sequence[str]) -> Iterator[tuple[tuple[str | int, ...], str]]:
        listed = ", ".join(suites) or "none"
        ids = [goal.id for goal in self.goals]
        if GOALS in suites and self.goals:
            problem = f"`{GOALS}` is what rules call the recipe's goals; name the suite otherwise"
            yield ("evaluate", "suites", suites.index(GOALS), "name"), problem
        for index, goal in enumerate(self.goals):
            if goal.id in ids[:index]:
                yield ("goals", index, "id"), f"goal `{goal.id}` is named twice"
            if self.evaluate is None:
                continue
            if goal.metric.split(".")[0] not in suites:
                yield (
                    ("goals", index, "metric"),
                    f"`{goal.metric}` is of no suite in evaluate.suites ({listed})",
                )
            elif goal.shares and goal.sliced_by not in self.suite(goal.metric).slices:
                yield (
                    ("goals", index, "shares"),
                    f"`{goal.sliced_by}` is not in the slices of its suite; add it there",
                )

    def _unmet(self, rule: Rule) -> str:
        """Why a rule about a goal cannot be decided, empty where it can."""
        ids = [goal.id for goal in self.goals]
        if rule.metric not in ids:
            return f"there is no goal `{rule.metric}` ({', '.join(ids) or 'none'})"
        return "a goal has no slices: a rule holds it as a whole" if rule.slice else ""

    def _stopped(self, suites: Sequence[str]) -> Iterator[tuple[tuple[str | int, ...], str]]:
        if self.train is None:
            return
        stopping = self.train.early_stopping
        suite, dot, _ = stopping.metric.partition(".") if stopping else ("", "", "")
        if dot and suite not in suites:
            listed = ", ".join(suites) or "none"
            yield (
                ("train", "early_stopping", "metric"),
                f"suite `{suite}` is not in evaluate.suites ({listed})",
            )
        if stopping and not dot and "tasks" in stopping.model_fields_set:
            yield (
                ("train", "early_stopping", "tasks"),
                "`tasks` has no effect with `validation_loss`, which all held-out rows decide",
            )

    def _served(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        rules = [rule.text for rule in self.rules()]
        for index, waiver in enumerate(self.release.waivers if self.release else ()):
            if " ".join(waiver.rule.split()) not in rules:
                yield ("release", "waivers", index, "rule"), "this rule is not in `gate`"
        for index, guard in enumerate(self.serve.guardrails):
            if guard.check == "schema" and (guard.side == "input" or guard.action == "redact"):
                yield (
                    ("serve", "guardrails", index),
                    "`schema` looks at answers, and flags or blocks them",
                )
        for index, line in enumerate(self.monitor.rules):
            if problem := rule_problem(parse(line), self.monitor.segments):
                yield ("monitor", "rules", index), problem
