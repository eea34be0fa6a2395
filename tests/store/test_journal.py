"""The journal keeps what it acknowledged, in order, and notices what was changed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.loopback import until
from tests.served import break_writer
from tutelage.core.errors import StoreError
from tutelage.store.journal import Journal

ROOT = Path(__file__).parents[2]
WRITER = """
import sys, threading
from pathlib import Path
from tutelage.store.journal import Journal

journal = Journal.open(Path(sys.argv[1]))
said = threading.Lock()

def write(who):
    for number in range(1_000_000):
        event = journal.append("feedback", release="r", payload={"who": who, "n": number})
        journal.offer("completion", release="r", payload={}, id=f"{event.id}-answer")
        with said:
            print(event.id, flush=True)

for who in range(4):
    threading.Thread(target=write, args=(who,)).start()
"""
CROWDED = """
import resource, signal, sys
from pathlib import Path
from tutelage.core.errors import StoreError
from tutelage.store.journal import Journal

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal.open(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    for number in range(1000):
        journal.append("feedback", release="r", payload={"text": "x" * 3000}, id=f"e{number}")
        print(f"e{number}", flush=True)
except StoreError as error:
    print("refused:", error.message)
"""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.open(tmp_path / "events.sqlite")
    yield opened
    opened.close()


def feedback(journal: Journal, subject: str = "c1", id: str | None = None) -> str:
    payload = {"rating": "up"}
    event = journal.append("feedback", release="r", subject=subject, payload=payload, id=id)
    return event.id


def test_an_event_is_on_the_disk_when_append_returns(journal: Journal) -> None:
    event = journal.append("feedback", release="r", subject="c1", payload={"rating": "up"})
    seen = Journal.open(journal.path, read_only=True)
    assert [*seen.events()] == [event]
    assert (event.seq, event.prev) == (1, "")


def test_each_event_names_the_digest_of_the_one_before_it(journal: Journal) -> None:
    for number in range(20):
        feedback(journal, f"c{number}")
    events = [*journal.events()]
    assert [event.seq for event in events] == list(range(1, 21))
    assert [event.prev for event in events[1:]] == [event.digest for event in events[:-1]]
    journal.verify()


def test_the_chain_goes_on_after_the_journal_was_closed(tmp_path: Path) -> None:
    for _ in range(3):
        journal = Journal.open(tmp_path / "events.sqlite")
        feedback(journal)
        journal.close()
    seen = Journal.open(tmp_path / "events.sqlite", read_only=True)
    seen.verify()
    assert len([*seen.events()]) == 3


def test_an_offered_event_is_found_while_it_waits_and_written_in_its_turn(
    journal: Journal,
) -> None:
    blocker = blocked(journal)
    assert journal.offer("completion", release="r", payload={"answer": "a"}, id="chatcmpl-1")
    waiting = journal.event("chatcmpl-1")
    assert waiting is not None
    assert waiting.payload == {"answer": "a"}
    blocker.rollback()
    feedback(journal, "chatcmpl-1")
    assert [event.kind for event in journal.events()] == ["completion", "feedback"]
    assert journal.event("chatcmpl-2") is None


def test_what_no_longer_fits_the_queue_is_dropped_and_counted(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "events.sqlite", waiting=3)
    blocker = blocked(journal)
    taken = [
        journal.offer("completion", release="r", payload={}, id=f"c{number}") for number in range(5)
    ]
    assert (taken, journal.dropped) == ([True, True, True, False, False], 2)
    blocker.rollback()
    journal.close()
    seen = Journal.open(tmp_path / "events.sqlite", read_only=True)
    assert [event.id for event in seen.events()] == ["c0", "c1", "c2"]


def test_the_same_event_twice_is_one_and_another_under_its_id_is_refused(
    journal: Journal,
) -> None:
    assert feedback(journal, id="f1") == feedback(journal, id="f1")
    assert len([*journal.events()]) == 1
    with pytest.raises(StoreError, match="the id f1 stands for another event"):
        feedback(journal, "another", id="f1")


def test_many_threads_write_one_chain(journal: Journal) -> None:
    def write() -> None:
        for _ in range(25):
            feedback(journal)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.verify()
    assert len([*journal.events()]) == 200


def test_events_are_chosen_by_kind_release_and_time(journal: Journal) -> None:
    first = journal.append("feedback", release="one", payload={})
    second = journal.append("completion", release="two", payload={})
    third = journal.append("completion", release="one", payload={})

    def ids(**wanted: str) -> list[str]:
        return [event.id for event in journal.events(**wanted)]  # type: ignore[arg-type]

    assert ids(kind="completion") == [second.id, third.id]
    assert ids(release="one") == [first.id, third.id]
    assert ids(since=second.ts) == [second.id, third.id]
    assert ids(until=second.ts) == [first.id]


def test_a_second_writer_is_refused_and_a_reader_is_not(journal: Journal) -> None:
    code = (
        "import sys; from pathlib import Path; from tutelage.store.journal import Journal; "
        "Journal.open(Path(sys.argv[1]), read_only=True).verify(); Journal.open(Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, str(journal.path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"another process writes this journal: process {os.getpid()}" in done.stderr


def test_a_journal_of_a_newer_schema_is_refused(tmp_path: Path) -> None:
    Journal.open(tmp_path / "events.sqlite").close()
    with sqlite3.connect(tmp_path / "events.sqlite") as raw:
        raw.execute("UPDATE about SET value = '2' WHERE key = 'schema'")
    raw.close()
    for read_only in (False, True):
        with pytest.raises(StoreError, match="journal of schema 2"):
            Journal.open(tmp_path / "events.sqlite", read_only=read_only)


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "events.sqlite").write_text("not a database, whatever it is called\n" * 100)
    for read_only in (False, True):
        with pytest.raises(StoreError, match="file is not a database"):
            Journal.open(tmp_path / "events.sqlite", read_only=read_only)


def test_reading_makes_no_journal_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there are no events yet"):
        Journal.open(tmp_path / "events.sqlite", read_only=True)
    assert [*tmp_path.iterdir()] == []


def test_nothing_is_written_where_it_is_open_for_reading_or_closed(journal: Journal) -> None:
    seen = Journal.open(journal.path, read_only=True)
    with pytest.raises(StoreError, match="open for reading alone"):
        feedback(seen)
    journal.close()
    with pytest.raises(StoreError, match="closed"):
        feedback(journal)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ('UPDATE events SET payload = \'{"rating":"down"}\' WHERE seq = 2', "event 3"),
        ("DELETE FROM events WHERE seq = 2", "event 2"),
        ("UPDATE events SET payload = '{}' WHERE seq = 4", "the end"),
        ("DELETE FROM events WHERE seq = 4", "the end"),
    ],
)
def test_a_change_is_noticed_where_it_was_made(tmp_path: Path, change: str, place: str) -> None:
    journal = Journal.open(tmp_path / "events.sqlite")
    for _ in range(4):
        feedback(journal)
    journal.close()
    with sqlite3.connect(tmp_path / "events.sqlite") as raw:
        raw.execute(change)
    raw.close()
    with pytest.raises(StoreError, match=f"broken at {place}"):
        Journal.open(tmp_path / "events.sqlite", read_only=True).verify()


def test_what_cannot_be_written_is_told_and_the_next_is_written(journal: Journal) -> None:
    with pytest.raises(StoreError, match="the journal refuses"):
        journal.append("feedback", release="half a \ud800", payload={})
    assert journal.writing
    feedback(journal)
    journal.verify()


def test_nobody_waits_for_a_writer_that_is_gone(journal: Journal) -> None:
    break_writer(journal)
    with pytest.raises(StoreError, match="the journal refuses"):
        for _ in range(100):  # the first may be in the group that broke, or after it
            feedback(journal)
    assert not journal.writing
    with pytest.raises(StoreError):
        journal.offer("completion", release="r", payload={}, id="c1")


def test_its_log_is_empty_once_it_is_closed_though_somebody_has_it_open(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    feedback(journal)
    reader = sqlite3.connect(journal.path)
    assert reader.execute("SELECT count(*) FROM events").fetchone() == (1,)
    log = journal.path.with_name("events.sqlite-wal")
    assert log.stat().st_size > 0
    journal.close()
    assert log.stat().st_size == 0
    reader.close()
    assert caplog.text == ""


def test_a_changed_event_that_is_no_json_is_a_named_error(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "events.sqlite")
    feedback(journal)
    journal.close()
    with sqlite3.connect(tmp_path / "events.sqlite") as raw:
        raw.execute("UPDATE events SET payload = '{'")
    raw.close()
    with pytest.raises(StoreError, match="the journal refuses"):
        Journal.open(tmp_path / "events.sqlite", read_only=True).verify()


def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    acknowledged: list[str] = []
    for lines in (1, 40, 150):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        acknowledged += [next(child.stdout) for _ in range(lines)]
        child.send_signal(signal.SIGKILL)
        acknowledged += child.communicate()[0].splitlines(True)
        seen = Journal.open(path, read_only=True)
        seen.verify()
        kept = {event.id for event in seen.events()}
        whole = [line.strip() for line in acknowledged if line.endswith("\n")]
        assert [id for id in whole if id not in kept] == []


def test_a_full_disk_is_told_and_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", CROWDED, str(path)], cwd=ROOT, capture_output=True, text=True
    )
    *acknowledged, refusal = done.stdout.splitlines()
    assert refusal.startswith("refused: the journal refuses:"), done.stderr
    seen = Journal.open(path, read_only=True)
    seen.verify()
    assert [event.id for event in seen.events()][: len(acknowledged)] == acknowledged
    assert len(acknowledged) >= 5


@pytest.mark.parametrize(
    "change",
    [
        'UPDATE events SET payload = \'{"rating":"down"}\' WHERE seq = 4',
        "DELETE FROM events WHERE seq > 2",
        "DELETE FROM about WHERE key = 'head'",
        "UPDATE events SET payload = '{' WHERE seq = 4",
    ],
)
def test_nothing_is_written_behind_a_changed_end(tmp_path: Path, change: str) -> None:
    path = tmp_path / "events.sqlite"
    with Journal.open(path) as journal:
        for _ in range(4):
            feedback(journal)
        altered(path, change)
        with pytest.raises(StoreError, match=r"broken at the end|journal refuses"):
            feedback(journal)
    with pytest.raises(StoreError, match=r"broken at the end|journal refuses"):
        Journal.open(path)
    with pytest.raises(StoreError, match=r"broken at the end|journal refuses"):
        Journal.open(path, read_only=True).verify()


def test_a_file_that_cannot_be_written_is_said_once_and_tried_again(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    altered(journal.path, "ALTER TABLE events RENAME TO away")
    for _ in range(3):
        with pytest.raises(StoreError, match="the journal refuses"):
            feedback(journal)
    assert not journal.writing
    (said,) = [one.message for one in caplog.records if one.levelname == "WARNING"]
    assert said.startswith("events are not written: the journal refuses")
    altered(journal.path, "ALTER TABLE away RENAME TO events")
    until(lambda: journal.writing)  # though nothing more was appended
    feedback(journal)
    journal.verify()


def test_a_link_to_a_journal_is_that_journal(journal: Journal) -> None:
    link = journal.path.with_name("link.sqlite")
    link.symlink_to(journal.path)
    with pytest.raises(StoreError, match="another process writes this journal"):
        Journal.open(link)


READER = """
import os, sys
from pathlib import Path
from tutelage.core.errors import StoreError
from tutelage.store.journal import Journal

if os.geteuid() == 0:
    os.setuid(65534)  # root may write everywhere
try:
    seen = Journal.open(Path(sys.argv[1]), read_only=True)
    seen.verify()
    print(len([*seen.events()]))
except StoreError as error:
    print(error.hint)
"""


def alone() -> bool:
    """Whether root is the only user there is, as in a namespace that maps no other."""
    if os.geteuid() != 0 or not Path("/proc/self/uid_map").exists():
        return False
    mapped = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return not any(int(first) <= 65534 < int(first) + int(count) for first, _, count in mapped)


@pytest.mark.skipif(alone(), reason="root may write everywhere, and there is no other user")
@pytest.mark.parametrize("closed", [True, False])
def test_a_journal_is_read_where_nothing_can_be_written(closed: bool) -> None:
    with tempfile.TemporaryDirectory() as name:  # one that another user may enter
        folder = Path(name)
        journal = Journal.open(folder / "events.sqlite")
        feedback(journal)
        if closed:
            journal.close()
        else:
            (folder / "events.sqlite-shm").chmod(0)
        folder.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", READER, str(journal.path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        folder.chmod(0o755)
        journal.close()
        hint = f"let {folder} be written, or copy the file and its -wal to where you may write"
        assert done.stdout.strip() == ("1" if closed else hint), done.stderr


def altered(path: Path, change: str) -> None:
    """Changes a journal behind its back."""
    with sqlite3.connect(path) as raw:
        raw.execute(change)
    raw.close()


def blocked(journal: Journal) -> sqlite3.Connection:
    """Holds the file's write lock, so that the writing thread must wait."""
    raw = sqlite3.connect(journal.path, isolation_level=None)
    raw.execute("BEGIN IMMEDIATE")
    return raw
