"""`tutelage chat` asks base and tuned model the same, turn by turn."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.journey.project import Spoken, speak
from tests.release.project import released
from tutelage.cli.chat import draw
from tutelage.core.conversation import Conversation, Message
from tutelage.engine.local import LocalEngine
from tutelage.engine.protocol import Decoding, Prompt
from tutelage.engine.release import open_release
from tutelage.store.release import ReleaseFolder


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> ReleaseFolder:
    return released(tmp_path_factory.mktemp("talked"))


def talk(release: ReleaseFolder, text: str, monkeypatch: pytest.MonkeyPatch, *words: str) -> Spoken:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert release.project is not None
    return speak(release.project, "chat", *words)


def lines(said: Spoken) -> list[Any]:
    """The answers; the envelope is last."""
    assert said.code == 0, said.err
    *answers, envelope = [json.loads(line) for line in said.out.splitlines()]
    assert envelope["data"]["turns"] == len(answers)
    return answers


def test_each_line_is_a_turn_both_models_answer_and_remember(
    release: ReleaseFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = lines(talk(release, "one\ntwo\n/reset\none\n", monkeypatch, "--json"))
    assert [one["request"] for one in said] == ["one", "two", "one"]
    assert said[0]["tuned"]["answer"] == said[2]["tuned"]["answer"]
    opened = open_release(release)
    bare = LocalEngine.open(opened.base, None, decode=opened.contract.decode)
    for name, engine in (("tuned", opened.engine), ("base", bare)):
        turns = [Message(role="user", content="one")]
        for at, asked in enumerate(("one", "two")):
            ids = opened.contract.prompt_ids(Conversation(messages=tuple(turns)))
            stop = opened.contract.stop_ids
            decoding = Decoding(max_new_tokens=opened.contract.decoding.max_new_tokens, stop=stop)
            (answer,) = engine.generate([Prompt(ids=ids)], decoding)
            assert said[at]["request"] == asked
            assert said[at][name]["answer"] == answer.text
            turns += [
                Message(role="assistant", content=answer.text),
                Message(role="user", content="two"),
            ]
        engine.close()


def test_a_byte_that_is_no_text_ends_no_talk(
    release: ReleaseFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = io.TextIOWrapper(io.BytesIO(b"a\xff\n"), "utf-8", "surrogateescape")
    monkeypatch.setattr("sys.stdin", typed)
    assert release.project is not None
    (answered,) = lines(speak(release.project, "chat", "--json"))
    assert answered["request"] == "a\ufffd"


def test_a_project_that_is_named_is_where_a_copied_releases_base_is_looked_for(
    release: ReleaseFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(release.folder, tmp_path / "release")
    monkeypatch.setattr("sys.stdin", io.StringIO("one\n"))
    assert speak(tmp_path, "chat", "release").code == 1
    home = str(release.project)
    assert len(lines(speak(tmp_path, "chat", "release", "--project", home, "--json"))) == 1


def test_quit_ends_it_and_blank_lines_are_no_turns(
    release: ReleaseFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(lines(talk(release, "\none\n  \n/quit\ntwo\n", monkeypatch, "--json"))) == 1


def test_a_line_that_no_longer_fits_is_told_and_the_talk_goes_on(
    release: ReleaseFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = talk(release, f"{'long ' * 300}\none\n", monkeypatch, "--json")
    assert [one["request"] for one in lines(said)] == ["one"]
    assert "/reset begins anew" in said.err


def test_people_read_both_answers(release: ReleaseFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    said = talk(release, "one\n", monkeypatch)
    assert said.code == 0
    assert "base" in said.out
    assert "tuned" in said.out


@pytest.mark.parametrize(("width", "beside"), [(100, True), (50, False)])
def test_answers_stand_beside_each_other_where_there_is_room(width: int, beside: bool) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    draw(console, "asked", {"base": "LEFT", "tuned": "RIGHT \x1b[2J"})
    assert isinstance(console.file, io.StringIO)
    drawn = console.file.getvalue()
    assert any("LEFT" in line and "RIGHT" in line for line in drawn.splitlines()) == beside
    assert "\x1b" not in drawn, "an answer gives a terminal no commands"


def test_a_project_without_a_release_says_what_makes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    said = speak(tmp_path, "chat")
    assert said.code == 1
    assert "hint:" in said.err
