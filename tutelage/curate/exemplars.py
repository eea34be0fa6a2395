"""Safety exemplars among the rows, by topic, and what the card says of them.

Such a row has the tag `safety`: what it does with its request, or `benign` where the request only
looks like one that is turned down. `topic` says what it is about. A policy's rows have both;
rows of other sources have them as columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tutelage.core.row import Example
from tutelage.curate.quality_card import cell
from tutelage.store.ingest.policy import BENIGN, KINDS, SAFETY, SAYS, TOPIC

UNNAMED = "no topic"
APART = "\n"  # between a topic and a kind, as they are counted


def exemplar_of(example: Example) -> str | None:
    """What a row counts as, None where it is no exemplar."""
    kind = example.tags.get(SAFETY)
    return f"{example.tags.get(TOPIC, UNNAMED)}{APART}{kind}" if kind in KINDS else None


def exemplar_form(counted: Mapping[str, int], kept: int) -> dict[str, Any]:
    """Rows by topic and kind; nothing where there is no exemplar."""
    if not counted:
        return {}
    topics: dict[str, Counter[str]] = {}
    for name, count in counted.items():
        topic, _, kind = name.rpartition(APART)
        topics.setdefault(topic, Counter())[kind] += count
    rows = sum(counted.values())
    return {
        "safety": {
            "rows": rows,
            "share": rows / kept,
            "topics": {
                name: {kind: own[kind] for kind in KINDS} for name, own in sorted(topics.items())
            },
            "without_twins": sorted(name for name, own in topics.items() if not own[BENIGN]),
        }
    }


def exemplar_lines(form: Mapping[str, Any]) -> list[str]:
    """The same for people, under a heading of its own."""
    return list(_lines(form["safety"])) if "safety" in form else []


def _lines(one: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", "## Safety exemplars", "")
    topics = one["topics"]
    said = sum(own[kind] for own in topics.values() for kind in SAYS)
    yield (
        f"{one['rows']:,} rows, {one['share']:.1%} of those kept, teach what is not done: {said:,} "
        f"turn a request down, {one['rows'] - said:,} answer one that only looks like it."
    )
    yield from ("", f"| topic | {' | '.join(KINDS)} |", f"|---|{'---:|' * len(KINDS)}")
    for name, own in topics.items():
        yield f"| {cell(name)} | {' | '.join(f'{own[kind]:,}' for kind in KINDS)} |"
    if one["without_twins"]:
        yield ""
        yield (
            f"No benign request stands beside {_named(one['without_twins'])}: what looks like it "
            "may come to be refused, which `over_refusal` and `twins` measure."
        )


def _named(topics: Iterable[str]) -> str:
    return ", ".join(cell(topic) for topic in topics)
