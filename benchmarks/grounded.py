"""How often `grounded` warns of what is right, and misses what is not.

    python benchmarks/grounded.py FOLDER

FOLDER holds `xquad_en/xquad.en.json` (questions and answers over paragraphs) and
`onestop_english/ADV-ELE.txt.gz` (sentences of news, rewritten in simpler words by teachers).
People wrote both, for other ends: a question with its answer, and a simpler sentence, say what
the paragraph and the original sentence say. Their faults are made by exchange: another
paragraph for a source, a number for another, a name for that of another article. Half of the
articles and pairs (by digest) are where the threshold of support is chosen; the rates are
those of the other half. One JSON line each, with Wilson's 95 % interval, clustered by
paragraph or original sentence.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from methods import commit, hardware

from tutelage.core.digest import short_digest
from tutelage.score.claims import DIGITS, names_of, source_of, support
from tutelage.score.grounded import ENOUGH, grounding
from tutelage.score.measure import Measure, interval
from tutelage.score.sentences import lines_and_sentences

TRIED = (0.4, 0.5, 0.6, 0.7, 0.8)
SHARE = Measure(metric="rate", says="a rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What is said, and the source that says so, too."""

    group: str  # article or original sentence: never on both halves
    said: str
    source: str


def main() -> None:
    folder = Path(sys.argv[1])
    for name, found in (("xquad", list(xquad(folder))), ("onestop", list(onestop(folder)))):
        chosen = [one for one in found if _first_half(one)]
        judged = [one for one in found if not _first_half(one)]
        for threshold in TRIED:
            choose(name, threshold, chosen)
        rates(name, judged)


def rates(name: str, found: Sequence[Pair]) -> None:
    """False alarms on what is right; misses of each kind of fault."""
    say(f"{name}/false_warning", [(one, "factuality_warning", 1.0) for one in found])
    say(f"{name}/false_unknown_name", [(one, "unknown_name", 1.0) for one in found])
    say(f"{name}/false_unknown_number", [(one, "unknown_number", 1.0) for one in found])
    say(f"{name}/right_but_not_grounded", [(one, "grounded", 0.0) for one in found])
    draw = random.Random(3)
    others = [_of_another(one, found, draw) for one in found]
    say(f"{name}/missed/other_source", [(one, "grounded", 1.0) for one in others])
    beside = [two for one in found if (two := _of_a_neighbour(one, found, draw))]
    if beside:
        say(f"{name}/missed/same_article", [(one, "grounded", 1.0) for one in beside])
    numbers = [two for one in found if (two := _other_number(one, found, draw))]
    say(f"{name}/missed/number_exchanged", [(one, "unknown_number", 0.0) for one in numbers])
    names = [two for one in found if (two := _other_name(one, found, draw))]
    say(f"{name}/missed/name_exchanged", [(one, "unknown_name", 0.0) for one in names])
    within = [two for one in found if (two := _name_within(one, draw))]
    say(f"{name}/missed/name_of_the_source", [(one, "grounded", 1.0) for one in within])
    denied = [two for one in found if (two := _denied(one))]
    say(f"{name}/missed/not_added", [(one, "grounded", 1.0) for one in denied])


def choose(name: str, threshold: float, found: Sequence[Pair]) -> None:
    """Right sentences not supported and foreign ones supported, at a threshold."""
    draw = random.Random(4)
    right = [_supported(one, threshold) for one in found]
    other = [_supported(_of_another(one, found, draw), threshold) for one in found]
    write(f"{name}/chosen/{threshold}/right_unsupported", [not one for one in right], found)
    write(f"{name}/chosen/{threshold}/foreign_supported", other, found)


def xquad(folder: Path) -> Iterator[Pair]:
    """A question with its answer, and its paragraph."""
    form = json.loads((folder / "xquad_en" / "xquad.en.json").read_text(encoding="utf-8"))
    for article in form["data"]:
        for paragraph in article["paragraphs"]:
            for one in paragraph["qas"]:
                said = f"{one['question']} {one['answers'][0]['text']}"
                yield Pair(group=article["title"], said=said, source=paragraph["context"])


