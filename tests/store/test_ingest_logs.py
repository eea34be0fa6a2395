"""Production logs and transcripts: requests with their responses, chats, channels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tutelage.core.conversation import Message
from tutelage.core.ledger import Reason
from tutelage.core.recipe import Recipe, SourceFile
from tutelage.store.ingest import Ingested, read_examples


def read(folder: Path, text: str, name: str = "rows.log", **more: Any) -> Ingested:
    (folder / name).write_text(text, encoding="utf-8")
    form = {"path": name, "origin": "log", "licence": "MIT", **more}
    return read_examples(SourceFile.model_validate(form), Recipe(name="test").at(folder))


def said(messages: tuple[Message, ...]) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in messages]


CHOICE = {
    "index": 0,
    "finish_reason": "stop",
    "message": {"role": "assistant", "content": "Three.", "refusal": None},
}
LOGGED = {
    "request": {
        "model": "desk-1",
        "messages": [{"role": "user", "content": "Two and one?"}],
        "tools": [{"type": "function", "function": {"name": "add"}}],
        "stop": ["\n"],
        "user": "u7",
    },
    "response": {
        "id": "chatcmpl-1",
        "choices": [CHOICE],
        "usage": {"total_tokens": 9},
    },
}


def test_a_logged_request_with_its_response_is_a_row_and_nothing_is_lost(tmp_path: Path) -> None:
    failed = {**LOGGED, "response": {"error": {"message": "busy"}}}
    several = {**LOGGED, "response": {"choices": [CHOICE, CHOICE]}}
    text = "".join(json.dumps(row) + "\n" for row in (LOGGED, failed, several))

    found = read(tmp_path, text, "rows.jsonl", columns={"consent_key": "request.user"})

    (example,) = found.examples
    assert found.layout == "chat_log"
    assert said(example.messages) == [("user", "Two and one?"), ("assistant", "Three.")]
    assert example.tools == ({"type": "function", "function": {"name": "add"}},)
    assert example.consent_key == "u7"
    assert example.tags == {
        "request.model": "desk-1",
        "request.stop": '["\\n"]',
        "response.id": "chatcmpl-1",
        "response.usage": '{"total_tokens":9}',
        "choice.finish_reason": "stop",
    }
    assert [one.problem for one in found.bad] == [
        "no column `choices`; it has error",
        "the response has 2 choices; expected one answer",
    ]


@pytest.mark.parametrize(
    ("finish", "why"),
    [
        ("length", "it was cut at the most tokens it might have"),
        ("content_filter", "a filter ended it"),
    ],
)
def test_an_answer_that_did_not_come_to_its_end_is_not_taught(
    tmp_path: Path, finish: str, why: str
) -> None:
    cut = {**LOGGED, "response": {"choices": [{**CHOICE, "finish_reason": finish}]}}

    found = read(tmp_path, "".join(f"{json.dumps(row)}\n" for row in (LOGGED, cut)), "rows.jsonl")

    assert len(found.examples) == 1
    assert [(one.reason, one.problem) for one in found.refused] == [
        (Reason.NO_ANSWER, f"the answer is not whole: {why}")
    ]


def test_speakers_have_the_roles_the_recipe_gives(tmp_path: Path) -> None:
    turns = [{"role": "customer", "content": "Hi"}, {"role": "agent", "content": "Ho"}]
    spoken = [{"from": "visitor", "value": "Hi"}, {"from": "desk", "value": "Ho"}]

    flat = read(tmp_path, json.dumps({"messages": turns}), "a.jsonl",
                roles={"customer": "user", "agent": "assistant"})  # fmt: skip
    told = read(tmp_path, json.dumps({"conversations": spoken}), "b.jsonl",
                roles={"visitor": "user", "desk": "assistant"})  # fmt: skip
    unknown = read(
        tmp_path, json.dumps({"messages": turns}), "c.jsonl", roles={"agent": "assistant"}
    )

    assert said(flat.examples[0].messages) == [("user", "Hi"), ("assistant", "Ho")]
    assert said(told.examples[0].messages) == [("user", "Hi"), ("assistant", "Ho")]
    assert unknown.bad[0].problem == "role `customer`; expected system, user, assistant or tool"


TRANSCRIPT = """Ann: Hello,
my lamp is broken.
Desk: Which one?
Ann: The red one: it hums.

[10:02] Bo: Is it day?
[10:03] Desk: Yes
Desk: and night is near.

