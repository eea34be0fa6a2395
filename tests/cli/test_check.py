"""`check`: what would stop a run is told before it, all of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Tutelage
from tests.journey.project import build
from tests.micro import write_rows
from tutelage.cli.rendering import LONGEST, SAMPLED, sampled
from tutelage.core.conversation import Message
from tutelage.core.row import Example, Source


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The micro project, in the current folder of `tutelage`."""
    return build(tmp_path)


def edit(project: Path, old: str, new: str) -> None:
    """One replacement in the recipe."""
    text = (project / "recipe.yaml").read_text()
    assert old in text
    (project / "recipe.yaml").write_text(text.replace(old, new))


def test_a_good_project_is_ready(tutelage: Tutelage, project: Path) -> None:
    said = tutelage("check")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[-1] == "ready to run"
    assert "data/train.jsonl: 40 rows, read as `messages`" in said.out
    assert "40 rows rendered: 40 lessons" in said.out
    assert not (project / ".tutelage").exists()


def test_every_fault_is_told_together(tutelage: Tutelage, project: Path) -> None:
    edit(project, "base: base", "base: ./bass")
    edit(project, "data/test.jsonl", "data/tset.jsonl")
    with (project / "data" / "train.jsonl").open("a") as file:
        file.write('{"messages": []}\n')
    form = tutelage("check", "--json").json()
    assert form["status"] == "failed"
    bad = [look["what"] for look in form["data"]["looks"] if look["state"] == "bad"]
    assert bad == ["base", "rows", "suite"]
    told = json.dumps(form["error"])
    assert "./bass" in told
    assert "line 41" in told
    assert "tset.jsonl" in told


def test_bad_rows_are_a_note_where_the_recipe_rejects_them(
    tutelage: Tutelage, project: Path
) -> None:
    edit(project, "validation: 0.1", "validation: 0.1\n  invalid: reject")
    with (project / "data" / "train.jsonl").open("a") as file:
        file.write('{"messages": []}\n')
    said = tutelage("check")
    assert said.code == 0
    assert "they are left out and kept on file" in said.out


def test_synthetic_rows_nobody_reviewed_are_bad(tutelage: Tutelage, project: Path) -> None:
    row = {
        "messages": [
            {"role": "user", "content": "Is it night?"},
            {"role": "assistant", "content": "{}"},
        ],
        "origin": "synthetic",
        "generator": {"model": "teacher-1"},
    }
    with (project / "data" / "train.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    said = tutelage("check")
    assert said.code == 1
    assert "line 41  it is synthetic and nobody has reviewed it" in said.err
    edit(project, "validation: 0.1", "validation: 0.1\n  review: {reviewers: 0}")
    assert tutelage("check").code == 0


PAIR = {
    "messages": [{"role": "user", "content": "Is it night?"}],
    "chosen": [{"role": "assistant", "content": "{}"}],
    "rejected": [{"role": "assistant", "content": "no"}],
}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "train",
            (
                "1 row of these teach nothing",
                "a preference pair (`chosen` and `rejected`)",
                "train.quotas.unsupervised",
            ),
        ),
        ("test", ("1 task of data/test.jsonl cannot be scored", "a preference pair, which has no")),
    ],
)
def test_preference_pairs_are_told_where_they_cannot_be_used(
    tutelage: Tutelage, project: Path, name: str, told: tuple[str, ...]
) -> None:
    with (project / "data" / f"{name}.jsonl").open("a") as file:
        file.write(json.dumps(PAIR) + "\n")
    said = tutelage("check")
    assert said.code == 1
    assert [words for words in told if words not in said.err] == []


def test_a_base_without_weights_is_bad_unless_they_are_to_be_random(
    tutelage: Tutelage, project: Path
) -> None:
    (project / "base" / "model.safetensors").unlink()
    said = tutelage("check")
    assert said.code == 1
    assert "`base` has no weights" in said.err
    assert tutelage("check", "--set", "train.init=random").code == 0


def test_rows_that_repeat_tasks_are_counted(tutelage: Tutelage, project: Path) -> None:
    test_rows = (project / "data" / "test.jsonl").read_text().splitlines(keepends=True)
    with (project / "data" / "train.jsonl").open("a") as file:
        file.writelines(test_rows[:3])
    said = tutelage("check")
    assert said.code == 0
    assert "3 rows of the sources repeat tasks: curate removes them" in said.out


