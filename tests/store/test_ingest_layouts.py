"""Every layout gives the Example it says, and nothing of a row is lost."""

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from tests.store.conversations import EXAMPLES
from tutelage.core.conversation import Message, ToolCall
from tutelage.core.recipe import Fields, Format, Reading, Recipe, SourceFile
from tutelage.core.row import Example, Source
from tutelage.store.ingest import Ingested, read_examples


def write(folder: Path, *rows: Any, name: str = "rows.jsonl") -> None:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def read(folder: Path, layout: Format = "auto", name: str = "rows.jsonl") -> Ingested:
    found = read_examples(Reading(path=name, format=layout), Recipe(name="test").at(folder))
    assert found.bad == []
    return found


def one(folder: Path, row: dict[str, Any], layout: Format = "auto") -> Example:
    write(folder, row)
    return read(folder, layout).examples[0]


def said(example: Example) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in example.messages]


def test_messages_keep_calls_reasoning_and_flags(tmp_path: Path) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"b": 1}'}}
    example = one(
        tmp_path,
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "Hi"}], "name": "ann"},
                {"role": "assistant", "content": None, "tool_calls": [call], "train": False},
                {"role": "tool", "content": "1", "tool_call_id": "c1"},
                {"role": "assistant", "content": "Ho", "reasoning_content": "Hm", "weight": 0.5},
            ],
            "tools": '[{"type": "function", "function": {"name": "f"}}]',
        },
    )

    assert example.messages == (
        Message(role="user", content="Hi", name="ann"),
        Message(
            role="assistant",
            tool_calls=(ToolCall(name="f", arguments={"b": 1}, id="c1"),),
            train=False,
        ),
        Message(role="tool", content="1", tool_call_id="c1"),
        Message(role="assistant", content="Ho", reasoning="Hm", weight=0.5),
    )
    assert example.tools == ({"type": "function", "function": {"name": "f"}},)
    assert (example.origin, example.licence) == ("human", "")
    assert example.source.uri == "rows.jsonl"
    assert example.source.line == 1
    assert len(example.source.digest) == 64


def test_sharegpt_speakers_become_roles(tmp_path: Path) -> None:
    call = '{"name": "f", "arguments": {"x": 1}}'
    turns = [("human", "Hi"), ("function_call", call), ("observation", "2"), ("gpt", "Ho")]
    example = one(
        tmp_path,
        {
            "system": "Be kind.",
            "conversations": [{"from": who, "value": words} for who, words in turns],
        },
    )

    assert said(example) == [
        ("system", "Be kind."),
        ("user", "Hi"),
        ("assistant", ""),
        ("tool", "2"),
        ("assistant", "Ho"),
    ]
    assert example.messages[2].tool_calls == (ToolCall(name="f", arguments={"x": 1}),)


def test_alpaca_puts_input_below_the_instruction_and_history_before(tmp_path: Path) -> None:
    example = one(
        tmp_path,
        {"instruction": "Add.", "input": "1, 2", "output": "3", "history": [["Hi", "Ho"]]},
    )

    assert said(example) == [
        ("user", "Hi"),
        ("assistant", "Ho"),
        ("user", "Add.\n\n1, 2"),
        ("assistant", "3"),
    ]


def test_prompt_and_completion_may_be_text_or_messages(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"prompt": "Hi", "completion": " Ho"},
        {
            "prompt": [{"role": "user", "content": "Hi"}],
            "completion": [{"role": "assistant", "content": " Ho"}],
        },
    )

    first, second = read(tmp_path).examples

    assert said(first) == said(second) == [("user", "Hi"), ("assistant", " Ho")]
    assert first.id == second.id


def test_a_preference_row_keeps_both_continuations(tmp_path: Path) -> None:
    example = one(
        tmp_path,
        {
            "messages": [{"role": "user", "content": "Hi"}],
            "chosen": [{"role": "assistant", "content": "Ho"}],
            "rejected": [{"role": "assistant", "content": "Go"}],
        },
    )

    assert example.chosen == (Message(role="assistant", content="Ho"),)
    assert example.rejected == (Message(role="assistant", content="Go"),)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.tsv", "rows.json"])
def test_named_columns_are_read_and_the_others_become_tags(tmp_path: Path, name: str) -> None:
    row = {"rules": "Be kind.", "q": "Hi, you", "a": "Ho", "intent": "greet", "by": "ann"}
    delimiter = {"rows.csv": ",", "rows.tsv": "\t"}.get(name, "")
    if delimiter:
        cells = delimiter.join(f'"{cell}"' for cell in row.values())
        (tmp_path / name).write_text(f"{delimiter.join(row)}\n{cells}\n", encoding="utf-8")
    elif name == "rows.json":
        (tmp_path / name).write_text(json.dumps([row]), encoding="utf-8")
    else:
        write(tmp_path, row)

    found = read_examples(
        SourceFile(
            path=name,
            fields=Fields(user="q", assistant="a", system="rules"),
            origin="human",
            licence="MIT",
            author="by",
        ),
        Recipe(name="test").at(tmp_path),
    )

    (example,) = found.examples
    assert said(example) == [("system", "Be kind."), ("user", "Hi, you"), ("assistant", "Ho")]
    assert example.tags == {"intent": "greet"}
    assert example.author == "ann"


