"""What a stranger sends may cost the server little, and nobody else anything."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.serve.loopback import loopback, until
from tests.serve.place import URL, serving
from tests.serve.test_guardrails import TEMPLATE
from tests.serve.test_refusals import TOOL, USER, checked
from tests.serve.test_worker import Gated
from tutelage.core.finding import Finding
from tutelage.engine.fake import FakeEngine
from tutelage.engine.protocol import Chunk, Decoding, Prompt
from tutelage.serve.app import make_app
from tutelage.serve.cutter import Cutter
from tutelage.serve.run import GRACE_SECONDS, Place, address, answering, listen

FORM = {"model": "tickets", "messages": [USER]}
SCHEMA_AT = "response_format.json_schema.schema"


class Stop(str):
    """A stop text that counts how often it is looked at."""

    looked = 0

    def startswith(self, *about: Any) -> bool:
        """As a text does."""
        Stop.looked += 1
        return super().startswith(*about)


def test_a_long_stop_text_is_looked_at_no_more_than_the_text_is_long() -> None:
    cutter = Cutter([Stop("abc" * 1000)])
    given = [cutter.take(piece, last=False) for piece in ("x", "yab", "z")]
    assert given == ["x", "y", "abz"]
    assert Stop.looked <= len("x" + "yab" + "abz")


@pytest.mark.parametrize(
    ("asked", "code", "param"),
    [
        ({"stop": "a" * 1001}, "invalid_value", "stop"),
        ({"stop": ["a", "a" * 1001]}, "invalid_value", "stop"),
        ({"user": "a" * 513}, "invalid_value", "user"),
        ({"metadata": {"a": "a" * 513}}, "invalid_value", "metadata"),
        ({"metadata": {"a" * 65: "a"}}, "invalid_value", "metadata"),
        ({"n": True}, "unsupported_parameter", "n"),
        ({"logprobs": 0}, "unsupported_parameter", "logprobs"),
        ({"parallel_tool_calls": 1}, "unsupported_parameter", "parallel_tool_calls"),
        ({"frequency_penalty": False}, "unsupported_parameter", "frequency_penalty"),
    ],
)
def test_what_is_too_long_or_of_another_type_is_refused_by_name(
    asked: dict[str, Any], code: str, param: str, tmp_path: Path
) -> None:
    with serving(tmp_path) as place:
        checked(place.ask(**asked), 400, code, param)


def test_the_longest_texts_are_taken(tmp_path: Path) -> None:
    metadata = {"a" * 64: "a" * 512}
    with serving(tmp_path) as place:
        response = place.ask(stop="a" * 1000, user="a" * 512, metadata=metadata)
        assert response.status_code == 200
        assert place.payload()["metadata"] == metadata


class Endless(Gated):
    """Draws on until it is told to stop."""

    def stream(self, prompt: Prompt, decoding: Decoding) -> Iterator[Chunk]:
        """Pieces without end."""
        while True:
            yield Chunk(text="x" * 1000, ids=(1,))
            self.gate.wait(0.001)


@pytest.mark.parametrize("stream", [False, True])
def test_the_words_of_a_client_that_went_away_are_looked_at_off_the_event_loop(
    stream: bool, tmp_path: Path
) -> None:
    on_loop: list[bool] = []

    def find(text: str) -> list[Finding]:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            on_loop.append(False)
        else:
            on_loop.append(True)
        return []

    checks: Any = {"pii": find, "secrets": find}
    engine = Endless() if stream else Gated(letters=200)
    with (
        serving(tmp_path, engine, checks=checks, serve={"keep": "redacted"}) as place,
        loopback(make_app(place.answerer)) as url,
        httpx2.Client(base_url=url) as client,
    ):
        if stream:
            with client.stream("POST", URL, json=FORM | {"stream": True}) as got:
                next(got.iter_lines())
        else:
            with pytest.raises(httpx2.ReadTimeout):
                client.post(URL, json=FORM, timeout=0.2)
        until(lambda: len(place.events()) == 1)
        assert place.payload()["finish"] == "cancelled"
        assert on_loop
        assert not any(on_loop)
        engine.gate.set()


def test_an_answer_that_came_too_late_is_looked_at_off_the_event_loop(tmp_path: Path) -> None:
    engine, looking = Gated(), threading.Event()
    names: list[str] = []

    def find(text: str) -> list[Finding]:
        names.append(threading.current_thread().name)
        looking.set()
        return []

    checks: Any = {"pii": find, "secrets": find}
    serve = {"keep": "redacted", "timeout_seconds": 0.05}
    with serving(tmp_path, engine, checks=checks, serve=serve) as place:
        checked(place.ask(), 504, "timeout", None)
        assert place.payload()["finish"] == "error"
        assert all(name == "AnyIO worker thread" for name in names)
        engine.gate.set()


@pytest.mark.parametrize("stream", [False, True])
def test_what_fails_unforeseen_is_told_and_kept_as_that(stream: bool, tmp_path: Path) -> None:
    class Strange(FakeEngine):
        def stream(self, prompt: Prompt, decoding: Decoding) -> Iterator[Chunk]:
            nothing: Any = None
            yield Chunk(text=nothing, ids=(1,))

    with serving(tmp_path, Strange(lambda _: "")) as place:
        checked(place.ask(stream=stream), 500, "server_failed", None)
        assert (place.payload()["finish"], place.payload()["error"]) == ("error", "server_failed")


def nested(levels: int) -> dict[str, Any]:
    """An object in an object, and so on."""
    found: dict[str, Any] = {}
    for _ in range(levels):
        found = {"properties": {"a": found}}
    return found


@pytest.mark.parametrize("rails", [[], [{"check": "pii", "side": "input", "action": "flag"}]])
def test_what_is_nested_too_deeply_is_the_clients_fault(rails: list[Any], tmp_path: Path) -> None:
    (tmp_path / "tools.jinja").write_text(TEMPLATE)
    deep = {**TOOL, "function": {"name": "go", "parameters": nested(450)}}
    written = '{"a":' * 900 + "{}" + "}" * 900
    call = {"id": "a", "type": "function", "function": {"name": "go", "arguments": written}}
    calling = [USER, {"role": "assistant", "tool_calls": [call]}, USER]
    opened = {"contract": {"template": "tools.jinja"}, "serve": {"guardrails": rails}}
    with serving(tmp_path, **opened) as place:  # type: ignore[arg-type]
        checked(place.ask(tools=[deep]), 400, "invalid_value", "messages")
        checked(place.ask(messages=calling), 400, "invalid_value", "messages")


def test_a_request_that_was_sent_by_half_does_not_keep_a_server_up(tmp_path: Path) -> None:
    half = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n" + (
        b"content-type: application/json\r\ncontent-length: 100\r\n\r\n{"
    )
    with serving(tmp_path) as place, listen(Place(port=0)) as listener:
        app = make_app(place.answerer)
        with answering(app, listener, longest=0.5 - GRACE_SECONDS) as url:
            assert url == address(listener)
            sent = socket.create_connection(listener.getsockname()[:2])
            sent.sendall(half)
            assert httpx2.get(f"{url}/healthz").status_code == 200
        sent.close()


def test_a_path_with_a_slash_too_many_leads_nowhere(tmp_path: Path) -> None:
    with serving(tmp_path) as place:
        checked(place.client.get("/healthz/", follow_redirects=False), 404, "not_found", None)


def test_a_server_whose_events_are_not_written_says_it_is_not_well(tmp_path: Path) -> None:
    with serving(tmp_path) as place:
        raw = sqlite3.connect(place.path)
        raw.execute("ALTER TABLE events RENAME TO away")
        place.ask()
        until(lambda: place.answerer.journal.dropped == 1)
        checked(place.client.get("/healthz"), 503, "journal_stopped", None)
        raw.execute("ALTER TABLE away RENAME TO events")
        raw.close()
        until(lambda: place.client.get("/healthz").status_code == 200)


def doubling(levels: int, key: str) -> dict[str, Any]:
    """A schema whose parts each ask for the next one twice."""
    defs: dict[str, Any] = {
        f"a{level}": {
            "dependentSchemas": {name: {"$ref": f"#/$defs/a{level + 1}"} for name in ("a", "b")}
        }
        for level in range(levels)
    }
    return {key: False, "$ref": "#/$defs/a0", "$defs": {**defs, f"a{levels}": {}}}


LIST = {"$defs": {"a": {"allOf": [{"type": "object"}] * 1000}}}
DIALECT_4 = "http://json-schema.org/draft-04/schema#"


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (doubling(40, "unevaluatedProperties"), "`unevaluatedProperties` is not supported"),
        (doubling(40, "unevaluatedItems"), "`unevaluatedItems` is not supported"),
        (doubling(40, "deprecated"), "more than 50000 steps"),
        ({**LIST, "allOf": [{"$ref": "#/$defs/a"}] * 2000}, "more than 50000 steps"),
        ({"$schema": DIALECT_4, "enum": [1]}, "the only one supported"),
        ({"allOf": [{"$schema": DIALECT_4}]}, "a `$schema` of its own"),
        ({"$ref": DIALECT_4}, "leads out of it"),
        ({"enum": ["a" * 66_000]}, "longer than 65536 bytes"),
        ({"allOf": [{}] * 4000}, "more than 4000 parts"),
        (
            {"properties": {"patternProperties": {"(a+)+$": {}}}, "$ref": "#/properties"},
            "`patternProperties` is not supported",
        ),
        ({"$ref": "#/x", "x": 5}, "does a `$ref` lead to what is no schema?"),
        ({"$ref": "#/x", "x": {"minProperties": "a"}}, "does a `$ref` lead to what is no schema?"),
        ({"properties": {"c": {"uniqueItems": True}}}, "more than 50000 steps"),
        ({"properties": {"d": {"pattern": "(x|y|z){900}" * 50}}}, "more than 50000 steps"),
    ],
)
def test_a_clients_schema_costs_so_much_and_no_more(
    schema: dict[str, Any], says: str, tmp_path: Path
) -> None:
    items = ",".join(["{}"] * 5000)
    answer = f'{{"a": 1, "b": 2, "c": [{items}], "d": "{"xy" * 2000}"}}'
    form = {"type": "json_schema", "json_schema": {"name": "t", "schema": schema}}
    with serving(
        tmp_path, FakeEngine(lambda _: answer), contract={"decoding": {"max_new_tokens": 99_999}}
    ) as place:
        response = place.ask(response_format=form)
        checked(response, 400, "invalid_value", SCHEMA_AT)
        assert says in response.json()["error"]["message"]
        kept = [event.payload for event in place.events()]
        assert all((one["finish"], one["error"]) == ("stop", "invalid_value") for one in kept)


def test_a_reference_by_anchor_is_found_without_looking_through_the_schema_again(
    tmp_path: Path,
) -> None:
    schema = {
        "$defs": {"a": {"$anchor": "x"}, "b": {"allOf": [{}] * 1000}},
        "allOf": [{"$ref": "#x"}] * 2800,  # a search each took most of a minute
    }
    form = {"type": "json_schema", "json_schema": {"name": "t", "schema": schema}}
    with serving(tmp_path, lambda _: "{}", serve={"timeout_seconds": 10}) as place:
        response = place.ask(response_format=form)
        assert response.status_code == 200
        assert place.payload()["seconds"] < 10
