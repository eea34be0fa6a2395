"""A detector of names behind an endpoint on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any


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