def test_other_columns_are_kept_as_text_with_dotted_names(tmp_path: Path) -> None:
    example = one(
        tmp_path,
        {
            "prompt": "Hi",
            "completion": "Ho",
            "level": 3,
            "checked": True,
            "metadata": {"topic": "greeting", "at": {"year": 2026}},
            "nothing": None,
        },
    )

    assert example.tags == {
        "level": "3",
        "checked": "true",
        "metadata.topic": "greeting",
        "metadata.at.year": "2026",
    }


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    row = json.dumps({"prompt": "Hi", "completion": "Ho"})
    (tmp_path / "a.jsonl").write_text(f"\ufeff{row}\r\n\r\n{row}", encoding="utf-8")
    (tmp_path / "b.json").write_text(f"[\n {row},\n\n {row}\n]", encoding="utf-8")
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(f"{row}\n{row}".encode()))

    lines = {
        name: [example.source.line for example in read(tmp_path, name=name).examples]
        for name in ("a.jsonl", "b.json", "c.jsonl.gz")
    }

    assert lines == {"a.jsonl": [1, 3], "b.json": [2, 4], "c.jsonl.gz": [1, 2]}


def test_a_path_of_this_machine_is_not_recorded(tmp_path: Path) -> None:
    write(tmp_path, {"prompt": "Hi", "completion": "Ho"})

    found = read(tmp_path, name=str(tmp_path / "rows.jsonl"))

    assert found.examples[0].source.uri == "rows.jsonl"


KEPT = (
    *("id", "messages", "tools", "chosen", "rejected", "origin", "licence", "author"),
    *("licence_basis", "consent_key", "generator", "editor", "parents", "weight"),
)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(example=EXAMPLES)
def test_a_row_written_and_read_again_loses_no_field(
    tmp_path_factory: pytest.TempPathFactory, example: Example
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    write(folder, example.to_dict())

    again = read(folder, "messages").examples[0]

    assert {name: getattr(again, name) for name in KEPT} == {
        name: getattr(example, name) for name in KEPT
    }
    assert again.tags == {
        **example.tags,
        "id": example.id,
        "source.uri": "elsewhere.jsonl",
        "source.line": "7",
        "source.digest": "d",
    }


@settings(max_examples=40, derandomize=True, deadline=None)
@given(example=EXAMPLES)
def test_our_own_row_written_and_read_again_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, example: Example
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    event = Source(uri="event:chatcmpl-1", line=0, digest="d" * 64)
    whole = replace(example, source=event)
    write(folder, whole.to_dict())

    assert read(folder).examples == [whole]


def test_a_row_not_made_from_an_event_is_named_by_its_line(tmp_path: Path) -> None:
    source = {"uri": "old.jsonl", "line": 7, "digest": "d"}
    example = one(tmp_path, {**OWN_ROW, "source": source}, "row")

    assert str(example.source) == "rows.jsonl:1"
    assert (example.origin, example.licence) == ("human_edited", "CC0-1.0")
    assert example.tags == {
        "kind": "corrected",
        "source.uri": "old.jsonl",
        "source.line": "7",
        "source.digest": "d",
    }


OWN_ROW: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}],
    "origin": "human_edited",
    "licence": "CC0-1.0",
    "source": {"uri": "event:chatcmpl-1"},
    "tags": {"kind": "corrected"},
}


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"split": "train"}, "the row has the key `split`; expected only id, messages, tools"),
        ({"tags": {"n": 1}}, "tag `n` is a number; expected text"),
        ({"source": "event:1"}, "`source` is text; expected an object"),
        ({"source": {"uri": "event:1", "at": 3}}, "`source` has the key `at`"),
        ({"source": {"line": 3}}, "`uri` of `source` is null; expected text"),
        ({"id": "00"}, "`id` is 00, its content's is "),
        ({"origin": "web"}, "origin `web`; expected one of human"),
        ({"licence": None, "license": "MIT"}, "the row has the key `license`"),
    ],
)
def test_our_own_row_is_refused_for_what_it_may_not_be(
    tmp_path: Path, changed: dict[str, Any], problem: str
) -> None:
    write(tmp_path, {**OWN_ROW, **changed})

    found = read_examples(
        Reading(path="rows.jsonl", format="row"), Recipe(name="test").at(tmp_path)
    )

    assert [row.problem for row in found.bad] == [found.bad[0].problem]
    assert found.bad[0].problem.startswith(problem)
