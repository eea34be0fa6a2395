"""A conversation written in any layout that can say it and read again is the same."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings

from tests.store.conversations import ANSWERS, PLAIN, TOOLS, WHOLE
from tutelage.core.conversation import Message, ToolCall
from tutelage.core.recipe import Fields, Reading, Recipe
from tutelage.core.row import Example
from tutelage.store.ingest import read_examples

Messages = Sequence[Message]
Row = dict[str, Any]
SPEAKER = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}


def read(folder: Path, row: Row, fields: Fields | None = None) -> Example:
    (folder / "rows.jsonl").write_text(json.dumps(row), encoding="utf-8")
    reading = Reading(path="rows.jsonl", fields=fields)
    found = read_examples(reading, Recipe(name="test").at(folder))
    assert found.bad == []
    return found.examples[0]


def said(messages: Messages) -> list[Row]:
    return [message.to_dict() for message in messages]


def sent(message: Message) -> Row:
    """As an API is sent it: arguments are text, and what is not there is null."""
    form: Row = {**message.to_dict(), "content": message.content or None, "refusal": None}
    form["reasoning_content"] = form.pop("reasoning", None)
    form["tool_calls"] = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
        }
        for call in message.tool_calls
    ] or None
    return form


def spoken(message: Message) -> Row:
    form: Row = {"from": SPEAKER[message.role], "value": message.content, "weight": message.weight}
    if message.tool_calls:
        form |= {
            "from": "function_call",
            "value": json.dumps([call.to_dict() for call in message.tool_calls]),
        }
    return form if message.train is None else {**form, "training": message.train}


def older(message: Message) -> Row:
    form = message.to_dict()
    if message.role == "tool":
        form["role"] = "function"
    if message.tool_calls:
        (call,) = message.tool_calls
        del form["tool_calls"]
        form["function_call"] = {"name": call.name, "arguments": json.dumps(call.arguments)}
    return form


def one_call(message: Message) -> Message:
    """What an older API can say: one call without an id, and who answered it."""
    calls = tuple(ToolCall(name=one.name, arguments=one.arguments) for one in message.tool_calls)
    name = (message.name or "f") if message.role == "tool" else message.name
    changed = {"tool_calls": calls[:1], "tool_call_id": None, "name": name}
    return Message(**{**{key: getattr(message, key) for key in Message.__slots__}, **changed})


def by_speaker(message: Message) -> Message:
    """What a turn with a speaker can say: words or calls, and whether it is taught."""
    return Message(
        role=message.role,
        content="" if message.tool_calls else message.content,
        tool_calls=message.tool_calls,
        train=message.train,
        weight=message.weight,
    )


def rules(messages: Messages) -> tuple[str | None, Messages]:
    first = messages[0]
    return (first.content, messages[1:]) if first.role == "system" else (None, messages)


def alpaca(messages: Messages) -> Row:
    system, turns = rules(messages)
    pairs = list(zip(turns[0:-2:2], turns[1:-2:2], strict=True))
    return {
        "system": system,
        "history": [[one.content, other.content] for one, other in pairs],
        "instruction": turns[-2].content,
        "output": turns[-1].content,
    }


@settings(max_examples=40, derandomize=True, deadline=None)
@given(messages=WHOLE, tools=TOOLS)
def test_all_a_conversation_says_is_read_from_messages_and_from_completions(
    tmp_path_factory: pytest.TempPathFactory, messages: Messages, tools: tuple[Row, ...]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    more = {"tools": json.dumps(tools)}
    rows = [
        {"messages": [sent(message) for message in messages], **more},
        {"conversations": said(messages), **more},
        {"prompt": said(messages[:-1]), "completion": said(messages[-1:]), **more},
    ]

    for row in rows:
        again = read(folder, row)
        assert (again.messages, again.tools) == (tuple(messages), tools)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(messages=WHOLE, tools=TOOLS)
def test_speakers_and_an_older_api_say_all_they_can(
    tmp_path_factory: pytest.TempPathFactory, messages: Messages, tools: tuple[Row, ...]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    turns, single = tuple(map(by_speaker, messages)), tuple(map(one_call, messages))

    told = read(folder, {"conversations": list(map(spoken, turns)), "tools": list(tools)})
    called = read(folder, {"messages": list(map(older, single)), "functions": list(tools)})

    assert (told.messages, told.tools) == (turns, tools)
    assert called.messages == single
    assert [tool["function"] for tool in called.tools] == list(tools)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(messages=PLAIN)
def test_flat_rows_say_what_was_said(
    tmp_path_factory: pytest.TempPathFactory, messages: Messages
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    system, (*before, asked, answer) = rules(messages)
    own = Fields(user="q", assistant="a", system="s")
    flat = {"s": system, "q": asked.content, "a": answer.content}
    rest = (*messages[: len(messages) - len(before) - 2], asked, answer)

    assert read(folder, alpaca(messages)).messages == tuple(messages)
    assert read(folder, flat, own).messages == rest
    row = {"system": system, "prompt": asked.content, "completion": answer.content}
    assert read(folder, row).messages == rest


Pair = tuple[Messages, Message, Message]
PAIRS: dict[str, Callable[[Pair], Row]] = {
    "prompted": lambda pair: {
        "prompt": said(pair[0]),
        "chosen": said(pair[1:2]),
        "rejected": said(pair[2:]),
    },
    "whole": lambda pair: {
        "chosen": said((*pair[0], pair[1])),
        "rejected": said((*pair[0], pair[2])),
    },
    "messages": lambda pair: {
        "messages": said(pair[0]),
        "chosen": said(pair[1:2]),
        "rejected": pair[2].to_dict(),
    },
    "outputs": lambda pair: {
        "input": {"messages": list(map(sent, pair[0])), "parallel_tool_calls": None},
        "preferred_output": [sent(pair[1])],
        "non_preferred_output": [sent(pair[2])],
    },
}


@settings(max_examples=30, derandomize=True, deadline=None)
@given(messages=WHOLE, chosen=ANSWERS, rejected=ANSWERS)
@pytest.mark.parametrize("way", PAIRS)
def test_a_pair_written_any_way_is_read_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    way: str,
    messages: Messages,
    chosen: Message,
    rejected: Message,
) -> None:
    assume(chosen != rejected)
    before = tuple(messages[:-1])
    assume(before[-1].role != "assistant")

    again = read(tmp_path_factory.mktemp("rows"), PAIRS[way]((before, chosen, rejected)))

    assert (again.messages, again.chosen, again.rejected) == (before, (chosen,), (rejected,))


@settings(max_examples=30, derandomize=True, deadline=None)
@given(messages=PLAIN, other=ANSWERS)
def test_a_pair_of_texts_is_read_the_same(
    tmp_path_factory: pytest.TempPathFactory, messages: Messages, other: Message
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    rejected = Message(role="assistant", content=other.content)
    assume(rejected != messages[-1])
    texts = {"chosen": messages[-1].content, "rejected": rejected.content}
    told = alpaca(messages)
    del told["output"]
    turns = {
        "conversations": list(map(spoken, messages[:-1])),
        "chosen": spoken(messages[-1]),
        "rejected": spoken(rejected),
    }

    for row in ({**told, **texts}, turns):
        again = read(folder, row)
        assert (*again.messages, *again.chosen) == tuple(messages)
        assert again.rejected == (rejected,)
