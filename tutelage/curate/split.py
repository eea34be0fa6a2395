"""Which Examples are held out: whole groups, so that nothing alike stands on both sides.

A group's side follows from its own name and the seed, not from how many others there are: rows
that are added move none of those that were there, save those whose group they join.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xxhash
from numpy.typing import NDArray

from tutelage.core.recipe import Curate
from tutelage.core.row import Example
from tutelage.curate.alike import alike
from tutelage.curate.packed import Packed
from tutelage.curate.passes import Passes
from tutelage.curate.shelf import Rows
from tutelage.curate.sides import questions, request
from tutelage.curate.traits import Keys, firsts, keys_of, known
from tutelage.screen.near import ALIKE
from tutelage.screen.ngrams import Indices

BUCKETS = (8, 32, 128, 512)  # words of a request, at which the next length begins
EXPECTED = 3  # held-out groups a stratum must expect before one of it is held out in any case


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Which rows are held out, and the groups they were held together by."""

    held: NDArray[np.bool_]  # [rows]
    groups: int
    largest: int  # rows of the largest group
    strata: Mapping[str, Mapping[str, int]]  # rows by side
    member: Indices  # [rows], the group of each
    kinds: NDArray[np.int32]  # [rows], which of `named`
    named: Sequence[tuple[str, ...]] = ()  # what rows are, by each thing that sides have shares of

    @classmethod
    def by(
        cls,
        held: NDArray[np.bool_],
        member: Indices,
        kinds: NDArray[np.int32],
        named: Sequence[tuple[str, ...]],
    ) -> Placed:
        """The groups counted, and the rows of each side."""
        sizes = np.unique(member, return_counts=True)[1]
        return cls(
            held=held,
            groups=len(sizes),
            largest=int(sizes.max(initial=0)),
            strata=_balance(held, kinds, named),
            member=member,
            kinds=kinds,
            named=named,
        )

    def of(self, chosen: Indices) -> Placed:
        """The same of the rows that are left."""
        held, member, kinds = self.held[chosen], self.member[chosen], self.kinds[chosen]
        return Placed.by(held, member, kinds, self.named)

    def without(self, gone: Sequence[int]) -> Placed:
        """The same once these rows are gone."""
        return self.of(np.delete(np.arange(len(self.held)), gone))


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where rows stand by their own names. Shapes: each `[N]`, `authors` `[N, 2]`."""

    at: NDArray[np.float64]  # between 0 and 1
    authors: Keys  # 0 where none is named
    kinds: NDArray[np.int32]  # which of `named`
    named: list[tuple[str, ...]]  # what rows are, by each thing that sides have shares of

    @classmethod
    def joined(cls, parts: Sequence[Standing]) -> Standing:
        """That of parts, one after another."""
        distinct: dict[tuple[str, ...], int] = {}
        kinds = []
        for part in parts:
            codes = [distinct.setdefault(one, len(distinct)) for one in part.named]
            kinds.append(np.array(codes, np.int32)[part.kinds])
        return cls(
            at=np.concatenate([part.at for part in parts]),
            authors=np.concatenate([part.authors for part in parts]),
            kinds=np.concatenate(kinds),
            named=list(distinct),
        )

    def take(self, places: Indices) -> Standing:
        """That of some of the rows."""
        at, authors, kinds = self.at[places], self.authors[places], self.kinds[places]
        return replace(self, at=at, authors=authors, kinds=kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """Where a part's rows stand."""

    section: Curate
    seed: int

    def __call__(self, part: Packed) -> Standing:
        examples = part.texts()
        return self.of(examples, questions(examples))

    def of(self, examples: Sequence[Example], asked: Sequence[str]) -> Standing:
        """Where rows stand that ask so much."""
        names = _names(examples, asked, self.section)
        distinct: dict[tuple[str, ...], int] = {}
        kinds = [tuple(_kinds(one, self.section.stratify)) for one in examples]
        authors = keys_of([one.author or "" for one in examples])
        authors[[one.author is None for one in examples]] = 0
        return Standing(
            at=np.array([place(name, self.seed) for _, name in names]),
            authors=authors,
            kinds=np.array([distinct.setdefault(one, len(distinct)) for one in kinds], np.int32),
            named=list(distinct),
        )


def split(
    examples: Sequence[Example],
    section: Curate,
    seed: int,
    passes: Passes | None = None,
    beside: Mapping[int, int] | None = None,
) -> Placed:
    """Gives every row its side of the line.

    Rows with the same request or near-duplicate requests form a group, and so do those of one
    author with `group_by: author`; `beside` names others by index. A group is held out if the
    seeded hash of its name falls below `validation`. Its name is its least author's, else its
    least request. A stratum so large that it should have several groups held out has one at least.
    """
    rows, passes = Rows.of(examples), passes or Passes()
    if not len(rows):
        none = np.zeros(0, dtype=np.int64)
        return Placed.by(none.astype(np.bool_), none, none.astype(np.int32), ())
    stands = _standing(rows, Placing(section=section, seed=seed), passes)
    groups = _grouped(rows, stands.authors, section, passes, beside or {})
    names, first, member, sizes = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    at = stands.at[first]
    for group, name in _shared_names(rows, member, sizes, section).items():
        at[group] = place(name, seed)
    strata = stands.kinds[_least(rows, member, len(names))]
    held = _held_out(at, strata, section.validation)[member]
    return Placed.by(held, member, stands.kinds, stands.named)


