from __future__ import annotations

import math

import numpy as np
import pytest

from tutelage.core.conversation import Message
from tutelage.core.errors import MissingCapability
from tutelage.engine.fake import FakeEngine
from tutelage.engine.protocol import Decoding, Engine, Prompt
from tutelage.render.pack import PackedRow


def asked(words: str) -> Prompt:
    return Prompt(ids=(1, 2), messages=(Message(role="user", content=words),))


def row() -> PackedRow:
    three = np.arange(3, dtype=np.int32)
    return PackedRow(
        tokens=three,
        position=three,
        end=np.full(3, 3, dtype=np.int32),
        source=three[:2],
        target=three[1:],
        weight=np.ones(2, dtype=np.float32),
        lesson=np.zeros(2, dtype=np.int32),
    )


def test_a_table_answers_the_last_users_words() -> None:
    engine: Engine = FakeEngine({"one": "1", "two": "2"})
    answers = list(engine.generate([asked("two"), asked("one")], Decoding()))
    assert [answer.text for answer in answers] == ["2", "1"]
    assert [answer.stop for answer in answers] == ["stop", "stop"]


def test_an_answer_longer_than_allowed_is_cut_and_says_so() -> None:
    (answer,) = FakeEngine(lambda prompt: "abcdef").generate(
        [asked("x")], Decoding(max_new_tokens=4)
    )
    assert (answer.text, answer.stop, len(answer.ids)) == ("abcd", "length", 4)
    assert len(answer.logprobs) == 4


def test_the_stream_is_the_answer_piece_by_piece() -> None:
    engine = FakeEngine(lambda prompt: "né")
    chunks = list(engine.stream(asked("x"), Decoding()))
    assert "".join(chunk.text for chunk in chunks) == "né"
    assert [chunk.stop for chunk in chunks] == [None, None, "stop"]


def test_every_target_is_as_likely_as_any_byte() -> None:
    scores = FakeEngine({}).score(row())
    assert scores.dtype == np.float32
    assert scores.tolist() == pytest.approx([-math.log(256)] * 2)


def test_an_engine_without_logprobs_refuses_to_score() -> None:
    with pytest.raises(MissingCapability, match="logprobs"):
        FakeEngine({}, capabilities=frozenset({"ids"})).score(row())


def test_a_closed_engine_answers_no_more_and_keeps_what_it_saw() -> None:
    engine = FakeEngine({"one": "1"})
    list(engine.generate([asked("one")], Decoding()))
    engine.close()
    with pytest.raises(MissingCapability, match="closed"):
        list(engine.generate([asked("one")], Decoding()))
    assert len(engine.seen) == 1
