"""Which Examples are held out: whole groups, so that nothing alike stands on both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import xxhash

from tutelage.core.recipe import Curate
from tutelage.core.row import Example
from tutelage.curate.sides import question
from tutelage.screen.near import near_pairs, side


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Examples with their split, and the groups they were held together by."""

    examples: list[Example]
    groups: int
    largest: int  # rows of the largest group


def split(examples: list[Example], section: Curate, seed: int) -> Placed:
    """Gives every Example its side of the line.

    Examples with the same request or near-duplicate requests form a group, and so do
    those of one author with `group_by: author`. Groups are ranked by a seeded hash of
    their least row id, so a row that is added moves few others, and the order of files
    none.
    """
    groups = _groups(examples, section)
    sizes = Counter(groups)
    least: dict[int, str] = {}
    for example, group in zip(examples, groups, strict=True):
        least[group] = min(least.get(group, example.id), example.id)
    ranked = sorted(least, key=lambda group: rank(least[group], seed))
    wanted = round(section.validation * len(ranked))
    if section.validation > 0 and len(ranked) > 1:
        wanted = min(max(wanted, 1), len(ranked) - 1)
    else:
        wanted = 0
    held_out = set(ranked[:wanted])
    placed = [
        replace(example, split="validation" if group in held_out else "train")
        for example, group in zip(examples, groups, strict=True)
    ]
    return Placed(examples=placed, groups=len(ranked), largest=max(sizes.values(), default=0))


def rank(row: str, seed: int) -> tuple[int, str]:
    """Where a row stands in an order drawn from the seed, whatever other rows there are."""
    return xxhash.xxh64_intdigest(row.encode(), seed=seed), row


def _groups(examples: list[Example], section: Curate) -> list[int]:
    """The group of each Example, named by the index of one of its members."""
    parent = list(range(len(examples)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    def join(pairs: Iterable[tuple[int, int]]) -> None:
        for first, second in pairs:
            parent[root(second)] = root(first)

    questions = [question(one) for one in examples]
    alike = near_pairs([side(questions)], section.duplicates.jaccard)
    join(zip(alike.first.tolist(), alike.second.tolist(), strict=True))
    join(_same(questions))
    if section.group_by == "author":
        join(_same([one.author for one in examples]))
    return [root(index) for index in range(len(examples))]


def _same(keys: Sequence[str | None]) -> Iterable[tuple[int, int]]:
    first: dict[str, int] = {}
    for index, key in enumerate(keys):
        if key is not None:
            yield first.setdefault(key, index), index
