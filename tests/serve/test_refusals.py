"""Every refusal has the shape OpenAI's clients read, and names what is at fault."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.serve.loopback import until
from tests.serve.place import URL, Asking, serving
from tests.served import break_writer
from tutelage.engine.fake import FakeEngine
from tutelage.serve.app import BODY_BYTES, make_app

AS_JSON = {"content-type": "application/json; charset=utf-8"}
USER = {"role": "user", "content": "hello"}
TOOL = {"type": "function", "function": {"name": "go", "parameters": {"type": "object"}}}
BROKEN_SCHEMA = {"type": "json_schema", "json_schema": {"name": "t", "schema": {"type": "what"}}}

WRONG: list[tuple[dict[str, Any], str, str | None]] = [
    ({"messages": []}, "invalid_value", "messages"),
    ({"messages": "hello"}, "invalid_value", "messages"),
    ({"messages": [{"role": "bot", "content": "x"}]}, "invalid_value", "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "invalid_value", "messages[0].content"),
    ({"messages": [USER, "hello"]}, "invalid_value", "messages[1]"),
    (
        {"messages": [USER, {"role": "assistant", "content": "x"}]},
        "invalid_value",
        "messages[1]",
    ),
    ({"messages": [{**USER, "weight": 0}]}, "unsupported_parameter", "messages[0].weight"),
    (
        {"messages": [{"role": "tool", "content": "x"}]},
        "invalid_value",
        "messages[0].tool_call_id",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        "unsupported_content",
        "messages[0].content[0]",
    ),
    (
        {
            "messages": [
                {
                    "role": "assistant",
                    "tool_calls": [{"function": {"name": "go", "arguments": "[]"}}],
                },
                USER,
            ]
        },
        "invalid_value",
        "messages[0].tool_calls[0].function.arguments",
    ),
    ({"messages": [USER], "model": "gpt"}, "model_not_found", "model"),
    ({"messages": [USER], "model": None}, "invalid_value", "model"),
    ({"temperature": 3}, "invalid_value", "temperature"),
    ({"temperature": True}, "invalid_value", "temperature"),
    ({"top_p": 0}, "invalid_value", "top_p"),
    ({"seed": "7"}, "invalid_value", "seed"),
    ({"max_tokens": 0}, "invalid_value", "max_tokens"),
    ({"max_tokens": 1, "max_completion_tokens": 2}, "invalid_value", "max_tokens"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "invalid_value", "stop"),
    ({"stop": ""}, "invalid_value", "stop"),
    ({"stream": "yes"}, "invalid_value", "stream"),
    ({"stream_options": {"include_usage": True}}, "invalid_value", "stream_options"),
    (
        {"stream": True, "stream_options": {"colour": 1}},
        "unsupported_parameter",
        "stream_options.colour",
    ),
    ({"response_format": {"type": "xml"}}, "invalid_value", "response_format.type"),
    (
        {"response_format": {"type": "json_schema"}},
        "invalid_value",
        "response_format.json_schema.schema",
    ),
    ({"response_format": BROKEN_SCHEMA}, "invalid_value", "response_format.json_schema.schema"),
    ({"metadata": {"a": 1}}, "invalid_value", "metadata"),
    ({"n": 2}, "unsupported_parameter", "n"),
    ({"logprobs": True}, "unsupported_parameter", "logprobs"),
    ({"logit_bias": {"5": 1}}, "unsupported_parameter", "logit_bias"),
    ({"presence_penalty": 0.5}, "unsupported_parameter", "presence_penalty"),
    ({"tool_choice": "required"}, "unsupported_parameter", "tool_choice"),
    ({"reasoning_effort": "low"}, "unsupported_parameter", "reasoning_effort"),
    ({"colour": "blue"}, "unsupported_parameter", "colour"),
    ({"tools": [TOOL]}, "unsupported_parameter", "tools"),  # the micro template writes none
    ({"tools": [{"type": "function"}]}, "invalid_value", "tools[0]"),
    (
        {"messages": [{"role": "user", "content": "long " * 200}]},
        "context_length_exceeded",
        "messages",
    ),
]


def checked(response: Any, status: int, code: str, param: str | None) -> None:
    """One error, in its one shape."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["code"], error["param"]) == (code, param)
    assert error["message"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with serving(tmp_path_factory.mktemp("refusals")) as opened:
        yield opened


@pytest.mark.parametrize(("wrong", "code", "param"), WRONG)
def test_what_cannot_be_given_is_refused_by_name(
    place: Asking, wrong: dict[str, Any], code: str, param: str | None
) -> None:
    form = {"model": "tickets", "messages": [USER], **wrong}
    response = place.client.post(URL, json=form)
    checked(response, 404 if code == "model_not_found" else 400, code, param)
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_what_changes_nothing_is_accepted(place: Asking) -> None:
    response = place.ask(
        user="u",
        metadata={"a": "b"},
        store=True,
        service_tier="auto",
        safety_identifier="x",
        n=1,
        frequency_penalty=0,
        presence_penalty=0.0,
        logit_bias={},
        logprobs=False,
        tool_choice="auto",
        parallel_tool_calls=True,
        seed=None,
        stop=None,
    )
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"a":"\\ud800"}', b"\xff", b"[" * 100_000, b'{"a":1e999}']
)
def test_a_body_that_is_no_json_object_is_refused(place: Asking, body: bytes) -> None:
    checked(place.client.post(URL, content=body, headers=AS_JSON), 400, "invalid_json", None)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_page_in_a_browser_cannot_ask_without_being_let(place: Asking, kind: str) -> None:
    body = b'{"model": "tickets", "messages": [{"role": "user", "content": "x"}]}'
    response = place.client.post(URL, content=body, headers={"content-type": kind})
    checked(response, 415, "unsupported_media_type", None)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example:8000", "127.0.0.1.evil.example", "10.0.0.1", ""],
)
@pytest.mark.parametrize("path", ["/v1/models", "/healthz", "/metrics"])
def test_a_name_from_elsewhere_that_was_made_to_lead_here_is_not_answered(
    place: Asking, path: str, host: str
) -> None:
    checked(place.client.get(path, headers={"host": host}), 421, "misdirected_request", None)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:8000"])
