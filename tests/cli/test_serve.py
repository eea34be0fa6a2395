"""`tutelage serve` says where it listens, ends well when it is told to, and refuses by name."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import OpenAI

import tutelage as tt
from tests.journey.project import speak
from tests.release.project import copied, released
from tutelage.core.errors import StoreError
from tutelage.store.journal import Journal
from tutelage.store.release import ReleaseFolder

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 60


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> ReleaseFolder:
    return released(tmp_path_factory.mktemp("served"))


@contextmanager
def server(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A server in a process of its own, and what it says until it listens."""
    command = [sys.executable, "-m", "tutelage", "serve", "--port", "0", *words]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    try:
        said = [child.stdout.readline()]
        while said[-1] and not said[-1].startswith(("answer = ", "{")):
            said.append(child.stdout.readline())
        if not said[-1]:
            raise AssertionError(child.communicate(timeout=DEADLINE_SECONDS))
        yield child, said
    finally:
        child.kill()
        child.communicate(timeout=DEADLINE_SECONDS)


def ask(url: str, **more: Any) -> Any:
    form = {"model": "tickets", "messages": [{"role": "user", "content": "x"}], "max_tokens": 2}
    return httpx2.post(f"{url}/v1/chat/completions", json=form | more, timeout=30)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_ends_well_when_it_is_told_to(
    number: signal.Signals, release: ReleaseFolder, tmp_path: Path
) -> None:
    events = tmp_path / "events.sqlite"
    where = (str(release.folder), "--events", str(events), "--json")
    with server(tmp_path, *where) as (child, said):
        about = json.loads(said[-1])
        assert about["release"] == release.label
        id = ask(about["url"]).json()["id"]
        child.send_signal(number)
        out, err = child.communicate(timeout=DEADLINE_SECONDS)
        assert child.returncode == 0, err
        assert json.loads(out)["status"] == "done"
    seen = Journal.open(events, read_only=True)
    seen.verify()
    assert [event.id for event in seen.events()] == [id]


def test_what_it_prints_works_as_it_is_printed(release: ReleaseFolder, tmp_path: Path) -> None:
    copy = copied(release, tmp_path)
    with server(tmp_path, "release", "--base", "base") as (_, said):
        text = "".join(said)
        assert f"{release.label} listens on http://127.0.0.1:" in text
        assert "events are kept in " in text
        code = text[text.index("from openai import OpenAI") :]
        made: dict[str, Any] = {"OpenAI": OpenAI}
        exec(code, made)
        assert made["answer"].choices[0].finish_reason in ("stop", "length")
        made["client"].close()
        command = text[text.index("curl ") : text.index("from openai")]
        assert json.loads(command.split("-d '")[1].rsplit("'", 1)[0])["model"] == "tickets"
    assert (copy.folder.parent / "events.sqlite").exists()


def test_a_second_server_on_the_same_journal_is_refused(
    release: ReleaseFolder, tmp_path: Path
) -> None:
    where = (str(release.folder), "--events", str(tmp_path / "events.sqlite"))
    with server(tmp_path, *where) as (child, _):
        refused = speak(tmp_path, "serve", "--port", "0", *where)
        assert refused.code == 1
        assert f"another process writes this journal: process {child.pid}" in refused.err


def test_a_port_that_is_taken_is_told_before_anything_is_opened(
    release: ReleaseFolder, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = str(holder.getsockname()[1])
        said = speak(tmp_path, "serve", str(release.folder), "--port", port)
    assert said.code == 1
    assert f"127.0.0.1:{port}: nothing can listen there: Address already in use" in said.err
    assert "`--port 0` takes a free port" in said.err


def test_a_damaged_release_is_not_served(release: ReleaseFolder, tmp_path: Path) -> None:
    copy = copied(release, tmp_path)
    (copy.folder / "contract.json").write_text("{}")
    said = speak(tmp_path, "serve", "release", "--base", "base", "--port", "0")
    assert said.code == 1
    assert "contract.json" in said.err
    with_journal = Journal.open(tmp_path / "events.sqlite")  # and lets go of the journal
    with_journal.close()


def test_a_release_that_no_longer_tells_its_leave_is_named_as_damaged(
    release: ReleaseFolder, tmp_path: Path
) -> None:
    copy = copied(release, tmp_path)
    for key in ("waivers", "outcome"):
        form = {name: value for name, value in release.form.items() if name != key}
        (copy.folder / "release.json").write_text(json.dumps(form))
        said = speak(tmp_path, "serve", "release", "--base", "base", "--port", "0")
        assert said.code == 1
        assert f"  {key}  Field required" in said.err
    (copy.folder / "release.json").write_text(json.dumps(dict(release.form)))
    (copy.folder / "verdict.json").write_text("{}")
    said = speak(tmp_path, "serve", "release", "--base", "base", "--port", "0")
    assert said.code == 1
    assert "verdict.json" in said.err
    with pytest.raises(StoreError, match="is damaged"), tt.serving(copy):
        pass


def test_a_killed_server_has_kept_the_feedback_it_acknowledged(
    release: ReleaseFolder, tmp_path: Path
) -> None:
    where = (str(release.folder), "--events", str(tmp_path / "events.sqlite"), "--json")
    with server(tmp_path, *where) as (child, said):
        url = json.loads(said[-1])["url"]
        id = ask(url).json()["id"]
        given = httpx2.post(f"{url}/v1/feedback", json={"id": id, "rating": "up"}, timeout=30)
        child.kill()
        child.wait(DEADLINE_SECONDS)
    seen = Journal.open(tmp_path / "events.sqlite", read_only=True)
    seen.verify()
    assert [event.id for event in seen.events()] == [id, given.json()["id"]]
    with server(tmp_path, *where) as (_, said):  # and the journal goes on
        assert ask(json.loads(said[-1])["url"]).status_code == 200
