"""A release of literals in a project's store, and events as its server writes them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from tutelage.core.artifact import Provenance
from tutelage.core.digest import Json
from tutelage.core.event import Event
from tutelage.core.metric import Metric
from tutelage.store.artifact import pretty
from tutelage.store.events import draft
from tutelage.store.journal import Journal, _Entry
from tutelage.store.lines import METRICS, write_metrics
from tutelage.store.release import CONTRACT, RELEASE, ReleaseFolder, read_release
from tutelage.store.store import Store

SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {"team": {"enum": ["billing", "shipping"]}},
    "required": ["team"],
}


def evaluation(metric: str, share: float, n: int = 200, suite: str = "calls") -> list[Metric]:
    """A share of the tuned system as a report holds it: for people, and for rules."""
    return [
        Metric(
            metric=metric,
            suite=suite,
            system="tuned",
            n=n,
            value=share,
            low=max(0.0, share - half),
            high=min(1.0, share + half),
            method=method,
        )
        for method, half in (("wilson", 0.03), ("wilson one-sided", 0.025))
    ]


def released(
    project: Path,
    *,
    metrics: Sequence[Metric] = (),
    inputs: dict[str, str] | None = None,
    schema: Json = None,
    **sections: Any,
) -> ReleaseFolder:
    """A release in the project's store, without weights: `sections` go into release.json."""
    store = Store.beside(project)
    provenance = Provenance(kind="release", inputs=inputs or {}, section={}, stage_version=1)
    with store.put(provenance) as draft:
        form = {
            "schema": 1,
            "name": "desk",
            "serve": {},
            "monitor": sections.get("monitor", {}),
            "improve": sections.get("improve"),
            "outcome": "pass",
            "waivers": [],
            "base": {"name": "base", "digests": {}},
            "precision": "auto",
            "fingerprint": {},
        }
        (draft.folder / RELEASE).write_bytes(pretty(form))
        contract = {"schema": 1, "output_schema": schema, "system": None}
        (draft.folder / CONTRACT).write_bytes(pretty(contract))
        write_metrics(draft.folder / METRICS, metrics)
    return read_release(draft.artifact.folder)


def answered(journal: Journal, release: ReleaseFolder, **changed: Any) -> Event:
    """A completion: a request that was answered at once, but for what is changed."""
    id = changed.pop("id", None)
    payload: dict[str, Json] = {
        "model": release.label,
        "messages": [{"role": "user", "content": "My invoice is wrong."}],
        "answer": '{"team": "billing"}',
        "kept": "text",
        "prompt_digest": "0" * 32,
        "prompt_tokens": 20,
        "completion_tokens": 8,
        "seconds": 0.5,
        "first_token_seconds": None,
        "stream": False,
        "finish": "stop",
        "parsed": True,
        "valid": True,
        "flags": [],
        "metadata": {},
        "error": None,
        **changed,
    }
    return journal.append("completion", release=release.digest, payload=payload, id=id)


def rated(journal: Journal, about: Event, rating: str | None = None, **changed: Any) -> Event:
    """Feedback on a completion."""
    payload: dict[str, Json] = {
        "rating": rating,
        "correction": None,
        "comment": None,
        "author": None,
        **changed,
    }
    return journal.append("feedback", release=about.release, subject=about.id, payload=payload)


def break_writer(journal: Journal) -> None:
    """Ends a journal's writing thread over an entry that was answered before it was written."""
    answered: Future[Event] = Future()
    event = draft("feedback", "answered", "r", "", {})
    answered.set_result(event)
    journal._entries.put(_Entry(event=event, written=answered, offered=False))
