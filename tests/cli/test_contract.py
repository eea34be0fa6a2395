"""`contract`: what it says, and what differs between two."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Tutelage
from tests.journey.project import speak
from tests.micro import micro_base
from tests.release.project import released
from tutelage.store.release import ReleaseFolder

RECIPE = """
name: desk
contract:
  system: {name: desk-v3, text: Name the team.}
  variants: [{name: short, text: Team, share: 0.25}]
  without_system: 0.125
  arguments: {enable_thinking: false}
  decoding: {max_new_tokens: 32, temperature: 0.5}
train: {base: base}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two recipes that differ in a word, and a base."""
    micro_base(tmp_path / "base")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    other = RECIPE.replace("desk-v3, text: Name the", "desk-v4, text: Name one")
    (tmp_path / "other.yaml").write_text(other)
    return tmp_path


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> ReleaseFolder:
    return released(tmp_path_factory.mktemp("released"))


def test_show_prints_versions_policy_and_decoding(tutelage: Tutelage, project: Path) -> None:
    said = tutelage("contract", "show")
    assert said.code == 0
    shown = [" ".join(line.split()) for line in said.out.splitlines()]
    assert shown[0].startswith("recipe.yaml ")
    assert any(line.startswith("system desk-v3 (") for line in shown)
    assert "Name the team." in shown
    assert any(line.startswith("variant short (") and "25%" in line for line in shown)
    assert "left out 12% of the rows have no system prompt" in shown
    assert "arguments enable_thinking: False" in shown
    assert "decoding at most 32 tokens, temperature 0.5, top_p 1" in shown
    assert "stop tokens <|im_end|> (257)" in shown
    assert "<|im_start|>user" not in said.out


def test_goldens_are_printed_as_they_are_rendered(tutelage: Tutelage, project: Path) -> None:
    said = tutelage("contract", "show", "--goldens")
    assert "<|im_start|>system\nName the team.<|im_end|>\n<|im_start|>user\nWhich is" in said.out
    assert "reasoning: " in said.out


def test_json_holds_the_whole_contract_and_its_digest(tutelage: Tutelage, project: Path) -> None:
    form = tutelage("contract", "show", "recipe.yaml", "--json").json()
    assert form["command"] == "contract"
    assert form["data"]["contract"]["system"]["name"] == "desk-v3"
    kept = project / "kept.json"
    kept.write_text(json.dumps(form["data"]["contract"]))
    again = tutelage("contract", "show", "kept.json", "--json").json()
    assert again["data"]["digest"] == form["data"]["digest"]


def test_diff_shows_the_edited_words_and_what_they_do_to_the_prompts(
    tutelage: Tutelage, project: Path
) -> None:
    said = tutelage("contract", "diff", "recipe.yaml", "other.yaml")
    assert said.code == 1
    assert said.err == ""
    lines = said.out.splitlines()
    assert lines[1].startswith("system  `desk-v3` (")
    assert lines[2:4] == ["  - Name the team.", "  + Name one team."]
    at = next(at for at, line in enumerate(lines) if line.startswith("goldens.question"))
    assert lines[at + 2] == "  + Name one team.<|im_end|>↵"


def test_diff_of_one_with_itself_is_equal(tutelage: Tutelage, project: Path) -> None:
    said = tutelage("contract", "diff", "recipe.yaml", str(project))
    assert (said.code, said.out) == (0, "equal: every prompt is rendered alike\n")
    form = tutelage("contract", "diff", "recipe.yaml", "other.yaml", "--json").json()
    assert form["data"]["equal"] is False
    assert form["data"]["differences"][0]["lines"] == ["- Name the team.", "+ Name one team."]


def test_a_release_and_an_adapter_are_compared_with_their_recipe(
    release: ReleaseFolder,
) -> None:
    project = release.project
    assert project is not None
    adapter = next((project / ".tutelage" / "store").glob("adapter-*"))
    for kept in (str(release.folder), release.folder.name, str(adapter), adapter.name):
        said = speak(project, "contract", "diff", kept, "recipe.yaml")
        assert (said.code, said.err) == (0, ""), kept
    assert speak(project, "contract", "show", adapter.name).code == 0
    text = (project / "recipe.yaml").read_text().replace("fit: reject", "fit: fail")
    (project / "strict.yaml").write_text(text)
    said = speak(project, "contract", "diff", str(release.folder), "strict.yaml")
    assert said.code == 1
    assert "fit  reject → fail" in said.out


def test_what_holds_no_contract_is_told(release: ReleaseFolder, tmp_path: Path) -> None:
    assert release.project is not None
    dataset = next((release.project / ".tutelage" / "store").glob("dataset-*"))
    said = speak(release.project, "contract", "show", dataset.name)
    assert said.code == 1
    assert "holds no prompt contract" in said.err
    (tmp_path / "a.json").write_text('{"schema": 1, "base": "b"}')
    said = speak(tmp_path, "contract", "show", "a.json")
    assert "this is no whole contract" in said.err
    assert "stop_ids" in said.err


def test_a_contract_of_wrong_kinds_is_told_before_anything_is_printed(
    tutelage: Tutelage, project: Path
) -> None:
    form = tutelage("contract", "show", "--json").json()["data"]["contract"]
    (project / "b.json").write_text(json.dumps({**form, "variants": {"a": 1}, "stop_tokens": 5}))
    for words in (("show", "b.json"), ("diff", "recipe.yaml", "b.json")):
        said = tutelage("contract", *words)
        assert (said.code, said.out) == (1, "")
        assert said.err.startswith("error: b.json: this is no whole contract\n")
        assert "variants     expected list, found dict" in said.err
        assert "stop_tokens  expected list, found `5`" in said.err


def test_what_has_no_effect_is_said(tutelage: Tutelage, project: Path) -> None:
    recipe = RECIPE.replace("temperature: 0.5", "top_p: 0.5").replace("tokens: 32", "tokens: 99999")
    (project / "recipe.yaml").write_text(recipe)
    first, second = tutelage("contract", "show", "--json").json()["warnings"]
    assert "`contract.decoding.top_p: 0.5` has no effect" in first
    assert "`contract.decoding.max_new_tokens: 99,999` has no effect" in second


def test_a_word_that_is_no_part_of_it_is_a_usage_error(tutelage: Tutelage) -> None:
    said = tutelage("contract", "shwo")
    assert said.code == 2
    assert said.err == (
        "error: no command `tutelage contract shwo`\n\n"
        "hint: did you mean `tutelage contract show`?\n"
    )
    assert tutelage("contract").code == 2
