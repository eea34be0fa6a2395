"""What is found in the texts of rows, and what the recipe says becomes of it."""

from __future__ import annotations

import difflib
import hashlib
import hmac
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from tutelage.core.errors import BadRow, RecipeError
from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.recipe import Recipe, Screen
from tutelage.core.row import Example
from tutelage.curate.parts import WORTH_SECONDS, Parts
from tutelage.curate.sieve import entry
from tutelage.curate.sources import Asked
from tutelage.screen.people import key_of
from tutelage.screen.screener import DETECTORS, Found, Marks, Screened, Screener
from tutelage.store.ingest import Ingested

PART_ROWS = 1 << 15  # looked at before what is found is put on file
REASONS = {
    "pii": Reason.PERSONAL_DATA,
    "secrets": Reason.SECRET,
    "injection": Reason.INJECTION,
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
    known = set(DETECTORS) | {one.name for one in section.detectors}
    known |= {kind for _, kinds in DETECTORS.values() for kind in kinds}
    rows = []
    for name in section.actions:
        if name not in known and not section.detectors:  # an endpoint's kinds are its own
            close = difflib.get_close_matches(name, sorted(known), n=1)
            ask = f"did you mean `{close[0]}`?" if close else f"known: {', '.join(sorted(known))}"
            rows.append(
                BadRow(where=f"curate.screen.actions.{name}", problem=f"no such kind; {ask}")
            )
    if rows:
        raise RecipeError("an action is for nothing that is found", rows=rows)
    return key_of(section, recipe)


def mark(key: bytes) -> str:
    """What tells two keys apart without telling either."""
    told = hmac.new(key, b"tutelage: which key", hashlib.sha256) if key else None
    return told.hexdigest()[:16] if told else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The files with their rows as they may be kept, and what is decided about them."""

    files: list[Ingested]
    drop: dict[int, LedgerEntry]  # by place among the rows of all files
    flags: list[LedgerEntry]
    tally: Tally


def screen(files: list[Ingested], screener: Screener, parts: Parts | None = None) -> Outcome:
    """Rewrites, flags and drops the rows in which something is found; how often what was.

    What is found is kept in `parts`, so that rows are looked at once however often the run is
    killed; where a detector answers from elsewhere, every part is worth it.
    """
    tally, place = Tally(), 0
    drop: dict[int, LedgerEntry] = {}
    flags: list[LedgerEntry] = []
    written = []
    for file in files:
        examples = []
        for one in _looked(file.examples, screener, parts, place):
            examples.append(one.example)
            tally.rows.update(one.found.keys())
            tally.times.update(one.found)
            if one.has("drop"):
                drop[place] = _dropped(one)
            else:
                flags += _told(one)
            place += 1
        written.append(replace(file, examples=examples))
    return Outcome(files=written, drop=drop, flags=flags, tally=tally)


def _looked(
    examples: list[Example], screener: Screener, parts: Parts | None, place: int
) -> Iterator[Screened]:
    """The rows of a file as the screener leaves them, a part at a time; parts lie by `place`."""
    for begin in range(0, len(examples), PART_ROWS):
        part = examples[begin : begin + PART_ROWS]
        if parts is None:
            yield from screener.screen(part)
            continue
        worth = 0.0 if screener.asks else WORTH_SECONDS
        look = partial(screener.look, part)
        yield from screener.screen(part, parts.kept("screen", place + begin, Marks, look, worth))


def screened(asked: list[Asked], screener: Screener) -> list[Asked]:
    """Evaluation items written as the rows now are, so that both stay comparable; ids stay."""
    return [
        replace(one, file=replace(one.file, examples=list(_items(one.file, screener))))
        for one in asked
    ]


def _items(file: Ingested, screener: Screener) -> Iterator[Example]:
    for one, before in zip(screener.screen(file.examples), file.examples, strict=True):
        yield before if one.example is before else replace(one.example, id=before.id)


def _told(one: Screened) -> Iterator[LedgerEntry]:
    for found, count in one.found.items():
        yield _entry(one.example, found, f"{found.kind} {count}")


def _dropped(one: Screened) -> LedgerEntry:
    """One entry for the row, under the first of the findings for which it goes."""
    going = [found for found in one.found if found.action == "drop"]
    listed = ", ".join(f"{found.kind} {one.found[found]}" for found in going)
    return _entry(one.example, going[0], listed)


def _entry(example: Example, found: Found, detail: str) -> LedgerEntry:
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