def onestop(folder: Path) -> Iterator[Pair]:
    """A simpler sentence, and the sentence it was made from."""
    path = folder / "onestop_english" / "ADV-ELE.txt.gz"
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        text = stream.read()
    seen: set[tuple[str, str]] = set()
    for block in re.split(r"\n\*+\n", text):
        lines = tuple(line.strip() for line in block.strip().split("\n") if line.strip("* \n"))
        if len(lines) == 2 and lines not in seen:
            seen.add(lines)
            yield Pair(group=lines[1], said=lines[1], source=lines[0])


def _first_half(one: Pair) -> bool:
    return int(short_digest(one.group.encode())[:2], 16) % 2 == 0


def _supported(one: Pair, threshold: float) -> bool:
    source = source_of(one.source)
    return all(support(part, source) >= threshold for part in lines_and_sentences(one.said))


def _of_another(one: Pair, found: Sequence[Pair], draw: random.Random) -> Pair:
    while (other := draw.choice(found)).group == one.group:
        pass
    return Pair(group=one.group, said=one.said, source=other.source)


def _of_a_neighbour(one: Pair, found: Sequence[Pair], draw: random.Random) -> Pair | None:
    near = sorted({o.source for o in found if o.group == one.group} - {one.source})
    return Pair(group=one.group, said=one.said, source=draw.choice(near)) if near else None


def _other_number(one: Pair, found: Sequence[Pair], draw: random.Random) -> Pair | None:
    """A number in digits becomes one of another text that is nowhere in the source."""
    mine, held = DIGITS.findall(one.said), set(DIGITS.findall(one.source))
    able = [new for _ in range(50) for new in DIGITS.findall(draw.choice(found).said)]
    able = [new for new in able if new not in held]
    if not mine or not able:
        return None
    said = re.sub(rf"\b{re.escape(mine[0])}\b", able[0], one.said, count=1)
    return Pair(group=one.group, said=said, source=one.source) if said != one.said else None


def _other_name(one: Pair, found: Sequence[Pair], draw: random.Random) -> Pair | None:
    """A name becomes one of another article of which the source has no word."""
    mine, theirs = names_of(one.said), names_of(_of_another(one, found, draw).source)
    held = one.source.lower()
    able = [run for run in theirs if not any(word.lower() in held for word in run)]
    if not mine or not able:
        return None
    old, new = " ".join(mine[0]), " ".join(draw.choice(able))
    if old not in one.said:
        return None
    return Pair(group=one.group, said=one.said.replace(old, new), source=one.source)


def _name_within(one: Pair, draw: random.Random) -> Pair | None:
    """A name becomes another name of the same source: what words cannot show."""
    mine = names_of(one.said)
    able = [run for run in names_of(one.source) if mine and not set(run) & set(mine[0])]
    if not able or " ".join(mine[0]) not in one.said:
        return None
    said = one.said.replace(" ".join(mine[0]), " ".join(draw.choice(able)))
    return Pair(group=one.group, said=said, source=one.source)


def _denied(one: Pair) -> Pair | None:
    """The first `is`, `was`, `are` or `were` is denied: what words cannot show."""
    said = re.sub(r"\b(is|was|are|were)\b", r"\1 not", one.said, count=1)
    return None if said == one.said else Pair(group=one.group, said=said, source=one.source)


def say(name: str, found: Sequence[tuple[Pair, str, float]]) -> None:
    """The share of pairs whose score has a value."""
    hits = [grounding(one.said, one.source)[score] == value for one, score, value in found]
    write(name, hits, [one for one, _, _ in found])


def write(name: str, hits: Sequence[bool], found: Sequence[Pair]) -> None:
    """One JSON line."""
    rows = [{"rate": float(hit)} for hit in hits]
    clusters = [one.source for one in found]
    rate = interval(SHARE, rows, clusters, np.random.default_rng(0))
    form = {"benchmark": f"grounded/{name}", "value": rate.value, "low": rate.low}
    form |= {"high": rate.high, "unit": "share", "n": rate.n, "method": rate.method}
    form |= {"threshold": ENOUGH, "commit": commit(), "hardware": hardware()}
    print(json.dumps(form))


if __name__ == "__main__":
    main()
