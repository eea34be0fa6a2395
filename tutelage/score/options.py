"""`choices` and `text`: what the log-probabilities of options, and of a held-out text, are worth.

Nothing is answered for them: a Sample holds the log-probability of each option, or the sums of
a text, and the scorers read those.
"""

from __future__ import annotations

import json

from tutelage.core.recipe.evaluate import CHOICES, OPTIONS, RIGHT, TEXT
from tutelage.core.sample import Sample
from tutelage.score.likelihood import (
    CHOICE_MEASURES,
    TEXT_MEASURES,
    TRUTH_MEASURES,
    choice_scores,
    truth_scores,
)
from tutelage.score.task import Scores, Task

LOGPROB = "logprob:"  # an option's place follows


class Options:
    """Scores a question by the log-probabilities of its options.

    acc takes the likeliest option, acc_norm the likeliest for its length in characters, mc1
    asks whether a right option is the likeliest, mc2 how much of the likelihood of all the
    right ones have. Where every option is right, mc1 and mc2 say nothing and are left out.
    """

    name = CHOICES
    headline = "acc"
    measures = CHOICE_MEASURES + TRUTH_MEASURES

    def problem(self, task: Task) -> str:
        """Why there is nothing to choose from."""
        return "" if OPTIONS in task.example.tags else "the row has no options"

    def score(self, task: Task, answer: str) -> Scores:
        """Nothing: see `spent`."""
        return {}

    def spent(self, task: Task, sample: Sample) -> Scores:
        """The scores of the log-probabilities a Sample has; none where it has none."""
        options, right = options_of(task), right_of(task)
        keys = [f"{LOGPROB}{place}" for place in range(len(options))]
        if not all(key in sample.scores for key in keys):
            return {}
        found = [sample.scores[key] for key in keys]
        scores = {**choice_scores(found, options, right)}
        true = [found[place] for place in right]
        false = [one for place, one in enumerate(found) if place not in right]
        return {**scores, **truth_scores(true, false)} if false else scores


class HeldOut:
    """Perplexity and bits per byte of a text; the sums stand in its Sample."""

    name = TEXT
    headline = "bits_per_byte"
    measures = TEXT_MEASURES

    def problem(self, task: Task) -> str:
        """Why there is nothing to read."""
        return "" if task.request.strip() else "the text is empty"

    def score(self, task: Task, answer: str) -> Scores:
        """Nothing: the sums are there."""
        return {}


def options_of(task: Task) -> list[str]:
    """The options of a task, in the row's order."""
    found: list[str] = json.loads(task.example.tags[OPTIONS])
    return found


def right_of(task: Task) -> list[int]:
    """The places of its right options."""
    found: list[int] = json.loads(task.example.tags[RIGHT])
    return found
