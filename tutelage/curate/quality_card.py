"""The part of the Dataset card that tells what the rows are like, as lines of Markdown."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any

from tutelage.core.printable import printable

BAR = 20  # characters of the longest bar
SHOWN = 120  # characters of a text of rows
VALUES_DRAWN = 12  # of a histogram
NEAREST = {"p5": "5 %", "median": "median", "p95": "95 %"}
LEFT_OUT = {"empty": "of no word left out", "cut": "not read to their end"}


def quality_lines(form: Mapping[str, Any]) -> list[str]:
    """What `quality` gives, drawn."""
    return [
        *_spreads(form["lengths"], form["tokens"]),
        *_histograms(form["lengths"]),
        *_coverage(form["coverage"]),
        *_diversity(form),
        *_apart(form["spread"]),
        *_boilerplate(form["boilerplate"]),
        *_answers(form["answers"]),
        *_noise(form["label_noise"]),
        *_languages(form["languages"]),
    ]


def cell(text: str, most: int = SHOWN) -> str:
    """A text of rows on one line of so many characters, no table's end and no markup."""
    whole = printable(" ".join(text.split()))
    shown = whole if len(whole) <= most else f"{whole[:most]}…"
    safe = html.escape(shown, quote=False).replace("[", "&#91;").replace("]", "&#93;")
    return safe.replace("|", "\\|").replace("`", "\\`")


def code(text: str) -> str:
    """The same set as code, in which nothing can be escaped."""
    return f"`{cell(text.replace('`', chr(39)))}`"


def _spreads(lengths: Mapping[str, Any], tokens: Mapping[str, Any]) -> Iterator[str]:
    yield "| | least | 5 % | median | 95 % | 99 % | most | sum |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for side, units in lengths.items():
        for unit in ("words", "characters", "bytes"):
            values = " | ".join(f"{value:,.0f}" for value in units[unit].values())
            yield f"| {side}, {unit} | {values} |"
        if side in tokens:
            names = ("least", "p5", "median", "p95", "p99", "most", "sum")
            values = " | ".join(f"{tokens[side][name]:,.0f}" for name in names)
            yield f"| {side}, tokens | {values} |"
    yield ""
    if tokens:
        one = tokens["answers"]
        yield (
            f"Tokens are counted in {one['looked_at']:,} rows; their sums are of all rows by that "
            f"(answers {one['sum_low']:,.0f} to {one['sum_high']:,.0f}), without a template's."
        )
        return
    yield (
        "How many tokens these are a base's tokenizer decides; one of bytes makes at most as many "
        "as there are bytes. `curate.card.tokenizer` counts them, and `tutelage plan` does."
    )


def _histograms(lengths: Mapping[str, Any]) -> Iterator[str]:
    for side, units in lengths.items():
        yield from ("", f"Words of {side}:", "", "| words | rows | |", "|---|---:|---|")
        counts = units["histogram_of_words"]
        for name, count in counts.items():
            yield f"| {name} | {count:,} | {_bar(count, counts)} |"


def _bar(count: int, counts: Mapping[str, int]) -> str:
    return "█" * max(1, round(BAR * count / max(counts.values())))


