"""The model card: what a release is, what it was shown to do, and who answers for the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tutelage.core.metric import ALL, Metric
from tutelage.store.artifact import Artifact, read_json

LAYOUTS = {"lora": "low-rank adapter in PEFT's layout", "tuned": "every weight, changed by tuning"}


def card(
    form: Mapping[str, Any],
    inputs: Mapping[str, Artifact],
    metrics: Sequence[Metric],
    verdict: Mapping[str, Any],
) -> str:
    """The card as Markdown."""
    lines = [
        f"# {form['name']}",
        "",
        *([form["notes"], ""] if form["notes"] else []),
        *_what(form, inputs),
        *_data(inputs["dataset"]),
        *_measured(metrics),
        *_verdict(verdict, form["waivers"]),
        *_use(),
    ]
    return "\n".join(lines) + "\n"


def _what(form: Mapping[str, Any], inputs: Mapping[str, Artifact]) -> Iterator[str]:
    adapter = inputs["adapter"]
    section = adapter.manifest.section.get("train", {})
    yield from ("| | |", "|---|---|")
    base, method = form["base"], ", ".join(str(section.get(key)) for key in ("method", "optimizer"))
    yield f"| base | `{base['name']}`, weights {base['digests']['base:weights'][:12]} |"
    yield f"| weights | {LAYOUTS[form['adapter']['layout']]} |"
    yield f"| method | {method}, {section.get('epochs')} epochs |"
    yield f"| trained on | {adapter.counts.get('supervised_tokens', 0):,} supervised tokens |"
    yield f"| adapter | `{adapter.name}` |"
    yield f"| contract | {form['contract'][:12]} |"
    yield from _prompts(form["prompts"])
    yield ""


def _prompts(told: Mapping[str, Any]) -> Iterator[str]:
    yield f"| template | {_version(told['template'])} |"
    if told["arguments"]:
        given = ", ".join(f"{key}: {json.dumps(one)}" for key, one in told["arguments"].items())
        yield f"| template arguments | `{given}` |"
    yield f"| day the template is told | {told['date']} |"
    yield f"| system prompt | {_version(told['system']) if told['system'] else 'none'} |"
    for one in told["variants"]:
        yield f"| also taught under | {_version(one)}, {one['share']:.0%} of the rows |"
    if told["without_system"]:
        yield f"| taught without it | {told['without_system']:.0%} of the rows |"
    if told["forgeable"]:
        markers = " ".join(f"`{one}`" for one in told["forgeable"])
        yield f"| markers that are plain text, which a message could forge | {markers} |"
    own = told["decoding"]
    drawn = f"temperature {own['temperature']:g}, top_p {own['top_p']:g}"
    yield f"| answers | at most {own['max_new_tokens']:,} tokens, {drawn} |"


def _version(named: Mapping[str, Any]) -> str:
    return f"`{named['name']}` ({named['digest'][:12]})"


def _data(dataset: Artifact) -> Iterator[str]:
    told = read_json(dataset.file("card.json"))
    yield from ("## Data", "", "| source | licence | rows |", "|---|---|---|")
    for source in told["sources"]:
        yield f"| {source['path']} | {', '.join(source['licences'])} | {source['kept']:,} |"
    yield from ("", f"The whole dataset card is in `dataset_card.md` (`{dataset.name}`).", "")


def _measured(metrics: Sequence[Metric]) -> Iterator[str]:
    yield from ("## What it was shown to do", "")
    yield from ("| metric | n | value | 95 % interval |", "|---|---|---|---|")
    whole = [
        one for one in metrics if one.system == "tuned" and one.slice == ALL and not one.one_sided
    ]
    for one in whole:
        if one.baseline is None:
            interval = f"{one.low:.4f} to {one.high:.4f}"
            yield f"| {one.suite}.{one.metric} | {one.n} | {one.value:.4f} | {interval} |"
    yield ""
    compared = [one for one in whole if one.baseline is not None]
    if compared:
        yield "| metric | against | n | paired difference | 95 % interval |"
        yield "|---|---|---|---|---|"
    for one in compared:
        interval = f"{one.low:+.4f} to {one.high:+.4f}"
        name = f"{one.suite}.{one.metric}"
        yield f"| {name} | {one.baseline} | {one.n} | {one.difference or 0.0:+.4f} | {interval} |"
    yield ""


def _verdict(verdict: Mapping[str, Any], waivers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from (f"## Verdict: {verdict['outcome']}", "", "| rule | outcome | because |")
    yield "|---|---|---|"
    for judged in verdict["rules"]:
        yield f"| `{judged['rule']}` | {judged['outcome']} | {judged['because']} |"
    yield ""
    for waiver in waivers:
        yield (
            f"`{waiver['rule']}` is waived by {waiver['by']} until {waiver['expires']}: "
            f"{waiver['reason']}"
        )
        yield ""


def _use() -> Iterator[str]:
    yield from (
        "## Use",
        "",
        "```",
        "tutelage verify FOLDER    # files, base, contract, and that the adapter is live",
        "tutelage serve FOLDER     # OpenAI chat completions on 127.0.0.1:8000",
        "```",
        "",
        "## Limits",
        "",
        "It answers as it was measured only behind its own prompt contract, on the base named",
        "above. What the suites do not ask was not shown; a row's n says how much was asked.",
    )
