"""Which Examples are held out: whole groups, so that nothing alike stands on both sides.

A group's side follows from its own name and the seed, not from how many others there are: rows
that are added move none of those that were there, save those whose group they join.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import xxhash

from tutelage.core.recipe import Curate
from tutelage.core.row import Example
from tutelage.curate.sides import questions, request
from tutelage.screen.near import near_pairs, side

BUCKETS = (8, 32, 128, 512)  # words of a request, at which the next length begins
EXPECTED = 3  # held-out groups a stratum must expect before one of it is held out in any case


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Examples with their split, and the groups they were held together by."""

    examples: list[Example]
    groups: int
    largest: int  # rows of the largest group
    strata: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # rows by side


def split(
    examples: list[Example],
    section: Curate,
    seed: int,
    requests: Sequence[str] | None = None,
    groups: Sequence[int] | None = None,
) -> Placed:
    """Gives every Example its side of the line.

    `requests` is what `questions` gives and `groups` what `grouped` does, where they are known.

    Examples with the same request or near-duplicate requests form a group, and so do
    those of one author with `group_by: author`. A group is held out if the seeded hash of its
    name falls below `validation`. Its name is its least author's, else its least request. A
    stratum so large that it should have several groups held out has one at least.
    """
    requests = questions(examples) if requests is None else requests
    groups = grouped(examples, section, requests) if groups is None else groups
    sizes = Counter(groups)
    places = {
        group: place(name, seed)
        for group, name in _names(examples, groups, section, requests).items()
    }
    kinds = [_kinds(example, section.stratify) for example in examples]
    strata = _strata(examples, groups, kinds)
    held_out = _held_out(places, strata, section.validation)
    placed = [
        replace(example, split="validation" if group in held_out else "train")
        for example, group in zip(examples, groups, strict=True)
    ]
    return Placed(
        examples=placed,
        groups=len(places),
        largest=max(sizes.values(), default=0),
        strata=_balance(placed, kinds),
    )


def place(name: str, seed: int) -> float:
    """Where a name stands between 0 and 1, whatever other names there are."""
    return xxhash.xxh64_intdigest(name.encode(errors="replace"), seed=seed) / 2**64


def _held_out(
    places: Mapping[int, float], strata: Mapping[int, str], validation: float
) -> set[int]:
    """The groups held out: by their place, and the first of a stratum that has none by chance."""
    if validation <= 0 or len(places) < 2:
        return set()
    found = {group for group, at in places.items() if at < validation}
    members: defaultdict[str, list[int]] = defaultdict(list)
    for group in places:
        members[strata[group]].append(group)
    for groups in members.values():
        if validation * len(groups) >= EXPECTED and found.isdisjoint(groups):
            found.add(min(groups, key=places.__getitem__))
    if not found:
        found.add(min(places, key=places.__getitem__))
    if len(found) == len(places):
        found.remove(max(places, key=places.__getitem__))
    return found


def _names(
    examples: Sequence[Example], groups: Sequence[int], section: Curate, requests: Sequence[str]
) -> dict[int, str]:
    """What each group is called: by an author where one holds it together, else by a request."""
    found: dict[int, tuple[bool, str]] = {}
    for example, group, asked in zip(examples, groups, requests, strict=True):
        by_author = section.group_by == "author" and example.author is not None
        name = f"author {example.author}" if by_author else f"asks {asked}"
        own = (not by_author, name)
        found[group] = min(found.get(group, own), own)
    return {group: name for group, (_, name) in found.items()}


def _strata(
    examples: Sequence[Example], groups: Sequence[int], kinds: Sequence[Sequence[str]]
) -> dict[int, str]:
    """The stratum of each group: that of its least row."""
    least: dict[int, int] = {}
    for index, group in enumerate(groups):
        if group not in least or examples[index].id < examples[least[group]].id:
            least[group] = index
    return {group: ", ".join(kinds[index]) for group, index in least.items()}


def _kinds(example: Example, by: Sequence[str]) -> list[str]:
    """What a row is, by each thing that sides have shares of; a tag it lacks says nothing."""
    found = []
    for name in by:
        if name == "origin":
            found.append(f"origin {example.origin}")
        elif name == "length":
            found.append(f"length {length_of(example)}")
        elif name in example.tags:
            found.append(f"{name} {example.tags[name]}")
    return found


def length_of(example: Example) -> str:
    """The bin of its request's words, such as `8-31`."""
    words = len(request(example).split())
    begin = max((least for least in (0, *BUCKETS) if words >= least), default=0)
    end = next((least for least in BUCKETS if least > words), None)
    return f"{begin}+" if end is None else f"{begin}-{end - 1}"


def _balance(
    placed: Sequence[Example], kinds: Sequence[Sequence[str]]
) -> dict[str, dict[str, int]]:
    """Rows on each side, by each thing of `stratify`."""
    found: defaultdict[str, dict[str, int]] = defaultdict(lambda: {"train": 0, "validation": 0})
    for example, own in zip(placed, kinds, strict=True):
        for kind in own:
            found[kind][example.split or "train"] += 1
    return dict(sorted(found.items()))


def rank(row: str, seed: int) -> tuple[int, str]:
    """Where a row stands in an order drawn from the seed, whatever other rows there are."""
    return xxhash.xxh64_intdigest(row.encode(), seed=seed), row


def grouped(examples: Sequence[Example], section: Curate, requests: Sequence[str]) -> list[int]:
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

    alike = near_pairs([side(requests)], section.duplicates.jaccard)
    join(zip(alike.first.tolist(), alike.second.tolist(), strict=True))
    join(_same(requests))
    if section.group_by == "author":
        join(_same([one.author for one in examples]))
    return [root(index) for index in range(len(examples))]


def _same(keys: Sequence[str | None]) -> Iterable[tuple[int, int]]:
    first: dict[str, int] = {}
    for index, key in enumerate(keys):
        if key is not None:
            yield first.setdefault(key, index), index
