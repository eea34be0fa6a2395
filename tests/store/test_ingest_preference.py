"""Preference rows, in every way they are written, become one prompt and two continuations."""

import json
from pathlib import Path
from typing import Any

import pytest

from tutelage.core.conversation import Message, ToolCall
from tutelage.core.recipe import Format, Reading, Recipe
from tutelage.core.row import Example
from tutelage.store.ingest import Ingested, read_examples

ASK, SAY, NO = (
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Ho"},
    {"role": "assistant", "content": "Go"},
)
PAIR: dict[str, Any] = {"chosen": [SAY], "rejected": [NO]}
TEXTS = {"chosen": "Ho", "rejected": "Go"}
SPOKEN: dict[str, Any] = {
    "chosen": {"from": "gpt", "value": "Ho"},
    "rejected": {"from": "gpt", "value": "Go"},
}


def read(folder: Path, *rows: object, layout: Format = "auto") -> Ingested:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text(text, encoding="utf-8")
    return read_examples(Reading(path="rows.jsonl", format=layout), Recipe(name="test").at(folder))


def one(folder: Path, row: dict[str, Any]) -> Example:
    found = read(folder, row)
    assert (found.bad, found.layout) == ([], "preference")
    return found.examples[0]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Hi", **TEXTS},
        {"prompt": "Hi", **PAIR},
        {"prompt": [ASK], **PAIR},
        {"chosen": [ASK, SAY], "rejected": [ASK, NO]},
        {"prompt": "Hi", "chosen": [ASK, SAY], "rejected": [ASK, NO]},
        {"prompt": [ASK], "chosen": [ASK, SAY], "rejected": [ASK, NO]},
        {"prompt": "Hi", "chosen": [ASK, SAY], "rejected": [ASK, NO], "messages": [ASK, SAY]},
        {"instruction": "Hi", "input": "", **TEXTS},
        {"conversations": [{"from": "human", "value": "Hi"}], **SPOKEN},
        {"input": {"messages": [ASK]}, "preferred_output": [SAY], "non_preferred_output": [NO]},
    ],
)
def test_every_way_to_write_a_pair_gives_the_same_row(tmp_path: Path, row: dict[str, Any]) -> None:
    example = one(tmp_path, row)

    assert example.messages == (Message(role="user", content="Hi"),)
    assert example.chosen == (Message(role="assistant", content="Ho"),)
    assert example.rejected == (Message(role="assistant", content="Go"),)
    assert example.tags == {}


def test_the_longest_common_run_of_messages_is_the_prompt(tmp_path: Path) -> None:
    more = {"role": "user", "content": "And?"}
    shared = [{"role": "system", "content": "Be kind."}, ASK, SAY, more]
    example = one(tmp_path, {"chosen": [*shared, NO, more, SAY], "rejected": [*shared, SAY]})

    assert [turn.role for turn in example.messages] == ["system", "user", "assistant", "user"]
    assert [turn.content for turn in example.chosen] == ["Go", "And?", "Ho"]
    assert [turn.content for turn in example.rejected] == ["Ho"]


