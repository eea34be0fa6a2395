"""A curation that ended half way goes on from its finished parts, and comes to the same dataset."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from tutelage.core.conversation import Message
from tutelage.core.errors import MissingCapability, RowError
from tutelage.core.ledger import Decision, Reason
from tutelage.core.recipe import Recipe
from tutelage.core.row import Example, Source
from tutelage.curate import run as door
from tutelage.curate.decontaminate import Leaks
from tutelage.curate.intake import Intake
from tutelage.curate.packed import Packed
from tutelage.curate.parts import Parts
from tutelage.curate.passes import Passes
from tutelage.curate.runner import uncollected
from tutelage.curate.shelf import Rows, Shelf
from tutelage.curate.sieve import entry
from tutelage.store.artifact import Artifact
from tutelage.store.run import Run


class Model:
    """A detector that breaks down after so many requests."""

    def __init__(self, breaks_after: int) -> None:
        self.breaks_after = breaks_after
        self.texts: list[str] = []
        self.requests = 0

    def answer(self, texts: list[str]) -> list[list[dict[str, object]]]:
        self.texts += texts
        return [[{"start": 0, "end": 3, "kind": "person"}] * ("Ann" in one[:3]) for one in texts]


@contextmanager
def serving(model: Model) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            model.requests += 1
            broken = model.requests > model.breaks_after
            told = {"findings": [] if broken else model.answer(body["texts"])}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is said."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/find"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def recipe(folder: Path, url: str) -> Recipe:
    folder.mkdir(exist_ok=True)
    sources = []
    for number in range(3):  # a file is a part at least
        lines = [
            json.dumps({"prompt": f"Ann asks {number} {n}", "completion": f"Told {number} {n}."})
            for n in range(4)
        ]
        (folder / f"{number}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        sources.append({"path": f"{number}.jsonl", "origin": "human", "licence": "CC0-1.0"})
    screen = {"detectors": [{"name": "ner", "url": url}], "actions": {"person": "redact"}}
    section = {"sources": sources, "validation": 0.0, "screen": screen}
    return Recipe.model_validate({"name": "test", "curate": section}).at(folder)


def curate(written: Recipe, *, force: bool = False) -> Artifact:
    assert written.curate is not None
    with Run.open(written, force=force) as run:
        return door.run(written.curate, {}, run)


def test_a_detector_elsewhere_is_not_asked_again_for_what_it_has_answered(tmp_path: Path) -> None:
    model = Model(breaks_after=2)
    with serving(model) as url:
        with pytest.raises(MissingCapability):
            curate(recipe(tmp_path / "broken", url))
        first, model.texts, model.breaks_after = model.texts, [], 100
        made = curate(recipe(tmp_path / "broken", url))
        rest, model.texts = model.texts, []
        unbroken = curate(recipe(tmp_path / "unbroken", url))

    assert (len(first), len(rest)) == (16, 8)
    assert sorted(first + rest) == sorted(model.texts)
    assert made.digest == unbroken.digest


def test_finished_parts_are_gone_once_the_dataset_is_made(tmp_path: Path) -> None:
    model = Model(breaks_after=2)
    with serving(model) as url:
        with pytest.raises(MissingCapability):
            curate(recipe(tmp_path, url))
        parts = tmp_path / ".tutelage" / "checkpoints"
        assert len(list(parts.glob("*/screen/step-*"))) == 2
        assert not any(b"Ann" in path.read_bytes() for path in parts.rglob("*") if path.is_file())
        model.breaks_after = 100
        curate(recipe(tmp_path, url))

    assert list(parts.glob("*/screen/step-*")) == []


def test_a_run_that_is_forced_asks_for_every_row_anew(tmp_path: Path) -> None:
    model = Model(breaks_after=2)
    with serving(model) as url:
        with pytest.raises(MissingCapability):
            curate(recipe(tmp_path, url))
        model.texts, model.breaks_after = [], 100
        curate(recipe(tmp_path, url), force=True)

    assert len(model.texts) == 24


def test_memory_is_searched_for_cycles_again_after_a_run_that_failed(tmp_path: Path) -> None:
    with pytest.raises(MissingCapability), serving(Model(breaks_after=0)) as url:
        curate(recipe(tmp_path, url))

    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()


def leaking() -> Leaks:
    source = Source(uri="rows.jsonl", line=1)
    said = (Message(role="user", content="a"), Message(role="assistant", content="b"))
    row = Example(messages=said, origin="human", licence="CC0-1.0", source=source)
    told = entry(row, Decision.DROP, Reason.LEAK_NEAR, "is like it", row)
    return Leaks(drop={3: told}, items={3: 1})


def test_a_part_is_read_as_it_was_made_and_made_again_where_it_is_damaged(tmp_path: Path) -> None:
    with Run.open(recipe(tmp_path, "http://localhost:1/")) as run:
        parts = Parts(run=run, key="k" * 64)
        made = parts.kept("leaks", 0, Leaks, leaking, worth_seconds=0)
        assert made == leaking()
        assert parts.kept("leaks", 0, Leaks, Leaks, worth_seconds=0) == leaking()
        (file,) = run.store.root.glob("checkpoints/*/leaks/step-*/part.json")
        file.write_bytes(file.read_bytes()[:-1])
        assert parts.kept("leaks", 0, Leaks, Leaks, worth_seconds=0) == Leaks()
        parts.clear()
        assert parts.kept("leaks", 0, Leaks, leaking) == leaking()
        assert list(run.store.root.glob("checkpoints/*/leaks/step-*")) == []  # made in no time


class Counting:
    """A task that notes which parts it was given, and ends half way where it is told to."""

    def __init__(self, ends_at: int = -1) -> None:
        self.given: list[int] = []
        self.ends_at = ends_at

    def __call__(self, part: Packed) -> np.ndarray:
        if part.first == self.ends_at:
            raise KeyboardInterrupt
        self.given.append(part.first)
        return np.arange(part.first, part.first + part.count)


def test_a_pass_goes_on_from_the_parts_an_earlier_one_has_finished(tmp_path: Path) -> None:
    said = Message(role="user", content="a")
    rows = Rows.of(
        Example(messages=(said,), origin="human", licence="MIT", source=Source(uri="a", line=line))
        for line in range(7)
    )
    with Run.open(recipe(tmp_path, "http://localhost:1/")) as run:
        parts = Parts(run=run, key="k" * 64)

        def passed(task: Counting, part_rows: int) -> list[list[int]]:
            passes = Passes(parts=parts, part_rows=part_rows, worth_seconds=0)
            return [one.tolist() for one in passes.arrays("sketches", task, rows)]

        broken, again, other = Counting(ends_at=4), Counting(), Counting()
        with pytest.raises(KeyboardInterrupt):
            passed(broken, 2)
        assert passed(again, 2) == [[0, 1], [2, 3], [4, 5], [6]]
        assert (broken.given, again.given) == ([0, 2], [4, 6])
        assert passed(other, 4) == [[0, 1, 2, 3], [4, 5, 6]]
        assert other.given == [0, 4]  # parts of another size are no use


def test_a_part_saved_late_leaves_those_after_it(tmp_path: Path) -> None:
    with Run.open(recipe(tmp_path, "http://localhost:1/")) as run:
        parts = Parts(run=run, key="k" * 64)
        for number in (2, 0):
            parts.kept("leaks", number, Leaks, leaking, worth_seconds=0)
        assert parts.kept("leaks", 2, Leaks, Leaks, worth_seconds=0) == leaking()


def test_items_and_bad_rows_are_looked_at_once_too(tmp_path: Path) -> None:
    model = Model(breaks_after=5)
    with serving(model) as url:
        written = recipe(tmp_path, url)
        (tmp_path / "items.jsonl").write_text('{"q": "Ann asks it all"}\n{"q": "Ann goes on"}\n')
        bad = "".join(json.dumps({"prompt": f"Ann says {n}"}) + "\n" for n in range(3))
        with (tmp_path / "2.jsonl").open("a") as stream:
            stream.write(bad)
        section = json.loads(written.model_dump_json())["curate"]
        section["invalid"] = "reject"
        section["leakage"] = {"benchmarks": [{"path": "items.jsonl", "prompt": "q"}]}
        written = Recipe.model_validate({"name": "test", "curate": section}).at(tmp_path)
        curate(written)

    assert model.requests == 5  # three files, the items, all bad rows together


def test_a_detector_is_not_asked_before_all_rows_are_read(tmp_path: Path) -> None:
    model = Model(breaks_after=100)
    with serving(model) as url:
        written = recipe(tmp_path, url)
        with (tmp_path / "2.jsonl").open("a") as stream:
            stream.write("no row\n")
        with pytest.raises(RowError, match=r"1 row of 2\.jsonl cannot be taught"):
            curate(written)

    assert model.requests == 0


def test_the_first_rows_are_worked_on_before_the_last_are_read(tmp_path: Path) -> None:
    written = recipe(tmp_path, "http://localhost:1/")
    assert written.curate is not None
    shelf = Shelf()
    intake = Intake(
        section=written.curate,
        recipe=written,
        shelf=shelf,
        each=lambda row, place: row,
        told=lambda rows: None,
    )
    parts = intake.parts(3)

    first = next(parts)

    assert (first.first, len(shelf), intake.taken) == (0, 3, [])
    rest = list(parts)
    assert [(one.first, one.count) for one in rest] == [(3, 1), (4, 3), (7, 1), (8, 3), (11, 1)]
    assert b"".join([first.lines, *(one.lines for one in rest)]) == shelf.lines(np.arange(12))
    assert [one.rows for one in intake.taken] == [4, 4, 4]
