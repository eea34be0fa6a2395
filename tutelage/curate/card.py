"""The Dataset card: contents, origin, licences, and what was left out, for people and programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.ledger import Decision, LedgerEntry
from tutelage.core.recipe import Canaries
from tutelage.curate.exemplars import exemplar_form, exemplar_lines
from tutelage.curate.measured import Measured
from tutelage.curate.pairs import Pair
from tutelage.curate.planted import canary_form, canary_lines
from tutelage.curate.quality_card import cell as _cell
from tutelage.curate.quality_card import quality_lines, tag_lines
from tutelage.curate.reviewed import synthetic_lines
from tutelage.curate.sieve import place_of
from tutelage.curate.sources import Asked, Taken
from tutelage.curate.split import Placed

SCHEMA = 1
VALUES_COUNTED = 1000  # a tag with more values than this names rows, it does not group them
WORDS = 1000  # characters of a row that stands beside the item it holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Curated:
    """All that the card tells of."""

    name: str
    sources: Sequence[Taken]
    kept_of: Sequence[int]  # rows kept of each source
    suites: Sequence[Asked]
    rows: Measured  # of the rows kept
    placed: Placed
    ledger: Sequence[LedgerEntry]  # without the rows that nothing happened to
    stages: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # taught rows by source
    findings: Sequence[Mapping[str, str | int]] = ()
    repeats: Mapping[str, int] = field(default_factory=dict)  # of one side alone
    pairs: Sequence[Pair] = ()
    spanless: int = 0  # evaluation items without a span of their own
    opt_outs: Mapping[str, int] = field(default_factory=dict)  # entries listed, and of no row
    quality: Mapping[str, Any] = field(default_factory=dict)
    canaries: Canaries | None = None  # planted beside the rows that are counted


def card(curated: Curated) -> dict[str, Any]:
    """The card as plain JSON; equal datasets have equal cards."""
    rows = curated.rows
    kept = len(rows.messages)
    left_out = _reasons(curated.ledger, Decision.DROP)
    return {
        "schema": SCHEMA,
        "name": curated.name,
        "rows": {
            "read": kept + sum(left_out.values()),
            "kept": kept,
            "dropped": sum(left_out.values()),
        },
        "splits": rows.counted("splits"),
        "stages": {name: dict(counts) for name, counts in curated.stages.items()},
        "strata": {name: dict(sides) for name, sides in curated.placed.strata.items()},
        "groups": {"count": curated.placed.groups, "largest": curated.placed.largest},
        "sources": [
            _source(taken, own) for taken, own in zip(curated.sources, curated.kept_of, strict=True)
        ],
        "origins": rows.counted("origins"),
        "licences": rows.counted("licences"),
        "preference_pairs": sum(rows.counted("pairs").values()),
        "generators": rows.counted("generators"),
        "consent_keys": len(rows.keys),
        "authors": len(rows.authors),
        "left_out": left_out,
        "opt_outs": dict(curated.opt_outs),
        "for_review": _for_review(curated.ledger),
        "findings": [dict(one) for one in curated.findings],
        "repeats": dict(curated.repeats),
        "leak_pairs": list(curated.pairs),
        "items_without_spans": curated.spanless,
        "kept_clear_of": [
            {
                "suite": asked.name,
                "path": asked.file.uri,
                "sha256": asked.file.file_digest,
                "tasks": len(asked.tasks),
            }
            for asked in curated.suites
        ],
        "messages": _spread(rows.messages),
        "tags": _tags(rows),
        "quality": dict(curated.quality),
        **canary_form(curated.canaries),
        **exemplar_form(rows.counted("safety"), kept),
    }


def _source(taken: Taken, kept: int) -> dict[str, Any]:
    file = taken.file
    return {
        "path": file.uri,
        "sha256": file.file_digest,
        "layout": file.layout,
        "licences": sorted(taken.licences),
        "origins": sorted(taken.origins),
        "licence_bases": sorted(taken.bases),
        "files": file.files,
        "unused": dict(sorted(file.unused.items())),
        "read": taken.rows + len(file.refused),
        "rejected": len(file.refused),
        "kept": kept,
    }


def _reasons(ledger: Iterable[LedgerEntry], decision: Decision) -> dict[str, int]:
    return _counts(str(entry.reason) for entry in ledger if entry.decision == decision)


def _for_review(ledger: Iterable[LedgerEntry]) -> dict[str, int]:
    """Rows by the reason to look at them; a row may have several."""
    flags = {
        (entry.row, place_of(entry), str(entry.reason))
        for entry in ledger
        if entry.decision == Decision.REVIEW
    }
    return _counts(reason for _, _, reason in flags)


def _counts(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _spread(values: NDArray[np.int64]) -> dict[str, float]:
    levels = {"least": 0, "median": 50, "p95": 95, "most": 100}
    return {name: float(np.percentile(values, level)) for name, level in levels.items()}


def _tags(rows: Measured) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, counts in rows.tags().items():
        grouping = len(counts) <= min(VALUES_COUNTED, max(1, sum(counts.values()) // 2))
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        found[name] = {
            "rows": sum(counts.values()),
            "distinct": len(counts),
            "values": dict(ranked) if grouping else {},
        }
    return found


def text(form: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    rows, pairs = form["rows"], form["preference_pairs"]
    told = f"{rows['read']:,} rows read, {rows['kept']:,} kept, {rows['dropped']:,} left out."
    if pairs:
        told += f" Of those kept {pairs:,} are preference pairs; `train` does not teach them."
    parts = [
        f"# Dataset card: {_cell(form['name'])}",
        told,
        _section("Sources", _sources(form)),
        _section("Split", _split(form)),
        *([_section("Stages", _stages(form))] if form["stages"] else []),
        *([_section("Synthetic rows", synthetic_lines(form))] if "synthetic" in form else []),
        _section("Left out", [*_pairs(form["left_out"], "every row was kept"), *_outs(form)]),
        _section("Kept, for a person to look at", _pairs(form["for_review"], "none")),
        _section("Found in the texts", _findings(form)),
        _section("Repeats of one side alone", _pairs(form["repeats"], "none was looked for")),
        _section("Kept clear of", _suites(form)),
        *([_section("Leaks, side by side", _beside(form))] if form["leak_pairs"] else []),
        _section("Quality", quality_lines(form["quality"])),
        _section("Tags", [*tag_lines(form["tags"]), *canary_lines(form), *exemplar_lines(form)]),
        _section("What was not looked for", [NOT_LOOKED_FOR]),
    ]
    return "\n\n".join(parts) + "\n"


NOT_LOOKED_FOR = (
    "Names, streets, towns and whatever of persons and secrets has no form that rules know, save "
    "where a detector of the recipe is listed above; harmful content, unless such a detector "
    "looked for it; the truth of the answers. Licences and consent are as the sources state them. "
    "Two texts that say the same in other words count as different."
)


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"## {title}", "", *lines])


def _sources(form: Mapping[str, Any]) -> list[str]:
    lines = [
        "| file | layout | origin | licence | read | rejected | kept | sha256 |",
        "|---|---|---|---|---:|---:|---:|---|",
    ]
    for one in form["sources"]:
        lines.append(
            f"| {_cell(one['path'])} | {one['layout']} | {', '.join(one['origins'])} "
            f"| {_cell(', '.join(one['licences']))} | {one['read']:,} | {one['rejected']:,} "
            f"| {one['kept']:,} | `{one['sha256'][:12]}` |"
        )
    for one in form["sources"]:
        told = [f"{count:,} {what}" for what, count in one["unused"].items()]
        if told:
            lines += ["", f"Not kept of {_cell(one['path'])}: {', '.join(told)}."]
    based = [
        f"{_cell(one['path'])}: {'; '.join(map(_cell, one['licence_bases']))}."
        for one in form["sources"]
        if one["licence_bases"]
    ]
    lines += ["", f"The licences rest on: {' '.join(based)}"] if based else []
    written = [f"{_cell(model)} {count:,}" for model, count in form["generators"].items()]
    lines += ["", f"Rows written by models: {', '.join(written)}."] if written else []
    credited = [licence for licence in form["licences"] if "BY" in licence.split("-")]
    if credited:
        lines += [
            "",
            f"{' and '.join(map(_cell, credited))} asks for credit: name the source wherever these "
            "rows, or what is made from them, are shared.",
        ]
    return lines


def _split(form: Mapping[str, Any]) -> list[str]:
    groups = form["groups"]
    sides = [f"- {name}: {count:,} rows" for name, count in form["splits"].items()]
    told = (
        f"- {groups['count']:,} groups, each on one side; the largest has "
        f"{_rows(groups['largest'])}. A group is rows with the same or nearly the same request, "
        "or of one author."
    )
    return [*sides, told, *_balance(form)]


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _balance(form: Mapping[str, Any]) -> list[str]:
    """The share held out of each stratum."""
    lines = ["", "| stratum | train | validation | held out |", "|---|---:|---:|---:|"]
    for name, sides in form["strata"].items():
        share = f"{sides['validation'] / sum(sides.values()):.1%}"
        lines.append(f"| {_cell(name)} | {sides['train']:,} | {sides['validation']:,} | {share} |")
    return lines if form["strata"] else []


def _stages(form: Mapping[str, Any]) -> list[str]:
    """What is taught in each, in order."""
    lines = ["| stage | rows | source | share |", "|---|---:|---|---:|"]
    for name, counts in form["stages"].items():
        whole = sum(counts.values())
        for source, count in counts.items():
            lines.append(f"| {_cell(name)} | {count:,} | {_cell(source)} | {count / whole:.1%} |")
    return lines


def _pairs(counts: Mapping[str, int], none: str) -> list[str]:
    return [f"- {name}: {count:,}" for name, count in counts.items()] or [f"- {none}"]


def _outs(form: Mapping[str, Any]) -> list[str]:
    """How far the list of opt-outs was of use."""
    told = "- of {listed:,} opt-outs listed {without_row:,} mean no row"
    return [told.format(**form["opt_outs"])] if form["opt_outs"] else []


def _findings(form: Mapping[str, Any]) -> list[str]:
    """By detector, kind and action; what was found never stands here."""
    if not form["findings"]:
        return ["- nothing by the rules for personal data, secrets and injection"]
    lines = ["| detector | kind | action | rows | times |", "|---|---|---|---:|---:|"]
    for one in form["findings"]:
        named = f"| {one['detector']} | {_cell(one['kind'])} | {one['action']} "
        lines.append(f"{named}| {one['rows']:,} | {one['times']:,} |")
    return lines


def _beside(form: Mapping[str, Any]) -> list[str]:
    """The first pairs of a row and the evaluation item it holds."""
    lines = ["| decision | row | evaluation item |", "|---|---|---|"]
    for one in form["leak_pairs"]:
        told = f"{one['decision']}, {one['reason']}: {one['detail']}"
        words = " | ".join(_cell(text, WORDS) for text in (told, one["row_text"], one["item_text"]))
        lines.append(f"| {words} |")
    return lines


def _suites(form: Mapping[str, Any]) -> list[str]:
    bare = form["items_without_spans"]
    told = f"- {bare:,} of these tasks have no eight words in a row of their own: what they ask "
    told += "is looked for as a whole alone"
    lines = [
        f"- {_cell(one['suite'])}: {one['tasks']:,} tasks of {_cell(one['path'])} "
        f"(`{one['sha256'][:12]}`)"
        for one in form["kept_clear_of"]
    ]
    return [*lines, *([told] if bare else [])] or ["- no suite: the recipe has no `evaluate`"]
