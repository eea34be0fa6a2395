from __future__ import annotations

from typing import Any

import pytest

from tutelage.gate.page.ladder import held_sentence, ladder_view, sentence_of

PROMPTS = {"zero_shot": "zero_shot", "constrained": "few_shot", "tuned": "zero_shot"}


def rung(system: str, value: float, **more: Any) -> dict[str, Any]:
    plain = {"low": value - 0.05, "high": value + 0.05, "n": 200}
    spent = {"prompt_tokens": 20_000, "answer_tokens": 5_100, "seconds": 12.3, "unfinished": 3}
    latency = {"p50": 0.0412, "p95": 1.25, "n": 20}
    return {"system": system, "value": value, **plain, **spent, "latency": latency, **more}


def over(baseline: str, low: float, high: float, system: str = "tuned") -> dict[str, Any]:
    difference = (low + high) / 2
    return {
        "system": system,
        "baseline": baseline,
        "difference": difference,
        "low": low,
        "high": high,
        "n": 200,
        "method": "paired score",
    }


def ladder(**more: Any) -> dict[str, Any]:
    return {
        "metric": "exact_match",
        "unit": "share",
        "better": "higher",
        "rungs": [rung("zero_shot", 0.1), rung("constrained", 0.3), rung("tuned", 0.9)],
        "best": "constrained",
        "needed": "yes",
        "differences": [over("zero_shot", 0.7, 0.9), over("constrained", 0.5, 0.7)],
        "constrained": {},
        "contrary": [],
        **more,
    }


def test_the_first_line_names_the_best_rung_and_how_sure_it_is() -> None:
    assert sentence_of(ladder()) == (
        "tuned 90.0 % of exact_match, against 30.0 % of constrained, the best without training: "
        "+60.0 points (+50.0 to +70.0); surely better than each of the 2 without training"
    )


def test_rungs_that_tuning_does_not_surely_beat_are_named() -> None:
    open_one = [over("zero_shot", 0.7, 0.9), over("constrained", -0.1, 0.7)]
    said = sentence_of(ladder(differences=open_one))
    assert said.endswith("; not surely better than constrained")
    lower = [over("zero_shot", -0.9, -0.7), over("constrained", -0.7, -0.5)]
    said = sentence_of(ladder(differences=lower, better="lower"))
    assert said.endswith("surely better than each of the 2 without training")


def test_what_the_schema_adds_is_said_where_it_was_asked() -> None:
    assert held_sentence(ladder()) == ""
    held = {
        "constrained": over("constrained", 0.5, 0.7, "tuned_constrained"),
        "tuned": over("tuned", -0.01, 0.03, "tuned_constrained"),
    }
    rungs = [*ladder()["rungs"], rung("tuned_constrained", 0.91)]
    assert held_sentence(ladder(constrained=held, rungs=rungs)) == (
        "held to the schema, tuned 91.0 %: +60.0 points (+50.0 to +70.0) over constrained, "
        "+1.0 points (-1.0 to +3.0) over the tuned model without it"
    )


def test_costs_are_of_a_task_and_latency_in_milliseconds() -> None:
    view = ladder_view(ladder(), PROMPTS)
    assert view is not None
    assert (view.answer, view.alone) == ("Yes", 20)
    first, held, tuned = view.rows
    assert (first.prompt_tokens, first.answer_tokens, first.unfinished) == ("100", "25.5", "3")
    assert (first.p50, first.p95) == ("41 ms", "1,250 ms")
    assert (first.prompt, held.prompt) == ("", "prompt of few_shot")
    assert first.gain == "+80.0 points (+70.0 to +90.0)"
    assert tuned.gain == ""


def test_what_says_the_contrary_stands_in_the_same_line() -> None:
    against = {**over("constrained", 0.4, 0.6), "metric": "refusal", "unit": "share"}
    said = sentence_of(
        ladder(
            needed="mixed",
            differences=[over("constrained", -0.3, -0.1)],
            contrary=[{**against, "better": "higher"}],
        )
    )
    assert said.endswith(
        "-20.0 points (-30.0 to -10.0); but refusal +50.0 points (+40.0 to +60.0), "
        "better than constrained"
    )


@pytest.mark.parametrize("needed", ["no", "not shown", "mixed"])
def test_a_ladder_may_deny_it_and_a_suite_may_have_none(needed: str) -> None:
    view = ladder_view(ladder(needed=needed), PROMPTS)
    assert view is not None
    answers = {"no": "No, it did harm", "not shown": "Not shown"}
    assert view.answer == {**answers, "mixed": "Better in one, worse in another"}[needed]
    assert ladder_view(None, PROMPTS) is None


def test_what_is_not_bounded_is_drawn_as_missing() -> None:
    endless = rung("constrained", 0.3, high=None, latency=None)
    view = ladder_view(ladder(rungs=[endless, rung("tuned", 0.9)]), PROMPTS)
    assert view is not None
    assert (view.rows[0].p50, view.rows[0].span) == ("–", "–")
