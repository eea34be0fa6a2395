"""The door of `evaluate`: the adapter's own contract, or no answer at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from tests.evaluate.fakes import RECIPE as SUITES
from tests.evaluate.fakes import dataset, project
from tests.journey.project import build
from tutelage.core.artifact import Provenance
from tutelage.core.errors import BaseModelError, ContractError, TutelageError
from tutelage.core.recipe import load
from tutelage.evaluate import run as door
from tutelage.evaluate.run import run as evaluate
from tutelage.render.contract import Contract
from tutelage.store.artifact import Artifact, pretty
from tutelage.store.base import find_base
from tutelage.store.ingest import digests_of
from tutelage.store.run import Run

SYSTEM = "contract.system={name: polite-v1, text: Name the team.}"


def trained(folder: Path, *overrides: str) -> Artifact:
    """What training leaves of its contract, without the weights."""
    recipe = load(build(folder) / "recipe.yaml", overrides)
    base = find_base("base", folder)
    made = Provenance(kind="adapter", inputs=base.digests(), section={}, stage_version=1)
    with Run.open(recipe) as run, run.store.put(made) as draft:
        contract = Contract.open(recipe.contract, base, recipe)
        (draft.folder / "contract.json").write_bytes(pretty(contract.taught()))
    return draft.artifact


def refused(folder: Path, adapter: Artifact, *overrides: str) -> TutelageError:
    """What evaluation says of an adapter; nothing was asked and nothing was stored."""
    recipe = load(folder / "recipe.yaml", overrides)
    assert recipe.evaluate is not None
    with Run.open(recipe) as run:
        inputs = {"dataset": dataset(run), "adapter": adapter}
        with pytest.raises((ContractError, BaseModelError)) as raised:
            evaluate(recipe.evaluate, inputs, run)
        assert not [*run.store.root.glob("store/report-*")]
    assert raised.value.where == adapter.name
    assert raised.value.hint
    return raised.value


@pytest.mark.parametrize(
    ("override", "cause", "row"),
    [
        ("contract.template=other.jinja", "the chat template is not the one", ("template", "+ ")),
        (
            "contract.system={name: polite-v2, text: Name the team!}",
            "the system prompt is not the one",
            ("system", "+ Name the team!"),
        ),
        (
            "contract.arguments={enable_thinking: false}",
            "the template's arguments",
            ("arguments.enable_thinking", "false, was nothing"),
        ),
        ("contract.date=2026-02-03", "told another date", ("date", "2026-02-03, was 2026-01-01")),
        (
            "contract.without_system=0.5",
            "another share of the rows",
            ("without_system", "0.5, was 0.0"),
        ),
        ("contract.context_tokens=99", "the context is not", ("context", "99, was 512")),
    ],
)
def test_a_recipe_that_changed_after_training_is_refused_with_what_changed(
    override: str, cause: str, row: tuple[str, str], tmp_path: Path
) -> None:
    adapter = trained(tmp_path, SYSTEM)
    template = json.loads((tmp_path / "base/tokenizer_config.json").read_text())["chat_template"]
    (tmp_path / "other.jinja").write_text(template.replace("\n", " "))
    error = refused(tmp_path, adapter, SYSTEM, override)
    assert error.message.startswith(cause) or cause in error.message
    assert any(one.where == row[0] and row[1] in one.problem for one in error.rows), error.text()


def other_weights(base: Path) -> None:
    weights = load_file(base / "model.safetensors")
    save_file(
        {name: value + 1 for name, value in weights.items()},
        base / "model.safetensors",
        {"format": "pt"},
    )


def other_shape(base: Path) -> None:
    form = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(form | {"rope_theta": 5000.0}))


@pytest.mark.parametrize(
    ("spoil", "part"), [(other_weights, "weights"), (other_shape, "config.json")]
)
def test_another_revision_of_the_base_is_refused_by_name(
    spoil: Callable[[Path], None], part: str, tmp_path: Path
) -> None:
    adapter = trained(tmp_path)
    spoil(tmp_path / "base")
    error = refused(tmp_path, adapter)
    assert "`base` is another revision than the adapter was trained on" in error.message
    assert [row.where for row in error.rows] == [part]


def test_a_changed_merge_is_refused_with_the_token_it_moves(tmp_path: Path) -> None:
    adapter = trained(tmp_path)
    path = tmp_path / "base/tokenizer.json"
    form = json.loads(path.read_text())
    form["model"]["merges"].append(["e", "r"])
    form["model"]["vocab"]["er"] = form["model"]["vocab"].pop("ÿ")
    path.write_text(json.dumps(form))
    error = refused(tmp_path, adapter)
    assert error.message == "the tokenizer is not the one the model was taught with"
    lines = [row.problem for row in error.rows if row.where == "goldens.question"]
    assert "token 4 is another" in lines[0]
    assert lines[1].startswith("- 68 `e` 81 `r`")
    assert "`er`" in lines[2]


@pytest.mark.parametrize("path", ["t/*.jsonl", "t"])
def test_a_suite_of_several_files_is_noted_by_the_digest_of_them_all(
    tmp_path: Path, path: str
) -> None:
    text = SUITES.replace("path: test.jsonl", f"path: '{path}'")
    with project(tmp_path, recipe=text) as run:
        (tmp_path / "t").mkdir()
        rows = (tmp_path / "test.jsonl").read_text().splitlines(keepends=True)
        for name, some in (("one", rows[:5]), ("two", rows[5:])):
            (tmp_path / "t" / f"{name}.jsonl").write_text("".join(some))
        section = run.recipe.evaluate
        assert section is not None
        noted = door._files(section, run)
        ids = door._rows(section, run)
        known = digests_of([("suite", path)], run.recipe)
    assert list(noted.values()) == list(known.values())
    assert ids["calls"].rows == len(rows)
