from __future__ import annotations

from pathlib import Path

import pytest

from tutelage.core.conversation import Message
from tutelage.core.errors import StoreError
from tutelage.core.row import Example, Source
from tutelage.store.store import Store
from tutelage.store.uses import Uses, asked_by


def ledger(folder: Path) -> Uses:
    return Uses.of(Store.beside(folder))


def note(uses: Uses, adapter: str, digest: str = "f1", contract: str = "c") -> None:
    uses.note({"calls": digest}, adapter=adapter, contract=contract, recipe="intents")


def test_every_model_measured_on_a_file_is_counted_once(tmp_path: Path) -> None:
    uses = ledger(tmp_path)
    assert uses.read() == []
    for adapter in ("a", "b", "a", "b"):
        note(uses, adapter)
    note(uses, "b", contract="other prompts")
    assert [(one.adapter, one.suite, one.recipe) for one in uses.read()] == [
        ("a", "calls", "intents"),
        ("b", "calls", "intents"),
        ("b", "calls", "intents"),
    ]
    counts = [uses.count("f1", adapter=name, contract="c") for name in ("a", "b", "never")]
    assert counts == [1, 2, None]


def test_a_later_model_does_not_change_an_earlier_count(tmp_path: Path) -> None:
    uses = ledger(tmp_path)
    note(uses, "a")
    before = uses.path.read_bytes()
    note(uses, "b")
    assert uses.path.read_bytes().startswith(before)
    assert uses.count("f1", adapter="a", contract="c") == 1


def test_a_copy_of_a_file_is_the_same_test_and_a_new_one_is_not(tmp_path: Path) -> None:
    uses = ledger(tmp_path)
    note(uses, "a")
    uses.note({"calls": "f2", "copy": "f1"}, adapter="b", contract="c", recipe="x")
    assert uses.count("f1", adapter="b", contract="c") == 2
    assert uses.count("f2", adapter="b", contract="c") == 1


def test_a_line_that_was_not_finished_was_never_written(tmp_path: Path) -> None:
    uses = ledger(tmp_path)
    note(uses, "a")
    whole = uses.path.read_bytes()
    uses.path.write_bytes(whole + b'{"schema":1,"sui')
    assert len(uses.read()) == 1
    note(uses, "b")
    assert [one.adapter for one in uses.read()] == ["a", "b"]
    assert uses.path.read_bytes().startswith(whole)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"nonsense\n", "cannot be read"),
        (b'{"schema":9,"suite":"s","digest":"d","adapter":"a","contract":"c",'
         b'"recipe":"r","at":"t"}\n', "newer tutelage"),
    ],
)  # fmt: skip
def test_a_line_that_is_none_is_told_by_its_number(tmp_path: Path, line: bytes, words: str) -> None:
    uses = ledger(tmp_path)
    note(uses, "a")
    uses.path.write_bytes(uses.path.read_bytes() + line)
    with pytest.raises(StoreError, match=words) as raised:
        uses.read()
    assert raised.value.where == "test-uses.jsonl, line 2"


def asked(*turns: tuple[str, str]) -> Example:
    return Example(
        messages=tuple(Message(role=role, content=said) for role, said in turns),  # type: ignore[arg-type]
        origin="human",
        licence="CC0-1.0",
        source=Source(uri="test.jsonl", line=1),
    )


def play(*names: object, **beside: str) -> list[Example]:
    """Rows in which the user asks for each name."""
    before = [("system", said) for said in beside.values()]
    return [asked(*before, ("user", f"play {name}"), ("assistant", f"{name}!")) for name in names]


def sum_up(*names: object) -> list[Example]:
    """Rows in which the user always says the same."""
    return [asked(("system", f"Text {name}."), ("user", "Sum up.")) for name in names]


def same(rows: list[Example], others: list[Example]) -> bool:
    one, other = asked_by(rows), asked_by(others)
    assert one.same_test(other) == other.same_test(one)
    return one.same_test(other)


def test_the_same_requests_are_the_same_test_however_they_are_laid_out() -> None:
    rows = play(*"abcd")
    again = [
        asked(("system", "Be brief."), ("user", f" Play  {name}\n"), ("assistant", '{"a":1}'))
        for name in "abcd"
    ]
    assert asked_by(rows).user == asked_by(again).user
    assert asked_by(rows).rows == 4
    assert same(rows, again)
    assert not same(rows, play(*"efgh"))


