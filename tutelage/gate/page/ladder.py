"""Was fine-tuning needed? A suite's ladder as it is drawn, and the sentence that sums it up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tutelage.core.systems import TUNED, TUNED_CONSTRAINED
from tutelage.gate.page.draw import MISSING, bare, percent, points, span

Form = Mapping[str, Any]  # of `summary.json`
ANSWERS = {
    "yes": "Yes",
    "no": "No, it did harm",
    "not shown": "Not shown",
    "mixed": "Better in one, worse in another",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RungRow:
    """One system in the table of costs."""

    system: str
    prompt: str  # whose prompt the constrained base has; empty of the others
    value: str
    span: str
    gain: str  # of the tuned model over it
    prompt_tokens: str  # of a task, mean
    answer_tokens: str
    seconds: str  # of all tasks together
    p50: str
    p95: str
    unfinished: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderView:
    """One suite's ladder."""

    answer: str
    sentence: str
    held: str  # what the schema adds to the tuned model, empty where it was not asked
    rows: tuple[RungRow, ...]
    alone: int  # answers that latency is of, at most


def ladder_view(ladder: Form | None, prompts: Form) -> LadderView | None:
    """The ladder of a suite's summary, None where it has none."""
    if ladder is None:
        return None
    gains = {one["baseline"]: one for one in ladder["differences"]}
    return LadderView(
        answer=ANSWERS[ladder["needed"]],
        sentence=sentence_of(ladder),
        held=held_sentence(ladder),
        rows=tuple(_row(one, gains, prompts, ladder["unit"]) for one in ladder["rungs"]),
        alone=max((one["latency"] or {"n": 0})["n"] for one in ladder["rungs"]),
    )


def sentence_of(ladder: Form) -> str:
    """The tuned model beside the best rung without training, and beside the others."""
    unit, rungs = ladder["unit"], {one["system"]: one for one in ladder["rungs"]}
    best, others = ladder["best"], [one["baseline"] for one in ladder["differences"]]
    gain = next(one for one in ladder["differences"] if one["baseline"] == best)
    said = (
        f"tuned {percent(_number(rungs[TUNED]['value']), unit)} of {ladder['metric']}, against "
        f"{percent(_number(rungs[best]['value']), unit)} of {best}, the best without training: "
        f"{_gain(gain, unit)}"
    )
    for one in ladder["contrary"]:
        gained = f"{one['metric']} {_gain(one, one['unit'])}"
        said += f"; but {gained}, {_better(one)} than {one['baseline']}"
    if len(others) < 2:
        return said
    return f"{said}; {_beside(ladder, len(others))}"


def _better(one: Form) -> str:
    gained = _number(one["difference"]) > 0
    return "better" if gained == (one["better"] == "higher") else "worse"


def held_sentence(ladder: Form) -> str:
    """The tuned model held to the schema, beside the best without training and without it."""
    unit = ladder["unit"]
    parts = [
        f"{_gain(one, unit)} over {'the tuned model without it' if name == TUNED else name}"
        for name, one in ladder["constrained"].items()
    ]
    if not parts:
        return ""
    value = next(one for one in ladder["rungs"] if one["system"] == TUNED_CONSTRAINED)["value"]
    return f"held to the schema, tuned {percent(_number(value), unit)}: {', '.join(parts)}"


def _beside(ladder: Form, count: int) -> str:
    sign = 1 if ladder["better"] == "higher" else -1
    sure = [
        one["baseline"]
        for one in ladder["differences"]
        if min(sign * _number(one["low"]), sign * _number(one["high"])) > 0
    ]
    if len(sure) == count:
        return f"surely better than each of the {count} without training"
    left = [one["baseline"] for one in ladder["differences"] if one["baseline"] not in sure]
    return f"not surely better than {' and '.join(left)}"


def _row(one: Form, gains: Form, prompts: Form, unit: str) -> RungRow:
    system, count = one["system"], max(1, one["n"])
    latency = one["latency"] or {}
    gain = gains.get(system)
    return RungRow(
        system=system,
        prompt=f"prompt of {prompts[system]}" if system == "constrained" else "",
        value=percent(_number(one["value"]), unit),
        span=span(_number(one["low"]), _number(one["high"]), unit=unit),
        gain=_gain(gain, unit) if gain else "",
        prompt_tokens=f"{one['prompt_tokens'] / count:,.0f}",
        answer_tokens=f"{one['answer_tokens'] / count:,.1f}",
        seconds=bare(one["seconds"], "seconds"),
        p50=_milliseconds(latency.get("p50")),
        p95=_milliseconds(latency.get("p95")),
        unfinished=f"{one['unfinished']:,}",
    )


def _gain(one: Form, unit: str) -> str:
    low, high = _number(one["low"]), _number(one["high"])
    within = span(low, high, signed=True, unit=unit)
    return f"{points(_number(one['difference']), unit)} ({within})"


def _milliseconds(seconds: float | None) -> str:
    return MISSING if seconds is None else f"{1000 * seconds:,.0f} ms"


def _number(value: float | None) -> float:
    """JSON has no value for what is not finite."""
    return math.nan if value is None else value
