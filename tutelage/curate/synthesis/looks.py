"""Curation's own looks at rows in memory: licence and consent, and what is found in texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tutelage.core.finding import Finding
from tutelage.core.ledger import Decision, LedgerEntry
from tutelage.core.recipe import Curate, Recipe, Screen
from tutelage.core.row import Example
from tutelage.curate.consent import Withheld, under_pseudonyms
from tutelage.curate.screening import dropped, finding_entry
from tutelage.curate.shelf import Rows
from tutelage.screen.rewrite import read
from tutelage.screen.screener import Screened, Screener

PARTS = {"system": "the system prompt", "user": "the request", "assistant": "the answer"}
ELSEWHERE = "what is said of the row"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """Rows as the screen leaves them, and what is decided about them by index."""

    examples: list[Example] = field(default_factory=list)
    drop: dict[int, LedgerEntry] = field(default_factory=dict)
    flags: list[LedgerEntry] = field(default_factory=list)


def found_in(examples: Sequence[Example], section: Screen, key: bytes) -> Looked:
    """What the detectors find in the rows, part by part; what is to be taken out of them is."""
    screener, looked = Screener(section, key), Looked()
    marks = screener.look(examples)
    for place, one in enumerate(screener.screen(examples, marks)):
        looked.examples.append(one.example)
        if one.has("drop"):
            looked.drop[place] = dropped(one)
        elif one.found:
            looked.flags.extend(_by_part(examples[place], one, screener, marks[place]))
    return looked


def _by_part(
    example: Example, screened: Screened, screener: Screener, marks: Mapping[int, list[Finding]]
) -> Iterator[LedgerEntry]:
    """Each kind that was found, with how often it stands in which part of the row."""
    parts = parts_of(example)
    counts = Counter((found, parts[place]) for place, found in screener.places(marks))
    for found in screened.found:
        own = [f"{n} in {part}" for (one, part), n in counts.items() if one == found]
        yield finding_entry(screened.example, found, f"{found.kind} {', '.join(own)}")


def parts_of(example: Example) -> list[str]:
    """The part of a row that each of its texts stands in, in the order of `read`."""
    bare = replace(example, tools=(), chosen=(), rejected=(), tags={}, licence_basis=None)
    bare = replace(bare, generator=None)
    found: list[str] = []
    for message in example.messages:
        texts = read(replace(bare, messages=(message,)))
        found += [PARTS.get(message.role, message.role)] * len(texts)
    return found + [ELSEWHERE] * (len(read(example)) - len(found))


def not_allowed(
    examples: Sequence[Example], looked: Looked, section: Curate, recipe: Recipe, key: bytes
) -> dict[int, LedgerEntry]:
    """The rows that licence or consent keep out, by index.

    A row goes by all the names curation knows it by: as it was read, under pseudonyms, and as it
    may be kept.
    """
    kept, back = Rows.of(looked.examples), Withheld.by(section, recipe, key)
    was: dict[int, str] = {}
    for place, (before, after) in enumerate(zip(examples, looked.examples, strict=True)):
        back.look(before, place)
        back.look_again(after, place)
        if section.people == "pseudonymise":
            back.look_again(under_pseudonyms(before, key), place)
        if before.id != after.id:
            was[place] = before.id
    told = back.by_licence(kept, was) | back.opted_out(kept, was)
    return {place: one for place, one in told.items() if one.decision == Decision.DROP}
