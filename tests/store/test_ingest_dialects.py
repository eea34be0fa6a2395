"""The same conversation as several APIs and trainers write it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tutelage.core.conversation import Message, ToolCall
from tutelage.core.recipe import Reading, Recipe
from tutelage.core.row import Example
from tutelage.store.ingest import Ingested, read_examples

ASK = {"role": "user", "content": "Hi"}


def read(folder: Path, row: dict[str, Any]) -> Ingested:
    (folder / "rows.jsonl").write_text(json.dumps(row), encoding="utf-8")
    return read_examples(Reading(path="rows.jsonl"), Recipe(name="test").at(folder))


def one(folder: Path, row: dict[str, Any]) -> Example:
    found = read(folder, row)
    assert found.bad == []
    return found.examples[0]


def said(**more: Any) -> dict[str, Any]:
    return {"messages": [ASK, {"role": "assistant", "content": "Ho", **more}]}


def test_functions_of_an_older_api_are_tools(tmp_path: Path) -> None:
    function = {"name": "f", "parameters": {"type": "object"}}
    example = one(
        tmp_path,
        {
            "messages": [
                ASK,
                {
                    "role": "assistant",
                    "content": None,
                    "function_call": {"name": "f", "arguments": '{"b": 1, "a": 2}'},
                },
                {"role": "function", "name": "f", "content": "3"},
                {"role": "assistant", "content": "Three."},
            ],
            "functions": [function],
        },
    )

    assert example.tools == ({"type": "function", "function": function},)
    assert example.messages[1:3] == (
        Message(
            role="assistant", tool_calls=(ToolCall(name="f", arguments={"b": 1, "a": 2}, id=None),)
        ),
        Message(role="tool", name="f", content="3"),
    )


def test_what_an_api_answers_without_content_is_let_pass(tmp_path: Path) -> None:
    empty = {"refusal": None, "audio": None, "annotations": [], "function_call": None}
    parts = [{"type": "text", "text": "Ho", "annotations": []}, {"type": "text", "text": "!"}]

    example = one(tmp_path, {**said(**empty, content=parts), "parallel_tool_calls": False})

    assert example.messages[1] == Message(role="assistant", content="Ho\n!")
    assert example.tags == {"parallel_tool_calls": "false"}


def test_a_developer_says_what_a_system_prompt_does(tmp_path: Path) -> None:
    row = said()
    row["messages"].insert(0, {"role": "developer", "content": "Be kind."})

    assert one(tmp_path, row).messages[0] == Message(role="system", content="Be kind.")


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content", "thinking"])
def test_reasoning_is_read_by_each_of_its_names(tmp_path: Path, name: str) -> None:
    assert one(tmp_path, said(**{name: "Hm"})).messages[1].reasoning == "Hm"


def test_reasoning_told_twice_is_one_and_written_into_the_content_stays_there(
    tmp_path: Path,
) -> None:
    twice = said(reasoning="Hm", reasoning_content="Hm", thinking="")
    inside = said(content="<think>Hm</think>Ho")

    assert one(tmp_path, twice).messages[1].reasoning == "Hm"
    assert one(tmp_path, inside).messages[1] == Message(
        role="assistant", content="<think>Hm</think>Ho"
    )


@pytest.mark.parametrize(
    ("marks", "train", "weight"),
    [
        ({"weight": 0}, None, 0.0),
        ({"weight": 1}, None, 1.0),
        ({"training": False}, False, 1.0),
        ({"train": True, "training": True}, True, 1.0),
    ],
)
def test_turns_are_left_out_by_weight_or_by_training(
    tmp_path: Path, marks: dict[str, Any], train: bool | None, weight: float
) -> None:
    flat = one(tmp_path, said(**marks)).messages[1]
    spoken = {"from": "gpt", "value": "Ho", **marks}
    turn = one(tmp_path, {"conversations": [{"from": "human", "value": "Hi"}, spoken]}).messages[1]

    assert flat == turn == Message(role="assistant", content="Ho", train=train, weight=weight)


def test_turns_of_conversations_may_be_named_by_their_role(tmp_path: Path) -> None:
    found = read(tmp_path, {"conversations": said(reasoning="Hm")["messages"], "tools": "[]"})

    assert found.layout == "sharegpt"
    assert found.examples[0].messages == (
        Message(role="user", content="Hi"),
        Message(role="assistant", content="Ho", reasoning="Hm"),
    )


CALL = {"name": "f", "arguments": "{}"}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (
            said(reasoning="Hm", thinking="Ha"),
            "message 2 has `reasoning` and `thinking`, which differ; expected one",
        ),
        (
            said(train=True, training=False),
            "message 2 has `train` and `training`, which differ; expected one",
        ),
        (
            said(tool_calls=[CALL], function_call=CALL),
            "message 2 has `tool_calls` and `function_call`; expected one of them",
        ),
        (
            {"messages": [ASK, {"role": "function", "content": "3"}]},
            "message 2, from `function`, has no `name`",
        ),
        (
            {**said(), "tools": [{"name": "f"}], "functions": [{"name": "g"}]},
            "it has `tools` and `functions`; expected one",
        ),
        (said(training=1), "`training` of message 2 is a number; expected true or false"),
        (said(thinking=["Hm"]), "`thinking` of message 2 is a list; expected text"),
        (
            {**said(), "functions": '[{"parameters": {}}]'},
            "a tool has no `name`",
        ),
    ],
)
def test_what_says_two_things_is_refused(tmp_path: Path, row: dict[str, Any], problem: str) -> None:
    assert [bad.problem for bad in read(tmp_path, row).bad] == [problem]
