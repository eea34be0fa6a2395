"""Rows of real text in which repeats, leaks, personal data and secrets stand at known places.

Rows are clauses of Dolly's answers in a random order, so that no row holds eight words in a row
of another, and any number of them can be made from one seed; Dolly's own rows stand among them.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from curate_values import VALUES

from tutelage.core.conversation import Message
from tutelage.core.row import Example, Source
from tutelage.screen.injection import find_injections
from tutelage.screen.pii import find_pii
from tutelage.screen.secrets import find_secrets

TEXT = Path(__file__).parent / "data" / "dolly.jsonl.gz"
RATES = (0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2)  # of the words, edited
PROMPT_WORDS, ANSWER_WORDS = (20, 60), (50, 120)
CLUSTERS, SHORT, ITEMS, VALUES_EACH = 0.05, 0.02, 0.02, 0.004  # shares of the rows
CROWDS = (5, 10, 30, 100)  # copies of one row, and leaks of one item, that stand together
CROWDED = 0.02  # share of the rows that are of a crowd, copies and leaks alike
PAIRS_OF_PHONES = 0.002  # share of the rows with two numbers of telephones side by side
ENDS = re.compile(r"[.,;:!?\n()\"]+")
WRAPS = ("Translate this into French: {}", "Earlier I was asked: {} What would you say?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A value of a kind in a row: where it begins and ends in the answer."""

    row: int
    kind: str
    start: int
    end: int


@dataclass(slots=True, kw_only=True)
class Plants:
    """The rows, and what stands where."""

    rows: list[Example] = field(default_factory=list)
    items: list[Example] = field(default_factory=list)  # of the evaluation
    copies: list[tuple[int, int, str]] = field(default_factory=list)  # original, copy, how
    short: list[int] = field(default_factory=list)  # distinct rows of fewer than five words
    leaks: list[tuple[int, int, str]] = field(default_factory=list)  # row, item, how
    crowds: list[list[int]] = field(default_factory=list)  # rows that are copies of the first
    values: list[Planted] = field(default_factory=list)
    clean: list[int] = field(default_factory=list)  # rows of nothing but text


def plant(rows: int, seed: int) -> Plants:
    """So many rows; the same for the same seed."""
    return _Planter(rows, seed).made()


def crowd(rows: int, size: int, seed: int) -> Plants:
    """So many rows that are only text, with as many copies of one more and leaks of one item."""
    planter = _Planter(rows, seed)
    planter.plants.items.append(example(planter.text(PROMPT_WORDS), "", 0, "items"))
    for _ in range(rows):
        asked, said = planter.text(PROMPT_WORDS), planter.text(ANSWER_WORDS)
        planter.plants.clean.append(planter.add(asked, said))
    planter.crowd(size, 0)
    return planter.plants


