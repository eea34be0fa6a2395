"""`lineage` and `explain-row`: from an artifact to the rows, and back."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Kept, Tutelage
from tutelage.store.tables import ROWS


def test_the_tree_leads_from_an_adapter_to_the_source_file(tutelage: Tutelage, kept: Kept) -> None:
    said = tutelage("lineage", kept.adapter.name)
    assert said.code == 0
    assert said.out.splitlines() == [
        kept.adapter.name,
        f"└─ {kept.dataset.name}  2 rows",
        "   └─ source:data/train.jsonl abababababab",
    ]


def test_rows_lists_the_rows_with_their_lines(tutelage: Tutelage, kept: Kept) -> None:
    said = tutelage("lineage", kept.adapter.digest[:8], "--rows")
    assert "2 rows" in said.out
    assert f"{kept.first.id}  train       data/train.jsonl:1" in said.out
    assert kept.dropped.id not in said.out


def test_down_leads_from_a_dataset_to_what_was_made_from_it(tutelage: Tutelage, kept: Kept) -> None:
    form = tutelage("lineage", kept.dataset.name, "--down", "--json").json()
    assert form["data"]["descendants"] == [kept.adapter.name]
    assert [one["name"] for one in form["artifacts"]] == [kept.adapter.name]


def test_down_says_where_nothing_was_made(tutelage: Tutelage, kept: Kept) -> None:
    said = tutelage("lineage", kept.adapter.name, "--down")
    assert said.out.splitlines() == [kept.adapter.name, "nothing was made from it"]


def test_a_folder_in_the_store_is_an_artifact(tutelage: Tutelage, kept: Kept) -> None:
    form = tutelage("lineage", str(kept.adapter.folder), "--json").json()
    assert form["data"]["name"] == kept.adapter.name
    assert form["data"]["tree"]["inputs"][0]["counts"] == {"kept": 2}


def test_another_project_is_looked_at_by_its_folder(
    tutelage: Tutelage, kept: Kept, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    assert tutelage("lineage", "--project", "elsewhere").code == 1
    assert tutelage("lineage", kept.adapter.name, "--project", str(tmp_path)).code == 0


def test_an_empty_project_says_how_to_begin(tutelage: Tutelage) -> None:
    said = tutelage("lineage")
    assert said.code == 1
    assert "nothing was made here yet" in said.err
    assert "`tutelage run`" in said.err


def test_an_unknown_artifact_lists_those_there_are(tutelage: Tutelage, kept: Kept) -> None:
    said = tutelage("lineage", "report-000000000000")
    assert said.code == 1
    assert kept.adapter.name in said.err


def test_a_kept_row_tells_where_it_stands_and_what_was_made_with_it(
    tutelage: Tutelage, kept: Kept
) -> None:
    said = tutelage("explain-row", kept.second.id)
    assert said.code == 0
    assert "read from    data/train.jsonl:2, CC0-1.0, human" in said.out
    assert f"stands in    {kept.dataset.name}, train" in said.out
    assert f"made with it {kept.adapter.name}" in said.out
    assert "| user: Is it night?" in said.out


def test_a_row_is_found_by_its_line(tutelage: Tutelage, kept: Kept) -> None:
    form = tutelage("explain-row", "data/train.jsonl:1", "--json").json()
    assert [row["row"] for row in form["data"]["rows"]] == [kept.first.id]


def test_a_dropped_row_is_found_by_its_line(tutelage: Tutelage, kept: Kept) -> None:
    form = tutelage("explain-row", "data/train.jsonl:3", "--json").json()
    assert [row["row"] for row in form["data"]["rows"]] == [kept.dropped.id]


def test_a_dropped_row_tells_why_and_which_row_it_repeats(tutelage: Tutelage, kept: Kept) -> None:
    said = tutelage("explain-row", kept.dropped.id[:10])
    assert "stands in    no dataset" in said.out
    assert f"drop, near_duplicate: data/train.jsonl:3 Jaccard 0.81, see {kept.first.id}" in said.out


def test_a_row_tells_which_rows_were_dropped_for_it(tutelage: Tutelage, kept: Kept) -> None:
    said = tutelage("explain-row", kept.first.id)
    assert f"drop of {kept.dropped.id}, near_duplicate: data/train.jsonl:3 Jaccard 0.81" in said.out


def test_an_unknown_row_is_an_error(tutelage: Tutelage, kept: Kept) -> None:
    said = tutelage("explain-row", "data/train.jsonl:99")
    assert said.code == 1
    assert "no dataset and no ledger knows the row `data/train.jsonl:99`" in said.err


def test_what_was_taken_back_leads_to_everything_made_with_it(
    tutelage: Tutelage, kept: Kept, tmp_path: Path
) -> None:
    (tmp_path / "out.csv").write_text(f"digest\n{kept.first.id}\n")
    said = tutelage("lineage", "--opt-out", "out.csv")
    assert said.code == 0
    assert f"{kept.first.id}  train       data/train.jsonl:1  by its text" in said.out
    assert kept.adapter.name in said.out
    form = tutelage("lineage", "--opt-out", "out.csv", "--json").json()
    assert form["data"]["artifacts"] == [kept.dataset.name, kept.adapter.name]
    assert [row["because"] for row in form["data"]["rows"]] == ["its text"]


def test_a_list_without_rows_here_says_so_and_goes_with_no_other_question(
    tutelage: Tutelage, kept: Kept, tmp_path: Path
) -> None:
    (tmp_path / "out.csv").write_text("author\nnobody\n")
    assert (
        "no dataset holds a row that is taken back"
        in tutelage("lineage", "--opt-out", "out.csv").out
    )
    assert tutelage("lineage", kept.adapter.name, "--opt-out", "out.csv").code == 2


def test_a_damaged_dataset_is_told_by_its_file(tutelage: Tutelage, kept: Kept) -> None:
    path = kept.dataset.folder / ROWS
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:200])

    said = tutelage("explain-row", kept.first.id)

    assert said.code == 1
    assert f"{kept.dataset.name} is damaged" in said.err
    assert "fault of tutelage" not in said.err
