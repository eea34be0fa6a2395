"""What an endpoint may answer, and what is made of it."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.speaking import speaking
from tutelage.core.errors import MissingCapability
from tutelage.core.recipe import Judge
from tutelage.score.endpoint import Endpoint, Unanswered
from tutelage.store.replies import Replies


@contextmanager
def saying(status: int, body: str | Mapping[str, Any], **headers: str) -> Iterator[str]:
    """The address of a server that says one thing to everybody."""
    said = body if isinstance(body, str) else json.dumps(body)  # lone surrogates are odd bytes

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(said.encode(errors="surrogateescape"))

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is said."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def endpoint(url: str, folder: Path, **keys: Any) -> Endpoint:
    section = Judge(name="j", endpoint=url, model="m", **{"retries": 0, **keys})
    return Endpoint(section, Replies(folder / "j.jsonl"), pause=lambda seconds: None)


def answer(message: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"choices": [{"message": message, "finish_reason": "stop"}], **more}


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (400, '{"error": {"code": "content_filter"}}', "answered 400: .*content_filter"),
        (422, "no\n\x1b[31m such field", "answered 422: no .31m such field"),
        (200, "{", "is no reply"),
        (200, '{"error": {"message": "quota"}}', "is no reply: .*choices.*: .*quota"),
        (200, '{"choices": [{"message": {"content": "\udcff"}}]}', "is no reply"),
        (200, '{"choices": [{"message": {"content": "\\ud800"}}]}', "is no reply"),
    ],
)
def test_what_is_said_of_one_request_is_told_apart_with_its_words(
    status: int, body: str, told: str, tmp_path: Path
) -> None:
    with saying(status, body) as url, pytest.raises(Unanswered, match=told):
        endpoint(url, tmp_path).ask("x")


@pytest.mark.parametrize(
    "address", ["http://[::1/v1", "http://127.0.0.1:x/v1", "http://127.0.0.1/é"]
)
def test_an_address_that_cannot_be_read_is_told(address: str, tmp_path: Path) -> None:
    with pytest.raises(MissingCapability, match="did not answer") as told:
        endpoint(address, tmp_path).ask("x")
    assert not isinstance(told.value, Unanswered)


@pytest.mark.parametrize("status", [401, 404, 500])
def test_what_holds_for_every_request_is_no_refusal_of_one(status: int, tmp_path: Path) -> None:
    words = f"answered {status}: model not found"
    with (
        saying(status, "model not found") as url,
        pytest.raises(MissingCapability, match=words) as told,
    ):
        endpoint(url, tmp_path).ask("x")
    assert not isinstance(told.value, Unanswered)


def test_an_error_of_which_the_server_says_only_half_is_tried_again_and_told(
    tmp_path: Path,
) -> None:
    with saying(503, "ff\r\ntoo m", Transfer_Encoding="chunked") as url:
        asked = endpoint(url, tmp_path, retries=1)
        with pytest.raises(MissingCapability, match="it answered 503: too m\n"):
            asked.ask("x")
    assert asked.spent.tried_again == 1


def test_tokens_that_are_not_told_count_for_nothing(tmp_path: Path) -> None:
    for usage, counts in (
        ({"prompt_tokens": None, "completion_tokens": -5}, (0, 0)),
        ({"prompt_tokens": 3.0}, (3, 0)),
    ):
        with saying(200, answer({"content": "yes"}, usage=usage)) as url:
            asked = endpoint(url, tmp_path)
            assert asked.ask("x") == "yes"
        assert (asked.spent.prompt_tokens, asked.spent.completion_tokens) == counts


def test_an_answer_in_parts_is_their_words(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "yes, "}, {"type": "image"}, {"type": "text", "text": "no"}]
    with saying(200, answer({"content": parts})) as url:
        assert endpoint(url, tmp_path).ask("x") == "yes, no"


def test_an_answer_a_filter_ended_is_not_kept(tmp_path: Path) -> None:
    choice = {"message": {"content": "so far"}, "finish_reason": "content_filter"}
    with saying(200, {"choices": [choice]}) as url:
        asked = endpoint(url, tmp_path)
        assert asked.ask("x") == "so far"
    assert asked.spent.unfinished == 1


def test_a_key_that_cannot_be_sent_is_named_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", "se\ncret")
    with pytest.raises(MissingCapability, match="SOME_KEY holds signs") as told:
        endpoint("http://127.0.0.1:1/v1", tmp_path, api_key_env="SOME_KEY").ask("x")
    assert "cret" not in told.value.text()


SECRET = "sk-abcdef0123456789"


def test_a_server_that_says_the_key_gets_it_neither_kept_nor_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SOME_KEY", SECRET)
    content = [{"text": f"you sent {SECRET[:9]}"}, {"text": f"{SECRET[9:]}, and {SECRET}"}]
    choice = {"message": {"content": content}, "finish_reason": SECRET}
    with saying(200, {"choices": [choice], "model": SECRET}) as url:
        asked = endpoint(url, tmp_path, api_key_env="SOME_KEY")
        assert asked.ask("x") == "you sent [key], and [key]"
        assert asked.ask("x") == "you sent [key], and [key]"
    assert (asked.spent.kept, asked.spent.key_said) == (1, 1)
    assert asked.spent.to_dict(asked.keys)["key_said"] == 1
    assert SECRET not in (tmp_path / "j.jsonl").read_text()
    assert caplog.messages == ["judge `j` said its key in a reply: it was taken out"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, f'{{"error": "{SECRET}"}}'),
        (200, f'{{"choices": [{{"{SECRET}": 1}}]}}'),
        (200, SECRET),
        (401, f"Bearer {SECRET} is not known"),
        (422, f'{{"detail": [{{"input": "{SECRET}"}}]}}'),
        (503, "x" * 190 + SECRET),
    ],
)
def test_an_error_in_which_a_server_says_the_key_does_not_show_it(
    status: int, body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", SECRET)
    with (
        saying(status, body, X_Key=SECRET) as url,
        pytest.raises(MissingCapability, match=r"\[key|x…") as told,
    ):
        endpoint(url, tmp_path, api_key_env="SOME_KEY").ask("x")
    shown = "".join(traceback.format_exception(told.value)) + told.value.text()
    assert SECRET[:7] not in shown


def test_a_server_that_drips_is_given_up_after_the_time_given(tmp_path: Path) -> None:
    with speaking(b"HTTP/1.1 503 No\r\n\r\n", b"o") as url:
        asked = endpoint(url, tmp_path, timeout_seconds=0.2, retries=1)
        with pytest.raises(MissingCapability, match=r"it answered 503: o+\n"):
            asked.ask("x")
    with speaking(b"", b"H") as url, pytest.raises(MissingCapability, match=r"within 0\.2 s"):
        endpoint(url, tmp_path, timeout_seconds=0.2).ask("x")
