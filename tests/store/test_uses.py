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


def test_the_same_requests_are_the_same_test_however_they_are_laid_out() -> None:
    rows = [asked(("user", f"play {name}"), ("assistant", '{"a": 1}')) for name in "abcd"]
    again = [
        asked(("system", "Be brief."), ("user", f" Play  {name}\n"), ("assistant", '{"a":1}'))
        for name in "abcd"
    ]
    assert asked_by(rows) == asked_by(again)
    assert len(set(asked_by(rows))) == 4


def test_where_users_say_the_same_all_that_stands_in_the_rows_tells_them_apart() -> None:
    def of(names: str) -> list[Example]:
        return [asked(("system", f"Text {name}."), ("user", "Sum up.")) for name in names]

    assert len(set(asked_by(of("abcd")))) == 4
    assert not set(asked_by(of("abcd"))) & set(asked_by(of("efgh")))


def test_a_file_that_shares_most_rows_counts_on(tmp_path: Path) -> None:
    uses = ledger(tmp_path)
    rows = [f"row{number}" for number in range(10)]
    for adapter, digest, ids in (
        ("a", "f1", rows),
        ("b", "f2", [*rows[::-1], "one more"]),
        ("c", "f3", [*rows[:4], *(f"other{number}" for number in range(6))]),
        ("d", "f4", rows[:3]),
    ):
        uses.note({"s": digest}, adapter=adapter, contract="c", recipe="r", rows={"s": ids})
    counts = [
        uses.count(digest, adapter=adapter, contract="c")
        for digest, adapter in (("f1", "a"), ("f2", "b"), ("f3", "c"))
    ]
    assert counts == [1, 2, 1]
    assert uses.count("f4", adapter="d", contract="c") == 4
