from __future__ import annotations

import re
from pathlib import Path

from tutelage.core.recipe import loads
from tutelage.core.shares import score_bound, wilson
from tutelage.score.roster import check_recipe
from tutelage.store.uses import USES

GUIDE = (Path(__file__).parents[2] / "docs" / "gate.md").read_text(encoding="utf-8")


def test_the_guides_recipe_is_one() -> None:
    (snippet,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    recipe = loads(f"name: guide\ncontract: {{output_schema: tools.json}}\n{snippet}")
    check_recipe(recipe)
    assert [rule.suite for rule in recipe.rules()] == ["calls", "calls", "calls", "goals", "calls"]


def test_the_guides_numbers_are_so() -> None:
    # the least n at which no failure at all passes a bound of 1 %, and its chance at 1 %
    n = next(n for n in range(1, 400) if wilson(0, n, sides=1).high <= 0.01)
    assert round(100 * 0.99**n, 1) == 6.8
    assert "6.8 % through" in GUIDE
    assert round(100 * (1 - 0.95**12)) == 46
    assert USES in GUIDE
    # losses alone, 2 % of 200 tasks: t passes with one loss or none, the score bound with none
    chance = 0.98**200 + 200 * 0.02 * 0.98**199
    assert round(100 * chance) == 9
    assert score_bound(0, 0, 200, sides=1) >= -0.02 > score_bound(0, 1, 200, sides=1)
