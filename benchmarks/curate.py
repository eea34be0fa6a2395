"""Curation on rows in which it is known what stands where: what is found, lost, and at what speed.

    python benchmarks/curate.py [--rows 100000] [--seed 1]

`curate_plant.py` makes the rows. Near-duplicates are judged by the Jaccard index counted the slow
way, on sets of words; leaks by where they were planted; a finding is right where it overlaps a
value of its kind, and wrong anywhere else, also where a real row holds such a value of its own.
A table goes to stderr; one JSON line a figure, shares with Wilson's 95 % interval, to
`benchmarks/results/curate.jsonl`. Speed is of one core, by its own time.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from curate_plant import CROWDS, Planted, Plants, crowd, plant
from curate_values import DELIMITED, VALUES
from methods import RESULTS, commit, hardware

from tutelage.core.finding import Finding
from tutelage.core.intervals import wilson
from tutelage.core.recipe import Curate, Screen
from tutelage.curate.decontaminate import Leaks, leaks
from tutelage.curate.dedup import Repeats, exact, near
from tutelage.curate.packed import packed
from tutelage.curate.passes import Passes
from tutelage.curate.screening import Annotating, screen
from tutelage.curate.shelf import Rows, Shelf
from tutelage.curate.sources import Asked
from tutelage.screen.near import SHINGLE, Pairs, comparables, near_groups, side
from tutelage.screen.pii import find_pii
from tutelage.screen.secrets import find_secrets
from tutelage.store.ingest import Ingested

GOALS = {  # the least that is asked of a figure, or the most where it begins with `<=`
    "near/prompt/recall at 0.8": ">= 0.999",
    "near/answer/recall at 0.8": ">= 0.999",
    "near/prompt/recall at 0.7": ">= 0.99",
    "near/answer/recall at 0.7": ">= 0.99",
    "near/precision": ">= 1",
    "short rows lost": "<= 0",
    "leaks/whole": ">= 0.999",
    "leaks/re-wrapped": ">= 0.999",
    "leaks/normalised": ">= 0.999",
    **{f"leaks/one of {size}": ">= 0.999" for size in CROWDS},
    **{f"copies/crowd of {size} dropped": ">= 0.95" for size in CROWDS},
    **{f"crowds/leaks of {size} dropped": ">= 0.999" for size in CROWDS},
    **{f"crowds/copies of {size} dropped": ">= 0.95" for size in CROWDS},
    **{f"crowds/clean rows beside {size} lost": "<= 0" for size in CROWDS},
    "leaks/clean rows dropped": "<= 0.0001",
    "annotate/speed": ">= 10000",
    "annotate/memory beyond 200 bytes a row": "<= 2",
    **{f"values/{kind}/recall": ">= 0.99" if kind in DELIMITED else ">= 0.95" for kind in VALUES},
    **{f"values/{kind}/precision": ">= 0.95" for kind in VALUES},
    "values/phone/precision": ">= 0.9",
}
SECTION = Curate.model_validate(
    {"sources": [{"path": "rows.jsonl", "origin": "human", "licence": "CC-BY-SA-3.0"}]}
)
Line = dict[str, object]


class Sheet:
    """The figures, as lines."""

    def __init__(self, about: Mapping[str, object]) -> None:
        self.about = dict(about)
        self.lines: list[Line] = []

    def share(self, name: str, hits: int, n: int) -> None:
        """One share with its interval; none where nothing was there to find."""
        if n:
            found = wilson(hits, n)
            self.note(name, found.value, "share", n, low=found.low, high=found.high)

    def note(self, name: str, value: float, unit: str, n: int, **more: float) -> None:
        """One figure."""
        form = {"benchmark": f"curate/{name}", "value": value, "unit": unit, "n": n, **more}
        self.lines.append({**form, "goal": GOALS.get(name), **self.about})

    def table(self) -> Iterator[str]:
        """The lines for people."""
        yield f"{'figure':44} {'value':>10} {'95 % interval':>20} {'n':>8}  goal"
        for line in self.lines:
            low, high = line.get("low"), line.get("high")
            between = f"{low:.5f} to {high:.5f}" if low is not None else ""
            name = str(line["benchmark"]).removeprefix("curate/")
            goal = (
                "" if line["goal"] is None else f"{line['goal']}{'' if met(line) else '  MISSED'}"
            )
            yield f"{name:44} {line['value']:>10.6g} {between:>20} {line['n']:>8}  {goal}"


def met(line: Line) -> bool:
    """Whether a figure is as good as its goal asks."""
    if line["goal"] is None:
        return True
    sign, bound = str(line["goal"]).split()
    value = float(str(line["value"]))
    return value >= float(bound) if sign == ">=" else value <= float(bound)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    plants = plant(given.rows, given.seed)
    about = {"rows": given.rows, "seed": given.seed, "commit": commit()}
    sheet = Sheet({**about, "hardware": f"{hardware()}, one core used"})
    pass_through(plants, sheet)
    near_duplicates(plants, sheet)
    values(plants, sheet)
    crowds(given.seed, sheet)
    print("\n".join(sheet.table()), file=sys.stderr)
    RESULTS.mkdir(exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in sheet.lines)
    (RESULTS / "curate.jsonl").write_text(text, encoding="utf-8")
    if not all(map(met, sheet.lines)):
        raise SystemExit("a goal is missed")


def pass_through(plants: Plants, sheet: Sheet) -> None:
    """All that is looked for in a row, timed; then what became of short rows and of leaks."""
    asked = suites(plants)
    spent: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        shelf = Shelf(Path(folder))
        for one in plants.rows:
            shelf.add(packed(one))  # as reading leaves them
        rows, passes = Rows(shelf, np.arange(len(shelf))), Passes(folder=Path(folder))
        before = resident()
        with timed(spent, "screen"):
            screen(shelf, [len(shelf)], Annotating(section=Screen(), key=b""), passes)
        with timed(spent, "exact"):
            gone = exact(rows)
        with timed(spent, "near"):
            repeats = near(rows, SECTION.duplicates, passes)
        with timed(spent, "leaks"):
            found = leaks(rows, asked, SECTION, passes)
        shelf.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    for name, seconds in spent.items():
        sheet.note(f"{name}/speed", len(rows) / seconds, "rows a second", len(rows))
    sheet.note("annotate/speed", len(rows) / sum(spent.values()), "rows a second", len(rows))
    beyond = (memory - 200 * len(rows)) / 2**30
    sheet.note("annotate/memory beyond 200 bytes a row", beyond, "GiB", len(rows))
    row_level(plants, gone.keys() | repeats.rows.keys(), repeats, sheet)
    leaked(plants, found, sheet)


def crowds(seed: int, sheet: Sheet) -> None:
    """Copies of one row and leaks of one item that are a good part of few rows."""
    for size in CROWDS:
        plants = crowd(300, size, seed)
        gone = exact(plants.rows).keys() | near(plants.rows, SECTION.duplicates).rows.keys()
        found = leaks(plants.rows, suites(plants), SECTION)
        held = {row for row, _, _ in plants.leaks}
        (copies,) = plants.crowds
        sheet.share(f"crowds/copies of {size} dropped", len(gone & set(copies)), size - 1)
        sheet.share(f"crowds/leaks of {size} dropped", len(found.drop.keys() & held), size)
        wrong = (gone | found.drop.keys()) & set(plants.clean)
        sheet.note(f"crowds/clean rows beside {size} lost", len(wrong), "rows", len(plants.clean))


def row_level(plants: Plants, gone: set[int], repeats: Repeats, sheet: Sheet) -> None:
    """Rows lost that repeat nothing, and the copies taken out by how they were made."""
    lost = len(gone & set(plants.short))
    sheet.note("short rows lost", lost, "rows", len(plants.short))
    sheet.share("clean rows dropped as repeats", len(gone & set(plants.clean)), len(plants.clean))
    ways = Counter(how for _, _, how in plants.copies)
    taken = Counter(how for one, other, how in plants.copies if {one, other} & gone)
    for how, n in ways.items():
        sheet.share(f"copies/{how} dropped", taken[how], n)
    for size in sorted(set(map(len, plants.crowds))):
        same = [own for own in plants.crowds if len(own) == size]
        sheet.share(
            f"copies/crowd of {size} dropped",
            sum(len(gone & set(own)) for own in same),
            (size - 1) * len(same),
        )


def leaked(plants: Plants, found: Leaks, sheet: Sheet) -> None:
    """Leaks that were dropped or reviewed by how they were planted, and clean rows with them."""
    ways = Counter(how for _, _, how in plants.leaks)
    hits = Counter(how for row, _, how in plants.leaks if row in found.drop)
    seen = Counter(how for row, _, how in plants.leaks if row in found.drop.keys() | found.review)
    for how, n in ways.items():
        sheet.share(f"leaks/{how}", hits[how], n)
        if how == "partial":
            sheet.share("leaks/partial, dropped or for review", seen[how], n)
    clean = set(range(len(plants.rows))) - {row for row, _, _ in plants.leaks}
    sheet.share("leaks/clean rows dropped", len(clean & found.drop.keys()), len(clean))
    sheet.share("leaks/clean rows for review", len(clean & found.review.keys()), len(clean))


def near_duplicates(plants: Plants, sheet: Sheet) -> None:
    """Recall over planted pairs by their true Jaccard index, side by side; precision of all."""
    prompts = comparables([one.messages[0].content for one in plants.rows])
    answers = comparables([one.messages[-1].content for one in plants.rows])
    looked = {"prompt": prompts, "answer": answers}
    sides = [side(texts) for texts in looked.values()]
    found = near_groups(sides, [(0,), (1,)], 0.7)
    right = total = 0
    for (name, texts), pairs in zip(looked.items(), found, strict=True):
        joined = together(pairs)
        bins: dict[str, list[bool]] = defaultdict(list)
        for one, other, _ in plants.copies:
            share = slow_jaccard(texts[one], texts[other])
            if share >= 0.7:
                bins["0.8" if share >= 0.8 else "0.7"].append(
                    joined.get(one, one) == joined.get(other, other)
                )
        for level, hits in sorted(bins.items(), reverse=True):
            sheet.share(f"near/{name}/recall at {level}", sum(hits), len(hits))
        for one, other in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True):
            total += 1
            right += texts[one] == texts[other] or slow_jaccard(texts[one], texts[other]) >= 0.7
    sheet.share("near/precision", right, total)


def together(pairs: Pairs) -> dict[int, int]:
    """Of each text in a pair, the earliest text it is a pair with."""
    first: dict[int, int] = {}
    for one, other in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True):
        first.setdefault(other, first.get(one, one))
    return first


def slow_jaccard(one: str, other: str) -> float:
    """The Jaccard index of the sets of five words."""
    sets = []
    for text in (one, other):
        words = text.split()
        ends = range(max(1, len(words) - SHINGLE + 1))
        sets.append({tuple(words[at : at + SHINGLE]) for at in ends})
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def values(plants: Plants, sheet: Sheet) -> None:
    """Recall and precision by kind, over planted rows and over Dolly's rows as they are."""
    hits: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    n: Counter[str] = Counter(one.kind for one in plants.values)
    planted: defaultdict[int, list[Planted]] = defaultdict(list)
    for one in plants.values:
        planted[one.row].append(one)
    for row, own in planted.items():
        found = findings(plants.rows[row].messages[-1].content)
        hits.update(one.kind for one in own if any(meets(one, finding) for finding in found))
        wrong.update(
            finding.kind for finding in found if not any(meets(one, finding) for one in own)
        )
    for index in plants.clean:
        wrong.update(finding.kind for finding in findings(plants.rows[index].messages[-1].content))
    for kind in VALUES:
        sheet.share(f"values/{kind}/recall", hits[kind], n[kind])
        sheet.share(f"values/{kind}/precision", hits[kind], hits[kind] + wrong[kind])


def meets(one: Planted, finding: Finding) -> bool:
    """Whether a finding is of the kind and at the place of a planted value."""
    return finding.kind == one.kind and finding.start < one.end and one.start < finding.end


def findings(text: str) -> list[Finding]:
    """Of both detectors, each place once."""
    found = {(one.start, one.end, one.kind): one for one in (*find_pii(text), *find_secrets(text))}
    return list(found.values())


def suites(plants: Plants) -> list[Asked]:
    """The planted items as a suite."""
    file = Ingested(uri="items", file_digest="", layout="messages", examples=plants.items)
    return [Asked(name="items", file=file)]


@contextmanager
def timed(spent: dict[str, float], name: str) -> Iterator[None]:
    """Notes the processor's seconds that the block takes."""
    began = time.process_time()
    yield
    spent[name] = time.process_time() - began


def resident() -> int:
    """Bytes in memory now."""
    with open("/proc/self/statm", encoding="utf-8") as stream:
        return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
