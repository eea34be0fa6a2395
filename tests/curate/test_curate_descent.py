"""Rows made from others stand on the side of what they were made from, or go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.core.ledger import LedgerEntry
from tutelage.core.recipe import Recipe
from tutelage.core.row import Example
from tutelage.curate import run as door
from tutelage.curate.descent import Family
from tutelage.curate.split import Placed
from tutelage.curate.written import CARD
from tutelage.store.artifact import Artifact
from tutelage.store.lineage import explain_row
from tutelage.store.run import Run
from tutelage.store.store import Store
from tutelage.store.tables import LEDGER, ROWS, read_ledger, read_rows

DOES = "mend paint sell lift clean fold weigh cook carry store open close move break bend"
ASKED = [(f"how does one {one} the thing {at}", f"ans {at}") for at, one in enumerate(DOES.split())]
MADE: dict[str, Any] = {"origin": "human_edited", "editor": "Ed"}


def form(asked: str, said: str, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
    return {"messages": messages, **more}


def made(number: int, parent: str, asked: str = "completely other words for that") -> Any:
    return form(f"{asked} {number}", f"said {number}", **MADE, parents=[parent])


def curate(folder: Path, *rows: Any, **more: Any) -> Artifact:
    lines = [form(*one) for one in ASKED] + list(rows)
    text = "".join(json.dumps(one) + "\n" for one in lines)
    (folder / "rows.jsonl").write_text(text, encoding="utf-8")
    source = {"path": "rows.jsonl", "origin": "human", "licence": "MIT"}
    section: dict[str, Any] = {"sources": [source], "validation": 0.3, "invalid": "reject", **more}
    recipe = Recipe.model_validate({"name": "test", "seed": 1, "curate": section}).at(folder)
    assert recipe.curate is not None
    with Run.open(recipe) as run:
        return door.run(recipe.curate, {}, run)


def kept(artifact: Artifact) -> list[Example]:
    return list(read_rows(artifact.file(ROWS)))


def gone(artifact: Artifact) -> list[LedgerEntry]:
    return [one for one in read_ledger(artifact.file(LEDGER)) if one.reason == "across_split"]


def of_side(artifact: Artifact, side: str) -> list[Example]:
    return [one for one in kept(artifact) if one.split == side]


def crossing(artifact: Artifact) -> list[str]:
    """The rows that stand apart from what they were made from."""
    sides = {one.id: one.split for one in kept(artifact)}
    return [
        one.messages[0].content
        for one in kept(artifact)
        if any(sides.get(row, one.split) != one.split for row in one.parents)
    ]


def test_rows_made_from_one_held_out_are_held_out(tmp_path: Path) -> None:
    held = of_side(curate(tmp_path), "validation")
    children = [made(at, held[at % len(held)].id) for at in range(20)]

    artifact = curate(tmp_path, *children)

    assert crossing(artifact) == gone(artifact) == []
    assert len(of_side(artifact, "validation")) == len(held) + 20
    assert len(of_side(artifact, "train")) == len(ASKED) - len(held)


def test_a_row_made_from_rows_of_both_sides_goes(tmp_path: Path) -> None:
    first = curate(tmp_path)
    held, taught = of_side(first, "validation")[0], of_side(first, "train")[0]
    children = [made(at, held.id) | {"parents": [taught.id, held.id]} for at in range(20)]

    artifact = curate(tmp_path, *children)

    left_out = gone(artifact)
    assert crossing(artifact) == []
    assert len(left_out) == artifact.counts["drop.across_split"] == 20
    assert {one.other_row for one in left_out} == {held.id, taught.id}
    told = {one.detail.rpartition(", ")[2] for one in left_out}
    assert told == {"which is held out", "which is taught"}
    assert "across_split: 20" in artifact.file(CARD).read_text(encoding="utf-8")
    assert "across_split" in str(explain_row(Store.beside(tmp_path), left_out[0].row))


def test_a_row_that_stands_for_one_made_from_a_row_held_out_is_held_out(tmp_path: Path) -> None:
    held = of_side(curate(tmp_path), "validation")
    twins: list[Any] = []
    for at, one in enumerate(held):
        child = made(at, one.id)
        twins += [form(child["messages"][0]["content"].upper(), f"SAID {at}"), child]

    artifact = curate(tmp_path, *twins)

    assert artifact.counts["drop.exact_duplicate"] == len(held)
    assert all(one.origin == "human" for one in kept(artifact))
    assert sum("SAID" in str(one) for one in of_side(artifact, "validation")) == len(held)
    assert sum("SAID" in str(one) for one in of_side(artifact, "train")) == 0


def test_a_few_rows_that_all_others_were_made_from_leave_some_held_out(tmp_path: Path) -> None:
    few = kept(curate(tmp_path, validation=0.0))
    children = [made(at, few[at % len(few)].id) for at in range(300)]

    artifact = curate(tmp_path, *children, validation=0.01)

    assert crossing(artifact) == gone(artifact) == []
    assert len(of_side(artifact, "validation")) == (300 + len(ASKED)) // len(ASKED)
    alone = [made(at, few[0].id) for at in range(300)]
    assert of_side(curate(tmp_path, *alone, validation=0.01), "validation") == []


def test_rows_made_from_one_that_is_not_there_stand_on_one_side(tmp_path: Path) -> None:
    absent = [f"{number:032x}" for number in range(12)]
    asked = ("wholly different words", "quite another kind of question", "something else again")
    children = [
        made(at, parent, f"{words} of the sort {at}")
        for words in asked
        for at, parent in enumerate(absent)
    ]

    artifact = curate(tmp_path, *children)

    sides: dict[str, set[str | None]] = {parent: set() for parent in absent}
    for one in kept(artifact):
        for parent in one.parents:
            sides[parent].add(one.split)
    assert {len(some) for some in sides.values()} == {1}
    assert {side for some in sides.values() for side in some} == {"train", "validation"}
    assert gone(artifact) == []
    # of one document that most of a dataset is made from nothing is one group
    whole = curate(tmp_path, *(made(at, absent[0], f"{words} {at}") for words in asked
                               for at in range(12)))  # fmt: skip
    assert len({one.split for one in kept(whole) if one.parents}) == 2


def test_rows_made_from_taught_ones_are_all_taught(tmp_path: Path) -> None:
    first = curate(tmp_path)
    taught = of_side(first, "train")
    children = [made(at, taught[at % len(taught)].id) for at in range(30)]

    artifact = curate(tmp_path, *children)

    assert gone(artifact) == []
    assert len(of_side(artifact, "train")) == len(taught) + 30
    assert len(of_side(artifact, "validation")) == len(of_side(first, "validation"))


def test_a_row_held_out_with_others_goes_where_what_it_was_made_from_is_taught(
    tmp_path: Path,
) -> None:
    first = curate(tmp_path)
    held = of_side(first, "validation")[0].messages[0].content
    child = form(held, "said otherwise", **MADE, parents=[of_side(first, "train")[0].id])

    artifact = curate(tmp_path, child)

    assert [one.detail.split(" which ")[1] for one in gone(artifact)] == ["is taught"]
    assert len(kept(artifact)) == len(ASKED)


def test_what_was_made_is_known_however_far_up_and_by_the_id_it_was_read_under(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("KEY", "k" * 32)
    screen = {"actions": {"pii": "redact"}, "key_env": "KEY"}
    letters = [form(f"{asked}?", f"{said}, write ann{at}@x.org") for at, (asked, said) in
               enumerate(ASKED)]  # fmt: skip
    as_read = kept(curate(tmp_path, *letters))
    ids = {one.messages[-1].content: one.id for one in as_read}
    between = [made(at, ids[one["messages"][1]["content"]]) for at, one in enumerate(letters)]
    with_them = kept(curate(tmp_path, *letters, *between, validation=0.0))
    over = {one.parents[0]: one.id for one in with_them if one.parents}
    last = [
        made(100 + at, over[parent], "what else is there, put in yet another way")
        for at, parent in enumerate(one["parents"][0] for one in between)
    ]

    artifact = curate(tmp_path, *letters, *between, *last, screen=screen)

    assert of_side(artifact, "validation")
    sides = {one.messages[0].content: one.split for one in kept(artifact)}
    assert len(sides) == 4 * len(letters)
    for at, row in enumerate(letters):
        side = sides[row["messages"][0]["content"]]
        of_it = (between[at]["messages"][0]["content"], last[at]["messages"][0]["content"])
        assert {sides[asked] for asked in of_it} == {side}


def test_a_group_in_which_one_was_made_from_another_follows_what_both_were_made_from() -> None:
    member = np.array([0, 1, 1, 2])
    held = np.array([False, True, True, False])
    placed = Placed.by(held, member, np.zeros(4, np.int32), [("all",)])
    family = Family(above={1: [0], 2: [0, 1]}, ids={1: "b", 2: "c"})
    assert not family.sided(placed).held[[1, 2]].any()
