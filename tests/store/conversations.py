"""Conversations drawn at random: all that a row can say, and what flat rows can say."""

from __future__ import annotations

from hypothesis import strategies as st

from tutelage.core.conversation import Message, ToolCall
from tutelage.core.row import Example, Generator, Source

WORDS = st.text(min_size=1, max_size=12).filter(lambda text: any(map(str.isalnum, text)))
NAMES = st.text(alphabet="abcxyz_", min_size=1, max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 2**70) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
CALLS = st.builds(
    ToolCall, name=NAMES, arguments=st.dictionaries(NAMES, VALUES, max_size=3), id=NAMES | st.none()
)
ANSWERS = st.builds(
    Message,
    role=st.just("assistant"),
    content=WORDS,
    reasoning=st.none() | WORDS,
    tool_calls=st.lists(CALLS, max_size=2).map(tuple),
    train=st.none() | st.booleans(),
    weight=st.sampled_from([0.0, 0.5, 1.0]),
)
TURNS = st.builds(Message, role=st.just("user"), content=WORDS, name=st.none() | NAMES)
RESULTS = st.builds(
    Message,
    role=st.just("tool"),
    content=WORDS,
    tool_call_id=st.none() | NAMES,
    name=st.none() | NAMES,
)
SYSTEMS = st.lists(st.builds(Message, role=st.just("system"), content=WORDS), max_size=1)
EXCHANGES = st.tuples(TURNS, ANSWERS) | st.tuples(TURNS, ANSWERS, RESULTS, ANSWERS)
TOOLS = st.lists(NAMES.map(lambda name: {"name": name, "parameters": {}}), max_size=2).map(tuple)


def joined(parts: list[tuple[Message, ...]]) -> tuple[Message, ...]:
    """The messages of all parts, in order."""
    return tuple(message for part in parts for message in part)


EXAMPLES = st.builds(
    Example,
    messages=st.tuples(
        SYSTEMS.map(tuple), st.lists(EXCHANGES, min_size=1, max_size=2).map(joined)
    ).map(lambda parts: parts[0] + parts[1]),
    tools=TOOLS,
    origin=st.sampled_from(["human", "human_edited", "synthetic", "log"]),
    licence=NAMES,
    licence_basis=st.none() | NAMES,
    source=st.just(Source(uri="elsewhere.jsonl", line=7, digest="d")),
    author=st.none() | NAMES,
    consent_key=st.none() | NAMES,
    generator=st.none()
    | st.builds(
        Generator,
        model=NAMES,
        prompt_digest=st.none() | NAMES,
        parameters=st.dictionaries(NAMES, VALUES, max_size=2),
        seed=st.none() | st.integers(0, 2**31),
        licence=st.none() | NAMES,
    ),
    editor=st.none() | NAMES,
    parents=st.lists(NAMES, max_size=2).map(tuple),
    tags=st.dictionaries(NAMES, WORDS, max_size=2),
    weight=st.sampled_from([1.0, 2.5]),
)


def _plain(role: str) -> st.SearchStrategy[Message]:
    return st.builds(Message, role=st.just(role), content=WORDS)


PLAIN = st.tuples(  # texts alone: what every trainer's rows can hold
    SYSTEMS,
    st.lists(st.tuples(_plain("user"), _plain("assistant")), min_size=1, max_size=3),
).map(lambda parts: (*parts[0], *joined(parts[1])))
WHOLE = EXAMPLES.map(lambda example: example.messages)
