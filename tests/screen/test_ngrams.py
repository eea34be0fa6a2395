"""Hashed runs of words agree with counting them the slow way."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.screen import ngrams as room
from tutelage.screen.ngrams import (
    batches,
    fixed,
    folded,
    ngrams,
    ngrams_of,
    without,
    words,
    words_of,
)

TEXTS = st.lists(st.lists(st.sampled_from(["a", "b", "é", "好"]), max_size=9), max_size=6)


def fixed_spans(texts: list[str]) -> int:
    return len(fixed(ngrams(texts, 5)))


def slow(texts: list[list[str]], n: int, whole_short: bool) -> list[tuple[int, int, str]]:
    found = []
    for index, text in enumerate(texts):
        if whole_short and 0 < len(text) < n:
            found.append((index, 0, " ".join(text)))
        found += [
            (index, place, " ".join(text[place : place + n])) for place in range(len(text) - n + 1)
        ]
    return found


@settings(max_examples=80, derandomize=True, deadline=None)
@given(texts=TEXTS, n=st.integers(1, 5), whole_short=st.booleans())
def test_runs_and_their_places_are_those_of_the_words(
    texts: list[list[str]], n: int, whole_short: bool
) -> None:
    grams = ngrams([" ".join(text) for text in texts], n, whole_short=whole_short)

    expected = slow(texts, n, whole_short)
    assert list(zip(grams.text.tolist(), grams.first.tolist(), strict=True)) == [
        (text, first) for text, first, _ in expected
    ]
    runs = [run for _, _, run in expected]
    hashes = grams.hashes.tolist()
    assert len(set(hashes)) == len(set(runs))
    assert len(set(zip(hashes, runs, strict=True))) == len(set(runs))


def test_texts_longer_than_a_chunk_are_hashed_alike() -> None:
    long = " ".join(f"w{index}" for index in range(room.CHUNK_BYTES // 4))
    grams = ngrams(["one two three", long, "one two three"], 3)

    assert grams.hashes[0] == grams.hashes[-1]
    assert grams.text[-1] == 2
    assert len(grams.hashes) == room.CHUNK_BYTES // 4


def test_distinct_keeps_each_hash_once_a_text() -> None:
    grams = ngrams(["a b a b a b", "a b"], 2).distinct()

    assert grams.text.tolist() == [0, 0, 1]
    assert ngrams([], 2).distinct().hashes.tolist() == []


def test_words_drop_case_and_punctuation_but_not_every_sign() -> None:
    assert words("Hello,  WORLD_wide!") == "hello world wide"
    assert words("日本語 test") == "日 本 語 test"
    assert words("🙂") != words("🙁")
    assert words(" ") == ""


@pytest.mark.parametrize("sign", ["\u00ad", "\u200b", "\u200d", "\ufeff", "\u202e", "\ufe0f", "\0"])
def test_what_is_not_seen_parts_no_words(sign: str) -> None:
    hidden = f"Ti{sign}cket {sign} num{sign}ber\u00e9"
    assert words(hidden) == words_of([hidden])[0] == "ticket number\u00e9"
    assert folded(hidden) == "ticket number\u00e9"
    plain = f"Ti{sign}cket num{sign}ber"
    assert words(plain) == words_of([plain])[0] == folded(plain) == "ticket number"
    assert words(sign) == words_of([sign])[0] == ""


def test_folded_drops_case_and_blanks_alone() -> None:
    assert folded(" Add  Ｘ\n+ 1. ") == "add x + 1."


def test_a_span_many_texts_share_is_fixed_text() -> None:
    texts = [f"please do as i say now item{index} ends here" for index in range(6)]
    grams = ngrams([*texts, "quite other words stand in this one"], 5)

    spans = fixed(grams)

    assert without(texts[:1], ngrams(texts[:1], 5), spans, 5) == ["item0 ends here"]


def test_a_span_few_texts_share_is_not_fixed_text() -> None:
    grams = ngrams(["the same five words again"] * 4, 5)

    assert fixed(grams).tolist() == []


def test_one_percent_of_many_texts_is_needed() -> None:
    texts = [f"a{index} b{index} c{index} d{index} e{index}" for index in range(1000)]
    shared = "the same five words again"

    assert fixed_spans([*texts[:991], *[shared] * 9]) == 0
    assert fixed_spans([*texts[:990], *[shared] * 10]) == 1


def test_numbers_are_left_once_and_sorted() -> None:
    assert room.once(np.array([3, 1, 3, 2, 1])).tolist() == [1, 2, 3]
    assert room.once(np.zeros(0, dtype=np.int64)).tolist() == []


def test_mixing_is_one_to_one_on_small_numbers() -> None:
    values = room.mix(np.arange(1000, dtype=np.uint64))

    assert len(np.unique(values)) == 1000


SIGNS = st.lists(st.text(alphabet="aB 1\n\t.,_-é日🙂\x1c\x0bＸßİΣ", max_size=14), max_size=40)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(texts=SIGNS)
def test_words_of_many_texts_are_those_of_each(texts: list[str]) -> None:
    assert words_of(texts) == [words(text) for text in texts]
    assert room.folded_of(texts) == [folded(text) for text in texts]


@settings(max_examples=200, derandomize=True, deadline=None)
@given(texts=SIGNS)
def test_runs_of_texts_as_they_are_are_those_of_their_words(texts: list[str]) -> None:
    own, worded = ngrams_of(texts, 2), ngrams(words_of(texts), 2)

    assert own.hashes.tolist() == worded.hashes.tolist()
    assert own.text.tolist() == worded.text.tolist()
    assert own.first.tolist() == worded.first.tolist()


@settings(max_examples=100, derandomize=True, deadline=None)
@given(text=st.text(alphabet="aB 1\n\t.,é\x1c\x0bＸßİΣ", max_size=14))
def test_folding_is_the_same_for_every_script(text: str) -> None:
    plain = unicodedata.normalize("NFKC", text).casefold()

    assert folded(text) == " ".join(plain.split())


def test_batches_take_a_text_more_where_one_is_cut() -> None:
    sizes = np.array([3, 3, 3, 9, 1])

    assert list(batches(sizes, 5)) == [(0, 2), (2, 4), (4, 5)]
    assert list(batches(sizes[:0], 5)) == []


def test_signs_that_combine_are_a_part_of_their_word() -> None:
    assert words("अच्छी, लड़की") == "अच्छी लड़की"
    assert words("x̂ _ x̄") == "x̂ x̄"
    assert words("a _ \u00e9") == "a \u00e9"
