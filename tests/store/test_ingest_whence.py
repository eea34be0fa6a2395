"""Where rows come from: what a row or its source must say, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tutelage.core.recipe import Improve, Recipe, SourceFile
from tutelage.core.row import Generator
from tutelage.store.ingest import Ingested, read_examples

ROW = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}
PAIR = {"prompt": "Hi", "completion": "Ho"}


def read(folder: Path, *rows: Any, origin: str = "human", **source: Any) -> Ingested:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    form = {"path": "rows.jsonl", "origin": origin, "licence": "MIT", **source}
    return read_examples(SourceFile.model_validate(form), Recipe(name="test").at(folder))


def test_a_synthetic_row_says_what_wrote_it_or_its_source_does(tmp_path: Path) -> None:
    by = {"model": "teacher-1", "prompt_digest": "ab", "parameters": {"temperature": 0.7}}
    by |= {"seed": 3, "licence": "Apache-2.0"}

    own = read(
        tmp_path, ROW, {**ROW, "generator": by}, {**ROW, "generator": "m"}, origin="synthetic"
    )
    given = read(tmp_path, PAIR, origin="synthetic", generator=by)

    assert [one.problem for one in own.bad] == [
        "it is synthetic and nobody says what wrote it; expected a `generator`"
    ]
    assert (
        own.examples[0].generator
        == given.examples[0].generator
        == Generator(
            model="teacher-1",
            prompt_digest="ab",
            parameters={"temperature": 0.7},
            seed=3,
            licence="Apache-2.0",
        )
    )
    assert own.examples[1].generator == Generator(model="m")


def test_an_edited_row_says_by_whom_and_from_what(tmp_path: Path) -> None:
    rows = [ROW, {**ROW, "editor": "ann"}, {**ROW, "editor": "ann", "parents": ["r1"]}]

    found = read(tmp_path, *rows, origin="human_edited")

    assert [one.problem for one in found.bad] == [
        "it is human_edited and has no `editor` and `parents`; expected who edited it and what",
        "it is human_edited and has no `parents`; expected who edited it and what",
    ]
    assert (found.examples[0].editor, found.examples[0].parents) == ("ann", ("r1",))


def test_columns_say_for_each_row_what_the_source_says_for_all(tmp_path: Path) -> None:
    row = {
        **PAIR,
        "who": {"wrote": "human_edited", "agreed": "user-7"},
        "terms": "CC-BY-4.0",
        "terms_at": "consent form 3",
        "by": "bo",
        "of": "r1",
        "topic": "greeting",
    }
    columns = {
        "origin": "who.wrote",
        "consent_key": "who.agreed",
        "licence": "terms",
        "licence_basis": "terms_at",
        "editor": "by",
        "parents": "of",
    }

    (example,) = read(tmp_path, row, columns=columns).examples

    assert (example.origin, example.consent_key, example.licence) == (
        "human_edited",
        "user-7",
        "CC-BY-4.0",
    )
    assert (example.licence_basis, example.editor, example.parents) == (
        "consent form 3",
        "bo",
        ("r1",),
    )
    assert example.tags["topic"] == "greeting"
    assert read(tmp_path, PAIR, columns={"licence": "terms"}).bad[0].problem == (
        "no column `terms`; it has prompt, completion"
    )


def test_a_licence_is_on_the_list_of_spdx_or_ones_own(tmp_path: Path) -> None:
    rows = [{**ROW, "licence": one} for one in ("CC0-1.0", "LicenseRef-desk", "CC-BY-40", "mit")]

    found = read(tmp_path, *rows)

    assert [one.licence for one in found.examples] == ["CC0-1.0", "LicenseRef-desk"]
    assert [one.problem for one in found.bad] == [
        "licence: `CC-BY-40` is not on the SPDX list; did you mean `CC-BY-4.0`?",
        "licence: `mit` is not on the SPDX list; did you mean `MIT`?",
    ]
    with pytest.raises(ValidationError, match="is not on the SPDX list"):
        SourceFile(path="a.jsonl", origin="human", licence="my own")


@pytest.mark.parametrize(
    "form",
    [
        {"origin": "human", "generator": {"model": "m"}},
        {"origin": "log", "format": "row", "columns": {"editor": "by"}},
        {"origin": "log", "format": "alpaca", "roles": {"bot": "assistant"}},
    ],
)
def test_a_key_without_effect_is_refused(form: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SourceFile.model_validate({"path": "a.jsonl", "licence": "MIT", **form})


def test_a_seed_that_no_file_holds_is_refused_with_its_line(tmp_path: Path) -> None:
    rows = [{**ROW, "generator": {"model": "m", "seed": seed}} for seed in (2**63 - 1, 2**63)]

    found = read(tmp_path, *rows, origin="synthetic")

    assert [one.problem for one in found.bad] == [
        "`seed` of `generator` is 9223372036854775808; expected a number of 64 bits with its sign"
    ]
    assert found.refused[0].line == 2
    with pytest.raises(ValidationError):
        read(tmp_path, ROW, origin="synthetic", generator={"model": "m", "seed": 2**64 - 1})


def test_what_feedback_is_licensed_under_is_a_licence() -> None:
    assert Improve(licence="CC0-1.0").licence == "CC0-1.0"
    with pytest.raises(ValidationError, match="SPDX"):
        Improve(licence="as our users agreed")


def test_a_bad_row_of_a_pattern_is_named_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "one.jsonl").write_text(json.dumps(ROW) + "\n{}\n")
    form = {"path": "logs/*.jsonl", "origin": "human", "licence": "MIT"}

    found = read_examples(SourceFile.model_validate(form), Recipe(name="test").at(tmp_path))

    assert [found.uri_of(row) for row in found.refused] == ["logs/one.jsonl:2"]