def place(name: str, seed: int) -> float:
    """Where a name stands between 0 and 1, whatever other names there are."""
    return xxhash.xxh64_intdigest(name.encode(errors="replace"), seed=seed) / 2**64


def _standing(rows: Rows, placing: Placing, passes: Passes) -> Standing:
    """Where rows stand; as whoever screened them has found out, or found out now."""
    told: tuple[Placing, Standing] | None = rows.shelf.standing
    if told is not None and told[0] == placing:
        return told[1].take(rows.places)
    return Standing.joined(list(passes.each(placing, rows)))


def _grouped(
    rows: Rows, authors: Keys, section: Curate, passes: Passes, beside: Mapping[int, int]
) -> Indices:
    """The group of each row, named by the index of one of its members."""
    parent = list(range(len(rows)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    def join(first: Indices, second: Indices) -> None:
        for one, other in zip(first.tolist(), second.tolist(), strict=True):
            parent[root(other)] = root(one)

    (pairs,) = alike(rows, ((0,),), ALIKE, passes, "requests")
    join(pairs.first, pairs.second)
    same = firsts(known(rows).requests[rows.places])
    again = np.flatnonzero(same != np.arange(len(same)))
    join(same[again], again)
    if section.group_by == "author":
        own = firsts(authors)
        again = np.flatnonzero((own != np.arange(len(own))) & authors.any(axis=1))
        join(own[again], again)
    join(np.array([*beside.values()], np.int64), np.array([*beside], np.int64))
    return np.array([root(index) for index in range(len(rows))], dtype=np.int64)


def _held_out(
    at: NDArray[np.float64], strata: NDArray[np.int32], validation: float
) -> NDArray[np.bool_]:
    """The groups held out: by their place, and the first of a stratum that has none by chance."""
    found = at < validation
    if validation <= 0 or len(at) < 2:
        return np.zeros(len(at), dtype=np.bool_)
    counts = np.bincount(strata)
    lacking = np.bincount(strata[found], minlength=len(counts)) == 0
    for stratum in np.flatnonzero(lacking & (validation * counts >= EXPECTED)).tolist():
        groups = np.flatnonzero(strata == stratum)
        found[groups[np.argmin(at[groups])]] = True
    if not found.any():
        found[np.argmin(at)] = True
    if found.all():
        found[np.argmax(at)] = False
    return found


def _names(
    examples: Sequence[Example], asked: Sequence[str], section: Curate
) -> list[tuple[bool, str]]:
    """What each row is called by itself, and whether by its request: by its author if it may be."""
    found = []
    for example, own in zip(examples, asked, strict=True):
        by_author = section.group_by == "author" and example.author is not None
        found.append((not by_author, f"author {example.author}" if by_author else f"asks {own}"))
    return found


def _shared_names(rows: Rows, member: Indices, sizes: Indices, section: Curate) -> dict[int, str]:
    """What each group of several rows is called: by an author where one holds it together."""
    several = np.flatnonzero(sizes[member] > 1)
    found: dict[int, tuple[bool, str]] = {}
    for part in rows.take(several).parts():
        groups = member[several[part.first : part.first + part.count]].tolist()
        examples = part.texts()
        names = _names(examples, questions(examples), section)
        for group, own in zip(groups, names, strict=True):
            found[group] = min(found.get(group, own), own)
    return {group: name for group, (_, name) in found.items()}


def _least(rows: Rows, member: Indices, groups: int) -> Indices:
    """Of each group the index of the row with the least id."""
    ids = known(rows).ids[rows.places]
    order = np.lexsort((ids[:, 1], ids[:, 0], member))
    opens = np.searchsorted(member[order], np.arange(groups))
    return order[opens]


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
    held: NDArray[np.bool_], kinds: NDArray[np.int32], named: Sequence[tuple[str, ...]]
) -> dict[str, dict[str, int]]:
    """Rows on each side, by each thing of `stratify`."""
    whole = np.bincount(kinds, minlength=len(named)).tolist()
    apart = np.bincount(kinds[held], minlength=len(named)).tolist()
    found: dict[str, dict[str, int]] = {}
    for own, rows, others in zip(named, whole, apart, strict=True):
        for kind in own if rows else ():
            sides = found.setdefault(kind, {"train": 0, "validation": 0})
            sides["train"] += rows - others
            sides["validation"] += others
    return dict(sorted(found.items()))


def rank(row: str, seed: int) -> tuple[int, str]:
    """Where a row stands in an order drawn from the seed, whatever other rows there are."""
    return xxhash.xxh64_intdigest(row.encode(), seed=seed), row
