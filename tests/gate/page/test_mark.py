from __future__ import annotations

from collections.abc import Sequence

from tests.score.fakes import row
from tutelage.core.row import Example
from tutelage.core.sample import Sample
from tutelage.gate.page.mark import LONGEST, Piece, compared, failures, shortened
from tutelage.score.measure import Measure

RIGHT = Measure(metric="right", says="")
WORSE = Measure(metric="odd", says="", better="lower")


def sample(task: str, system: str, answer: str, **scores: float) -> Sample:
    return Sample(
        task=task,
        cluster=task,
        system=system,
        seed=0,
        prompt_digest="",
        answer=answer,
        scores=scores,
    )


def found(rows: Sequence[Example], tuned: list[Sample], keys: Sequence[str] = ()) -> list[str]:
    result = failures(rows, {"tuned": tuned}, [RIGHT, WORSE], "right", keys)
    return [one.task for one in result.worst]


def test_words_that_the_other_side_lacks_are_marked() -> None:
    pieces = compared('{"city": "Oslo Nord"}', '{"city": "Rome"}')
    assert pieces == (
        Piece(text='{"city": "', differs=False),
        Piece(text="Oslo Nord", differs=True),
        Piece(text='"}', differs=False),
    )
    assert "".join(piece.text for piece in pieces) == '{"city": "Oslo Nord"}'


def test_texts_with_nothing_in_common_are_marked_whole() -> None:
    assert compared("I am not sure", '{"a": 1}') == (Piece(text="I am not sure", differs=True),)
    assert compared("", "a") == ()


def test_equal_texts_have_no_mark() -> None:
    assert compared("a b", "a b") == (Piece(text="a b", differs=False),)


def test_the_furthest_off_come_first_and_right_ones_not_at_all() -> None:
    rows = [row(name, "x") for name in "abc"]
    tuned = [
        sample(rows[0].id, "tuned", "y", right=0.0, odd=0.0),
        sample(rows[1].id, "tuned", "x", right=1.0, odd=0.0),
        sample(rows[2].id, "tuned", "z", right=0.0, odd=1.0),
    ]
    assert found(rows, tuned) == [rows[2].id, rows[0].id]


def test_at_most_three_failures_of_a_kind_are_shown() -> None:
    rows = [row(str(n), "x", kind="a" if n < 8 else "b") for n in range(10)]
    tuned = [sample(one.id, "tuned", "y", right=0.0) for one in rows]
    shown = found(rows, tuned, ["length", "kind"])
    assert len(shown) == 5
    assert {rows[8].id, rows[9].id} <= set(shown)


def test_a_failure_names_its_errors_and_shows_every_system() -> None:
    one = row("say x", "x", kind="a")
    samples = {
        "zero_shot": [sample(one.id, "zero_shot", "", right=0.0)],
        "few_shot": [sample(one.id, "few_shot", "x", right=1.0)],
        "tuned": [sample(one.id, "tuned", "y", right=0.0, odd=1.0, finished=0.0)],
    }
    result = failures([one], samples, [RIGHT, WORSE], "right", ["kind"])
    (failure,) = result.worst
    assert failure.errors == ("odd", "cut off")
    assert failure.tags == ("a",)
    assert [answer.system for answer in failure.answers] == ["tuned", "few_shot", "zero_shot"]
    assert [answer.right for answer in failure.answers] == [False, True, False]
    assert (result.count, result.tasks) == (1, 1)


def test_a_long_text_is_shortened_and_says_by_how_much() -> None:
    assert shortened("x" * (LONGEST + 5)).endswith("… 5 more characters")
    assert shortened("x" * LONGEST) == "x" * LONGEST


def test_where_less_is_better_the_ones_that_have_it_fail() -> None:
    rows = [row(name, "x") for name in "ab"]
    tuned = [sample(rows[0].id, "tuned", "x", odd=0.0), sample(rows[1].id, "tuned", "y", odd=1.0)]
    result = failures(rows, {"tuned": tuned}, [WORSE], "odd", ())
    assert [one.task for one in result.worst] == [rows[1].id]
    assert (result.count, result.worst[0].answers[0].right) == (1, False)