def _coverage(form: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    if not form["expected"]:
        yield "With which prompts to expect these rows were not compared: `curate.expected`."
        return
    yield (
        f"Beside {form['expected']:,} prompts expected in production: {form['unknown_words']:.1%} "
        "of their words stand in no request of the rows. The distance is the share of prompts that "
        "would have to be others."
    )
    yield from ("", "| by | distance | by chance | only expected |", "|---|---:|---:|---|")
    for name, one in form["by"].items():
        if "distance" in one:
            alone = ", ".join(map(cell, one["only_expected"][:VALUES_DRAWN])) or "none"
            yield f"| {name} | {one['distance']:.3f} | {one['by_chance']:.3f} | {alone} |"
    for name, one in form["by"].items():
        if "distance" in one:
            yield from _beside(name, one["rows"], one["expected"])


def _beside(name: str, rows: Mapping[str, int], expected: Mapping[str, int]) -> Iterator[str]:
    yield from ("", f"| {name} | rows | expected |", "|---|---:|---:|")
    here, there = max(sum(rows.values()), 1), max(sum(expected.values()), 1)
    names = [*rows, *(one for one in expected if one not in rows)]
    ranked = names if name == "length" else sorted(names, key=lambda at: -expected.get(at, 0))
    for at in ranked[:VALUES_DRAWN]:
        yield f"| {cell(at)} | {rows.get(at, 0) / here:.1%} | {expected.get(at, 0) / there:.1%} |"
    if len(names) > VALUES_DRAWN:
        yield f"| and {len(names) - VALUES_DRAWN} more | | |"


def _diversity(form: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", "| | texts | words | distinct words | pairs | triples |")
    yield "|---|---:|---:|---:|---:|---:|"
    for side, one in form["diversity"].items():
        shares = " | ".join(f"{one[f'distinct_{n}']:.3f}" for n in (1, 2, 3))
        yield f"| {side} | {one['texts']:,} | {one['words']:,} | {shares} |"


def _apart(form: Mapping[str, Any]) -> Iterator[str]:
    """How far requests lie apart in an encoder's space, or that nobody looked."""
    yield ""
    if not form:
        yield "How far requests lie apart in meaning was not measured: `curate.card.encoder`."
        return
    if "distance" not in form:
        yield f"How far requests lie apart cannot be told of {form['texts']:,} with words."
        return
    more = [f"{form[name]:,} {told}" for name, told in LEFT_OUT.items() if form[name]]
    yield (
        f"How far {form['texts']:,} requests lie apart by what {code(form['encoder'])} makes of "
        f"them{''.join(f', {one}' for one in more)}. Only what one encoder tells of as many "
        "requests compares."
    )
    mean, near = form["distance"], form["nearest"]
    yield from ("", "| requests | |", "|---|---:|")
    yield (
        f"| mean cosine distance of two | {mean['value']:.3f} [{mean['low']:.3f} "
        f"{mean['high']:.3f}] |"
    )
    for name, told in NEAREST.items():
        yield f"| distance to the nearest other, {told} | {near[name]:.3f} |"
    yield (
        f"| effective dimensions, of {form['dimensions']:,} | {form['effective_dimensions']:,.1f} |"
    )


def _boilerplate(form: Mapping[str, Any]) -> Iterator[str]:
    for side, one in form.items():
        told = f"{one['texts_with_any']:,} of {one['texts']:,} {side} looked at hold boilerplate"
        yield from ("", f"- {told}, {one['share_of_words']:.1%} of their words")
        for span in one["often"]:
            yield f"- in {span['texts']:,}: “{cell(span['span'])}”"


def _answers(form: Mapping[str, Any]) -> Iterator[str]:
    forms = ", ".join(f"{name} {count:,}" for name, count in form["forms"].items())
    refused = form["refused"]
    yield from ("", f"- answers by form: {forms}")
    if "outside_schema" in form:
        yield f"- answers the contract's output schema does not allow: {form['outside_schema']:,}"
    yield (
        f"- answers that refuse: {refused['rows']:,} of {form['looked_at_for_refusals']:,} looked "
        f"at, {refused['share']:.2%} ({refused['low']:.2%} to {refused['high']:.2%})"
    )


def _noise(form: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"- label noise: of {form['prompts']:,} prompts {form['asked_again']:,} are asked by "
        f"several rows and {form['answered_otherwise']:,} answered in several ways, by "
        f"{form['rows_answered_otherwise']:,} rows ({form['share_of_prompts']:.2%} of the prompts)"
    )


def _languages(form: Mapping[str, Any]) -> Iterator[str]:
    whole = form["looked_at"]
    listed = [f"{name} {count / whole:.1%}" for name, count in form["rows"].items()]
    more = f" and {len(listed) - VALUES_DRAWN} more" if len(listed) > VALUES_DRAWN else ""
    yield (
        f"- languages, of {whole:,} rows looked at: {', '.join(listed[:VALUES_DRAWN])}{more} "
        "(`und`: too few words tell it)"
    )


def tag_lines(tags: Mapping[str, Any]) -> list[str]:
    """The tags and their values."""
    lines = []
    for name, tag in tags.items():
        drawn = [f"{cell(value)} {count:,}" for value, count in tag["values"].items()]
        more = f" and {len(drawn) - VALUES_DRAWN} more" if len(drawn) > VALUES_DRAWN else ""
        listed = f": {', '.join(drawn[:VALUES_DRAWN])}{more}" if drawn else ""
        lines.append(f"- {code(name)}: {tag['distinct']:,} values in {tag['rows']:,} rows{listed}")
    return lines or ["- none"]
