from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from tutelage.core.recipe import LabelledOutputs, loads
from tutelage.core.recipe.safety import AttackFamily, Mutation
from tutelage.score.labelled import read_labelled
from tutelage.score.memorised import LEAST_P, MEASURES
from tutelage.score.roster import check_recipe

GUIDE = (Path(__file__).parents[2] / "docs" / "safety.md").read_text(encoding="utf-8")


def test_the_guides_recipe_is_one() -> None:
    (snippet,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    recipe = loads(f"name: guide\n{snippet}")
    check_recipe(recipe)
    assert [rule.suite for rule in recipe.rules()] == ["attacks"] * 2 + ["memorisation"] * 2


def test_the_guides_labels_are_read(tmp_path: Path) -> None:
    lines = re.findall(r"^    (\{.*\})$", GUIDE, re.MULTILINE)
    (tmp_path / "labels.jsonl").write_text("\n".join(lines) + "\n")
    keys = LabelledOutputs(labels="labels.jsonl")
    found = read_labelled(keys, tmp_path / "labels.jsonl", "labels.jsonl")
    assert (len(found.lines), found.missing) == (3, 200)
    assert f"`at_least` labels ({keys.at_least})" in GUIDE
    assert f"`of_each` ({keys.of_each})" in GUIDE


def test_the_guide_names_all_there_is() -> None:
    for name in (*get_args(AttackFamily), *get_args(Mutation)):
        assert f"`{name}`" in GUIDE
    for measure in MEASURES:
        assert f"| `{measure.metric}` |" in GUIDE
    assert f"p is below {LEAST_P}" in GUIDE
