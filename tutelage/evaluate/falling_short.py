"""What falls short on the way, counted in the report and said: prompts cut, answers cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tutelage.core.digest import Json
from tutelage.core.sample import Sample
from tutelage.engine.grammar import writer
from tutelage.evaluate.ladder import PromptedTask
from tutelage.score.roster import FINISHED
from tutelage.score.task import Task
from tutelage.store.run import Run
from tutelage.store.store import Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class FallingShort:
    """Counts under the name of one system on one suite."""

    place: str  # `SUITE.SYSTEM`
    run: Run
    draft: Draft

    def prompts(self, prompts: Sequence[PromptedTask], wanted: int, context: int) -> None:
        """Where they lack examples, are cut, or leave no room for an answer.

        `wanted` examples should stand in each; `context` is in tokens.
        """
        fewer = sum(1 for one in prompts if one.shots < wanted)
        over = sum(1 for one in prompts if not one.lessons and len(one.ids) >= context)
        cut = sum(1 for one in prompts for lesson in one.lessons if len(lesson) > context + 1)
        self._told(
            "cut",
            cut,
            f"{cut} options are cut from the left: with their question they exceed the context "
            f"of {context} tokens",
        )
        self._told(
            "fewer_examples",
            fewer,
            f"{fewer} of {len(prompts)} prompts have fewer than {wanted} examples, all that "
            f"fits {context} tokens beside the answer",
        )
        self._told(
            "unanswered",
            over,
            f"{over} of {len(prompts)} prompts fill the context of {context} tokens and count "
            "as failed",
        )

    def held(self, samples: Sequence[Sample]) -> None:
        """Where answers held to a schema were cut before they satisfied it."""
        cut = sum(1 for one in samples if one.tokens and not one.scores.get(FINISHED.metric))
        self._told(
            "unfinished",
            cut,
            f"{cut} of {len(samples)} answers held to the schema are cut by their length: raise "
            "`contract.decoding.max_new_tokens`, or bound the schema's texts and lists",
        )

    def unwritable(self, tasks: Sequence[Task], output_schema: Json) -> None:
        """Where the answer expected of a task cannot be written under the schema's grammar."""
        writes = writer(output_schema)
        lost = [task for task in tasks if task.referenced and not writes(task.expected)]
        self._told(
            "unwritable",
            len(lost),
            f"{len(lost)} of {len(tasks)} expected answers cannot be written under the schema: it "
            "is no such answer, or its required keys stand in another order than the schema's",
        )

    def _told(self, what: str, count: int, says: str) -> None:
        if count:
            self.draft.counts[f"{what}.{self.place}"] = count
            self.run.progress.warn(f"{self.place}: {says}")