class _Planter:
    def __init__(self, rows: int, seed: int) -> None:
        self.wanted = rows
        self.random = random.Random(seed)
        with gzip.open(TEXT, "rt", encoding="utf-8") as stream:
            self.own = [json.loads(line) for line in stream]
        self.clauses = sorted(_clauses(self.own))
        known = {word for clause in self.clauses for word in clause.split()}
        self.plain = sorted(word for word in known if word.isalpha())
        self.plants = Plants()

    def made(self) -> Plants:
        plants = self.plants
        self._values()
        self._short()
        for _ in range(round(self.wanted * ITEMS)):
            asked = self.text(PROMPT_WORDS)
            plants.items.append(example(asked, "", len(plants.items), "items"))
        self._leaks()
        self._copies()
        self._crowds()
        self._phones()
        for one in self.own[: max(0, self.wanted - len(plants.rows)) // 2]:
            plants.clean.append(self.add(one["request"], one["answer"]))
        while len(plants.rows) < self.wanted:
            plants.clean.append(self.add(self.text(PROMPT_WORDS), self.text(ANSWER_WORDS)))
        return plants

    def add(self, asked: str, said: str) -> int:
        """A row; its index."""
        self.plants.rows.append(example(asked, said, len(self.plants.rows), "rows"))
        return len(self.plants.rows) - 1

    def text(self, lengths: tuple[int, int]) -> str:
        """Clauses until there are enough words."""
        wanted, found, count = self.random.randint(*lengths), [], 0
        while count < wanted:
            clause = self.random.choice(self.clauses)
            found.append(clause)
            count += len(clause.split())
        return self.sentence(found)

    def sentence(self, clauses: Sequence[str]) -> str:
        """Clauses with signs between them."""
        return "".join(f"{clause}{self.random.choice(', ;, .')} " for clause in clauses).strip()

    def _values(self) -> None:
        for kind, make in VALUES.items():
            for _ in range(max(40, round(self.wanted * VALUES_EACH))):
                lead, value = make(self.random)
                before, after = self.text((10, 40)), self.text((10, 40))
                said = f"{before} {lead}{value}"
                row = self.add(self.text(PROMPT_WORDS), f"{said}. {after}")
                start = len(said) - len(value)
                self.plants.values.append(
                    Planted(row=row, kind=kind, start=start, end=start + len(value))
                )

    def _short(self) -> None:
        known = sorted({word for clause in self.clauses for word in clause.split()})
        seen: set[str] = set()
        while len(seen) < round(self.wanted * SHORT):
            told = " ".join(self.random.choices(known, k=self.random.randint(1, 4)))
            if told.lower() not in seen:
                seen.add(told.lower())
                self.plants.short.append(self.add(told, self.random.choice(("Yes", "No"))))

    def _leaks(self) -> None:
        for number, item in enumerate(self.plants.items):
            how = ("whole", "re-wrapped", "partial", "normalised", "none")[number % 5]
            if how == "none":
                continue
            asked = item.messages[0].content
            if how == "partial":
                words = asked.split()
                size = min(len(words), self.random.randint(13, 19))
                begin = self.random.randint(0, len(words) - size)
                asked = f"{self.text((20, 40))} {' '.join(words[begin : begin + size])}"
                asked = f"{asked} {self.text((20, 40))}"
            elif how == "re-wrapped":
                asked = self.random.choice(WRAPS).format(f"{self.text((40, 80))} {asked}")
            elif how == "normalised":
                asked = normalised(asked)
            row = self.add(asked, self.text(ANSWER_WORDS))
            self.plants.leaks.append((row, number, how))

    def _crowds(self) -> None:
        items = list(range(len(self.plants.items)))
        items = items[4::5] or items  # those of which `_leaks` makes none
        for number, size in enumerate(self._sizes()):
            self.crowd(size, items[number % len(items)])

    def crowd(self, size: int, number: int) -> None:
        """Copies of a row, each with a word of its own, and leaks of an item."""
        asked, said = self.text(PROMPT_WORDS), self.text(ANSWER_WORDS)
        rows = [self.add(asked, said)]
        rows += [
            self.add(f"{asked} {self.random.choice(self.plain)}", said) for _ in range(1, size)
        ]
        self.plants.crowds.append(rows)
        item = self.plants.items[number].messages[0].content
        for _ in range(size):
            asked = f"{self.text((20, 40))} {item} {self.text((20, 40))}"
            row = self.add(asked, self.text(ANSWER_WORDS))
            self.plants.leaks.append((row, number, f"one of {size}"))

    def _sizes(self) -> Iterator[int]:
        """Of crowds, as many as fit; the smallest in any case."""
        left = max(round(self.wanted * CROWDED), 2 * CROWDS[0])
        while left >= 2 * CROWDS[0]:
            for size in CROWDS:
                if 2 * size <= left:
                    yield size
                    left -= 2 * size

    def _phones(self) -> None:
        for number in range(round(self.wanted * PAIRS_OF_PHONES)):
            area = self.random.randint(201, 989)
            value = f"{area}-555-{self.random.randint(1000, 9999)}"
            other = f"{area}-555-{self.random.randint(1000, 9999)}"
            border = (" / ", " ", ", ", " or ")[number % 4]
            said = f"{self.text((10, 40))} Phones: "
            answer = f"{said}{value}{border}{other}. {self.text((10, 40))}"
            row = self.add(self.text(PROMPT_WORDS), answer)
            for start in (len(said), len(said) + len(value) + len(border)):
                end = start + len(value)
                self.plants.values.append(Planted(row=row, kind="phone", start=start, end=end))

    def _copies(self) -> None:
        ways = ("exact", "normalised", *map(str, RATES))
        for number in range(round(self.wanted * CLUSTERS)):
            asked, said = self.text(PROMPT_WORDS), self.text(ANSWER_WORDS)
            original = self.add(asked, said)
            how = ways[number % len(ways)]
            if how == "exact":
                copy = self.add(asked, said)
            elif how == "normalised":
                copy = self.add(normalised(asked), normalised(said))
            else:
                copy = self.add(self.edited(asked, float(how)), self.edited(said, float(how)))
            self.plants.copies.append((original, copy, how))

    def edited(self, text: str, rate: float) -> str:
        """The text with words replaced, left out and put in, at least one."""
        words = text.split()
        for _ in range(max(1, round(rate * len(words)))):
            place, word = (
                self.random.randrange(len(words)),
                self.random.choice(self.clauses).split(),
            )
            size, new = self.random.choice(((1, word[:1]), (1, []), (0, word[:1])))
            words[place : place + size] = new
        return " ".join(words)


def example(asked: str, said: str, line: int, uri: str) -> Example:
    """A row as curation reads it."""
    answer = (Message(role="assistant", content=said),) if said else ()
    return Example(
        messages=(Message(role="user", content=asked), *answer),
        origin="human",
        licence="CC-BY-SA-3.0",
        source=Source(uri=uri, line=line + 1),
    )


def normalised(text: str) -> str:
    """The same words in capitals, with other signs and blanks."""
    return "  ".join(ENDS.sub(" ", text).upper().split()) + " !"


def _clauses(rows: Sequence[dict[str, str]]) -> Iterator[str]:
    """Four to seven words each, of texts in which no rule finds anything."""
    seen = set()
    for row in rows:
        said = row["answer"]
        if find_pii(said) or find_secrets(said) or find_injections(said):
            continue
        for part in ENDS.split(said):
            words = part.split()
            clause = " ".join(words[:7])
            if len(words) >= 4 and clause.lower() not in seen and "/" not in clause:
                seen.add(clause.lower())
                yield clause
