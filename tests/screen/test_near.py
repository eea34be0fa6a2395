"""Near-duplicates: found where planted, verified, and never among short texts that differ."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.screen.items import Wanted
from tutelage.screen.minhash import ANCHORS, bands, candidates, sketch
from tutelage.screen.near import comparable, jaccard, near_groups, near_pairs, side
from tutelage.screen.ngrams import Grams, ngrams


def pairs(*texts: str, threshold: float = 0.7) -> list[tuple[int, int]]:
    found = near_pairs([side([comparable(text) for text in texts])], threshold)
    return list(zip(found.first.tolist(), found.second.tolist(), strict=True))


def sentence(generator: np.random.Generator, length: int) -> list[str]:
    return [f"w{index}" for index in generator.integers(0, 100_000, length)]


def test_every_planted_near_duplicate_is_found_and_nothing_else() -> None:
    generator = np.random.default_rng(5)
    texts: list[str] = []
    planted = set()
    for _ in range(200):
        original = sentence(generator, 40)
        copy = original.copy()
        copy[20] = "changed"  # 5 of 36 shingles: Jaccard 31 / 41
        planted.add((len(texts), len(texts) + 1))
        texts += [" ".join(original), " ".join(copy)]

    found = near_pairs([side(texts)], 0.7)

    assert set(zip(found.first.tolist(), found.second.tolist(), strict=True)) == planted
    assert np.allclose(found.jaccard, 31 / 41)


def test_a_pair_below_the_threshold_is_no_pair() -> None:
    left = "one two three four five six seven eight nine ten eleven"
    right = "one two three four five six seven eight nine ten twelve"  # 6 / 8

    assert pairs(left, right, threshold=0.75) == [(0, 1)]
    assert pairs(left, right, threshold=0.76) == []


@settings(max_examples=60, derandomize=True, deadline=None)
@given(texts=st.lists(st.text(min_size=1, max_size=14), max_size=12, unique_by=comparable))
def test_short_texts_that_differ_are_never_near_duplicates(texts: list[str]) -> None:
    short = [comparable(text) for text in texts if len(text.split()) < 5]

    assert [pair for pair in pairs(*short) if comparable(short[pair[0]]) != short[pair[1]]] == []


def test_short_texts_differ_by_their_signs() -> None:
    assert pairs("-5", "5", "C++", "C", "3 + 4", "3 - 4", "Say hello.", "Say goodbye.") == []
    assert pairs("Say hello.", "say  hello") == [(0, 1)]


def test_fixed_text_alone_makes_no_near_duplicates() -> None:
    instruction = "translate the following sentence into plain english and say nothing else"
    texts = [f"{instruction} item{index}" for index in range(8)]

    assert pairs(*texts) == []


def test_texts_alike_only_without_their_fixed_text_are_no_near_duplicates() -> None:
    weather = [f"what will the weather be in town{index}" for index in range(6)]
    time = [f"please tell me the time in town{index}" for index in range(6)]

    assert pairs(*weather, *time) == []


def test_each_side_must_be_alike_by_itself() -> None:
    request = "please tell me all about the history of the old town"
    answer = "the old town was built a long time ago by people"
    other = "nobody knows anything at all of that place any more today"

    found = near_pairs([side([request, request, request]), side([answer, other, answer])], 0.7)

    assert list(zip(found.first.tolist(), found.second.tolist(), strict=True)) == [(0, 2)]


@settings(max_examples=60, derandomize=True, deadline=None)
@given(texts=st.lists(st.text(alphabet="ab ", max_size=12), min_size=2, max_size=5))
def test_jaccard_is_that_of_the_sets(texts: list[str]) -> None:
    split = [text.split() for text in texts]
    sets = [{tuple(words[at : at + 2]) for at in range(len(words) - 1)} for words in split]
    grams = ngrams([" ".join(words) for words in split], 2).distinct()
    first, second = np.triu_indices(len(texts), k=1)

    expected = [
        len(sets[a] & sets[b]) / len(sets[a] | sets[b]) if sets[a] | sets[b] else 1.0
        for a, b in zip(first.tolist(), second.tolist(), strict=True)
    ]

    assert jaccard(grams, first, second).tolist() == expected


def test_a_crowded_bucket_pairs_its_first_texts_with_all() -> None:
    count = ANCHORS + 20
    grams = ngrams(["the very same text"] * count, 2)
    found = candidates(bands(sketch(grams)), np.arange(count))

    assert set(map(tuple, found.tolist())) == {
        (first, second) for first in range(ANCHORS) for second in range(first + 1, count)
    }


def test_a_sketch_of_a_union_is_the_least_of_two() -> None:
    left, right = ngrams(["a b c d"], 2), ngrams(["c d e f"], 2)
    both = Grams(
        hashes=np.concatenate([left.hashes, right.hashes]),
        text=np.concatenate([left.text, right.text]),
        first=np.concatenate([left.first, right.first]),
        texts=1,
    )

    assert (sketch(both) == np.minimum(sketch(left), sketch(right))).all()
    assert (sketch(left, salt=1) != sketch(left)).any()


def test_groups_of_sides_are_told_apart() -> None:
    request = "please tell me all about the history of the old town"
    answer = "the old town was built a long time ago by people"
    other = "nobody knows anything at all of that place any more today"
    sides = [side([request, request, other]), side([answer, other, answer])]

    found = near_groups(sides, ((0, 1), (0,), (1,)), 0.7)

    assert [list(zip(one.first.tolist(), one.second.tolist(), strict=True)) for one in found] == [
        [],
        [(0, 1)],
        [(0, 2)],
    ]


def test_a_twin_of_a_text_is_a_pair_with_all_that_text_is_like() -> None:
    text = "one two three four five six seven eight nine ten eleven"

    assert pairs(text, f"{text} twelve", f"{text} twelve", text) == [
        (0, 1),
        (0, 2),
        (1, 2),
        (0, 3),
    ]


def test_rows_like_an_item_are_found_however_many_they_are() -> None:
    item = "could you book a table for two at the harbour"
    rows = [*[f"row number {index} says another thing altogether" for index in range(99)], item]
    near = [*rows, f"{item} please", "book a table"]

    wanted = Wanted.of(["quite another item of the suite", item], near)
    found = wanted.near(near)

    assert [(row, at, round(share, 2)) for row, at, share in found] == [(99, 1, 1), (100, 1, 0.86)]


def test_no_texts_give_no_pairs() -> None:
    assert pairs() == []
    assert pairs("") == []
