"""A judge whose accuracy, bias and taste are known, behind an endpoint on loopback."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from tutelage.score.judge import CONSTANT, Pair

SHOWN = re.compile(
    r"<request>\n(.*?)\n</request>.*?<answer_a>\n(.*?)\n</answer_a>\n<answer_b>\n(.*?)\n</answer_b>",
    re.S,
)


def chance(*words: str) -> float:
    """A number in [0, 1) that is the same for the same words."""
    digest = hashlib.sha256("\0".join(words).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


class Planted:
    """Gives people's label with a known chance, and the first shown with another."""

    def __init__(self, pairs: Sequence[Pair], *, accuracy: float = 1.0, bias: float = 0.0) -> None:
        self._labels = {(one.request, one.first, one.second): one.label for one in pairs}
        self._accuracy, self._bias = accuracy, bias

    def ask(self, words: str, repeat: int = 0) -> str:
        found = SHOWN.search(words)
        assert found is not None
        request, a, b = found.groups()
        if self.biased(request, a, b):
            return "[[A]]"
        if CONSTANT in (a, b):
            return "[[B]]" if a == CONSTANT else "[[A]]"
        label = self._labels.get((request, a, b))
        if label is None:
            other = self._labels[request, b, a]
            assert other is not None
            label = 1 - other
        if self.errs(request, a, b):
            label = 1 - label if label != 0.5 else 1.0 if a < b else 0.0
        return {1.0: "[[A]]", 0.0: "[[B]]", 0.5: "[[TIE]]"}[label]

    def biased(self, request: str, a: str, b: str) -> bool:
        return chance("bias", request, *sorted((a, b))) < self._bias

    def errs(self, request: str, a: str, b: str) -> bool:
        return chance("errs", request, *sorted((a, b))) >= self._accuracy


@contextmanager
def answering(
    reply: Callable[[str], str],
    failures: Sequence[int] = (),
    endings: Sequence[str] = (),
) -> Iterator[tuple[str, list[Mapping[str, object]]]]:
    """A server of chat completions, its address and what it was sent; `failures` come first.

    The next replies end for the reasons `endings`: `torn` ones in the midst of what was announced.
    """

    def choice(body: Mapping[str, Any]) -> Mapping[str, object]:
        return {"message": {"role": "assistant", "content": reply(body["messages"][0]["content"])}}

    with serving(choice, failures, endings) as served:
        yield served


@contextmanager
def serving(
    choice: Callable[[Mapping[str, Any]], Mapping[str, object]],
    failures: Sequence[int] = (),
    endings: Sequence[str] = (),
) -> Iterator[tuple[str, list[Mapping[str, object]]]]:
    """The same, with a whole request's body for a whole choice; several are served at once."""
    sent: list[Mapping[str, object]] = []
    left, ends = list(failures), list(endings)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            sent.append({**body, "path": self.path, "key": self.headers["Authorization"]})
            self.send_response(left.pop(0) if left else 200)
            end = ends.pop(0) if ends else "stop"
            if end == "torn":
                self.send_header("Content-Length", "100000")
            self.end_headers()
            words = body["messages"][0]["content"]
            answer = {
                "choices": [{"finish_reason": end, **choice(body)}],
                "usage": {"prompt_tokens": len(words.split()), "completion_tokens": 2},
            }
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is said."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", sent
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
