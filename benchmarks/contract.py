"""Whether words forge or lose anything between a row, its lesson and the engine, at any template.

    python benchmarks/contract.py [--conversations N] [--processes N]

Draws conversations (unicode, markers' text, spaces, tool calls, reasoning), renders each on 20
chat templates, and asks the server's application for the answer to each that is taught, its
engine a recorder. Counted are prompts that reached the engine and are not those that are taught,
taught texts that are not the message, and special tokens that the same conversation in harmless
words does not have. One JSON line goes to `benchmarks/results/contract.jsonl`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from methods import RESULTS, ROOT, at_least, commit, hardware
from starlette.applications import Starlette

sys.path.insert(0, str(ROOT))

from tests.render.families import family_contract
from tests.render.fuzz import TWENTY, Tally, conversation_of, recorder, request_of
from tutelage.serve.app import make_app

CONVERSATIONS = 10_000
AT_ONCE = 16  # requests under way together
BATCH = 1000
URL = "/v1/chat/completions"
HEADERS = [(b"host", b"localhost:8000"), (b"content-type", b"application/json")]


@dataclass(slots=True)
class Found:
    """What was found on one template."""

    taught: int = 0
    lessons_seconds: float = 0.0  # of the processor, rendering every conversation twice
    served: int = 0
    unequal: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=CONVERSATIONS)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    began = time.monotonic()
    with ProcessPoolExecutor(given.processes) as pool:
        found = list(pool.map(partial(measure, conversations=given.conversations), TWENTY))
    line = summary(found, given.conversations, time.monotonic() - began)
    for name, one in zip(TWENTY, found, strict=True):
        print(f"{name}: {one.taught} taught, {dict(one.refused.most_common(3))}", file=sys.stderr)
        for problem in (*one.unequal[:3], *one.wrong[:3]):
            print(f"  {problem[:300]}", file=sys.stderr)
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / "contract.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    print(json.dumps(line), file=sys.stderr)


def measure(name: str, conversations: int) -> Found:
    """All conversations on one template: rendered, then asked for."""
    found = Found()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        contract = family_contract(folder / "base", name, forged="keep")
        answerer = recorder(contract, name, folder)
        for start in range(0, conversations, BATCH):
            tally = Tally()
            clock = time.process_time()
            tally.check(contract, range(start, min(start + BATCH, conversations)))
            found.lessons_seconds += time.process_time() - clock
            found.taught += tally.taught
            found.wrong += tally.wrong
            found.refused += tally.refused
            found.unequal += asyncio.run(unequal(make_app(answerer), name, tally.digests))
            found.served += len(tally.digests)
        answerer.close()
        answerer.journal.close()
    return found


async def unequal(app: Starlette, model: str, taught: dict[int, str]) -> list[str]:
    """Conversations whose prompt reached the engine otherwise than it is taught."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, digest: str) -> str | None:
        async with turns:
            status, form = await post(app, request_of(conversation_of(number), model))
        said = form["choices"][0]["message"]["content"] if status == 200 else form
        return None if said == digest else f"{number}: {said}, taught {digest}"

    answers = await asyncio.gather(*[one(number, digest) for number, digest in taught.items()])
    return [answer for answer in answers if answer is not None]


async def post(app: Starlette, form: dict[str, Any]) -> tuple[int, Any]:
    """A request to the application, as a server hands it over; status and body of its response."""
    body = json.dumps(form).encode()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": URL,
        "raw_path": URL.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [*HEADERS, (b"content-length", str(len(body)).encode())],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 8000),
    }
    waiting = [{"type": "http.request", "body": body, "more_body": False}]
    ended = asyncio.Event()
    sent: list[Any] = []

    async def receive() -> Any:
        if waiting:
            return waiting.pop()
        await ended.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    ended.set()
    return sent[0]["status"], json.loads(b"".join(one.get("body", b"") for one in sent[1:]))


def summary(found: list[Found], conversations: int, seconds: float) -> dict[str, Any]:
    """The result's line."""
    taught = sum(one.taught for one in found)
    wrong = sum(len(one.unequal) + len(one.wrong) for one in found)
    spent = sum(one.lessons_seconds for one in found)
    return {
        "benchmark": "contract",
        "value": wrong,
        "unit": "conversations with a prompt, a text or a token that is not as it should be",
        "n": taught,
        "high": 1 - at_least(taught) if not wrong else None,
        "method": "exact binomial, one-sided 95 %, of the share wrong",
        "conversations": conversations,
        "templates": len(found),
        "refused": conversations * len(found) - taught,
        "served_over_asgi": sum(one.served for one in found),
        "unequal_prompts": sum(len(one.unequal) for one in found),
        "wrong_texts_or_tokens": sum(len(one.wrong) for one in found),
        "conversations_per_cpu_second": round(2 * conversations * len(found) / spent),
        "seconds": round(seconds),
        "commit": commit(),
        "hardware": hardware(),
        "versions": {
            "python": platform.python_version(),
            **{one: version(one) for one in ("jinja2", "tokenizers", "starlette")},
        },
    }


if __name__ == "__main__":
    main()