def test_a_request_that_names_this_machine_is_answered(place: Asking, host: str) -> None:
    assert place.client.get("/v1/models", headers={"host": host}).status_code == 200


def test_a_server_that_listens_for_others_is_asked_by_any_name(place: Asking) -> None:
    client = TestClient(make_app(place.answerer, local=False), base_url="http://desk.example")
    assert client.get("/healthz").status_code == 200


def test_a_server_whose_journal_stopped_says_it_is_not_well(tmp_path: Path) -> None:
    with serving(tmp_path) as place:
        break_writer(place.answerer.journal)
        until(lambda: not place.answerer.journal.writing)
        checked(place.client.get("/healthz"), 503, "journal_stopped", None)


def test_a_body_that_is_too_long_is_refused_unread(place: Asking) -> None:
    response = place.client.post(URL, content=b" " * (BODY_BYTES + 1), headers=AS_JSON)
    checked(response, 413, "too_large", None)


def test_other_paths_and_methods_are_refused_in_the_same_shape(place: Asking) -> None:
    checked(place.client.get("/v1/completions"), 404, "not_found", None)
    checked(place.client.get(URL), 405, "not_allowed", None)


def test_a_template_that_refuses_a_conversation_is_told(tmp_path: Path) -> None:
    strict = "{{ raise_exception('no system here') if messages[0].role == 'system' }}"
    template = (
        strict + "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    (tmp_path / "strict.jinja").write_text(template)
    with serving(tmp_path, contract={"template": "strict.jinja"}) as place:
        response = place.ask(messages=[{"role": "system", "content": "x"}, USER])
        checked(response, 400, "prompt_refused", "messages")
        assert "no system here" in response.json()["error"]["message"]


def test_nothing_that_was_refused_is_an_event(place: Asking) -> None:
    before = len(place.events())
    place.ask(colour="blue")
    place.ask(model="gpt")
    assert len(place.events()) == before


def test_a_stream_that_breaks_off_says_so_in_the_stream(tmp_path: Path) -> None:
    class Breaking(FakeEngine):
        def stream(self, prompt: Any, decoding: Any) -> Any:
            yield next(iter(super().stream(prompt, decoding)))
            raise RuntimeError

    with serving(tmp_path, Breaking(lambda _: "one")) as place:
        response = place.ask(stream=True)
        assert response.status_code == 200
        assert '"code":"engine_failed"' in response.text
        assert response.text.endswith("data: [DONE]\n\n")
        assert (place.payload()["finish"], place.payload()["answer"]) == ("error", "o")


def test_a_stream_that_never_begins_has_a_status_of_its_own(tmp_path: Path) -> None:
    class Broken(FakeEngine):
        def stream(self, prompt: Any, decoding: Any) -> Any:
            raise RuntimeError

    with serving(tmp_path, Broken(lambda _: "one")) as place:
        checked(place.ask(stream=True), 500, "engine_failed", None)


def chained(levels: int) -> dict[str, Any]:
    """A schema whose references fan out to more than anybody can follow."""
    names = [f"a{level}" for level in range(levels)]
    pairs = itertools.pairwise(names)
    defs: dict[str, Any] = {one: {"allOf": [{"$ref": f"#/$defs/{two}"}] * 2} for one, two in pairs}
    return {"$defs": {**defs, names[-1]: {}}, "$ref": f"#/$defs/{names[0]}"}


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"$schema": 5}, "its `$schema` is not https://json-schema.org/draft/2020-12/schema"),
        ({"$schema": "http://["}, "the only one supported"),
        ({"patternProperties": {"^a": {}}}, "`patternProperties` is not supported"),
        ({"properties": {"a": {"pattern": "(?=a)b"}}}, "RE2 has no such"),
        (chained(40), "more than 50000 steps"),
        ({"$ref": "#/$defs/none"}, "leads out of it"),
        ({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, "without end"),
        ({"$ref": "http://localhost:1/schema.json"}, "leads out of it"),
    ],
)
def test_a_clients_schema_cannot_hold_up_the_server(
    schema: dict[str, Any], says: str, tmp_path: Path
) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "t", "schema": schema}}
    with serving(tmp_path, lambda _: '{"a": 1}') as place:
        response = place.ask(response_format=form)
        assert response.status_code == 400
        error = response.json()["error"]
        assert (error["code"], error["param"]) == (
            "invalid_value",
            "response_format.json_schema.schema",
        )
        assert says in error["message"]


def test_a_clients_pattern_is_matched_in_linear_time(tmp_path: Path) -> None:
    schema = {"properties": {"pattern": {"pattern": "^(a+)+$"}}}
    form = {"type": "json_schema", "json_schema": {"name": "t", "schema": schema}}
    answer = '{"pattern": "' + "a" * 200 + '!"}'
    with serving(tmp_path, lambda _: answer) as place:
        assert place.ask(response_format=form).status_code == 422
    with serving(tmp_path, lambda _: answer.replace("!", "")) as place:
        assert place.ask(response_format=form).status_code == 200
