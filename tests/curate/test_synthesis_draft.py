"""A teacher of known faults: exactly what is planted is dropped or flagged, and nothing else."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.score.judges import serving
from tests.score.teachers import INTENTS, LEAKED, PLANTED, SYSTEM, Planted, Teacher, project, said
from tutelage.core.errors import MissingCapability, RecipeError
from tutelage.core.ledger import Decision
from tutelage.core.recipe import load
from tutelage.core.row import draft_digest
from tutelage.curate import run as curation
from tutelage.curate.synthesis.run import SIFTED_OUT, needed, read_drafts, read_summary
from tutelage.curate.synthesis.run import run as door
from tutelage.curate.synthesis.sift import Draft
from tutelage.score.endpoint import Spent
from tutelage.store.artifact import Artifact
from tutelage.store.opt_outs import text_digest
from tutelage.store.run import Run
from tutelage.store.tables import LEDGER, ROWS, read_ledger, read_rows

FLAGS = ("personal_data", "conflicting_label")


def drafted(path: Path, *overrides: str) -> tuple[Artifact, Spent]:
    """The drafts of a recipe."""
    recipe = load(path, overrides)
    with Run.open(recipe) as run:
        return door(needed(recipe)[0], run)


@contextmanager
def taught(folder: Path, **changes: Any) -> Iterator[tuple[Path, list[Any]]]:
    """A project whose teacher answers for the block, and what it was sent."""
    with serving(Teacher(planted=PLANTED).choice) as (endpoint, sent):
        yield project(folder, PLANTED, endpoint, **changes), sent


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, list[Draft], list[Any]]:
    with taught(tmp_path_factory.mktemp("desk")) as (path, sent):
        artifact, _ = drafted(path)
    return artifact, read_drafts(artifact), sent


Made = tuple[Artifact, list[Draft], list[Any]]


def asked(draft: Draft) -> str:
    return draft.example.messages[-2].content


def test_exactly_the_planted_faults_are_dropped_and_flagged(made: Made) -> None:
    artifact, drafts, _ = made
    form: Any = read_summary(artifact)
    fates = Counter(one.fate for one in PLANTED.values())

    gone = {name: count for name, count in fates.items() if name not in (*FLAGS, "clean")}
    assert form["dropped"] == gone
    assert form["flagged"] == {name: fates[name] for name in FLAGS}
    assert (form["made"], form["open"]) == (len(PLANTED), fates["clean"] + len(FLAGS))
    reasons = {asked(one): [why.partition(":")[0] for why in one.reasons] for one in drafts}
    assert reasons == {
        "tell me what is on my account today": [],
        "could somebody look up whether my wages came in": [],
        "write the figure to [EMAIL] as soon as you can": ["personal_data"],
        "may i have a second account": ["conflicting_label"],
    }


def test_every_draft_is_in_the_ledger_once_kept_or_dropped(made: Made) -> None:
    artifact, drafts, _ = made
    ledger = read_ledger(artifact.file(LEDGER))

    decided = [one for one in ledger if one.decision in (Decision.KEEP, Decision.DROP)]
    names = [one.detail.partition(" ")[0] for one in decided]
    assert len(names) == len(set(names)) == len(PLANTED)
    assert {one.stage for one in ledger} == {"draft"}
    assert {one.row for one in decided if one.decision == Decision.KEEP} == {
        one.example.id for one in drafts
    }
    near = next(one for one in ledger if one.reason == "near_duplicate")
    assert "is like others.jsonl:2, Jaccard 0.9" in near.detail
    lost = artifact.file(SIFTED_OUT).read_bytes().splitlines()
    assert len(lost) == len([one for one in decided if one.decision == Decision.DROP]) - 2


def test_a_draft_says_what_wrote_it_how_and_from_which_row(made: Made) -> None:
    artifact, drafts, sent = made
    form: Any = read_summary(artifact)
    (steady,) = (one for one in drafts if "account today" in asked(one))
    row = steady.example
    by = row.generator

    assert (row.origin, row.licence) == ("synthetic", "CC0-1.0 AND Apache-2.0")
    assert by is not None
    assert (by.model, by.licence, steady.alike, steady.samples) == ("teacher-7", "Apache-2.0", 3, 3)
    assert by.parameters["temperature"] == 0.8
    assert by.seed in [one["seed"] for one in sent]
    assert by.prompt_digest
    assert by.parameters["request_seed"] in [one["seed"] for one in sent]
    assert row.parents[0] in form["seeds"]["ids"]
    assert [one.role for one in row.messages] == ["system", "user", "assistant"]
    assert row.messages[0].content == SYSTEM
    assert steady.digest == draft_digest(row)


def test_the_guide_is_told_to_the_teacher_and_is_no_part_of_the_row(made: Made) -> None:
    _, drafts, sent = made
    guided = [one["messages"][0]["content"] for one in sent if len(one["messages"]) == 2]

    assert all(one.startswith(f"{SYSTEM}\n\nReply with JSON by this schema: ") for one in guided)
    assert all(intent in guided[0] for intent in INTENTS)
    assert not [one for one in drafts if "schema" in one.example.messages[0].content]


def test_costs_are_counted_and_kept_replies_cost_nothing_again(tmp_path: Path) -> None:
    with taught(tmp_path) as (path, sent):
        artifact, spent = drafted(path)
        asked_once = len(sent)
        again, later = drafted(path, "curate.synthesis.agreement=0.7")
    form: Any = read_summary(artifact)

    assert asked_once == spent.asked == len(PLANTED) + 3 * (len(PLANTED) - 1)
    assert form["spent"]["replies"] == asked_once
    read_tokens = sum(len(one["messages"][0]["content"].split()) for one in sent)
    assert form["spent"]["prompt_tokens"] == read_tokens
    assert form["spent"]["cost"] == pytest.approx(read_tokens / 1000 + 2 * asked_once)
    assert len(sent) == asked_once
    assert (later.asked, later.kept) == (0, asked_once)
    tightened: Any = read_summary(again)
    assert tightened["dropped"]["inconsistent"] == 2  # two of three are too few now


def test_a_teacher_that_breaks_off_is_asked_for_what_is_missing_only(tmp_path: Path) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    for folder in (whole, part):
        folder.mkdir()
    with serving(Teacher(planted=PLANTED).choice) as (endpoint, _):
        path = project(whole, PLANTED, endpoint)
        undisturbed, _ = drafted(path, "curate.synthesis.teacher.at_once=1")
    with serving(Teacher(planted=PLANTED).choice, [200] * 20 + [500]) as (endpoint, sent):
        path = project(part, PLANTED, endpoint)
        with pytest.raises(MissingCapability, match="teacher `teacher-7` did not answer"):
            drafted(path, "curate.synthesis.teacher.at_once=1")
        assert len(sent) == 21
        artifact, spent = drafted(path, "curate.synthesis.teacher.at_once=1")

    total = len(PLANTED) + 3 * (len(PLANTED) - 1)
    assert (spent.asked, spent.kept) == (total - 20, 20)
    assert artifact.digest == undisturbed.digest


def test_more_seeds_are_the_same_ones_and_others(tmp_path: Path) -> None:
    with taught(tmp_path) as (path, sent):
        few, _ = drafted(path, "curate.synthesis.seeds.count=5")
        before = len(sent)
        more, spent = drafted(path, "curate.synthesis.seeds.count=8")
        other, _ = drafted(path, "curate.synthesis.seeds.count=5", "seed=4")
    ids: Any = [read_summary(one)["seeds"] for one in (few, more, other)]

    assert ids[0]["ids"] == ids[1]["ids"][:5]
    assert ids[0]["ids"] != ids[2]["ids"]
    assert spent.kept == before
    assert few.manifest.seeds == more.manifest.seeds != other.manifest.seeds


def test_a_seed_leaves_the_house_only_as_curation_would_keep_it(tmp_path: Path) -> None:
    planted = {
        "write to ada@example.org": PLANTED["what do i have"],
        LEAKED: PLANTED["what do i have"],
        "my parcel is late": PLANTED["is there money left"],
        "not mine": PLANTED["what is mine"],
    }
    shown = {**planted, "write to [EMAIL]": planted["write to ada@example.org"]}
    with serving(Teacher(planted=shown).choice) as (endpoint, sent):
        path = project(tmp_path, planted, endpoint, opt_out="out.jsonl")
        (tmp_path / "out.jsonl").write_text(json.dumps({"digest": text_digest("not mine")}) + "\n")
        artifact, _ = drafted(path)
    form: Any = read_summary(artifact)

    assert form["seeds"]["drawn"] == 2
    assert form["seeds"]["left_out"] == {"leak_exact": 1, "opted_out": 1}
    told = json.dumps(sent)
    assert "[EMAIL]" in told
    assert not [words for words in ("ada@", LEAKED, "not mine") if words in told]


def test_who_took_a_row_back_by_what_a_dataset_shows_is_not_told_to_the_teacher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "k" * 32)
    mine, mail = "not mine", "write to ada@example.org"
    parcel, free = "my parcel is late", "what do i have"
    planted = dict.fromkeys((mine, parcel, free, "write to [EMAIL]"), PLANTED["what do i have"])
    screen = {"actions": {"email": "redact"}, "key_env": "KEY"}
    with serving(Teacher(planted=planted).choice) as (endpoint, sent):
        path = project(
            tmp_path,
            dict.fromkeys((mine, mail, parcel, free), PLANTED["what do i have"]),
            endpoint,
            people="pseudonymise",
            screen=screen,
            opt_out="out.jsonl",
        )
        (tmp_path / "out.jsonl").write_text("")
        form = json.loads(path.read_text())
        rows = [json.loads(line) for line in (tmp_path / "seeds.jsonl").read_text().splitlines()]
        rows = [row | {"who": f"person {number}"} for number, row in enumerate(rows)]
        (tmp_path / "seeds.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        form["curate"]["sources"][0]["author"] = "who"
        path.write_text(json.dumps(form))
        plain = {name: one for name, one in form["curate"].items() if name != "synthesis"}
        plain["sources"] = plain["sources"][:2]
        (tmp_path / "plain.yaml").write_text(json.dumps({**form, "curate": plain}))
        recipe = load(tmp_path / "plain.yaml")
        assert recipe.curate is not None
        with Run.open(recipe) as run:
            shown = read_rows(curation.run(recipe.curate, {}, run).file(ROWS))
        by = {one.messages[-2].content: one for one in shown}
        outs = [{"author": by[mine].author}, {"digest": by["write to [EMAIL]"].id}]
        outs.append({"digest": by[parcel].id})
        (tmp_path / "out.jsonl").write_text("".join(json.dumps(one) + "\n" for one in outs))

        artifact, _ = drafted(path)
    told: Any = read_summary(artifact)

    assert str(by[mine].author).startswith("[PERSON_")
    assert told["seeds"]["left_out"] == {"opted_out": 3}
    assert told["seeds"]["drawn"] == 1
    words = json.dumps(sent)
    assert free in words
    assert not [one for one in (mine, "[EMAIL]", parcel) if one in words]


def test_prompts_of_a_file_are_answered_as_they_are(tmp_path: Path) -> None:
    planted = {
        one: Planted(request=one, answers=[said("balance")], fate="clean")
        for one in ("what may i spend", "how is my purse")
    }
    (tmp_path / "prompts.jsonl").write_text(
        "".join(json.dumps({"ask": one}) + "\n" for one in planted)
        + json.dumps({"ask": ["one", "two"]})
        + "\n"
    )
    prompts = {"path": "prompts.jsonl", "prompt": "ask", "licence": "CC0-1.0"}
    with serving(Teacher(planted=planted).choice) as (endpoint, sent):
        path = project(tmp_path, PLANTED, endpoint, synthesis={})
        written = json.loads(path.read_text())
        written["curate"]["synthesis"]["seeds"] = {"prompts": prompts}
        written["curate"]["synthesis"]["teacher"]["endpoint"] = endpoint
        path.write_text(json.dumps(written))
        artifact, spent = drafted(path)
    form: Any = read_summary(artifact)

    assert sorted(asked(one) for one in read_drafts(artifact)) == sorted(planted)
    assert spent.asked == len(sent) == 6
    assert form["seeds"]["left_out"] == {"not one request": 1}
    assert "prompts:prompts.jsonl" in artifact.manifest.inputs


def test_nothing_is_asked_where_no_row_can_be_a_seed(tmp_path: Path) -> None:
    with taught(tmp_path, licences=["Apache-2.0"]) as (path, sent):
        with pytest.raises(RecipeError, match="no row can be a seed: licence_not_allowed"):
            drafted(path)
        assert sent == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (["teacher.licence=CC-BY-NC-4.0"], "`CC-BY-NC-4.0` is not on the list `curate.licences`"),
        (["seeds.sources=[none]"], "no source is called `none` (others, seeds)"),
        (["seeds.sources=[synthetic]"], "no source is called `synthetic`"),
        (["seeds.sources=[]"], "either `sources: [NAME]` or `prompts"),
        (["samples=1", "agreement=0.5"], "`agreement` has no effect with one sample"),
        (["teacher.temperature=0"], "all answers to a request are one answer"),
        (["instruction=write"], "it has no `{request}`"),
        (["rows=others.jsonl"], "give it `format: row, origin: synthetic`"),
    ],
)
def test_a_recipe_that_cannot_draft_is_refused(
    tmp_path: Path, change: list[str], told: str
) -> None:
    path = project(tmp_path, PLANTED, "http://localhost:1/v1")
    with pytest.raises(RecipeError) as raised:
        load(path, [f"curate.synthesis.{one}" for one in change])
    assert told in str(raised.value)


def test_what_is_drafted_is_reviewed_by_somebody(tmp_path: Path) -> None:
    path = project(tmp_path, PLANTED, "http://localhost:1/v1")
    with pytest.raises(RecipeError, match="expected 1 or more"):
        load(path, ["curate.review.reviewers=0"])
