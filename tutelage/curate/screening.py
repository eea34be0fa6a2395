"""What is found in the texts of rows, and what the recipe says becomes of it."""

from __future__ import annotations

import difflib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from tutelage.core.errors import BadRow, RecipeError
from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.recipe import Recipe, Screen
from tutelage.core.row import Example
from tutelage.curate.packed import Packed, as_example, bare, packed
from tutelage.curate.parts import WORTH_SECONDS, Parts
from tutelage.curate.passes import Passes
from tutelage.curate.runner import Here
from tutelage.curate.shelf import Shelf, stretches
from tutelage.curate.sides import compared
from tutelage.curate.sieve import entry
from tutelage.curate.sources import Asked
from tutelage.curate.split import Placing, Standing
from tutelage.curate.traits import Traits, joined, traits_of
from tutelage.screen.people import key_of
from tutelage.screen.screener import DETECTORS, Found, Marks, Screened, Screener
from tutelage.store.ingest import Ingested

T = TypeVar("T")
NEARLY = 0.8  # likeness from which one name is another mistyped
REASONS = {
    "pii": Reason.PERSONAL_DATA,
    "secrets": Reason.SECRET,
    "injection": Reason.INJECTION,
    "toxicity": Reason.TOXICITY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many rows hold a kind, and how often it stands in them all."""

    rows: Counter[Found] = field(default_factory=Counter)
    times: Counter[Found] = field(default_factory=Counter)


def ready(section: Screen, recipe: Recipe) -> bytes:
    """The key of pseudonyms, empty where none is asked for.

    Raises: RecipeError naming every action for something no detector finds, and for a key that
        is not there.
    """
    known = ours(section)
    rows = []
    for name in section.actions:
        if name in known:
            continue
        # an endpoint's kinds are its own, so that only what is nearly one of ours is wrong
        least = NEARLY if section.detectors else 0.6
        close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=least)
        if close or not section.detectors:
            ask = f"did you mean `{close[0]}`?" if close else f"known: {', '.join(sorted(known))}"
            rows.append(
                BadRow(where=f"curate.screen.actions.{name}", problem=f"no such kind; {ask}")
            )
    if rows:
        raise RecipeError("an action is for nothing that is found", rows=rows)
    return key_of(section, recipe)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotated:
    """What is told of a part of the rows, by index in it."""

    marks: Marks
    traits: Traits
    words: bytes  # their sides in comparable words, a line each
    standing: Standing | None = None  # in the split, where that is asked for
    changed: dict[int, bytes] = field(default_factory=dict)  # packed rows, as they may be kept
    was: dict[int, str] = field(default_factory=dict)  # the ids they were read under
    drop: dict[int, LedgerEntry] = field(default_factory=dict)
    flags: list[LedgerEntry] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotating:
    """Looks at every text of rows, takes out what may not stay, and notes what rows are known by.

    A part may bring its marks with it: what an earlier try has found.
    """

    section: Screen
    key: bytes
    placing: Placing | None = None

    def __call__(self, part: Packed) -> Annotated:
        screener = Screener(self.section, self.key)
        lines = part.texts()
        rows = [one if bare(one) else as_example(one) for one in lines]
        marks: Marks = screener.look(rows) if part.more is None else part.more
        marked = sorted(marks)
        was = [as_example(rows[index]) for index in marked]
        after = list(screener.screen(was, dict(enumerate(marks[index] for index in marked))))
        for index, one in zip(marked, after, strict=True):
            rows[index] = one.example
        looks = compared(rows)
        told = Annotated(
            marks=marks,
            traits=traits_of(rows, looks),
            words=looks.lines(),
            standing=None if self.placing is None else self.placing.of(rows, looks.request),
        )
        for index, before, one in zip(marked, was, after, strict=True):
            if one.example is not before:
                told.changed[index] = packed(one.example)
                told.was[index] = before.id
            told.tally.rows.update(one.found.keys())
            told.tally.times.update(one.found)
            if one.has("drop"):
                told.drop[index] = dropped(one)
            else:
                told.flags.extend(_told(one))
        return told


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was found in a part, as it is put on file: places, no words."""

    rows: int
    marks: Marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is decided about the rows of a shelf, which now holds them as they may be kept."""

    drop: dict[int, LedgerEntry] = field(default_factory=dict)  # by place
    was: dict[int, str] = field(default_factory=dict)  # ids of rewritten rows as they were read
    flags: list[LedgerEntry] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)


def screen(shelf: Shelf, ends: Sequence[int], work: Annotating, passes: Passes) -> Outcome:
    """Rewrites, flags and drops the rows in which something is found; how often what was.

    `ends` are the places at which the rows of each file end: a part is of one file.
    """
    return screen_parts(shelf, stretches(shelf, ends, passes.part_rows), work, passes)


def screen_parts(
    shelf: Shelf, parts: Iterable[Packed], work: Annotating, passes: Passes
) -> Outcome:
    """The same of all rows of a shelf, onto which they may come while those before are looked at.

    What is found is kept, so that rows are looked at once however often the run is killed; where
    a detector answers from elsewhere, every part is worth it, and they are looked at one after the
    other.
    """
    have = {} if passes.parts is None else passes.parts.found("screen", Kept)
    given: deque[Packed] = deque()  # without their rows

    def handed() -> Iterator[Packed]:
        for part in parts:
            kept = have.get(part.first)
            known = None if kept is None or kept.rows != part.count else kept.marks
            given.append(replace(part, lines=b"", more=known))
            yield replace(part, more=known)

    asks = bool(work.section.detectors)
    runner = Here() if asks else passes.runner
    outcome, words = Outcome(), shelf.with_words()
    traits: list[Traits] = []
    standing: list[Standing] = []
    for told, seconds in runner.map(work, handed()):
        part = given.popleft()
        worth = asks or seconds >= passes.worth_seconds
        if passes.parts is not None and part.more is None and worth:
            passes.parts.keep("screen", part.first, Kept(rows=part.count, marks=told.marks))
        _take(shelf, part.first, told, outcome)
        words.extend(told.words)
        traits.append(told.traits)
        standing += [] if told.standing is None else [told.standing]
        passes.told(part.count)
    shelf.traits = joined(traits or [traits_of([])])
    shelf.standing = (work.placing, Standing.joined(standing)) if standing else None
    return outcome


def _take(shelf: Shelf, begin: int, told: Annotated, outcome: Outcome) -> None:
    """Notes what is told of the part that begins there."""
    for index, line in told.changed.items():
        shelf.replace(begin + index, line)
    outcome.was.update({begin + index: row for index, row in told.was.items()})
    outcome.drop.update({begin + index: one for index, one in told.drop.items()})
    outcome.flags.extend(told.flags)
    outcome.tally.rows.update(told.tally.rows)
    outcome.tally.times.update(told.tally.times)


def screened(asked: list[Asked], screener: Screener, parts: Parts | None = None) -> list[Asked]:
    """Evaluation items written as the rows now are, so that both stay comparable; ids stay."""
    found = []
    for number, one in enumerate(asked):
        look = partial(screener.look, one.file.examples)
        marks = kept_marks(parts, "items", number, Marks, look, screener)
        examples = list(_items(one.file, screener, marks))
        found.append(replace(one, file=replace(one.file, examples=examples)))
    return found


def _items(file: Ingested, screener: Screener, marks: Marks) -> Iterator[Example]:
    for one, before in zip(screener.screen(file.examples, marks), file.examples, strict=True):
        yield before if one.example is before else replace(one.example, id=before.id)


def kept_marks(
    parts: Parts | None,
    name: str,
    number: int,
    kind: type[T],
    look: Callable[[], T],
    screener: Screener,
) -> T:
    """What is found, kept among the parts: where a detector is asked elsewhere, in any case."""
    if parts is None:
        return look()
    return parts.kept(name, number, kind, look, 0.0 if screener.asks else WORTH_SECONDS)


def without_effect(section: Screen, tally: Tally) -> list[str]:
    """Actions for kinds of a detector elsewhere that it has found nowhere."""
    met = {name for found in tally.rows for name in (found.kind, found.detector)}
    return [name for name in section.actions if name not in met | ours(section)]


def ours(section: Screen) -> set[str]:
    """The kinds and detectors whose names are known before anything is found."""
    known = set(DETECTORS) | {one.name for one in section.detectors}
    return known | {kind for _, kinds in DETECTORS.values() for kind in kinds}


def _told(one: Screened) -> Iterator[LedgerEntry]:
    for found, count in one.found.items():
        yield finding_entry(one.example, found, f"{found.kind} {count}")


def dropped(one: Screened) -> LedgerEntry:
    """One entry for the row, under the first of the findings for which it goes."""
    going = [found for found in one.found if found.action == "drop"]
    listed = ", ".join(f"{found.kind} {one.found[found]}" for found in going)
    return finding_entry(one.example, going[0], listed)


def finding_entry(example: Example, found: Found, detail: str) -> LedgerEntry:
    """What the ledger tells of a finding."""
    reason = REASONS.get(found.detector, Reason.DETECTED)
    named = detail if found.detector in REASONS else f"{found.detector}: {detail}"
    return entry(example, Decision(found.action), reason, named)


def counts(tally: Tally) -> list[dict[str, str | int]]:
    """The tally as the card keeps it, by detector, kind and action."""
    return [
        {
            "detector": found.detector,
            "kind": found.kind,
            "action": found.action,
            "rows": tally.rows[found],
            "times": tally.times[found],
        }
        for found in sorted(tally.rows, key=lambda one: (one.detector, one.kind, one.action))
    ]
