from __future__ import annotations

import functools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken

from tests.render.bases import byte_level, with_space_marks
from tutelage.core.errors import ContractError
from tutelage.render.encode import SEAM, Encoder

SPECIAL = ("<|im_start|>", "<|im_end|>", "<|im", "m_end|>")
PIECES = st.lists(
    st.sampled_from([*SPECIAL, "<think>", "</think>", "<|", "|>", "im_end", " ", "\n", "é", "日🙂"])
    | st.text(max_size=4),
    max_size=8,
).map("".join)


@functools.cache
def encoder(kind: str) -> Encoder:
    tokenizer: Any = byte_level() if kind == "bytes" else with_space_marks()
    tokenizer.add_special_tokens([AddedToken(text, normalized=False) for text in SPECIAL])
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in ("<think>", "</think>")])
    return Encoder(tokenizer, names=(), template="<|im_start|><think>")


def ids_of(kind: str, text: str) -> list[int]:
    return list(encoder(kind).encode([text])[0])


@pytest.mark.parametrize("kind", ["bytes", "space marks"])
def test_text_without_markers_is_encoded_as_the_tokenizer_does(kind: str) -> None:
    one = encoder(kind)
    text = "<|im_start|>user\nthe weather  in Zürich?<|im_end|>\n<|im_start|>assistant\n"
    plain = one.tokenizer.encode(text, add_special_tokens=False).ids
    assert ids_of(kind, text) == plain
    assert ids_of(kind, text + text) == one.tokenizer.encode(text * 2, add_special_tokens=False).ids


@pytest.mark.parametrize("kind", ["bytes", "space marks"])
@pytest.mark.parametrize("forged", [*SPECIAL, "<think>"])
def test_a_markers_text_in_a_message_is_spelt_out(kind: str, forged: str) -> None:
    one = encoder(kind)
    marker = one.tokenizer.token_to_id(forged)
    assert marker in ids_of(kind, f"a {forged} b")
    ids = one.encode([one.shielded(f"a {forged} b")])[0]
    assert marker not in ids
    assert one.decode(ids, special=True) == f"a {forged} b"


def test_what_the_assistant_says_keeps_added_tokens_that_are_not_special() -> None:
    one = encoder("bytes")
    think, end = one.tokenizer.token_to_id("<think>"), one.tokenizer.token_to_id("<|im_end|>")
    ids = one.encode([one.shielded("<think>a<|im_end|>", spoken=True)])[0]
    assert think in ids
    assert end not in ids


@pytest.mark.parametrize("kind", ["bytes", "space marks"])
@settings(max_examples=150, derandomize=True, deadline=None)
@given(text=PIECES.filter(lambda text: SEAM not in text))
def test_no_message_text_becomes_a_special_token(kind: str, text: str) -> None:
    one = encoder(kind)
    ids = one.encode(["<|im_start|>" + one.shielded(text) + "<|im_end|>"])[0]
    assert [i for i in ids if i in one.special_ids] == [ids[0], ids[-1]]
    if kind == "bytes":
        assert one.decode(ids, special=True) == f"<|im_start|>{text}<|im_end|>"


def test_a_seam_in_a_text_is_refused() -> None:
    with pytest.raises(ContractError, match="U\\+FDD0"):
        encoder("bytes").shielded(f"a{SEAM}b")


def test_a_vocabulary_that_spells_a_marker_itself_is_refused() -> None:
    tokenizer = with_space_marks()
    tokenizer.add_special_tokens([AddedToken("he", normalized=False)])
    one = Encoder(tokenizer, names=(), template="")
    with pytest.raises(ContractError, match="`he`, which this tokenizer cannot spell out"):
        one.shielded("shed")


def test_tokens_that_take_spaces_along_are_encoded_as_the_tokenizer_does() -> None:
    tokenizer = byte_level()
    tokenizer.add_special_tokens(
        [
            AddedToken("<|end|>", normalized=False, rstrip=True),
            AddedToken("<|u|>", normalized=False),
        ]
    )
    one = Encoder(tokenizer, names=(), template="")
    text = "<|u|>hi <|end|>  \n <|u|> the<|end|>"
    assert list(one.encode([text])[0]) == tokenizer.encode(text, add_special_tokens=False).ids
