"""The comparison of candidate bases as a table, for the terminal and as a page of Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Form = Mapping[str, Any]  # of `candidates.json`
SHARE = "share"
NOTHING = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One table: a base in each column, a fact or a figure in each line."""

    bases: tuple[str, ...]
    lines: tuple[tuple[str, tuple[str, ...]], ...]


def comparison(form: Form) -> Comparison:
    """All that was found, the recipe's own base first."""
    every: Sequence[Form] = form["candidates"]
    lines = [
        ("licence", [one["licence"] for one in every]),
        ("parameters", [f"{one['parameters']:,}" for one in every]),
        ("context, tokens", [f"{one['context']:,}" for one in every]),
        ("template", [_template(one) for one in every]),
        ("tokens a row", [_tokens(one) for one in every]),
        ("longest lesson", [f"{one['longest_lesson']:,}" for one in every]),
        ("rows over context", [f"{one['rows_over_context']:,}" for one in every]),
    ]
    for suite in form["suites"]:
        for system in form["systems"]:
            found = [one["suites"][suite][system] for one in every]
            name = f"{suite}.{found[0]['headline']} {system}"
            lines.append((name, [_value(one) for one in found]))
            lines.append(("  difference to the first", [_difference(one) for one in found]))
            lines.append(("  p50, p95 of an answer", [_latency(one) for one in found]))
    return Comparison(
        bases=tuple(one["name"] for one in every),
        lines=tuple((name, tuple(cells)) for name, cells in lines),
    )


def markdown(name: str, form: Form) -> str:
    """The page."""
    table = comparison(form)
    items = ", ".join(f"{count:,} of {suite}" for suite, count in form["suites"].items())
    head = "| | " + " | ".join(f"`{base}`" for base in table.bases) + " |"
    rule = "|---|" + "---|" * len(table.bases)
    body = [f"| {line.strip()} | {' | '.join(map(_cell, cells))} |" for line, cells in table.lines]
    return "\n".join(
        [
            f"# {name}: candidate bases",
            "",
            f"Untuned, on the same held-out rows ({items}); the suites' own tasks were not asked.",
            "Value and 95 % interval, shares in percent; differences are paired with the first",
            "base. Tokens a row are those of its lessons under the base's own tokenizer.",
            "",
            head,
            rule,
            *body,
            "",
        ]
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _template(one: Form) -> str:
    return "its own" if one["own_template"] else str(one["template"])


def _tokens(one: Form) -> str:
    return NOTHING if one["tokens_per_row"] is None else f"{one['tokens_per_row']:,.1f}"


def _value(one: Form) -> str:
    metric = one["metrics"][one["headline"]]
    value, low, high = (_figure(metric[key], one["unit"]) for key in ("value", "low", "high"))
    return f"{value} [{low} {high}]"


def _difference(one: Form) -> str:
    paired = one["difference"]
    if paired is None:
        return NOTHING
    value, low, high = (_figure(paired[key], one["unit"], "+") for key in ("value", "low", "high"))
    return f"{value} [{low} {high}]"


def _latency(one: Form) -> str:
    found = one["latency"]
    if found is None:
        return NOTHING
    return f"{1000 * found['p50']:,.0f}, {1000 * found['p95']:,.0f} ms"


def _figure(value: float | None, unit: str, sign: str = "") -> str:
    if value is None:
        return NOTHING
    return f"{100 * value:{sign}.1f}" if unit == SHARE else f"{value:{sign},.4g}"
