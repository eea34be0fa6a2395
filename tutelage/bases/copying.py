"""Invented tasks of copying, cutting and looking up text."""

import json
import re
from collections.abc import Callable
from random import Random

from tutelage.bases.spans import KINDS, NAMES, Bank, grams, invented, mutated, value
from tutelage.bases.vocabulary import chat
from tutelage.bases.words import listed

FIELDS = listed(
    "name;city;street;phone;owner;title;price;colour;date;hour;team;artist;brand;code;email;topic;"
    "author;country;subject;note;place;song;genre;reason;type;label;status;room;driver;dish"
)
Pair = tuple[str, str]
Task = Callable[[Bank, Random], Callable[[], Pair]]


def item(bank: Bank, draw: Random) -> str:
    text = value(bank, draw.choice(KINDS), draw)
    return (
        text.lower()
        if draw.random() < 0.4
        else mutated(text, draw)
        if draw.random() < 0.1
        else text
    )


def repeat(bank: Bank, draw: Random) -> Callable[[], Pair]:
    wish = draw.choice(
        (
            "Repeat: {}",
            "Say {}",
            "Copy this exactly: {}",
            "Echo\n{}",
            'Write "{}"',
            "Print {}",
            "{}",
        )
    )
    before, after = draw.choice(
        (("", ""), ('"', '"'), ("<", ">"), ("", "."), ("*", "*"), ("[", "]"))
    )

    def pair() -> Pair:
        text = draw.choice((item(bank, draw), draw.choice(bank.sentences), grams(bank, draw, 9)))
        return wish.format(text), f"{before}{text}{after}"

    return pair


def quote_after(bank: Bank, draw: Random) -> Callable[[], Pair]:
    """What follows, precedes or lies between marks that the wish names."""
    mark = draw.choice((":", "->", "==", "|", "//", grams(bank, draw, 1), invented(draw)))
    side = draw.choice(("after", "before"))

    def pair() -> Pair:
        left, right = grams(bank, draw, 6), item(bank, draw)
        if side == "before":
            left, right = right, left
        return f'What stands {side} "{mark}"? {left} {mark} {right}', (
            right if side == "after" else left
        )

    return pair


def between(bank: Bank, draw: Random) -> Callable[[], Pair]:
    left, right = draw.choice(
        (('"', '"'), ("(", ")"), ("<", ">"), ("*", "*"), ("[", "]"), ("«", "»"))
    )
    wish = draw.choice(
        ("What is quoted?", "Give the part in marks.", f"Find the text in {left}{right}.")
    )

    def pair() -> Pair:
        text = item(bank, draw)
        return f"{wish} {grams(bank, draw, 6)} {left}{text}{right} {grams(bank, draw, 6)}", text

    return pair


def frame(bank: Bank, draw: Random) -> Callable[[], Pair]:
    """A sentence frame with open places, and one of them asked for or all as JSON."""
    fields = draw.sample(FIELDS, draw.randint(1, 3))
    joins = [grams(bank, draw, 3).lower() for _ in range(len(fields) + 1)]
    whole = draw.random() < 0.7
    asked = draw.choice(fields)
    names = ", ".join(fields)
    wish = draw.choice(
        (f"Extract {names} as JSON.", f"Fields: {names}. Fill them.", f"Give {names} in JSON:")
        if whole
        else (f"What is the {asked}?", f"Extract the {asked}.", f"{asked}?")
    )
    low = draw.random() < 0.5

    def pair() -> Pair:
        held = {field: item(bank, draw) for field in fields}
        if low:
            held = {field: text.lower() for field, text in held.items()}
        text = joins[0] + "".join(
            f" {held[field]} {join}" for field, join in zip(fields, joins[1:], strict=True)
        )
        answer = json.dumps(held, ensure_ascii=False) if whole else held[asked]
        return f"{wish}\n{text}", answer

    return pair


def split(bank: Bank, draw: Random) -> Callable[[], Pair]:
    mark = draw.choice((", ", "; ", " and ", " | ", " / ", "\n", " + "))
    form = draw.choice(
        ("json", "lines", "bullets", "last", "first", "count", "reverse", "numbered")
    )
    wish = {
        "json": "Split into a JSON list",
        "lines": "One item per line",
        "bullets": "Make bullets",
        "last": "Give the last item",
        "first": "Give the first item",
        "count": "How many items",
        "reverse": "List them backwards as JSON",
        "numbered": "Number the items",
    }[form]

    def pair() -> Pair:
        items = [
            item(bank, draw).replace(mark.strip(), " ").strip() for _ in range(draw.randint(2, 6))
        ]
        answer = {
            "json": json.dumps(items, ensure_ascii=False),
            "lines": "\n".join(items),
            "bullets": "\n".join(f"- {one}" for one in items),
            "last": items[-1],
            "first": items[0],
            "count": str(len(items)),
            "reverse": json.dumps(items[::-1], ensure_ascii=False),
            "numbered": "\n".join(f"{n}. {one}" for n, one in enumerate(items, 1)),
        }[form]
        return f"{wish}: {mark.join(items)}", answer

    return pair


