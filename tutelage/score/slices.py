"""Slices of a suite: the tasks of one tag's value, or of one range of lengths."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tutelage.core.errors import BadRow, RecipeError
from tutelage.score.task import Task

LENGTH = "length"
QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Tasks that share something; `name` is what a rule writes after `@`."""

    key: str
    name: str  # `intent=refund`, `length=q1`
    label: str  # for people: `refund`, `1 to 6 words`
    tasks: frozenset[str]


def slices_of(tasks: Sequence[Task], keys: Sequence[str]) -> list[Slice]:
    """The slices of each key: by the values of a tag, by quartile of the request's words.

    Blanks in a value become `_` in the slice's name; of values that would have one name, those
    after the first are numbered.

    Raises: RecipeError for a key that no task has.
    """
    known = sorted({tag for task in tasks for tag in task.example.tags})
    missing = [key for key in keys if key != LENGTH and key not in known]
    if missing:
        raise RecipeError(
            "no task has what it is to be sliced by",
            where="evaluate.suites.slices",
            expected=f"`{LENGTH}` or a key of its rows: {', '.join(known) or 'they have none'}",
            rows=[BadRow(where=f"`{key}`", problem="is a key of no row") for key in missing],
        )
    return [found for key in keys for found in _of_key(tasks, key)]


def unsliced(tasks: Sequence[Task], keys: Sequence[str]) -> dict[str, int]:
    """By key, how many tasks are in none of its slices; keys all have are left out."""
    counts = {
        key: sum(1 for task in tasks if key not in task.example.tags)
        for key in keys
        if key != LENGTH
    }
    return {key: count for key, count in counts.items() if count}


def _of_key(tasks: Sequence[Task], key: str) -> list[Slice]:
    if key == LENGTH:
        return _by_length(tasks)
    values: dict[str, set[str]] = {}
    for task in tasks:
        if key in task.example.tags:
            values.setdefault(task.example.tags[key], set()).add(task.id)
    found: dict[str, Slice] = {}
    for value, ids in sorted(values.items(), key=lambda one: (len(one[0].split()), one[0])):
        plain = f"{key}={'_'.join(value.split())}"
        later = (f"{plain}~{number}" for number in itertools.count(2))
        name = next(one for one in itertools.chain([plain], later) if one not in found)
        found[name] = Slice(key=key, name=name, label=value, tasks=frozenset(ids))
    return sorted(found.values(), key=lambda one: one.label)


def _by_length(tasks: Sequence[Task]) -> list[Slice]:
    words = np.array([len(task.request.split()) for task in tasks])
    if not len(words):
        return []
    edges = np.quantile(words, QUARTILES, method="lower")
    bins = np.searchsorted(edges, words, side="left")
    found = []
    for number in sorted(set(bins.tolist())):
        inside = words[bins == number]
        ids = [task.id for task, place in zip(tasks, bins, strict=True) if place == number]
        shortest, longest = int(inside.min()), int(inside.max())
        span = f"{shortest}" if shortest == longest else f"{shortest} to {longest}"
        found.append(
            Slice(
                key=LENGTH,
                name=f"{LENGTH}=q{number + 1}",
                label=f"{span} word{'s' if longest != 1 else ''}",
                tasks=frozenset(ids),
            )
        )
    return found
