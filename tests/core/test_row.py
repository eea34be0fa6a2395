from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.core.conversation import ROLES, Conversation, Message, ToolCall
from tutelage.core.digest import canonical, file_digest, short_digest
from tutelage.core.row import Example, Generator, Source, row_id

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
calls = st.builds(
    ToolCall,
    name=words,
    arguments=st.dictionaries(words, json_values, max_size=3),
    id=st.none() | words,
)
messages = st.builds(
    Message,
    role=st.sampled_from(ROLES),
    content=words,
    reasoning=st.none() | words,
    tool_calls=st.lists(calls, max_size=2).map(tuple),
    tool_call_id=st.none() | words,
    name=st.none() | words,
    train=st.none() | st.booleans(),
    weight=st.sampled_from([1.0, 0.0, 0.5]),
)
turns = st.lists(messages, max_size=3).map(tuple)
examples = st.builds(
    Example,
    messages=turns,
    tools=st.lists(st.dictionaries(words, json_values, max_size=2), max_size=2).map(tuple),
    chosen=turns,
    rejected=turns,
    origin=st.sampled_from(["human", "human_edited", "synthetic", "log"]),
    licence=words,
    licence_basis=st.none() | words,
    source=st.builds(Source, uri=words, line=st.integers(1, 10**9), digest=words),
    author=st.none() | words,
    consent_key=st.none() | words,
    generator=st.none()
    | st.builds(
        Generator,
        model=words,
        prompt_digest=st.none() | words,
        parameters=st.dictionaries(words, json_values, max_size=2),
        seed=st.none() | st.integers(0, 2**31),
        licence=st.none() | words,
    ),
    parents=st.lists(words, max_size=2).map(tuple),
    editor=st.none() | words,
    tags=st.dictionaries(words, words, max_size=2),
    split=st.sampled_from([None, "train", "validation", "test"]),
    stage=st.none() | words,
    weight=st.sampled_from([1.0, 2.0]),
)

QUESTION = Message(role="user", content="hi")
ANSWER = Message(role="assistant", content="hello")
ROW = Example(
    messages=(QUESTION, ANSWER),
    origin="human",
    licence="CC0-1.0",
    source=Source(uri="a.jsonl", line=1),
)


@settings(max_examples=60, derandomize=True)
@given(examples)
def test_a_row_comes_back_from_its_plain_form(example: Example) -> None:
    assert Example.from_dict(example.to_dict()) == example


def test_id_is_of_the_canonical_content_alone() -> None:
    content = (
        b'{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"hello"}]}'
    )
    assert ROW.id == short_digest(content)
    elsewhere = replace(
        ROW, id="", source=Source(uri="b.jsonl", line=9), licence="MIT", tags={"a": "b"}, weight=2.0
    )
    assert elsewhere.id == ROW.id


@pytest.mark.parametrize(
    "changed",
    [
        {"messages": (QUESTION, replace(ANSWER, content="hullo"))},
        {"messages": (QUESTION, replace(ANSWER, weight=0.5))},
        {"messages": (QUESTION, replace(ANSWER, train=False))},
        {"tools": ({"name": "f"},)},
        {"chosen": (ANSWER,)},
        {"rejected": (ANSWER,)},
    ],
)
def test_id_moves_with_anything_that_teaches(changed: dict[str, object]) -> None:
    assert row_id(replace(ROW, **changed)) != ROW.id  # type: ignore[arg-type]


def test_id_keeps_the_order_of_arguments_a_model_is_taught() -> None:
    first = ToolCall(name="f", arguments={"a": 1, "b": 2})
    second = ToolCall(name="f", arguments={"b": 2, "a": 1})
    rows = [
        replace(ROW, id="", messages=(QUESTION, replace(ANSWER, tool_calls=(call,))))
        for call in (first, second)
    ]
    assert rows[0].id != rows[1].id


@pytest.mark.parametrize(
    ("message", "taught"),
    [
        (ANSWER, True),
        (QUESTION, False),
        (replace(QUESTION, train=True), False),
        (replace(ANSWER, train=False), False),
        (replace(ANSWER, weight=0.0), False),
    ],
)
def test_only_an_assistant_turn_that_is_not_excluded_is_taught(
    message: Message, taught: bool
) -> None:
    assert message.taught is taught


def test_a_conversation_comes_back_from_its_plain_form() -> None:
    conversation = Conversation(messages=(QUESTION,), tools=({"name": "f"},))
    assert Conversation.from_dict(conversation.to_dict()) == conversation
    assert ROW.conversation == Conversation(messages=(QUESTION, ANSWER))


def test_canonical_json_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical({"b": 1, "a": [1, None]}) == b'{"a":[1,null],"b":1}'


def test_file_digest_is_sha256_of_the_bytes(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert file_digest(path) == ("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")


def test_a_source_reads_as_uri_and_line() -> None:
    assert str(Source(uri="data/a.jsonl", line=3)) == "data/a.jsonl:3"
