"""A server to ask: the micro base's contract with an engine that says what it is told to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from tests.micro import micro_base
from tutelage.core.event import Event, EventKind
from tutelage.core.recipe import Recipe
from tutelage.core.recipe.serve import Check, Serve
from tutelage.engine.fake import Answer, FakeEngine
from tutelage.engine.protocol import Engine
from tutelage.render.contract import Contract
from tutelage.serve.answer import Answerer
from tutelage.serve.app import make_app
from tutelage.serve.guardrails import Find
from tutelage.serve.served import Served
from tutelage.store.base import find_base
from tutelage.store.journal import Journal

DIGEST = "ab" * 32
LABEL = f"tickets@{DIGEST[:12]}"
SCHEMA = {"type": "object", "required": ["team"], "additionalProperties": {"type": "string"}}
URL = "/v1/chat/completions"


def contract_of(folder: Path, **contract: Any) -> Contract:
    """The micro base's contract."""
    if not (folder / "base").exists():
        micro_base(folder / "base")
    recipe = Recipe.model_validate({"name": "tickets", "contract": contract}).at(folder)
    return Contract.open(recipe.contract, find_base("base", folder), recipe)


@dataclass(frozen=True, kw_only=True)
class Asking:
    """A client of a server in this process."""

    client: TestClient
    engine: Engine
    contract: Contract
    answerer: Answerer
    path: Path  # of the journal

    def ask(self, content: str = "hello", **more: Any) -> Any:
        """One question; the response."""
        messages = more.pop("messages", [{"role": "user", "content": content}])
        headers = more.pop("headers", None)
        form = {"model": "tickets", "messages": messages, **more}
        return self.client.post(URL, json=form, headers=headers)

    def events(self, kind: EventKind = "completion") -> list[Event]:
        """What was kept, everything that waited being written first."""
        if not self.answerer.journal._closed:
            self.answerer.journal.append("feedback", release="settled", payload={})
        seen = Journal.open(self.path, read_only=True)
        return [event for event in seen.events(kind=kind) if event.release != "settled"]

    def payload(self) -> Mapping[str, Any]:
        """What was kept of the last answer."""
        return self.events()[-1].payload


@contextmanager
def serving(
    folder: Path,
    answer: Answer | Engine = lambda prompt: "an answer",
    *,
    serve: Mapping[str, Any] | None = None,
    contract: Mapping[str, Any] | None = None,
    checks: Mapping[Check, Find] | None = None,
) -> Iterator[Asking]:
    """A server in this process."""
    opened = contract_of(folder, **(contract or {}))
    engine: Engine = FakeEngine(answer) if callable(answer) else answer
    served = Served(
        name="tickets",
        label=LABEL,
        digest=DIGEST,
        base="base",
        section=Serve.model_validate(serve or {}),
        contract=opened,
        engine=engine,
    )
    journal = Journal.open(folder / "events.sqlite")
    answerer = Answerer(served, journal, checks)
    with TestClient(make_app(answerer), base_url="http://localhost:8000") as client:
        yield Asking(
            client=client,
            engine=engine,
            contract=opened,
            answerer=answerer,
            path=journal.path,
        )
