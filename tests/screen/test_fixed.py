"""Fixed text is what many unlike texts share; what copies of one text share is not."""

import random

import pytest

from tutelage.screen.fixed import fixed_in_items, fixed_text, sample
from tutelage.screen.items import Wanted
from tutelage.screen.near import near_pairs, side
from tutelage.screen.ngrams import ngrams, without

TOLD = "please do as i say now and then end it well"


def words(count: int, seed: int) -> str:
    return " ".join(f"w{random.Random(seed * 1000 + at).randrange(10**9)}" for at in range(count))


def bare(texts: list[str], of: str) -> str:
    (left,) = without([of], ngrams([of], 5), fixed_text(ngrams(texts, 5), 5), 5)
    return left


def test_an_instruction_before_unlike_requests_is_fixed_text() -> None:
    texts = [f"{TOLD} {words(4, index)}" for index in range(5)]
    others = [words(14, 100 + index) for index in range(50)]

    assert bare([*texts, *others], texts[0]) == words(4, 0)


@pytest.mark.parametrize("copies", [5, 8, 20, 100])
def test_what_copies_of_one_text_share_is_not_fixed_text(copies: int) -> None:
    text = words(40, 1)
    texts = [f"{text} end{index}" for index in range(copies)]
    others = [words(40, 100 + index) for index in range(400)]

    assert bare([*texts, *others], texts[0]) == texts[0]
    found = near_pairs([side([*texts, *others])], 0.7)
    assert {*found.first.tolist(), *found.second.tolist()} == set(range(copies))


def test_what_a_quarter_of_all_texts_has_is_fixed_text_however_little_else_they_say() -> None:
    long = words(60, 1)
    texts = [f"{long} end{index}" for index in range(25)]

    assert bare([*texts, *(words(9, 9 + index) for index in range(75))], texts[0]) == "end0"
    assert bare([*texts, *(words(9, 9 + index) for index in range(76))], texts[0]) == texts[0]


@pytest.mark.parametrize(("copies", "others"), [(25, 35), (26, 74), (300, 100)])
@pytest.mark.parametrize("exchanged", [1, 2])
def test_what_a_crowd_of_edited_copies_shares_is_no_fixed_text(
    copies: int, others: int, exchanged: int
) -> None:
    drawn = random.Random(5)
    texts = []
    for index in range(copies):
        copy = words(80, 1).split()
        for place in drawn.sample(range(80), exchanged):
            copy[place] = f"x{index}"
        texts.append(" ".join(copy))
    texts += [words(30, 100 + index) for index in range(others)]

    assert len(fixed_text(ngrams(texts, 5), 5, edited=True)) == 0


@pytest.mark.parametrize("before", [(0,), (80,), (40,), (0, 80), (16, 32, 48, 64)])
@pytest.mark.parametrize("count", [25, 400])
def test_an_instruction_is_fixed_text_wherever_the_word_stands_that_is_asked(
    before: tuple[int, ...], count: int
) -> None:
    texts = []
    for index in range(count):
        own = words(80, 1).split()
        own.insert(before[index % len(before)], f"x{index}")
        texts.append(" ".join(own))
    texts += [words(30, 1000 + index) for index in range(2 * count)]
    grams = ngrams(texts, 5)

    found = fixed_text(grams, 5, edited=True)

    assert len(found) > 0
    assert found.tolist() == fixed_text(grams, 5).tolist()


def test_what_many_of_those_looked_at_have_is_fixed_text_too() -> None:
    long = words(60, 1)
    others = [words(9, 9 + index) for index in range(900)]

    assert bare([*(f"{long} end{index}" for index in range(250)), *others], f"{long} x") == "x"
    some = [f"{long} end{index}" for index in range(249)]
    assert bare([*some, *others], some[0]) == some[0]


def test_what_one_item_has_is_no_fixed_text_though_many_rows_hold_it() -> None:
    item = words(20, 1)
    rows = [f"{words(9, 9 + index)} {item} {words(9, 900 + index)}" for index in range(40)]
    rows += [words(20, 2000 + index) for index in range(200)]
    items = [item, words(20, 2)]

    assert len(fixed_in_items(ngrams(items, 5), ngrams(rows, 5), 5)) == 0
    shared = [f"{TOLD} {words(6, 3)}", f"{TOLD} {words(6, 4)}"]
    assert len(fixed_in_items(ngrams(shared, 5), ngrams(rows, 5), 5)) == len(TOLD.split()) - 4


def test_rows_near_an_item_are_found_however_many_there_are() -> None:
    item = words(30, 1)
    rows = [f"{item} end{index}" for index in range(60)]
    rows += [words(30, 2000 + index) for index in range(190)]

    assert [row for row, _, _ in Wanted.of([item], rows).near(rows)] == list(range(60))


def test_a_sample_is_the_same_texts_in_any_order() -> None:
    names = [f"row {index}" for index in range(500)] + ["twice"] * 500
    turned = names[::-1]

    chosen = [names[index] for index in sample(names, 100)]

    assert sorted(chosen) == sorted(turned[index] for index in sample(turned, 100))
    assert 25 < chosen.count("twice") < 75
    assert sample(names[:5], 5) == [0, 1, 2, 3, 4]