def test_long_rows_are_a_note_or_bad_as_the_recipe_says(tutelage: Tutelage, project: Path) -> None:
    write_rows(project / "data" / "train.jsonl", [("word " * 200, "{}"), ("Is it day?", "{}")])
    said = tutelage("check", "--set", "train.quotas.too_long=0.5")
    assert said.code == 0
    assert "1 row of these has a lesson longer than 512 tokens: left out and counted" in said.out
    said = tutelage("check")
    assert said.code == 1
    assert "train.quotas.too_long: 1 row of these has a lesson longer" in said.err
    assert "expected at most 1.00% of 2 rows" in said.err
    said = tutelage("check", "--set", "contract.fit=truncate")
    assert "train.quotas.truncated: 1 row of these has a lesson longer" in said.err
    edit(project, "fit: reject", "fit: fail")
    assert tutelage("check").code == 1


def test_tasks_that_cannot_be_scored_name_their_lines(tutelage: Tutelage, project: Path) -> None:
    write_rows(project / "data" / "test.jsonl", [("a?", '{"team": "x"}'), ("b?", "no")])
    said = tutelage("check")
    assert said.code == 1
    assert "1 task of data/test.jsonl cannot be scored" in said.err
    assert "line 2  the expected answer is not JSON" in said.err


def test_a_slice_that_no_task_has_is_bad(tutelage: Tutelage, project: Path) -> None:
    edit(project, "scorers: [json, schema]", "scorers: [json, schema], slices: [town]")
    said = tutelage("check")
    assert said.code == 1
    assert "no task has what it is to be sliced by" in said.err


def test_the_sample_holds_the_longest_rows() -> None:
    examples = [
        Example(
            messages=(Message(role="user", content="x" * (5000 if at == 4321 else at % 7 + 1)),),
            origin="human",
            licence="CC0-1.0",
            source=Source(uri="a", line=at),
            id=str(at),
        )
        for at in range(6000)
    ]
    chosen = sampled(examples)
    assert SAMPLED - LONGEST <= len(chosen) <= SAMPLED
    assert "4321" in {one.id for one in chosen}
    assert sampled(examples[:10]) == examples[:10]


def test_a_project_of_which_no_row_would_be_left_is_not_ready(
    tutelage: Tutelage, project: Path
) -> None:
    data = project / "data"
    rows = (data / "train.jsonl").read_bytes()
    (data / "train.jsonl").write_bytes((data / "test.jsonl").read_bytes())
    assert "no row is left to teach" in tutelage("check").err
    write_rows(data / "train.jsonl", [("word " * 200, "{}")])
    assert "all are longer than 512 tokens" in tutelage("check").err
    (data / "train.jsonl").write_text("{x\n")
    assert "no row is left to teach" in tutelage("check", "--set", "curate.invalid=reject").err
    (data / "train.jsonl").write_bytes(rows)
    assert tutelage("check").code == 0


def test_contract_and_versions_are_told_apart_from_the_base(
    tutelage: Tutelage, project: Path
) -> None:
    policy = "contract:\n  system: {name: desk-v3, text: Name it.}\n"
    edit(project, "contract:\n", policy)
    said = tutelage("check")
    assert "chat template of base, system prompt desk-v3, context 512 tokens" in said.out
    edit(project, "text: Name it.", "path: rules.md")
    said = tutelage("check")
    assert said.code == 1
    assert "BAD  contract" in said.out
    assert "contract.system.path: `rules.md` cannot be read: No such file" in said.err


def test_rows_the_template_cannot_express_are_bad_beyond_their_quota(
    tutelage: Tutelage, project: Path
) -> None:
    row = {"messages": [{"role": role, "content": "a"} for role in ("system", "user", "assistant")]}
    with (project / "data" / "train.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    path = project / "base" / "tokenizer_config.json"
    form = json.loads(path.read_text())
    refuse = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    path.write_text(json.dumps(form | {"chat_template": refuse + form["chat_template"]}))
    said = tutelage("check")
    assert said.code == 1
    assert "train.quotas.refused: 1 row of these cannot be expressed by the template" in said.err
    assert "data/train.jsonl:41  " in said.err
    assert "no system" in said.err
    said = tutelage("check", "--set", "train.quotas.refused=0.05")
    assert said.code == 0
    assert "note lessons   1 row of these cannot be expressed by the template" in said.out
