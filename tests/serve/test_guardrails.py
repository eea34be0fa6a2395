"""Guardrails flag, redact and block, in requests and answers; a broken one fails as told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.serve.place import SCHEMA, Asking, serving
from tutelage.core.errors import ContractError
from tutelage.engine.fake import FakeEngine

MAIL = "write to ann@example.org"


def rail(check: str, side: str, action: str, **more: Any) -> dict[str, Any]:
    return {"guardrails": [{"check": check, "side": side, "action": action, **more}]}


def flags(place: Asking) -> Any:
    return place.payload()["flags"]


def broken(text: str) -> list[Any]:
    raise RuntimeError(f"cannot look at {text}")


BROKEN: Any = {"pii": broken, "secrets": lambda text: []}


def said(response: Any) -> Any:
    (choice,) = response.json()["choices"]
    return choice["message"]["content"], choice["finish_reason"]


def test_a_flag_changes_nothing_and_is_kept(tmp_path: Path) -> None:
    with serving(tmp_path, lambda _: MAIL, serve=rail("pii", "output", "flag")) as place:
        assert said(place.ask()) == (MAIL, "stop")
        assert flags(place) == [
            {"check": "pii", "side": "output", "kind": "email", "action": "flag", "count": 1}
        ]


def test_what_is_found_in_a_request_is_replaced_before_the_model_sees_it(tmp_path: Path) -> None:
    with serving(tmp_path, serve=rail("pii", "input", "redact") | {"keep": "text"}) as place:
        place.ask(f"{MAIL} and ben@example.org")
        assert isinstance(place.engine, FakeEngine)
        assert place.engine.seen[0].messages[0].content == "write to [EMAIL] and [EMAIL]"
        assert flags(place)[0]["count"] == 2
        assert "ann@" not in json.dumps(dict(place.payload()))


TEMPLATE = (
    "{{ tools | tojson }}{% for m in messages %}<|im_start|>{{ m | tojson }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def called(arguments: Any, **more: Any) -> dict[str, Any]:
    function = {"name": "go", "arguments": json.dumps(arguments)} | more
    return {"role": "assistant", "tool_calls": [{"type": "function", "function": function}]}


def told(**more: Any) -> dict[str, Any]:
    function = {"name": "go", "description": "goes", "parameters": {"type": "object"}}
    return {"tools": [{"type": "function", "function": function | more}]}


CARD = 4111111111111111
FIELDS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "content": ([{"role": "assistant", "content": MAIL}], {}),
    "name": ([{"role": "user", "content": "x", "name": "ann@example.org"}], {}),
    "reasoning": ([{"role": "assistant", "content": "x", "reasoning_content": MAIL}], {}),
    "arguments": ([called({"to": ["ann@example.org"]})], {}),
    "key of arguments": ([called({"ann@example.org": 1})], {}),
    "number": ([called({"pay": CARD})], {}),
    "name of a call": ([called({}, name="ann@example.org")], {}),
    "tool_call_id": ([{"role": "tool", "content": "x", "tool_call_id": "ann@example.org"}], {}),
    "description": ([], told(description=MAIL)),
    "parameters": ([], told(parameters={"type": "object", "properties": {"ann@example.org": {}}})),
}


@pytest.mark.parametrize("field", FIELDS)
def test_no_text_that_reaches_the_prompt_goes_by_unlooked_at(field: str, tmp_path: Path) -> None:
    before, more = FIELDS[field]
    (tmp_path / "all.jinja").write_text(TEMPLATE)
    own = {"template": "all.jinja"}
    guard = rail("pii", "input", "redact") | {"keep": "text"}
    messages = [*before, {"role": "user", "content": "x"}]
    with serving(tmp_path, serve=guard, contract=own) as place:
        assert place.ask(messages=messages, **more).status_code == 200
        assert isinstance(place.engine, FakeEngine)
        prompt = place.contract.decode(place.engine.seen[0].ids)
        assert "ann@" not in prompt
        assert str(CARD) not in prompt
        assert "[EMAIL]" in prompt or "[CARD]" in prompt
        assert flags(place)[0]["count"] == 1


@pytest.mark.parametrize("field", FIELDS)
def test_no_text_of_a_request_is_kept_raw_where_words_are_kept_redacted(
    field: str, tmp_path: Path
) -> None:
    before, more = FIELDS[field]
    (tmp_path / "all.jinja").write_text(TEMPLATE)
    messages = [*before, {"role": "user", "content": "x"}]
    with serving(tmp_path, contract={"template": "all.jinja"}) as place:
        asked = place.ask(messages=messages, metadata={"ann@example.org": "a"}, **more)
        assert asked.status_code == 200
        written = json.dumps(dict(place.payload()))
        assert "ann@" not in written
        assert str(CARD) not in written
        assert place.payload()["metadata"] == {"[EMAIL]": "a"}


def test_two_keys_that_become_one_word_stay_two(tmp_path: Path) -> None:
    with serving(tmp_path) as place:
        place.ask(metadata={"ann@example.org": "a", "ben@example.org": "b"})
        assert place.payload()["metadata"] == {"[EMAIL]": "a", "[EMAIL]'": "b"}


def test_what_a_guardrail_found_is_counted_though_the_prompt_is_then_refused(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, serve=rail("pii", "input", "flag")) as place:
        response = place.ask(f"{MAIL} " + "long " * 200)
        assert response.json()["error"]["code"] == "context_length_exceeded"
        counted = 'flags_total{action="flag",check="pii",kind="email",side="input"} 1.0'
        assert counted in place.client.get("/metrics").text


def test_a_blocked_request_never_reaches_the_model_and_is_an_event(tmp_path: Path) -> None:
    with serving(tmp_path, serve=rail("pii", "input", "block")) as place:
        response = place.ask(MAIL)
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "content_filter"
        assert isinstance(place.engine, FakeEngine)
        assert place.engine.seen == []
        (event,) = place.events()
        assert event.id == response.json()["id"]
        assert (event.payload["finish"], event.payload["completion_tokens"]) == (
            "content_filter",
            0,
        )
        assert place.ask("nothing to find").status_code == 200


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("action", "text", "finish"),
    [("redact", "write to [EMAIL]", "stop"), ("block", None, "content_filter")],
)
def test_nothing_of_an_answer_is_sent_before_it_is_checked(
    action: str, text: str | None, finish: str, stream: bool, tmp_path: Path
) -> None:
    with serving(tmp_path, lambda _: MAIL, serve=rail("pii", "output", action)) as place:
        response = place.ask(stream=stream)
        assert "ann@" not in response.text
        assert finish in response.text
        if text is not None:
            assert text in response.text
        else:
            assert '"refusal":"The answer was held back by a guardrail."' in response.text
            assert place.payload()["answer"] == ""
        assert place.payload()["finish"] == finish
        assert flags(place)[0]["action"] == action


def test_only_the_kinds_that_are_named_count(tmp_path: Path) -> None:
    only = rail("pii", "output", "block", kinds=["iban"])
    with serving(tmp_path, lambda _: MAIL, serve=only) as place:
        assert said(place.ask()) == (MAIL, "stop")
        assert flags(place) == []


@pytest.mark.parametrize(
    ("answer", "finish"), [('{"team": "billing"}', "stop"), ("no json", "content_filter")]
)
def test_an_answer_that_breaks_the_contract_can_be_blocked(
    answer: str, finish: str, tmp_path: Path
) -> None:
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    asked = {"output_schema": "schema.json"}
    guard = rail("schema", "output", "block")
    with serving(tmp_path, lambda _: answer, serve=guard, contract=asked) as place:
        assert said(place.ask())[1] == finish


@pytest.mark.parametrize("side", ["input", "output"])
@pytest.mark.parametrize("action", ["flag", "redact", "block"])
def test_a_check_that_breaks_fails_closed(side: str, action: str, tmp_path: Path) -> None:
    with serving(tmp_path, lambda _: MAIL, serve=rail("pii", side, action), checks=BROKEN) as place:
        response = place.ask()
        assert "content_filter" in response.text
        assert "ann@" not in response.text
        assert flags(place)[0] == {
            "check": "pii",
            "side": side,
            "kind": "check_failed",
            "action": "block",
            "count": 1,
        }
        counted = 'tutelage_guardrail_failures_total{action="block",check="pii"} 1.0'
        assert counted in place.client.get("/metrics").text


@pytest.mark.parametrize("side", ["input", "output"])
def test_a_check_that_breaks_lets_through_where_it_may_and_is_counted(
    side: str, tmp_path: Path
) -> None:
    guard = rail("pii", side, "block", fail="open")
    with serving(tmp_path, lambda _: MAIL, serve=guard, checks=BROKEN) as place:
        assert said(place.ask()) == (MAIL, "stop")
        assert flags(place)[0]["kind"] == "check_failed"
        counted = 'tutelage_guardrail_failures_total{action="flag",check="pii"} 1.0'
        assert counted in place.client.get("/metrics").text


def test_a_flag_that_breaks_closed_ends_a_live_stream_as_filtered(tmp_path: Path) -> None:
    guard = rail("pii", "output", "flag")
    with serving(tmp_path, lambda _: "ab", serve=guard, checks=BROKEN) as place:
        response = place.ask(stream=True)
        assert '"finish_reason":"content_filter"' in response.text
        assert (place.payload()["finish"], place.payload()["kept"]) == (
            "content_filter",
            "nothing",
        )


@pytest.mark.parametrize(
    ("guard", "problem"),
    [
        (rail("schema", "output", "block"), "the contract has no `output_schema`"),
        (rail("pii", "output", "flag", kinds=["e-mail"]), "`pii` finds no e-mail"),
    ],
)
def test_a_guardrail_that_can_never_hold_is_told_before_anything_is_served(
    guard: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    with (
        pytest.raises(ContractError, match="a guardrail cannot do what it says") as caught,
        serving(tmp_path, serve=guard),
    ):
        pass
    assert problem in caught.value.rows[0].problem
