"""What people take back goes by whatever name a dataset shows, with all that was made from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import tutelage as tt
from tutelage.cli.opt_out import of_opt_outs
from tutelage.core.errors import GateShut, RecipeError, StoreError
from tutelage.core.recipe import Recipe, Release
from tutelage.curate import run as door
from tutelage.curate.written import REJECTED
from tutelage.release.opt_outs import refuse_opt_outs
from tutelage.screen.people import disguised
from tutelage.store.artifact import Artifact
from tutelage.store.ingest import example_of
from tutelage.store.lineage import explain_row, opted_out
from tutelage.store.opt_outs import read_opt_outs
from tutelage.store.run import Run
from tutelage.store.store import Store
from tutelage.store.stories import stories
from tutelage.store.tables import DROPPED, LEDGER, ROWS, read_ledger, read_rows

KEYED = {"people": "pseudonymise", "screen": {"actions": {"pii": "redact"}, "key_env": "KEY"}}
NO_REVIEW = {"reviewers": 0}  # its synthetic rows are old ones
SAID = [
    ("Where to?", "write ann@x.org", {"author": "Ann"}),
    ("And then?", "come", {"author": "Bob"}),
    ("Is it far?", "no", {"author": "Cid"}),
]


def form(asked: str, said: str, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
    return {"messages": messages, **more}


def write(folder: Path, name: str, *rows: Any) -> str:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return name


def curate(folder: Path, **section: Any) -> tuple[Artifact, Recipe]:
    source = {"path": "rows.jsonl", "origin": "human", "licence": "MIT"}
    curate = {"sources": [source], "validation": 0.0, "invalid": "reject", **section}
    recipe = Recipe.model_validate({"name": "test", "curate": curate}).at(folder)
    assert recipe.curate is not None
    with Run.open(recipe) as run:
        return door.run(recipe.curate, {}, run), recipe


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KEY", "k" * 32)
    write(tmp_path, "rows.jsonl", *(form(asked, said, **more) for asked, said, more in SAID))
    return tmp_path


def asked(artifact: Artifact) -> list[str]:
    return [one.messages[0].content for one in read_rows(artifact.file(ROWS))]


def test_a_row_goes_by_the_id_and_the_pseudonym_that_a_dataset_shows(folder: Path) -> None:
    first, _ = curate(folder, **KEYED)
    ann, bob, _ = read_rows(first.file(ROWS))
    out = write(folder, "out.jsonl", {"digest": ann.id}, {"author": bob.author})

    second, _ = curate(folder, **KEYED, opt_out=out)

    assert asked(second) == ["Is it far?"]
    assert second.counts["drop.opted_out"] == 2
    assert read_rows(second.file(DROPPED)) == []


def test_rows_made_from_one_that_was_taken_back_go_too(folder: Path) -> None:
    first, _ = curate(folder)
    ann = read_rows(first.file(ROWS))[0]
    rows = [form(said, more, **who) for said, more, who in SAID]
    made = {"origin": "human_edited", "editor": "Ed"}
    rows.append(form("Where?", "write me", **made, parents=[ann.id]))
    write(folder, "rows.jsonl", *rows)
    second, recipe = curate(folder)
    child = read_rows(second.file(ROWS))[3]
    write(folder, "rows.jsonl", *rows, form("Where, then?", "to me", **made, parents=[child.id]))
    second, recipe = curate(folder)
    out = write(folder, "out.jsonl", {"author": "Ann"})

    taken = opted_out(Store.beside(folder), read_opt_outs(out, recipe))
    with pytest.raises(GateShut) as caught:
        refuse_opt_outs(Release(opt_out=out), second, recipe)
    kept, _ = curate(folder, opt_out=out)

    assert [one.because for one in taken] == ["its author", *["the row it was made from"] * 2]
    assert len(caught.value.rows) == 3
    assert asked(kept) == ["And then?", "Is it far?"]


def made_from(row: dict[str, Any]) -> dict[str, Any]:
    """A correction of a row, by the id it has as it is written."""
    whole = example_of({**row, "origin": "human", "licence": "MIT"}, "rows.jsonl", 1)
    return form("Put otherwise", "yes", origin="human_edited", editor="Ed", parents=[whole.id])


GONE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (form("WRITE BOB@x.org", "Come", author="Ann"), {}),  # repeats a row
    (form("Which?", "ann@x.org", author="Ann"), {"screen": {"actions": {"pii": "drop"}}}),
    (form("Why?", "so", author="Ann", licence="GPL-3.0-only"), {"licences": ["MIT"]}),
    (form("Which?", "ann@x.org", author="Ann"), {"screen": KEYED["screen"]}),
    (form("WRITE ann@x.org", "Come", author="Ann"), KEYED),  # does so then
]


@pytest.mark.parametrize(("row", "section"), GONE)
def test_what_was_made_from_a_row_is_known_where_that_was_dropped_or_redacted(
    row: dict[str, Any], section: dict[str, Any], folder: Path
) -> None:
    rows = [form("Write bob@x.org", "come", author="Bob"), row, made_from(row)]
    write(folder, "rows.jsonl", *rows)
    artifact, recipe = curate(folder, **section)
    out = write(folder, "out.jsonl", {"author": "Ann"})

    with pytest.raises(GateShut) as caught:
        refuse_opt_outs(Release(opt_out=out), artifact, recipe)
    back = tt.opted_out(str(folder / out), folder, keys=[b"k" * 32])

    child = next(one.id for one in read_rows(artifact.file(ROWS)) if one.parents)
    assert child in {one.where for one in caught.value.rows}
    assert sorted(one.because for one in back.rows) == ["its author", "the row it was made from"]
    assert child in {one.example.id for one in back.rows if one.datasets == (artifact,)}


def test_the_same_words_of_somebody_else_are_not_taken_back(folder: Path) -> None:
    same = [form("And then?", "come", author=who) for who in ("Bob", "Ann")]
    write(folder, "rows.jsonl", *same, form("Where?", "here"))
    artifact, recipe = curate(folder)
    out = write(folder, "out.jsonl", {"author": "Ann"})

    refuse_opt_outs(Release(opt_out=out), artifact, recipe)
    (taken,) = opted_out(Store.beside(folder), read_opt_outs(out, recipe))
    assert (taken.example.author, taken.datasets, taken.left_out) == ("Ann", (), (artifact,))


def test_an_empty_list_is_told_and_an_empty_name_means_no_row(folder: Path) -> None:
    curate(folder)
    (folder / "out.jsonl").write_text("")
    console, reply = Console(width=40), of_opt_outs(str(folder / "out.jsonl"), folder)
    assert reply.draw is not None
    with console.capture() as said:
        reply.draw(console)
    assert "the list is empty: it names nobody" in said.get()
    with pytest.raises(StoreError, match="no dataset and no ledger knows"):
        tt.explain_row("", folder)


def test_the_same_words_made_from_another_row_stay(folder: Path) -> None:
    bob, ann = form("And then?", "come", author="Bob"), form("Why?", "so", author="Ann")
    write(folder, "rows.jsonl", bob, ann, made_from(ann), made_from(bob))
    out = write(folder, "out.jsonl", {"author": "Ann"})

    artifact, _ = curate(folder, opt_out=out)

    assert asked(artifact) == ["And then?", "Put otherwise"]
    taken = [one for one in read_ledger(artifact.file(LEDGER)) if one.reason == "opted_out"]
    told = [f"rows.jsonl:{at} is taken back by {why}" for at, why in
            ((2, "its author"), (3, "the row it was made from"))]  # fmt: skip
    assert [one.detail for one in taken] == told


def test_a_row_that_another_dataset_teaches_is_told_as_taught(folder: Path) -> None:
    rows = [form(said, more, **who) for said, more, who in SAID]
    for number in range(6):
        write(folder, "rows.jsonl", *rows, form(f"One more, {number}?", "yes"))
        curate(folder, rows=1)
    write(folder, "rows.jsonl", *rows)
    second, recipe = curate(folder)

    outs = read_opt_outs(write(folder, "out.jsonl", *(more for _, _, more in SAID)), recipe)

    taken = opted_out(Store.beside(folder), outs)
    assert any(one.left_out for one in taken)
    assert [one.example.split for one in taken] == ["train"] * 3
    assert all(second.name in {data.name for data in one.datasets} for one in taken)


def test_names_under_a_key_that_is_not_given_are_no_all_clear(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact, recipe = curate(folder, **KEYED)
    monkeypatch.chdir(folder)
    write(folder, "out.jsonl", {"author": "Bob"})
    for key in (None, "another key of enough bytes"):
        if key is not None:
            monkeypatch.setenv("TUTELAGE_PSEUDONYMS", key)
        with pytest.raises(RecipeError) as caught:
            of_opt_outs("out.jsonl", folder)
        assert [row.where for row in caught.value.rows] == [artifact.name]
    monkeypatch.setenv("TUTELAGE_PSEUDONYMS", "another key of enough bytes\n" + "k" * 32)
    assert len(of_opt_outs("out.jsonl", folder).data["rows"]) == 1
    bob = read_rows(artifact.file(ROWS))[1]
    write(folder, "ids.jsonl", {"digest": bob.id}, {"author": bob.author})
    monkeypatch.delenv("TUTELAGE_PSEUDONYMS")
    assert len(of_opt_outs("ids.jsonl", folder).data["rows"]) == 1

    monkeypatch.setenv("KEY", "j" * 32)
    with pytest.raises(GateShut, match="pseudonyms by another key"):
        refuse_opt_outs(Release(opt_out="out.jsonl"), artifact, recipe)


@pytest.mark.parametrize("listed", ["Zoe\u0308 Roe", "Zo\u00eb Roe", " Zoe\u0308 Roe "])
@pytest.mark.parametrize("written", ["Zoe\u0308 Roe", "Zo\u00eb Roe ", "Zo\u00eb Roe"])
def test_a_pseudonym_is_found_however_the_signs_of_the_name_are_composed(
    listed: str, written: str, folder: Path
) -> None:
    write(folder, "rows.jsonl", form("Where?", "here", author=written), form("Who?", "I"))
    artifact, recipe = curate(folder, **KEYED)
    out = write(folder, "out.jsonl", {"author": listed})

    with pytest.raises(GateShut, match="1 row of"):
        refuse_opt_outs(Release(opt_out=out), artifact, recipe)
    back = tt.opted_out(str(folder / out), folder, keys=[b"k" * 32])
    assert ([one.because for one in back.rows], back.without_row) == (["its author"], 0)


def test_a_pseudonym_of_a_name_as_it_was_written_is_found_too(folder: Path) -> None:
    def hidden(name: str) -> list[str]:
        return [disguised(name, b"k" * 32)]

    row = read_rows(curate(folder)[0].file(ROWS))[0]
    for name in ("Zoe\u0308", "Zo\u00eb"):  # so older datasets have them
        out = write(folder, "out.jsonl", {"author": name})
        outs = read_opt_outs(str(folder / out), Recipe(name="x").at(folder), hidden)
        for author in ("Zoe\u0308", "Zo\u00eb"):
            assert outs.because(replace(row, author=hidden(author)[0])) == "its author"


def test_a_bad_row_is_taken_back_however_its_name_is_written(folder: Path) -> None:
    write(folder, "rows.jsonl", form("A?", "b"), {"messages": [], "author": " Zoe\u0308"})
    out = write(folder, "out.jsonl", {"author": "Zo\u00eb"})

    artifact, _ = curate(folder, opt_out=out)

    (row,) = [json.loads(line) for line in artifact.file(REJECTED).read_text().splitlines()]
    assert row["text"] == "(left out: it is taken back)"


def test_bad_rows_keep_neither_names_nor_what_was_taken_back(folder: Path) -> None:
    lone = {"messages": [{"role": "user", "content": "Hi bob@x.org"}], "consent_key": "u1"}
    lone["reviews"] = [{"reviewer": "Rae Roe"}]
    nested = {"messages": [], "author": "Eve Poe", "user": {"id": "u.two"}}
    who = {"user": {"id": "u.one"}}
    write(
        folder,
        "rows.jsonl",
        form("A?", "b", **who),
        {**lone, **who, "author": "Dan"},
        {**lone, **who, "author": "Bo"},
        nested,
    )
    with (folder / "rows.jsonl").open("a") as stream:
        stream.write('{"author": "Zoe Ray", "mess\n')
    out = write(folder, "out.jsonl", {"author": "Bo"})
    source = {"path": "rows.jsonl", "origin": "human", "licence": "MIT"}
    source["columns"] = {"consent_key": "user.id"}

    artifact, _ = curate(folder, **KEYED, opt_out=out, sources=[source])

    written = artifact.file(REJECTED).read_text()
    rows = [json.loads(line) for line in written.splitlines()]
    assert not any(
        name in written
        for name in ("Dan", "Bo", "u1", "Eve", "u.one", "u.two", "Zoe", "x.org", "Rae")
    )
    assert [row["text"][:9] for row in rows] == ['{"message', "(left out", '{"message', "(left out"]
    assert "[EMAIL]" in rows[0]["text"]


def test_a_consent_key_inside_a_column_is_no_tag(folder: Path) -> None:
    write(folder, "rows.jsonl", {"prompt": "A?", "completion": "b", "user": {"id": "ann", "at": 1}})
    source = {"path": "rows.jsonl", "origin": "human", "licence": "MIT"}
    source["columns"] = {"consent_key": "user.id"}

    (row,) = read_rows(curate(folder, **KEYED, sources=[source])[0].file(ROWS))

    assert dict(row.tags) == {"user.at": "1"}
    assert str(row.consent_key).startswith("[PERSON_")


def test_a_row_left_out_for_its_licence_is_explained_by_both_its_ids(folder: Path) -> None:
    plain, _ = curate(folder)
    old = read_rows(plain.file(ROWS))[0].id
    rows = [form(said, more, **who) for said, more, who in SAID]
    write(folder, "rows.jsonl", {**rows[0], "licence": "CC-BY-NC-4.0"}, *rows[1:])

    artifact, _ = curate(folder, licences=["MIT"], screen={"actions": {"pii": "redact"}})

    (dropped,) = read_rows(artifact.file(DROPPED))
    (told,) = [one for one in read_ledger(artifact.file(LEDGER)) if one.decision == "drop"]
    assert told.row == dropped.id != old
    assert told.detail == f"rows.jsonl:1 is under CC-BY-NC-4.0, read as {old}"
    for name in (dropped.id, old):
        found = {story.row: story for story in stories(Store.beside(folder), name)}
        assert found[dropped.id].example == dropped


def test_a_model_whose_answers_have_no_licence_is_for_review(folder: Path) -> None:
    made = {"origin": "synthetic", "generator": {"model": "m"}}
    write(folder, "rows.jsonl", form("A?", "b", **made), form("B?", "c"))

    artifact, _ = curate(folder, licences=["MIT"], review=NO_REVIEW)

    assert artifact.counts["kept"] == 2
    assert artifact.counts["review.generator_unlicensed"] == 1
    assert "review.generator_unlicensed" not in curate(folder, review=NO_REVIEW)[0].counts


def test_a_decision_that_several_datasets_made_names_them_all(folder: Path) -> None:
    first, _ = curate(folder)
    asked, said, who = SAID[0]
    write(folder, "rows.jsonl", form(asked, said, **who), form("Other?", "yes"))
    second, _ = curate(folder)

    story = explain_row(Store.beside(folder), read_rows(first.file(ROWS))[0].id)

    assert [set(names) for names in story.decided_in] == [{first.name, second.name}] * 2
    assert {entry.reason for entry in story.entries} == {"clean", "personal_data"}


def test_a_row_is_found_where_an_older_dataset_did_not_name_its_author(folder: Path) -> None:
    lines = [{"q": asked, "a": said, "who": more["author"]} for asked, said, more in SAID]
    source = {"path": write(folder, "flat.jsonl", *lines), "origin": "human", "licence": "MIT"}
    source |= {"format": "fields", "fields": {"user": "q", "assistant": "a"}}
    older, _ = curate(folder, sources=[source], card={"tokenizer": None})
    named, recipe = curate(folder, sources=[{**source, "author": "who"}])
    assert older.digest != named.digest

    write(folder, "out.jsonl", {"author": "Ann"})
    found = list(opted_out(Store.beside(folder), read_opt_outs("out.jsonl", recipe)))

    told = {artifact.digest for one in found for artifact in one.datasets}
    assert told == {older.digest, named.digest}
    assert {one.example.source.line for one in found} == {1}