def record(bank: Bank, draw: Random) -> Callable[[], Pair]:
    """A record in one notation: one field asked for, or the whole in another notation."""
    fields = draw.sample(FIELDS, draw.randint(2, 5))
    notation = draw.choice(("json", "lines", "equals"))
    whole = draw.random() < 0.4

    def pair() -> Pair:
        held = {field: item(bank, draw) for field in fields}
        notations = {
            "json": json.dumps(held, ensure_ascii=False),
            "lines": "\n".join(f"{field}: {text}" for field, text in held.items()),
            "equals": "; ".join(f"{field}={text}" for field, text in held.items()),
        }
        if whole:
            other = "lines" if notation == "json" else "json"
            return f"Rewrite as {other}.\n{notations[notation]}", notations[other]
        asked = draw.choice(fields)
        return f"{notations[notation]}\n{asked}?", held[asked]

    return pair


def changed(bank: Bank, draw: Random) -> Callable[[], Pair]:
    """A sentence with one part replaced, left out or recased."""
    kind = draw.choice(("replace", "drop", "lower", "upper", "title", "second", "append"))

    def pair() -> Pair:
        text = grams(bank, draw, 8)
        words = text.split()
        at, new = draw.randrange(len(words)), item(bank, draw)
        swapped = " ".join([*words[:at], new, *words[at + 1 :]])
        return {
            "replace": (f'Replace word {at + 1} by "{new}": {text}', swapped),
            "drop": (f'Leave out "{words[at]}": {text}', " ".join(words[:at] + words[at + 1 :])),
            "lower": (f"Lower case: {text.upper()}", text.lower()),
            "upper": (f"Capitals: {text}", text.upper()),
            "title": (f"Title case: {text.lower()}", text.lower().title()),
            "second": (f"Word {at + 1} of: {text}", words[at]),
            "append": (f'Add "{new}" at the end: {text}', f"{text} {new}"),
        }[kind]

    return pair


def mentions(bank: Bank, draw: Random) -> Callable[[], Pair]:
    """All of one easily told kind of thing that real sentences mention."""
    wish, rule = draw.choice(
        (
            ("List the names", NAMES),
            ("Which numbers appear", re.compile(r"\d+(?:[.,]\d+)*")),
            ("List the words that begin with a capital", re.compile(r"\b[A-Z]\w*")),
            ("List the words with eight or more letters", re.compile(r"[^\W\d_]{8,}")),
        )
    )
    form = draw.choice(("{}: {}", "{} (JSON list).\n{}", "{} as a list. Text: {}"))

    def pair() -> Pair:
        text = " ".join(draw.choice(bank.sentences) for _ in range(draw.randint(1, 2)))
        return form.format(wish, text), json.dumps(rule.findall(text), ensure_ascii=False)

    return pair


def mapping(bank: Bank, draw: Random) -> Callable[[], Pair]:
    """A secret table of labels that only earlier turns reveal."""
    labels = [invented(draw) for _ in range(draw.randint(2, 4))]
    cues = {label: [grams(bank, draw, 2).lower() for _ in range(2)] for label in labels}
    out = draw.choice(("{}", '{{"label": "{}"}}', "Label: {}"))

    def pair() -> Pair:
        label = draw.choice(labels)
        text = f"{grams(bank, draw, 4)} {draw.choice(cues[label])} {grams(bank, draw, 4)}"
        return text, out.format(label)

    return pair


TASKS: tuple[tuple[Task, int, int], ...] = (  # task, weight, fewest turns
    (repeat, 3, 1),
    (quote_after, 2, 1),
    (between, 2, 1),
    (frame, 5, 1),
    (split, 3, 1),
    (record, 3, 1),
    (changed, 2, 1),
    (mentions, 2, 1),
    (mapping, 2, 5),
)


def exercise(bank: Bank, draw: Random) -> str:
    """One task, over one or more turns."""
    task, _, fewest = draw.choices(TASKS, [weight for _, weight, _ in TASKS])[0]
    pair = task(bank, draw)
    turns: list[Pair] = []
    for _ in range(max(fewest, draw.choice((1, 2, 3, 4, 5, 6)))):
        asked, answered = pair()
        turns += [("user", asked), ("assistant", answered)]
    return chat(turns)
