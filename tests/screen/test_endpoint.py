"""A detector behind HTTP is asked in batches, and never taken to have found nothing by mistake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from tutelage.core.errors import MissingCapability
from tutelage.core.recipe import Detector
from tutelage.screen.endpoint import ask


@contextmanager
def answering(reply: Any) -> Iterator[tuple[str, list[Any]]]:
    """A server that gives `reply(texts)`, its address, and what it was sent."""
    sent: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            sent.append((body["texts"], self.headers["Authorization"]))
            told = json.dumps(reply(body["texts"])).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is said."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/find", sent
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def names(texts: list[str]) -> dict[str, Any]:
    """Every `Ann` as a person, and every `Bo` as one that is hardly one."""
    found = []
    for text in texts:
        own = [("Ann", 0.9)] * ("Ann" in text) + [("Bo", 0.2)] * ("Bo" in text)
        found.append(
            [
                {"start": text.index(name), "end": text.index(name) + len(name)}
                | {"kind": "PERSON", "score": score}
                for name, score in own
            ]
        )
    return {"findings": found}


def test_texts_are_sent_in_batches_and_findings_come_back_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NER_TOKEN", "abc")
    with answering(names) as (url, sent):
        detector = Detector(name="ner", url=url, batch=2, token_env="NER_TOKEN")
        found = ask(detector, ["Ann is here", "nobody", "and Bo and Ann"])
    assert [[(one.kind, one.start, one.end) for one in own] for own in found] == [
        [("person", 0, 3)],
        [],
        [("person", 11, 14)],
    ]
    assert [texts for texts, _ in sent] == [["Ann is here", "nobody"], ["and Bo and Ann"]]
    assert {token for _, token in sent} == {"Bearer abc"}


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        ({"findings": []}, "1 texts were sent and 0 lists came back"),
        ({"found": []}, "another shape"),
        ({"findings": [[{"start": 2, "end": 9, "kind": "x"}]]}, "a finding at 2 to 9"),
    ],
)
def test_an_answer_of_another_shape_is_refused(reply: Any, says: str) -> None:
    with answering(lambda texts: reply) as (url, _), pytest.raises(MissingCapability, match=says):
        ask(Detector(name="ner", url=url), ["Ann"])


def test_an_endpoint_that_is_not_there_stops_the_run() -> None:
    with answering(names) as (url, _):
        pass
    with pytest.raises(MissingCapability, match="cannot be asked"):
        ask(Detector(name="ner", url=url), ["Ann"])
    with pytest.raises(MissingCapability, match="NO_SUCH_TOKEN is not set"):
        ask(Detector(name="ner", url=url, token_env="NO_SUCH_TOKEN"), ["Ann"])
