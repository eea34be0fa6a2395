"""The door of curate: a dataset in the store, every row accounted for."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tutelage.core.errors import RecipeError, RowError
from tutelage.core.ledger import Decision
from tutelage.core.progress import StageState, Tick
from tutelage.core.recipe import Curate, Recipe, loads
from tutelage.curate import run as door
from tutelage.curate import ticker
from tutelage.curate.written import CARD, CARD_JSON, REJECTED
from tutelage.store.artifact import Artifact
from tutelage.store.run import Run
from tutelage.store.tables import DROPPED, LEDGER, ROWS, read_ledger, read_rows

REPEATED = "please tell me the way to the old harbour and back again before noon"


def rows(*pairs: tuple[str, str], **more: str) -> str:
    return "".join(
        json.dumps({"prompt": asked, "completion": said, **more}) + "\n" for asked, said in pairs
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plain = [(f"request number{index}", f"answer number{index}") for index in range(40)]
    own = [("Hi", "Ho"), (" hi", "ho"), (REPEATED, "Left."), (f"{REPEATED} please", "Left.")]
    odd = [("same", "one"), ("same", "two"), ("What is asked?", "Secret")]
    bad = '{"prompt": "Hi"}\n{"prompt": "Hi", "completion": ""}\n{\n'
    (tmp_path / "a.jsonl").write_text(rows(*plain, topic="plain") + bad, encoding="utf-8")
    (tmp_path / "b.jsonl").write_text(rows(*own, *odd, topic="odd"), encoding="utf-8")
    (tmp_path / "test.jsonl").write_text(rows(("what is asked", "X")), encoding="utf-8")
    return tmp_path


def recipe(folder: Path, seed: int = 1, **curate: Any) -> Recipe:
    sources = [
        {
            "path": "a.jsonl",
            "origin": "synthetic",
            "licence": "CC-BY-4.0",
            "generator": {"model": "teacher-1"},
        },
        {"path": "b.jsonl", "origin": "human", "licence": "CC0-1.0"},
    ]
    return Recipe.model_validate(
        {
            "name": "test",
            "seed": seed,
            "curate": {
                "sources": sources,
                "invalid": "reject",
                "review": {"reviewers": 0},  # its synthetic rows are old ones
                **curate,
            },
            "evaluate": {"suites": [{"name": "s", "path": "test.jsonl", "scorers": ["json"]}]},
        }
    ).at(folder)


class Listener:
    def __init__(self) -> None:
        self.states: list[StageState] = []
        self.ticks: list[Tick] = []
        self.warnings: list[str] = []

    def stage(self, name: str, state: StageState, note: str) -> None:
        self.states.append(state)

    def tick(self, tick: Tick) -> None:
        self.ticks.append(tick)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def curate(written: Recipe, listener: Listener | None = None) -> Artifact:
    section = written.curate
    assert isinstance(section, Curate)
    with Run.open(written, progress=listener or Listener()) as run:
        return door.run(section, {}, run)


def test_every_row_read_is_kept_or_dropped_and_the_ledger_says_why(folder: Path) -> None:
    artifact = curate(recipe(folder))

    kept = read_rows(artifact.file(ROWS))
    dropped = read_rows(artifact.file(DROPPED))
    rejected = artifact.file(REJECTED).read_text(encoding="utf-8").splitlines()
    ledger = read_ledger(artifact.file(LEDGER))
    decisions = Counter(entry.decision for entry in ledger)
    read = 40 + 3 + 7
    assert len(kept) + len(dropped) + len(rejected) == read
    assert decisions[Decision.KEEP] == len(kept)
    assert decisions[Decision.DROP] == len(dropped) + len(rejected)
    assert dict(artifact.counts) == {
        "read": read,
        "kept": 44,
        "dropped": 6,
        "train": 43,
        "validation": 1,
        "groups": 43,
        "drop.empty_response": 1,
        "drop.exact_duplicate": 1,
        "drop.invalid_json": 1,
        "drop.leak_exact": 1,
        "drop.missing_field": 1,
        "drop.near_duplicate": 1,
        "keep.clean": 44,
        "review.conflicting_label": 2,
    }


def test_what_others_contradict_or_the_schema_forbids_goes_where_the_recipe_says_so(
    folder: Path,
) -> None:
    (folder / "said.json").write_text('{"type": "object"}', encoding="utf-8")
    own = [("a", "{}"), ("a", "{}"), ("a", '{"b": 1}'), ("c", "{"), ("d", "{}")]
    (folder / "b.jsonl").write_text(rows(*own), encoding="utf-8")
    (folder / "a.jsonl").write_text(rows(("e", "{}")), encoding="utf-8")
    asked = recipe(folder, conflicting="drop", invalid_output="drop")
    schema = asked.contract.model_copy(update={"output_schema": "said.json"})
    artifact = curate(asked.model_copy(update={"contract": schema}))

    kept = [one.messages[-1].content for one in read_rows(artifact.file(ROWS))]
    assert kept == ["{}"] * 3
    counts = artifact.counts
    assert (counts["drop.conflicting_label"], counts["drop.invalid_output"]) == (1, 1)
    assert (counts["drop.exact_duplicate"], counts["dropped"]) == (1, 3)


def test_a_schema_that_is_not_there_forbids_nothing_and_that_is_told(folder: Path) -> None:
    form = recipe(folder).model_dump(mode="json")
    form["curate"]["invalid_output"] = "drop"
    with pytest.raises(RecipeError, match="has no effect without"):
        loads(json.dumps(form))


def test_bad_rows_are_kept_on_file_with_their_line(folder: Path) -> None:
    listener = Listener()
    artifact = curate(recipe(folder), listener)

    lines = artifact.file(REJECTED).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {
            "schema": 1,
            "where": "a.jsonl:41",
            "reason": "missing_field",
            "problem": "no column `completion`; it has prompt",
            "text": '{"prompt": "Hi"}',
        },
        {
            "schema": 1,
            "where": "a.jsonl:42",
            "reason": "empty_response",
            "problem": "column `completion` is empty; expected the answer to teach",
            "text": '{"prompt": "Hi", "completion": ""}',
        },
        {
            "schema": 1,
            "where": "a.jsonl:43",
            "reason": "invalid_json",
            "problem": "the row is not JSON: it ends too early",
            "text": "{",
        },
    ]
    assert listener.warnings == [
        "40 rows are a model's and nobody reviewed them: `curate.review`",
        "3 bad rows were left out; rejected.jsonl has each with its line",
    ]


def test_bad_rows_stop_the_run_where_the_recipe_says_so(folder: Path) -> None:
    with pytest.raises(RowError) as caught:
        curate(recipe(folder, invalid="fail"))

    assert caught.value.text() == (
        "error: 3 rows of a.jsonl cannot be taught\n"
        "  line 41  no column `completion`; it has prompt\n"
        "  line 42  column `completion` is empty; expected the answer to teach\n"
        "  line 43  the row is not JSON: it ends too early\n"
        "\n"
        "hint: fix them, or set `curate.invalid: reject`"
    )


def test_a_bad_task_stops_the_run_whatever_the_recipe_says(folder: Path) -> None:
    (folder / "test.jsonl").write_text(rows(("a", "b"), ("c", "")), encoding="utf-8")

    with pytest.raises(RowError, match=r"1 row of test.jsonl cannot be used as tasks"):
        curate(recipe(folder))


def test_all_missing_files_are_told_together(folder: Path) -> None:
    (folder / "a.jsonl").rename(folder / "aa.jsonl")
    (folder / "test.jsonl").rename(folder / "tests.jsonl")

    with pytest.raises(RowError) as caught:
        curate(recipe(folder))

    assert caught.value.text() == (
        "error: 2 files are missing\n"
        "  a.jsonl     there is no such file; did you mean `aa.jsonl`?\n"
        "  test.jsonl  there is no such file; did you mean `tests.jsonl`?"
    )


def test_nothing_left_to_teach_is_an_error(folder: Path) -> None:
    (folder / "a.jsonl").write_text(rows(("what is asked", "Y")), encoding="utf-8")
    (folder / "b.jsonl").write_text(rows(("what is asked?", "Z")), encoding="utf-8")

    with pytest.raises(RowError, match=r"no row is left to teach: drop.leak_exact 2"):
        curate(recipe(folder))


def test_an_unchanged_recipe_is_taken_from_the_store(folder: Path) -> None:
    first, second = Listener(), Listener()

    assert curate(recipe(folder), first) == curate(recipe(folder), second)

    assert (first.states, second.states) == (["begun", "made"], ["reused"])
    assert [tick.done for tick in first.ticks] == [0, 1, 2, 3, 4, 5, 6]


def test_how_far_the_longest_pass_is_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticker, "TOLD_EVERY", 10)
    listener = Listener()

    curate(recipe(folder, scale={"part_rows": 10}), listener)

    assert [tick.done for tick in listener.ticks if 0 < tick.done < 1]


def test_the_same_inputs_make_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    first = curate(recipe(folder))
    written = recipe(folder)
    assert written.curate
    with Run.open(written, force=True) as run:
        again = door.run(written.curate, {}, run)

    assert again.digest == first.digest


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 2},
        {"validation": 0.5},
        {"group_by": "example"},
        {"rows": 20},
        {"duplicates": {"near": False}},
        {"duplicates": {"jaccard": 0.9}},
        {"leakage": {"coverage": 0.9}},
    ],
)
def test_a_changed_key_makes_another_dataset(folder: Path, change: dict[str, Any]) -> None:
    assert curate(recipe(folder)).key != curate(recipe(folder, **change)).key


@pytest.mark.parametrize("name", ["a.jsonl", "test.jsonl"])
def test_a_changed_file_makes_another_dataset(folder: Path, name: str) -> None:
    before = curate(recipe(folder))
    with (folder / name).open("a", encoding="utf-8") as stream:
        stream.write(rows(("one more", "row")))

    assert curate(recipe(folder)).key != before.key


def test_answers_are_held_against_the_output_schema(folder: Path) -> None:
    (folder / "schema.json").write_text('{"type": "object"}', encoding="utf-8")
    written = recipe(folder)
    contract = written.contract.model_copy(update={"output_schema": "schema.json"})

    artifact = curate(written.model_copy(update={"contract": contract}))

    assert artifact.counts["review.invalid_output"] == artifact.counts["kept"] == 44
    assert "schema:schema.json" in artifact.manifest.inputs


def test_near_duplicates_stay_where_the_recipe_says_so(folder: Path) -> None:
    counts = curate(recipe(folder, duplicates={"near": False})).counts

    assert "drop.near_duplicate" not in counts
    assert counts["kept"] == 45


def test_so_many_rows_are_taken_by_a_seeded_shuffle(folder: Path) -> None:
    first = curate(recipe(folder, rows=10))
    other = curate(recipe(folder, seed=2, rows=10))

    ids = [example.id for example in read_rows(first.file(ROWS))]
    assert len(ids) == 10
    assert first.counts["drop.over_limit"] == 34
    assert ids != [example.id for example in read_rows(other.file(ROWS))]


def test_the_card_counts_sources_licences_and_tags(folder: Path) -> None:
    artifact = curate(recipe(folder))

    form = json.loads(artifact.file(CARD_JSON).read_bytes())
    assert form["rows"] == {"read": 50, "kept": 44, "dropped": 6}
    assert form["licences"] == {"CC-BY-4.0": 40, "CC0-1.0": 4}
    assert form["origins"] == {"human": 4, "synthetic": 40}
    assert form["tags"] == {"topic": {"rows": 44, "distinct": 2, "values": {"plain": 40, "odd": 4}}}
    assert [(one["read"], one["rejected"], one["kept"]) for one in form["sources"]] == [
        (43, 3, 40),
        (7, 0, 4),
    ]
    text = artifact.file(CARD).read_text(encoding="utf-8")
    assert "50 rows read, 44 kept, 6 left out." in text
    assert "CC-BY-4.0 asks for credit" in text
    assert "- `topic`: 2 values in 44 rows: plain 40, odd 4" in text


def test_folders_of_this_machine_enter_no_artifact(folder: Path) -> None:
    source = {"path": str(folder / "b.jsonl"), "origin": "human", "licence": "CC0-1.0"}
    artifact = curate(recipe(folder, sources=[source]))

    assert str(folder) not in (artifact.folder / "manifest.json").read_text(encoding="utf-8")
    assert "source:b.jsonl" in artifact.manifest.inputs


def test_stages_stand_in_the_dataset_the_ledger_and_the_card(folder: Path) -> None:
    stages = [
        {"name": "plain", "mix": {"a": 1}},
        {"name": "odd", "mix": {"b": 1, "a": 1}, "rows": 2},
    ]
    with Run.open(recipe(folder, validation=0, stages=stages)) as run:
        made = door.run(recipe(folder, validation=0, stages=stages).curate, {}, run)  # type: ignore[arg-type]
    kept = read_rows(made.file(ROWS))
    assert Counter(one.stage for one in kept) == {"plain": 39, "odd": 2}
    assert [made.counts[f"stage.{name}"] for name in ("plain.a", "odd.b", "odd.a")] == [39, 1, 1]
    left = [one for one in read_ledger(made.file(LEDGER)) if one.reason == "not_mixed"]
    assert len(left) == made.counts["drop.not_mixed"] > 0
    assert "| odd | 1 | b | 50.0% |" in made.file("card.md").read_text(encoding="utf-8")
