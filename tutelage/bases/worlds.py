"""Invented function sets, each with its own names, slots and ways of being asked for."""

from dataclasses import dataclass
from random import Random

from tutelage.bases.spans import KINDS, Bank, invented, mutated, value
from tutelage.bases.words import CLOSED, CLOSERS, DOMAINS, LEADS, OPENERS, VERBS


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One argument: its name, what its values are and how a request leads up to them."""

    name: str
    kind: str
    leads: tuple[str, ...]  # each holds {} where the value goes


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One thing that can be asked for."""

    name: str
    asks: tuple[str, ...]  # how a request begins
    objects: tuple[str, ...]  # what it says next; may be empty
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request, its function, and every value with its slot in the order they are said."""

    text: str
    function: str
    filled: tuple[tuple[str, str], ...]  # (slot, value); a slot may recur
    pieces: tuple[tuple[str, str], ...]  # the text in pieces: (piece, slot or "")


def join_name(parts: list[str], style: str) -> str:
    """Words as one identifier of the style."""
    words = [word for part in parts for word in part.replace("_", " ").split()]
    if style == "Camel":
        return "".join(word.capitalize() for word in words)
    if style == "camel":
        return words[0] + "".join(word.capitalize() for word in words[1:])
    if style == "dotted":
        return f"{'_'.join(words[1:])}.{words[0]}" if len(words) > 1 else words[0]
    return {"snake": "_", "kebab": "-", "upper": "_", "words": " "}[style].join(
        word.upper() if style == "upper" else word for word in words
    )


def world(bank: Bank, draw: Random, *, count: int, natural: bool) -> tuple[Function, ...]:
    """A set of functions of one or two domains; unnatural ones have names that say nothing."""
    fresh = natural or draw.random() < 0.5
    styles = ("Camel",) if natural else ("Camel", "snake", "camel", "dotted", "kebab", "upper")
    style = draw.choice(styles)
    slot_style = "snake" if natural else draw.choice(("snake", "snake", "camel", "words", "Camel"))
    domains = [DOMAINS[draw.choice(tuple(DOMAINS))] for _ in range(draw.choice((1, 1, 2)))]
    functions: dict[str, Function] = {}
    while len(functions) < count:
        nouns, slots = draw.choice(domains)
        verb, noun = draw.choice(tuple(VERBS)), draw.choice(nouns.split(";"))
        parts = [verb, noun] if fresh else [draw.choice(bank.words).lower() for _ in "ab"]
        if not fresh and draw.random() < 0.3:
            parts = [invented(draw).lower()]
        name = join_name(parts, style)
        if not name or name in functions:
            continue
        chosen = draw.sample(slots.split(), draw.randint(1, 5))
        functions[name] = Function(
            name=name,
            asks=VERBS[verb],
            objects=objects(noun, draw),
            slots=tuple(
                slot(bank, draw, entry, slot_style if fresh else "made") for entry in chosen
            ),
        )
    return tuple(functions.values())


def objects(noun: str, draw: Random) -> tuple[str, ...]:
    an = "an" if noun[0] in "aeiou" else "a"
    forms = (f"{an} {noun}", f"the {noun}", f"my {noun}", noun, f"some {noun}", f"this {noun}", "")
    return tuple(draw.sample(forms, draw.randint(2, 4)))


def slot(bank: Bank, draw: Random, entry: str, style: str) -> Slot:
    """A slot of a domain's list; style "made" gives it a name and leads that say nothing."""
    name, _, kind = entry.partition(":")
    if style == "made":
        name = draw.choice((draw.choice(bank.words).lower(), invented(draw).lower()))
        kind = draw.choice((kind, draw.choice(KINDS)))
    leads = LEADS["closed" if kind in CLOSED else kind]
    spoken = name.replace("_", " ")
    own = tuple(
        form.replace("<>", spoken)
        for form in (
            "<> {}",
            "with <> {}",
            "the <> is {}",
            "{} <>",
            "<>: {}",
            "{} as the <>",
            "<> = {}",
        )
    )
    some = tuple(draw.sample(leads, draw.randint(1, 3))) + tuple(
        draw.sample(own, draw.randint(0, 2))
    )
    return Slot(name=name if style == "made" else join_name([name], style), kind=kind, leads=some)


def request(bank: Bank, function: Function, draw: Random) -> Request:
    """A request for the function: some of its slots said, in any order, cased like typed text."""
    low = draw.random() < 0.55
    said = draw.sample(
        function.slots, draw.randint(min(1, len(function.slots)), len(function.slots))
    )
    opener = draw.choice(OPENERS) + " " if draw.random() < 0.3 else ""
    wish = [
        (f"{opener}{draw.choice(function.asks)} {draw.choice(function.objects)}".strip() + " ", "")
    ]
    last = draw.random() < 0.12  # the values first, then the wish
    pieces: list[tuple[str, str]] = [] if last else wish
    for part in said:
        again = draw.random() < 0.07
        before, _, after = draw.choice(part.leads).partition("{}")
        before = f"{before.strip()} " if before.strip() else ""
        pieces.append((before, ""))
        quote = '"' if draw.random() < 0.04 else ""
        pieces += [(quote, ""), (typed(bank, part.kind, draw, low), part.name), (quote, "")]
        if again:
            pieces += [(draw.choice((" and ", ", ", " or ")), "")]
            pieces += [(typed(bank, part.kind, draw, low), part.name)]
        pieces.append((after + " ", ""))
    pieces += wish if last else []
    if draw.random() < 0.25:
        pieces.append((draw.choice(CLOSERS), ""))
    return finish(pieces, function.name, draw, low)


def typed(bank: Bank, kind: str, draw: Random, low: bool) -> str:
    """A value as it is typed here: cased with the request, at times misspelt or oddly cased."""
    text = value(bank, kind, draw).strip()
    if draw.random() < 0.04:
        text = mutated(text, draw)
    chance = draw.random()
    if low and chance < 0.8:
        return text.lower()
    if chance > 0.97:
        return text.upper()
    return text


def finish(pieces: list[tuple[str, str]], name: str, draw: Random, low: bool) -> Request:
    """The pieces as one text: no blank at its ends, none doubled, none before a full stop."""
    clean: list[tuple[str, str]] = []
    for piece, slot_name in pieces:
        if not slot_name:
            if low:
                piece = piece.lower()
            ends = clean[-1][0].endswith(" ") if clean else True
            if ends:
                piece = piece.lstrip(" ")
            if piece.strip() in (".", "?", "!") and clean and not clean[-1][1]:
                clean[-1] = (clean[-1][0].rstrip(" "), "")
        if piece:
            clean.append((piece, slot_name))
    if not clean[-1][1]:
        clean[-1] = (clean[-1][0].rstrip(" "), "")
    if not low and not clean[0][1]:
        clean[0] = (clean[0][0][:1].upper() + clean[0][0][1:], "")
    clean = [piece for piece in clean if piece[0]]
    return Request(
        text="".join(piece for piece, _ in clean),
        function=name,
        filled=tuple((slot_name, piece) for piece, slot_name in clean if slot_name),
        pieces=tuple(clean),
    )
