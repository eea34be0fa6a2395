"""Values to copy: fresh spans of text of every kind, verbatim from real prose or made up."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

from tutelage.bases.sources import documents, held_out
from tutelage.bases.words import (
    ACCENTS,
    CLOSED,
    DAYS,
    MONTHS,
    NUMBERS,
    PARTS,
    STREETS,
    SYLLABLES,
)

# After a small letter, so that a sentence's first word is not taken for a name.
NAMES = re.compile(r"(?<=[a-z,] )[A-Z][a-zà-ÿ]+(?:(?: of| the| and|'s)? [A-Z][a-zà-ÿ]+){0,4}")
KINDS = ("person", "place", "title", "thing", "number", "money", "date", "time", "span", "code")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """Real text that spans are cut from: trained parts only."""

    names: tuple[str, ...]  # capitalised words in a row
    titles: tuple[str, ...]  # answers of trivia: people, places, works, things
    words: tuple[str, ...]  # running words of dialogue and prose, in order
    sentences: tuple[str, ...]


SAMPLED = (("books", 12), ("topical", 1), ("sgd", 3), ("onestop", 1))  # every so many documents
DRAWN_FROM = (*(component for component, _ in SAMPLED), "trivia")
LINES = re.compile(r"\n+|(?<=[.!?]) ")
SPEAKER = re.compile(r"(?m)^\w+: ")
CHOICE = re.compile(r"(?m)^- (.{2,60}?)(?:<\|im_end\|>)?$")


def gather(data: Path, seed: int) -> Bank:
    """The bank of the source data, held-out documents left out."""
    draw = Random(f"{seed} bank")
    prose = [
        SPEAKER.sub("", document.text)
        for component, every in SAMPLED
        for document in islice(documents(component, data, seed), 0, None, every)
        if not held_out(document)
    ]
    sentences = [
        line.strip() for text in prose for line in LINES.split(text) if 12 < len(line) < 160
    ]
    return Bank(
        names=tuple(name for text in prose for name in NAMES.findall(text)),
        titles=tuple(titles(data, seed)),
        words=tuple(
            word
            for sentence in sentences
            if draw.random() < 0.5
            for word in re.findall(r"[\w'’&.-]*\w", sentence)
        ),
        sentences=tuple(sentences),
    )


def titles(data: Path, seed: int) -> Iterator[str]:
    """The choices of trivia questions that are trained on."""
    for document in documents("trivia", data, seed):
        if not held_out(document):
            yield from (choice.strip() for choice in CHOICE.findall(document.text))


def value(bank: Bank, kind: str, draw: Random) -> str:
    """A fresh span of the kind, cased as somebody might type it."""
    makers = {
        "person": person,
        "place": place,
        "title": title,
        "thing": thing,
        "number": number,
        "money": money,
        "date": date,
        "time": time,
        "span": span,
        "code": code,
        "email": email,
        "phone": phone,
        "address": address,
        "year": year,
    }
    if kind in CLOSED:
        return draw.choice(CLOSED[kind])
    return makers[kind](bank, draw)


def grams(bank: Bank, draw: Random, longest: int) -> str:
    """One to `longest` running words."""
    size = min(draw.randint(1, longest), draw.randint(1, longest) + 1)
    at = draw.randrange(len(bank.words) - size)
    return " ".join(bank.words[at : at + size])


def invented(draw: Random) -> str:
    """A word that no text has."""
    word = "".join(draw.choice(SYLLABLES) for _ in range(draw.randint(2, 3)))
    return word.capitalize() if draw.random() < 0.6 else word


def mutated(text: str, draw: Random) -> str:
    """The text with a letter or two swapped, doubled, dropped or accented."""
    letters = list(text)
    for _ in range(draw.randint(1, 2)):
        at = draw.randrange(len(letters))
        letter = letters[at].lower()
        if letter in ACCENTS and draw.random() < 0.6:
            letters[at] = draw.choice(ACCENTS[letter])
        elif letter.isalpha():
            letters[at] = draw.choice((letter * 2, draw.choice("aeioubdkmnrst"), letters[at]))
    return "".join(letters)


def person(bank: Bank, draw: Random) -> str:
    kind = draw.random()
    if kind < 0.4:
        return draw.choice(bank.names)
    if kind < 0.6:
        return draw.choice(bank.titles)
    if kind < 0.75:
        return f"{draw.choice(bank.names).split()[0]} {draw.choice(bank.names).split()[-1]}"
    if kind < 0.85:
        return f"{invented(draw)} {draw.choice(bank.names).split()[0]}"
    if kind < 0.93:
        return draw.choice(("my", "our", "his")) + " " + draw.choice(bank.words).lower()
    return draw.choice(("my", "our", "mr. ", "Dr. ", "Aunt ")).strip() + " " + invented(draw)


def place(bank: Bank, draw: Random) -> str:
    name = draw.choice(bank.names) if draw.random() < 0.6 else draw.choice(bank.titles)
    kind = draw.random()
    if kind < 0.12:
        return f"{draw.choice(PARTS)} {name}"
    if kind < 0.25:
        return f"{name}, {draw.choice(bank.names).split()[0]}"
    return invented(draw) if kind < 0.35 else name


def title(bank: Bank, draw: Random) -> str:
    kind = draw.random()
    if kind < 0.35:
        return draw.choice(bank.titles)
    if kind < 0.5:
        return draw.choice(bank.names)
    text = grams(bank, draw, 6)
    if kind < 0.65:
        return text
    if kind < 0.8:
        return " ".join(word.capitalize() for word in text.split())
    if kind < 0.86:
        return f"{text.title()}{draw.choice(('!', ': ', ' & ', ' - ', ' / ', ', ', ' of '))}" + (
            draw.choice(bank.names)
        )
    if kind < 0.9:
        return f"{text} {draw.choice((str(draw.randint(1, 2030)), '(Live)', '#1', 'Vol. 2', 'II'))}"
    return " ".join(invented(draw) for _ in range(draw.randint(1, 3)))


def thing(bank: Bank, draw: Random) -> str:
    text = grams(bank, draw, 5)
    return text.lower() if draw.random() < 0.7 else text


def number(bank: Bank, draw: Random) -> str:
    kind = draw.random()
    if kind < 0.25:
        return draw.choice(NUMBERS)
    if kind < 0.35:
        return f"{draw.randint(0, 99)}.{draw.randint(0, 9)}"
    return str(draw.randint(0, 10 ** draw.randint(1, 4)))


def money(bank: Bank, draw: Random) -> str:
    amount = draw.choice(
        (str(draw.randint(1, 999)), f"{draw.randint(1, 99)}.{draw.randint(10, 99)}")
    )
    return draw.choice(("${}", "{} dollars", "{} euros", "€{}", "£{}", "{} bucks", "{}")).format(
        amount
    )


def date(bank: Bank, draw: Random) -> str:
    day, month, weekday = draw.randint(1, 28), draw.choice(MONTHS), draw.choice(DAYS)
    return draw.choice(
        (
            f"{month} {day}",
            f"the {day}th of {month}",
            f"{day} {month} {draw.randint(1990, 2035)}",
            f"{draw.randint(1, 12)}/{day}/{draw.randint(2000, 2030)}",
            f"{draw.randint(2000, 2030)}-{draw.randint(1, 12):02}-{day:02}",
            weekday,
            f"next {weekday}",
            f"this {weekday} {draw.choice(('morning', 'evening', 'night'))}",
            draw.choice(
                ("today", "tomorrow", "tonight", "yesterday", "this weekend", "next month")
            ),
            f"{draw.choice(NUMBERS)} {draw.choice(('days', 'weeks', 'months'))} from now",
            f"in {draw.randint(2, 30)} days",
            f"{month[:3]} {day}",
        )
    )


def time(bank: Bank, draw: Random) -> str:
    hour, minute = draw.randint(1, 12), draw.randint(0, 59)
    half = draw.choice(("am", "pm", " am", " pm", " a.m.", " PM", " o'clock"))
    return draw.choice(
        (
            f"{hour}:{minute:02}",
            f"{hour}{half}",
            f"{hour}:{minute:02}{half}",
            f"{hour + 11}:{minute:02}",
            f"half past {draw.choice(NUMBERS)}",
            f"{draw.choice(NUMBERS)} thirty",
            draw.choice(("noon", "midnight", "sunrise", "dinner time", "the evening", "dawn")),
            f"quarter to {draw.choice(NUMBERS)}",
        )
    )


def span(bank: Bank, draw: Random) -> str:
    unit = draw.choice(("minutes", "hours", "days", "weeks", "seconds", "months", "years"))
    return f"{number(bank, draw)} {unit}"


def code(bank: Bank, draw: Random) -> str:
    letters = "ABCDEFGHKLMNPRSTUVWXYZ" if draw.random() < 0.7 else "abcdefghkmnprstuvwxyz"
    return "".join(
        draw.choice(letters) if mark == "A" else str(draw.randint(0, 9)) if mark == "0" else mark
        for mark in draw.choice(("AA000", "0000", "A-00-A", "AAA-0000", "00A0", "#00000", "A0/00"))
    )


def email(bank: Bank, draw: Random) -> str:
    first, second = draw.choice(bank.names).split()[0].lower(), invented(draw).lower()
    user = f"{first}{draw.choice(('.', '_', ''))}{second}"
    return f"{user}@{invented(draw).lower()}.{draw.choice(('com', 'org', 'net'))}"


def phone(bank: Bank, draw: Random) -> str:
    return f"{draw.randint(100, 999)}-{draw.randint(100, 999)}-{draw.randint(1000, 9999)}"


def address(bank: Bank, draw: Random) -> str:
    return f"{draw.randint(1, 999)} {draw.choice(bank.names).split()[-1]} {draw.choice(STREETS)}"


def year(bank: Bank, draw: Random) -> str:
    return draw.choice(
        (str(draw.randint(1900, 2030)), f"{draw.randint(2, 9)}0s", f"'{draw.randint(10, 99)}")
    )
