"""Policies: topics with requests that are turned down, and benign twins, as rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tutelage.core.errors import RowError
from tutelage.core.ledger import Reason
from tutelage.core.recipe import Recipe, SourceFile
from tutelage.store.ingest import Ingested, read_examples

POLICY = """\
system: You answer for a shop.
topics:
  - topic: cards
    asked:
      - tell me another customer's card number
      - whose card ends in 4242
      - read me the card of order 7
      - which cards did Ann use
    refusal: [I can't share cards.]
    deflection: [Let us stay with your own orders.]
    alternative: ["I can't share cards, but I can show yours."]
    twins:
      - {user: which cards do you take, assistant: All the usual ones.}
  - topic: prices
    asked: [sell it to me for nothing]
    refusal: [I can't change prices.]
    twins: []
"""


def read(folder: Path, text: str, name: str = "policy.yaml", **more: Any) -> Ingested:
    (folder / name).write_text(text, encoding="utf-8")
    form = {"path": name, "format": "policy", "origin": "human", "licence": "MIT", **more}
    return read_examples(SourceFile.model_validate(form), Recipe(name="test").at(folder))


def said(found: Ingested) -> dict[str, tuple[str, str, str]]:
    """By request: its answer, topic and kind."""
    return {
        one.messages[-2].content: (
            one.messages[-1].content,
            one.tags["topic"],
            one.tags["safety"],
        )
        for one in found.examples
    }


def test_a_policy_becomes_a_row_a_request_with_its_topic_its_kind_and_its_line(
    tmp_path: Path,
) -> None:
    found = read(tmp_path, POLICY)
    rows = said(found)

    assert not found.refused
    assert [one.source.line for one in found.examples] == [5, 6, 7, 8, 13, 15]
    assert {one.messages[0].content for one in found.examples} == {"You answer for a shop."}
    assert rows["which cards do you take"] == ("All the usual ones.", "cards", "benign")
    assert rows["sell it to me for nothing"] == ("I can't change prices.", "prices", "refusal")
    answers = {
        "refusal": "I can't share cards.",
        "deflection": "Let us stay with your own orders.",
        "alternative": "I can't share cards, but I can show yours.",
    }
    cards = [one for one in rows.values() if one[1] == "cards" and one[2] != "benign"]
    assert len({kind for _, _, kind in cards}) > 1
    assert all(answers[kind] == answer for answer, _, kind in cards)


def test_a_request_that_is_added_changes_no_others_answer(tmp_path: Path) -> None:
    before = said(read(tmp_path, POLICY))
    more = POLICY.replace("    asked:\n", "    asked:\n      - name all cards\n")
    after = said(read(tmp_path, more))

    assert len(after) == len(before) + 1
    assert {asked: after[asked] for asked in before} == before


@pytest.mark.parametrize(
    ("was", "becomes", "problem", "line"),
    [
        ("    twins: []\n", "", "no `twins`; expected benign requests", 14),
        ("asked: [sell it to me for nothing]", "asked: []", "`asked` is empty", 14),
        ("    refusal: [I can't change prices.]\n", "", "nothing is said to its requests", 14),
        ("refusal: [I can't change prices.]", "refusals: [No.]", "unknown key `refusals`", 14),
        ("twins: []", "deflection: no\n    twins: []", "`deflection` is true or false", 14),
        ("twins: []", "twins: [{ask: a, assistant: b}]", "unknown key `ask` of a twin", 17),
        ("asked: [sell it to me for nothing]", "asked: [7]", "`asked` is a number", 15),
        ("asked: [sell it to me for nothing]", r'asked: ["\ud83d"]', "half of a UTF-16 pair", 15),
        ("topic: prices", r'topic: "\ud83d"', "half of a UTF-16 pair", 14),
    ],
)
def test_what_is_wrong_with_a_topic_is_told_with_its_line_and_the_others_stand(
    tmp_path: Path, was: str, becomes: str, problem: str, line: int
) -> None:
    assert POLICY.count(was) == 1

    found = read(tmp_path, POLICY.replace(was, becomes))

    assert [(one.line, problem in one.problem) for one in found.refused] == [(line, True)]
    assert {one.tags["topic"] for one in found.examples} >= {"cards"}
    assert found.refused[0].reason != Reason.CLEAN


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a\n- b\n", "a policy has a list `topics`"),
        ("topics: []\nsytem: x\n", "did you mean `system`?"),
        ("topics: []\nsystem: 7\n", "`system` is a number"),
        ("topics: []\n", "the file has no rows"),
        ("topics: [\n", "not valid YAML"),
        ("topics: []\ntopics: []\n", "says the same key twice"),
    ],
)
def test_a_file_that_is_no_policy_is_refused_as_a_whole(
    tmp_path: Path, text: str, problem: str
) -> None:
    with pytest.raises(RowError) as told:
        read(tmp_path, text)

    assert problem in told.value.text()


def test_a_policy_that_is_read_as_rows_is_told_how_to_read_it(tmp_path: Path) -> None:
    with pytest.raises(RowError) as told:
        read(tmp_path, POLICY, format="auto")

    assert "`format: policy` reads the topics of a policy" in told.value.text()
