from __future__ import annotations

import re
from pathlib import Path

from tutelage.core.recipe import loads
from tutelage.core.systems import LADDER
from tutelage.engine.grammar import BLANKS
from tutelage.evaluate.sample import ALONE
from tutelage.score.roster import check_recipe

GUIDE = (Path(__file__).parents[2] / "docs" / "ladder.md").read_text(encoding="utf-8")


def test_the_guides_recipe_is_one() -> None:
    (snippet,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    recipe = loads(f"name: guide\n{snippet}")
    check_recipe(recipe)
    assert [rule.baseline for rule in recipe.rules()] == ["prompted", "constrained"]


def test_the_guide_names_every_rung_and_its_numbers_are_so() -> None:
    for name in LADDER:
        assert f"| `{name}` |" in GUIDE
    assert f"up to {ALONE} answers" in GUIDE
    assert BLANKS.endswith("{1,16}")
    assert "an end after 16" in GUIDE
