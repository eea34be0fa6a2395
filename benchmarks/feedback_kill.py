"""Whether feedback that was acknowledged is ever lost when the server is killed.

    python benchmarks/feedback_kill.py [RELEASE] [--kills N] [--clients N] [--base FOLDER]

Serves a release (that of the first example if none is given), sends completions and feedback
from several clients at once, and ends the server with SIGKILL at a moment drawn by chance; then
again on the same journal, N times. Feedback that was not acknowledged is sent again with its
`Idempotency-Key`, so it must be there once. One JSON line goes to
`benchmarks/results/feedback_kill.jsonl`; `high` is the upper end of a one-sided 95 % interval of
the share lost. It ends with an error where anything acknowledged is lost.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from methods import RESULTS, at_least, commit, hardware
from serve import EXAMPLE, Server, started

from tutelage.store.journal import Journal

MOST_SECONDS = 1.5  # a server is killed within this time of its first acknowledgement


@dataclass(slots=True)
class Sent:
    """What clients sent, and what was acknowledged, over all kills."""

    acknowledged: dict[str, str] = field(default_factory=dict)  # key: event
    open: dict[str, str] = field(default_factory=dict)  # key: subject; sent, no word of it yet
    guard: threading.Lock = field(default_factory=threading.Lock)
    first: threading.Event = field(default_factory=threading.Event)


def main() -> None:
    given = arguments()
    sent = Sent()
    with tempfile.TemporaryDirectory() as folder:
        events = Path(folder) / "events.sqlite"
        for number in range(given.kills):
            kill_once(given, events, sent, random.Random(number))
            print(f"kill {number + 1}: {len(sent.acknowledged)} acknowledged", file=sys.stderr)
        with started(given.release, events, given.base) as (_, server):
            resend(server, sent)
        line = judged(events, sent, given.kills)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "feedback_kill.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    print(json.dumps(line), file=sys.stderr)
    if line["value"] or line["duplicates"]:
        raise SystemExit("acknowledged feedback was lost, or is there twice")


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("release", nargs="?", default=str(EXAMPLE))
    parser.add_argument("--base")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--clients", type=int, default=6)
    return parser.parse_args()


def kill_once(given: argparse.Namespace, events: Path, sent: Sent, chance: random.Random) -> None:
    """One server's life, from its start to SIGKILL under load."""
    with started(given.release, events, given.base) as (process, server):
        resend(server, sent)
        sent.first.clear()
        threads = [threading.Thread(target=load, args=(server, sent)) for _ in range(given.clients)]
        for thread in threads:
            thread.start()
        sent.first.wait(60)
        time.sleep(chance.uniform(0, MOST_SECONDS))
        process.kill()
        for thread in threads:
            thread.join()


def load(server: Server, sent: Sent) -> None:
    """Completions, and several pieces of feedback on each, until the server is gone."""
    form = {
        "model": server.model,
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 1,
    }
    try:
        with httpx2.Client(base_url=server.url, timeout=30) as client:
            while True:
                response = client.post("/v1/chat/completions", json=form)
                response.raise_for_status()
                for _ in range(4):
                    give(client, sent, uuid.uuid4().hex, response.json()["id"])
    except httpx2.TransportError:
        return


def give(client: httpx2.Client, sent: Sent, key: str, subject: str) -> None:
    """One piece of feedback, and its acknowledgement."""
    with sent.guard:
        sent.open[key] = subject
    form = {"id": subject, "rating": "down", "comment": key}
    response = client.post("/v1/feedback", json=form, headers={"Idempotency-Key": key})
    with sent.guard:
        del sent.open[key]
        if response.status_code == 200:
            sent.acknowledged[key] = response.json()["id"]
            sent.first.set()
        elif response.status_code != 404:  # its answer may have gone with the server
            response.raise_for_status()


def resend(server: Server, sent: Sent) -> None:
    """Sends again what no word came of."""
    with httpx2.Client(base_url=server.url, timeout=30) as client:
        for key, subject in list(sent.open.items()):
            give(client, sent, key, subject)


def judged(events: Path, sent: Sent, kills: int) -> dict[str, object]:
    """What of the acknowledged is there, and how often."""
    journal = Journal.open(events, read_only=True)
    journal.verify()
    kept = list(journal.events(kind="feedback"))
    answers = {event.id for event in journal.events(kind="completion")}
    ids = {event.id for event in kept}
    n = len(sent.acknowledged)
    lost = sum(id not in ids for id in sent.acknowledged.values())
    again = Counter(str(event.payload["comment"]) for event in kept)
    return {
        "benchmark": "feedback_kill",
        "metric": "acknowledged_feedback_lost",
        "value": lost,
        "unit": "rows",
        "n": n,
        "kills": kills,
        "high": 1 - at_least(n) if n and not lost else None,
        "method": "exact binomial, one-sided 95 %, of the share",
        "duplicates": sum(count > 1 for count in again.values()),
        "without_their_answer": sum(event.subject not in answers for event in kept),
        "commit": commit(),
        "hardware": hardware(),
    }


if __name__ == "__main__":
    main()