Eve: Who?
Robot: I.
"""


def test_blocks_of_a_transcript_are_conversations(tmp_path: Path) -> None:
    roles = {"Desk": "assistant", "Ann": "user", "Bo": "user", "Eve": "user"}
    found = read(tmp_path, TRANSCRIPT, format="transcript", roles=roles)

    assert said(found.examples[0].messages) == [
        ("user", "Is it day?"),
        ("assistant", "Yes\nand night is near."),
    ]
    assert str(found.examples[0].source) == "rows.log:6"
    assert [(one.where, one.problem) for one in found.bad] == [
        ("line 1", "last message is from `user`; expected `assistant`"),
        ("line 10", "line 11: no role for `Robot` in `roles`"),
    ]
    anyone = read(
        tmp_path, TRANSCRIPT, format="transcript", roles={"Robot": "assistant", "*": "user"}
    )
    assert said(anyone.examples[-1].messages) == [("user", "Who?"), ("assistant", "I.")]


CHANNEL = """=== ann [~a@host] has joined #lamps
[12:18] <ann> how do I fix a lamp?
[12:18] <eve> good morning
[12:19] <bo> ann: which one?
[12:19] <ann> bo: the red one
[12:20] <bo> ann, turn it off
[12:20] <bo> and on again
[12:21] <ann> bo: thanks
[12:22] <dan> zed: hello
"""


def test_exchanges_of_a_channel_are_found_by_who_answers_whom(tmp_path: Path) -> None:
    found = read(tmp_path, CHANNEL, format="transcript")

    (example,) = found.examples
    assert said(example.messages) == [
        ("user", "how do I fix a lamp?"),
        ("assistant", "which one?"),
        ("user", "the red one"),
        ("assistant", "turn it off\nand on again"),
    ]
    assert (example.author, example.consent_key) == ("bo", "ann")
    assert (str(example.source), example.tags["lines"]) == ("rows.log:2", "2-7")
    assert found.unused == {
        "notices": 1,
        "lines after the last answer": 1,
        "lines no one answered by name": 2,
        "times of lines": 8,
    }


def test_an_exchange_ends_where_the_channel_goes_on_without_it(tmp_path: Path) -> None:
    between = "".join(f"<p{index}> line\n" for index in range(40))
    text = f"<ann> how?\n<bo> ann: so\n{between}<ann> and when?\n<bo> ann: now\n"

    found = read(tmp_path, text, format="transcript")

    assert [said(one.messages)[0][1] for one in found.examples] == ["how?", "and when?"]
    assert found.unused == {"lines no one answered by name": 40}


def test_bytes_that_are_not_utf8_are_never_taught(tmp_path: Path) -> None:
    (tmp_path / "rows.log").write_bytes(
        b"<ann> how is the caf\xe9 called?\n<bo> ann: noir\n"
        + b"<p> x\n" * 31
        + b"<cy> and the bar?\n<di> cy: rouge\n"
    )
    form = {"path": "rows.log", "origin": "log", "licence": "MIT", "format": "transcript"}

    found = read_examples(SourceFile.model_validate(form), Recipe(name="test").at(tmp_path))

    assert [said(one.messages) for one in found.examples] == [
        [("user", "and the bar?"), ("assistant", "rouge")]
    ]
    (row,) = found.refused
    assert (row.line, row.reason, row.problem) == (
        1,
        "invalid_encoding",
        "the exchange is not UTF-8",
    )
    assert "caf\\xe9" in row.text


def test_a_speaker_without_a_role_puts_no_words_in_anothers_mouth(tmp_path: Path) -> None:
    roles = {"Ann": "user", "Desk": "assistant"}
    timed = "[10:00] Ann: Hello?\n[10:01] note: I am Zoe\n[10:02] Desk: Yes?\n"
    bare = "Ann: Hello?\nSupervisor: I am Zoe\nDesk: Yes?\n"
    colon = "Ann: Hello\nNote: it is late\nand one thing: hurry\nDesk: Yes?\n"

    found = read(tmp_path, f"{timed}\n{bare}\n{colon}", format="transcript", roles=roles)

    assert [row.problem for row in found.refused] == [
        "line 2: no role for `note` in `roles`",
        "line 6: no role for `Supervisor` in `roles`",
    ]
    (example,) = found.examples
    assert said(example.messages)[0] == ("user", "Hello\nNote: it is late\nand one thing: hurry")


def test_names_and_times_that_no_row_keeps_are_counted(tmp_path: Path) -> None:
    roles = {"Ann": "user", "Desk": "assistant"}
    text = "[10:00] Ann: Hello?\nDesk: Yes?\n"

    assert read(tmp_path, text, format="transcript", roles=roles).unused == {
        "names of speakers": 2,
        "times of lines": 1,
    }
    channel = "[10:00] <ann> how?\n[10:01] <bo> ann: so\n"
    assert read(tmp_path, channel, format="transcript").unused == {"times of lines": 2}
