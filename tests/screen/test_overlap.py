"""The share of an evaluation item that stands in a row."""

import numpy as np

from tutelage.screen.ngrams import ngrams
from tutelage.screen.overlap import Items, overlaps

ITEM = "one two three four five six"


def found(rows: list[str], items: list[str], owner: list[int]) -> list[tuple[int, int, float]]:
    held = overlaps(ngrams(rows, 3), Items.of(ngrams(items, 3)), np.array(owner, dtype=np.int64))
    return list(zip(held.row.tolist(), held.item.tolist(), held.coverage.tolist(), strict=True))


def test_a_leak_counts_the_same_however_much_is_wrapped_around_it() -> None:
    wrapped = f"{'before ' * 50}{ITEM}{' after' * 50}"

    assert found([ITEM, wrapped], [ITEM], [0, 1]) == [(0, 0, 1.0), (1, 0, 1.0)]


def test_a_part_counts_by_its_share_of_the_item() -> None:
    assert found(["x two three four y"], [ITEM], [0]) == [(0, 0, 0.25)]


def test_a_span_repeated_in_a_row_counts_once() -> None:
    assert found(["one two three x one two three"], [ITEM], [0]) == [(0, 0, 0.25)]


def test_the_texts_of_one_row_count_together_but_no_span_crosses_them() -> None:
    texts = ["one two three", "four five six", "three four", "five"]

    assert found(texts, [ITEM], [0, 0, 1, 1]) == [(0, 0, 0.5)]


def test_items_that_share_a_span_are_both_found() -> None:
    assert found(["a b c"], ["a b c", "x y z", "a b c d"], [0]) == [(0, 0, 1.0), (0, 2, 0.5)]


def test_nothing_in_common_is_nothing() -> None:
    assert found(["a b c"], ["x y z"], [0]) == []
    assert found([], ["x y z"], []) == []
    assert found(["a b c"], [], [0]) == []