def test_a_request_with_its_tools_is_read_as_an_api_is_sent_it(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    example = one(
        tmp_path,
        {
            "input": {"messages": [ASK], "tools": [tool], "parallel_tool_calls": True},
            "preferred_output": [{"role": "assistant", "content": None, "tool_calls": [call]}],
            "non_preferred_output": [NO],
            "topic": "calls",
        },
    )

    assert example.tools == (tool,)
    assert example.chosen[0].tool_calls == (ToolCall(name="f", arguments={"a": 1}, id="c1"),)
    assert example.tags == {"parallel_tool_calls": "true", "topic": "calls"}


def test_flat_pairs_keep_system_history_tools_and_scores(tmp_path: Path) -> None:
    spoken = {"conversations": [{"from": "human", "value": "Hi"}], **SPOKEN}
    told = {"instruction": "Add.", "input": "1, 2", "history": [["Hi", "Ho"]], **TEXTS}
    tools = '[{"name": "f"}]'

    first = one(tmp_path, {"system": "Be kind.", "tools": tools, "score": 3, **spoken})
    second = one(tmp_path, told)

    assert [turn.content for turn in first.messages] == ["Be kind.", "Hi"]
    assert (first.tools, first.tags) == (({"name": "f"},), {"score": "3"})
    assert [turn.content for turn in second.messages] == ["Hi", "Ho", "Add.\n\n1, 2"]


BAD: list[tuple[dict[str, Any], str]] = [
    (
        {"chosen": [ASK, SAY], "rejected": [{"role": "user", "content": "Hey"}, NO]},
        "`chosen` and `rejected` share no message; expected both to begin with the prompt",
    ),
    (
        {"chosen": [ASK, SAY], "rejected": [ASK]},
        "`rejected` says nothing that `chosen` does not; expected two that differ",
    ),
    (
        {"chosen": [ASK, SAY], "rejected": [ASK, SAY, ASK, NO]},
        "`chosen` says nothing that `rejected` does not; expected two that differ",
    ),
    (
        TEXTS,
        "`chosen` is text and there is no `prompt`; expected a `prompt` or messages that begin "
        "with it",
    ),
    (
        {"prompt": "Bye", "chosen": [ASK, SAY], "rejected": [ASK, NO]},
        "`chosen` and `rejected` begin with another conversation than `prompt`; expected them to "
        "repeat it, or to begin with the answer",
    ),
    (
        {"prompt": [ASK], "chosen": [ASK, SAY], "rejected": [NO]},
        "`chosen` and `rejected` begin with another conversation than `prompt`; expected them to "
        "repeat it, or to begin with the answer",
    ),
    (
        {"prompt": "Hi", **PAIR, "messages": [ASK, NO]},
        "`messages` is not the prompt with `chosen`; expected the same or no `messages`",
    ),
    (
        {"prompt": "Hi", "chosen": "Ho", "rejected": "Ho"},
        "`chosen` and `rejected` are the same; expected two",
    ),
    (
        {"prompt": "Hi", "chosen": "", "rejected": "Ho"},
        "column `chosen` is empty; expected the answer to teach",
    ),
    ({"prompt": "Hi", "chosen": "Ho"}, "no column `rejected`; it has prompt, chosen"),
    (
        {"prompt": [ASK, SAY], **PAIR},
        "last message is from `assistant`; expected `user` before `chosen` and `rejected`",
    ),
    (
        {"prompt": "Hi", "chosen": [SAY, ASK], "rejected": [NO]},
        "last message of `chosen` is from `user`; expected `assistant`",
    ),
    (
        {
            "input": {"messages": [ASK], "seed": 3},
            "preferred_output": [SAY],
            "non_preferred_output": [NO],
        },
        "`input` has the key `seed`; expected only messages, tools, functions, parallel_tool_calls",
    ),
    (
        {"input": {"messages": [ASK]}, "preferred_output": [SAY]},
        "no column `non_preferred_output`; did you mean `preferred_output`?",
    ),
    (
        {"prompt": "Hi", "completion": "Ho"},
        "no column `chosen`; it has prompt, completion; the row looks like `prompt_completion`, "
        "the file is read as `preference`",
    ),
]


@pytest.mark.parametrize(("row", "problem"), BAD)
def test_a_pair_that_is_none_is_refused_in_these_words(
    tmp_path: Path, row: dict[str, Any], problem: str
) -> None:
    found = read(tmp_path, {"prompt": "Hi", **TEXTS}, row, layout="preference")

    assert [(bad.where, bad.problem) for bad in found.bad] == [("line 2", problem)]


def test_a_pair_among_plain_rows_is_told_and_not_kept_as_tags(tmp_path: Path) -> None:
    plain = {"instruction": "Hi", "output": "Ho"}
    found = read(tmp_path, plain, plain, {"instruction": "Hi", **TEXTS}, {"messages": [ASK, SAY]})

    assert found.layout == "alpaca"
    assert [(bad.where, bad.problem) for bad in found.bad] == [
        (
            "line 3",
            "it has `chosen` and `rejected`; the row looks like `preference`, "
            "the file is read as `alpaca`",
        ),
        (
            "line 4",
            "no column `instruction`; it has messages; the row looks like `messages`, "
            "the file is read as `alpaca`",
        ),
    ]


def test_columns_a_table_leaves_empty_do_not_make_a_pair(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(
        "prompt,completion,chosen,rejected\nHi,Ho,,\nHey,,Ho,Go\nBye,Go,,\n", encoding="utf-8"
    )
    found = read_examples(Reading(path="rows.csv"), Recipe(name="test").at(tmp_path))

    assert found.layout == "prompt_completion"
    assert [row.line for row in found.refused] == [3]
    assert found.examples[0].tags == {}
