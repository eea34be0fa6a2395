"""Licences, consent, people's names: what may not be used is left out, counted, and found again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tutelage.core.conversation import Message, ToolCall
from tutelage.core.errors import GateShut, RecipeError, RowError
from tutelage.core.progress import Silent
from tutelage.core.recipe import Recipe, Release
from tutelage.core.recipe import loads as load_text
from tutelage.core.row import Example, Source
from tutelage.curate import run as door
from tutelage.curate.written import CARD, CARD_JSON
from tutelage.release.opt_outs import refuse_opt_outs
from tutelage.store.artifact import Artifact
from tutelage.store.lineage import explain_row, opted_out
from tutelage.store.opt_outs import OptOuts, read_opt_outs, text_digest
from tutelage.store.run import Run
from tutelage.store.store import Store
from tutelage.store.tables import DROPPED, LEDGER, ROWS, read_ledger, read_rows

SAID = ["the lamp", "my parcel", "a bill", "the door", "one table"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"Where is {said}?"},
                {"role": "assistant", "content": f"Here is {said}."},
            ],
            "author": f"author {index}",
            "consent_key": f"user-{index}",
        }
        for index, said in enumerate(SAID)
    ]
    rows[3]["licence"] = "CC-BY-NC-4.0"
    rows[4]["licence"] = "CC-BY-NC-4.0 OR MIT"
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "rows.jsonl").write_text(text, encoding="utf-8")
    return tmp_path


def opt_outs(folder: Path, *rows: dict[str, str], name: str = "out.jsonl") -> str:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return name


def recipe(folder: Path, **curate: Any) -> Recipe:
    source = {"path": "rows.jsonl", "origin": "human", "licence": "MIT"}
    form = {"name": "test", "curate": {"sources": [source], "validation": 0.0, **curate}}
    return Recipe.model_validate(form).at(folder)


def curate(written: Recipe) -> Artifact:
    assert written.curate is not None
    with Run.open(written) as run:
        return door.run(written.curate, {}, run)


def asked(artifact: Artifact, name: str = ROWS) -> list[str]:
    found = [one.messages[0].content for one in read_rows(artifact.file(name))]
    return [text.removeprefix("Where is ").removesuffix("?") for text in found]


def test_rows_under_other_licences_are_left_out_and_counted(folder: Path) -> None:
    artifact = curate(recipe(folder, licences=["MIT", "CC0-1.0"]))

    assert asked(artifact) == ["the lamp", "my parcel", "a bill", "one table"]
    assert asked(artifact, DROPPED) == ["the door"]
    assert artifact.counts["drop.licence_not_allowed"] == 1
    ledger = read_ledger(artifact.file(LEDGER))
    assert [one.detail for one in ledger if one.decision == "drop"] == [
        "rows.jsonl:4 is under CC-BY-NC-4.0"
    ]


def test_rows_taken_back_are_left_out_with_their_words(folder: Path) -> None:
    name = opt_outs(
        folder,
        {"consent_key": "user-0"},
        {"author": "author 1"},
        {"digest": text_digest(" Here is a bill. ")},
    )

    artifact = curate(recipe(folder, opt_out=name))

    assert asked(artifact) == ["the door", "one table"]
    assert asked(artifact, DROPPED) == []
    ledger = read_ledger(artifact.file(LEDGER))
    assert [one.detail for one in ledger if one.reason == "opted_out"] == [
        "rows.jsonl:1 is taken back by its consent key",
        "rows.jsonl:2 is taken back by its author",
        "rows.jsonl:3 is taken back by its text",
    ]
    assert artifact.counts["drop.opted_out"] == 3


def test_another_list_makes_another_dataset(folder: Path) -> None:
    written = recipe(folder, opt_out=opt_outs(folder, {"author": "author 1"}))
    first = curate(written)
    opt_outs(folder, {"author": "author 2"})

    assert curate(written).key != first.key
    assert asked(curate(written)) == ["the lamp", "my parcel", "the door", "one table"]


def test_a_list_that_cannot_be_read_whole_is_not_followed_in_part(folder: Path) -> None:
    name = opt_outs(folder, {"author": "author 1"}, {"auhtor": "x"}, {"digest": "12"})

    with pytest.raises(RowError) as caught:
        curate(recipe(folder, opt_out=name))

    assert [row.where for row in caught.value.rows] == ["out.jsonl:2", "out.jsonl:3"]
    assert "it has none of consent_key, author, digest" in caught.value.rows[0].problem


def test_people_have_pseudonyms_where_the_recipe_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUTELAGE_PSEUDONYMS", "k" * 32)
    keyed = {"people": "pseudonymise", "screen": {"key_env": "TUTELAGE_PSEUDONYMS"}}

    plain, hidden = curate(recipe(folder)), curate(recipe(folder, **keyed))

    names = [(one.author, one.consent_key) for one in read_rows(hidden.file(ROWS))]
    assert next(one.author for one in read_rows(plain.file(ROWS))) == "author 0"
    assert all(str(name).startswith("[PERSON_") for pair in names for name in pair)
    assert len({name for pair in names for name in pair}) == 10
    out = opt_outs(folder, {"author": "author 2"})
    kept = curate(recipe(folder, opt_out=out, **keyed))
    assert "a bill" not in asked(kept)


def test_pseudonyms_without_a_key_are_refused() -> None:
    text = (
        "name: test\ncurate:\n  sources: [{path: a.jsonl, origin: human, licence: MIT}]\n"
        "  people: pseudonymise\n"
    )
    with pytest.raises(RecipeError) as caught:
        load_text(text)
    assert "pseudonyms need a key" in str(caught.value)


def test_a_row_that_opts_out_later_is_found_wherever_it_went(folder: Path) -> None:
    first = curate(recipe(folder))
    second = curate(recipe(folder, licences=["MIT"]))
    outs = read_opt_outs(
        opt_outs(folder, {"consent_key": "user-0"}, {"author": "author 3"}), recipe(folder)
    )

    taken = opted_out(Store.beside(folder), outs)

    told = {one.example.messages[0].content: one for one in taken}
    lamp, door_row = told["Where is the lamp?"], told["Where is the door?"]
    assert {one.name for one in lamp.datasets} == {first.name, second.name}
    assert ([one.name for one in door_row.datasets], [one.name for one in door_row.left_out]) == (
        [first.name],
        [second.name],
    )
    story = explain_row(Store.beside(folder), door_row.example.id)
    assert story.example is not None
    assert [one.name for one in story.left_out] == [second.name]
    assert dict(zip(story.decided_in, [one.reason for one in story.entries], strict=True)) == {
        (first.name,): "clean",
        (second.name,): "licence_not_allowed",
    }


def test_nothing_is_released_that_was_taught_what_was_taken_back(folder: Path) -> None:
    written = recipe(folder)
    dataset = curate(written)
    name = opt_outs(folder, {"author": "author 1"})

    refuse_opt_outs(Release(), dataset, written)
    with pytest.raises(GateShut) as caught:
        refuse_opt_outs(Release(opt_out=name), dataset, written)

    assert "1 row of" in caught.value.message
    assert caught.value.rows[0].problem == "rows.jsonl:2, train: by its author"


class Hearing(Silent):
    """Keeps what people are warned of."""

    def __init__(self) -> None:
        self.warned: list[str] = []

    def warn(self, message: str) -> None:
        self.warned.append(message)


def warned(written: Recipe) -> tuple[Artifact, list[str]]:
    assert written.curate is not None
    hearing = Hearing()
    with Run.open(written, progress=hearing) as run:
        return door.run(written.curate, {}, run), hearing.warned


def test_blanks_around_a_name_and_how_its_signs_are_composed_make_no_other_person(
    folder: Path,
) -> None:
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    rows[1]["author"] = "Jose\u0301 "
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    name = opt_outs(folder, {"author": " author 0 "}, {"author": "Jos\u00e9"})

    artifact, told = warned(recipe(folder, opt_out=name))

    assert artifact.counts["drop.opted_out"] == 2
    assert told == []


def test_entries_of_the_list_that_mean_no_row_are_counted_and_warned_of(folder: Path) -> None:
    listed = [{"author": "author 0"}, {"consent_key": "USER-1"}, {"digest": "0" * 32}]
    artifact, told = warned(recipe(folder, opt_out=opt_outs(folder, *listed)))

    assert told == ["2 of 3 entries of `curate.opt_out` mean no row"]
    card = json.loads(artifact.file(CARD_JSON).read_bytes())
    assert card["opt_outs"] == {"listed": 3, "without_row": 2}
    assert "- of 3 opt-outs listed 2 mean no row" in artifact.file(CARD).read_text()
    assert "opt-outs" not in curate(recipe(folder)).file(CARD).read_text()


def test_an_entry_of_one_column_means_nothing_in_another(folder: Path) -> None:
    listed = [{"author": one, "consent_key": one} for one in ("author 0", "user-1")]
    _, told = warned(recipe(folder, opt_out=opt_outs(folder, *listed)))

    assert told == ["2 of 4 entries of `curate.opt_out` mean no row"]


def test_every_entry_that_means_a_row_is_met_though_another_did(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUTELAGE_PSEUDONYMS", "k" * 32)
    keyed = {"people": "pseudonymise", "screen": {"key_env": "TUTELAGE_PSEUDONYMS"}}
    shown = read_rows(curate(recipe(folder, **keyed)).file(ROWS))[0].author
    listed = [{"consent_key": "user-0"}, {"author": str(shown)}, {"author": "author 0"}]
    for count in (2, 3):
        name = opt_outs(folder, *listed[:count])
        artifact, told = warned(recipe(folder, opt_out=name, **keyed))

        assert (artifact.counts["drop.opted_out"], told) == (1, [])
        card = json.loads(artifact.file(CARD_JSON).read_bytes())
        assert card["opt_outs"] == {"listed": count, "without_row": 0}


def test_an_empty_list_is_warned_of(folder: Path) -> None:
    (folder / "out.csv").write_text("author\n")
    _, told = warned(recipe(folder, opt_out="out.csv"))

    assert told == ["`curate.opt_out` names nobody: the list is empty"]


def test_a_text_is_found_in_reasoning_and_in_the_arguments_of_calls() -> None:
    call = ToolCall(name="send", arguments={"to": ["ann", {"text": "come at nine"}]})
    row = Example(
        messages=(
            Message(role="user", content="tell her"),
            Message(role="assistant", reasoning="she is late", tool_calls=(call,)),
        ),
        origin="human",
        licence="MIT",
        source=Source(uri="rows.jsonl", line=1),
    )
    for text in ("tell her", "she is late", "come at nine", " ann "):
        digest = text_digest(text)
        outs = OptOuts(digests=frozenset([digest]), listed={("digest", digest): frozenset(["it"])})
        assert outs.because(row) == "its text"
        assert outs.met(row) == {"it"}
    assert OptOuts(digests=frozenset([text_digest("send")])).because(row) == ""