def test_where_users_say_the_same_all_that_stands_in_the_rows_tells_them_apart() -> None:
    assert asked_by(sum_up(*"abcd")).rows == 4
    assert same(sum_up(*"abcd"), sum_up(*"dcba"))
    assert not same(sum_up(*"abcd"), sum_up(*"efgh"))
    assert not same(sum_up(*"abcd"), [*sum_up("e"), *play(*"fgh")])


def test_other_answers_make_no_other_test_where_users_say_the_same() -> None:
    def read(*names: object, answer: str) -> list[Example]:
        told = (("system", f"Text {name}.") for name in names)
        return [asked(one, ("user", "Sum up."), ("assistant", answer)) for one in told]

    assert same(read(*"abcd", answer="Short"), read(*"abcd", answer="Short."))
    assert not same(read(*"abcd", answer="Short"), read(*"efgh", answer="Short"))
    pick = [
        [asked(("user", "Which?"), ("assistant", one)) for one in said] for said in ("ab", "cd")
    ]
    assert not same(*pick)  # what tells the rows of one file apart tells the files apart


def test_signs_that_are_composed_otherwise_make_no_other_test() -> None:
    assert same(play("caf\u00e9", "th\u00e9"), play("cafe\u0301", "the\u0301"))


def test_rows_that_are_repeated_make_no_other_test() -> None:
    rows = play(*range(20))
    assert same(rows, rows * 2)
    assert same(rows, play(*range(20), other="Be brief.") * 2)
    crowded = [*play(*range(51)), *sum_up(*range(49))]  # of 100 rows 52 differ in what users say
    assert same(crowded, [*crowded, *sum_up("x", "y", "z"), *crowded[:9]])
    assert not same(rows, [*play(*range(20, 40)), *rows[:1] * 30])


def test_a_file_that_shares_most_rows_counts_on(tmp_path: Path) -> None:
    uses = ledger(tmp_path)
    for adapter, digest, rows in (
        ("a", "f1", play(*range(10))),
        ("b", "f2", play(*range(9, -1, -1), "one more")),
        ("c", "f3", play(*range(4), *"abcdef")),
        ("d", "f4", play(*range(3))),
    ):
        told = {"s": asked_by(rows)}
        uses.note({"s": digest}, adapter=adapter, contract="c", recipe="r", rows=told)
    counts = [
        uses.count(digest, adapter=adapter, contract="c")
        for digest, adapter in (("f1", "a"), ("f2", "b"), ("f3", "c"))
    ]
    assert counts == [1, 2, 1]
    assert uses.count("f4", adapter="d", contract="c") == 4


@pytest.mark.parametrize("kept", ["user", "whole", "ids"])
def test_a_file_that_an_older_tutelage_measured_counts_on(kept: str, tmp_path: Path) -> None:
    uses, rows = ledger(tmp_path), play(*range(6))
    note(uses, "a")
    lines = uses.path.read_bytes()
    uses.path.write_bytes(lines.replace(b'"schema":2', b'"schema":1'))
    assert uses.path.read_bytes() != lines
    older = uses.path.parent / "test-rows" / "f1.txt"
    older.parent.mkdir(exist_ok=True)
    older.write_text("\n".join(sorted(getattr(asked_by(rows), kept))))
    for adapter, digest, names in (("b", "f2", range(7)), ("c", "f3", range(7, 12))):
        told = {"calls": asked_by(play(*names))}
        uses.note({"calls": digest}, adapter=adapter, contract="c", recipe="r", rows=told)

    assert uses.count("f2", adapter="b", contract="c") == 2
    assert uses.count("f3", adapter="c", contract="c") == 1
    uses.note({"s": "f1"}, adapter="d", contract="c", recipe="r", rows={"s": asked_by(rows)})
    assert uses.count("f1", adapter="d", contract="c") == 3
    assert older.with_suffix(".json").exists()  # it is written as it is now


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "cannot be read"),
        ('{"user": [], "whole": []}', "cannot be read"),
        ('{"schema": 9, "user": [], "whole": []}', "newer tutelage"),
    ],
)
def test_what_rows_ask_that_cannot_be_read_is_told_by_its_file(
    tmp_path: Path, text: str, words: str
) -> None:
    uses = ledger(tmp_path)
    told = {"calls": asked_by(play("a"))}
    uses.note({"calls": "f1"}, adapter="a", contract="c", recipe="r", rows=told)
    (uses.path.parent / "test-rows" / "f1.json").write_text(text)
    with pytest.raises(StoreError, match=words) as raised:
        uses.count("f1", adapter="a", contract="c")
    assert raised.value.where == "test-rows/f1.json"
