from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import pytest

from tests.render.bases import assistant, contract_of, embedded, example, system, user
from tutelage.core.conversation import Conversation, Message
from tutelage.core.errors import ContractError
from tutelage.core.ledger import Decision, Reason
from tutelage.core.recipe import Teach
from tutelage.core.row import Example
from tutelage.render.contract import Contract
from tutelage.render.fit import fit, teach
from tutelage.render.lesson import Lesson
from tutelage.render.renderer import TEACH

SHORT = Lesson(prompt=(1, 2), completion=(3,), row="short", turn=1)
LONG = Lesson(prompt=(1, 2, 3, 4), completion=(5,), row="long", turn=3)
TALK = (
    system("Be brief."),
    user("old " * 30),
    assistant("older", train=False),
    user("new"),
    assistant("Yes."),
)


def never(lesson: Lesson) -> None:
    raise AssertionError(f"{lesson} is not to be cut")


def test_a_long_lesson_is_left_out_and_entered() -> None:
    fitted = fit([SHORT, LONG], "reject", 4, never)
    assert fitted.lessons == (SHORT,)
    assert [(e.row, e.decision, e.reason, e.detail) for e in fitted.entries] == [
        ("long", Decision.DROP, Reason.TOO_LONG, "message 3: 5 tokens, context 4"),
        ("short", Decision.KEEP, Reason.CLEAN, ""),
    ]


def test_a_lesson_of_just_the_context_is_kept() -> None:
    assert fit([LONG], "reject", 5, never).lessons == (LONG,)


def test_fail_names_every_long_lesson() -> None:
    with pytest.raises(ContractError) as raised:
        fit([LONG, SHORT], "fail", 2, never)
    assert [row.where for row in raised.value.rows] == ["long message 3", "short message 1"]


def test_a_lesson_that_cannot_be_cut_is_left_out() -> None:
    fitted = fit([LONG], "truncate", 4, lambda lesson: None)
    assert fitted.lessons == ()
    assert fitted.entries[0].reason == Reason.TOO_LONG


def test_truncation_leaves_out_the_oldest_exchange_and_keeps_system_and_answer() -> None:
    whole = contract_of(embedded())
    contract = contract_of(embedded(), fit="truncate", context_tokens=40)
    fitted = teach(contract, [example(*TALK)])
    (lesson,) = fitted.lessons
    kept = Conversation(messages=(TALK[0], TALK[3]))
    assert lesson.prompt == contract.prompt_ids(kept), "still a prompt the server could send"
    assert lesson.completion == whole.lessons(example(*TALK))[0].completion
    assert (lesson.row, lesson.turn) == (example(*TALK).id, 4)
    (entry,) = fitted.entries
    assert (entry.decision, entry.reason) == (Decision.TRUNCATE, Reason.TRUNCATED)


def test_of_many_exchanges_the_fewest_are_left_out_in_few_tries() -> None:
    contract = contract_of(embedded(), fit="truncate", context_tokens=100)
    talk = [said for n in range(64) for said in (user(f"is it {n}"), assistant("no", train=False))]
    row = example(*talk, user("and now"), assistant("Yes."))
    rendered: list[int] = []

    class Counted(Contract):
        def lessons(self, example: Example, teach: Teach = TEACH) -> tuple[Lesson, ...]:
            rendered.append(len(example.messages))
            return super().lessons(example, teach)

    counted = Counted(**{one.name: getattr(contract, one.name) for one in fields(Contract)})
    (lesson,) = teach(counted, [row]).lessons
    assert len(lesson) <= 100
    assert len(rendered) <= 8
    kept = next(at for at in range(64) if lesson.prompt == asked(contract, talk[2 * at :]))
    assert len(asked(contract, talk[2 * kept - 2 :])) + len(lesson.completion) > 100


def asked(contract: Contract, talk: Sequence[Message]) -> tuple[int, ...]:
    return contract.prompt_ids(Conversation(messages=(*talk, user("and now"))))


def test_a_single_long_message_loses_its_beginning() -> None:
    contract = contract_of(embedded(), fit="truncate", context_tokens=40)
    row = example(user("first " + "word " * 60 + "last"), assistant("Yes."))
    (lesson,) = teach(contract, [row]).lessons
    text = contract.decode(lesson.prompt)
    assert "last\n" in text
    assert "first" not in text
    assert 36 <= len(lesson) <= 40
    assert contract.decode(lesson.completion) == "Yes."
    assert lesson.completion[-1] == contract.stop_ids[0]


def test_the_end_of_a_message_is_cut_where_the_contract_says_so() -> None:
    contract = contract_of(embedded(), fit="truncate", truncate="end", context_tokens=40)
    row = example(user("first " + "word " * 60 + "last"), assistant("Yes."))
    (lesson,) = teach(contract, [row]).lessons
    text = contract.decode(lesson.prompt)
    assert "first word" in text
    assert "last" not in text
    assert contract.decode(lesson.completion) == "Yes."


def test_an_answer_longer_than_the_context_is_never_cut() -> None:
    contract = contract_of(embedded(), fit="truncate", context_tokens=40)
    fitted = teach(contract, [example(user("Hi"), assistant("word " * 60))])
    assert fitted.lessons == ()
    assert fitted.entries[0].reason == Reason.TOO_LONG


def test_every_row_stands_in_the_ledger() -> None:
    contract = contract_of(embedded(), context_tokens=40)
    rows = [
        example(user("a"), assistant("b")),
        example(user("a"), assistant("c", train=False)),
        example(user("long " * 40), assistant("d")),
        example(user("a"), assistant("e", reasoning="lost")),
    ]
    fitted = teach(contract, rows)
    assert [lesson.row for lesson in fitted.lessons] == [rows[0].id]
    assert {entry.row: entry.reason for entry in fitted.entries} == {
        rows[0].id: Reason.CLEAN,
        rows[1].id: Reason.NOTHING_TAUGHT,
        rows[2].id: Reason.TOO_LONG,
        rows[3].id: Reason.TEMPLATE_FAILED,
    }
    assert {entry.stage for entry in fitted.entries} == {"train"}
