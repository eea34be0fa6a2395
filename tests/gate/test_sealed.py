from __future__ import annotations

import pytest

from tests.evaluate.fakes import RECIPE
from tutelage.core.errors import RecipeError
from tutelage.core.recipe import Recipe, loads
from tutelage.score.roster import check_recipe


def recipe(*overrides: str) -> Recipe:
    return loads(RECIPE, overrides=overrides)


def test_the_uses_of_a_test_may_be_bounded_and_nothing_else() -> None:
    check_recipe(recipe("gate=[calls.uses <= 3]"))
    for rule in ("calls.uses >= 1", "calls.uses@intent=a <= 1", "calls.uses <= few_shot"):
        with pytest.raises(RecipeError) as raised:
            check_recipe(recipe(f"gate=[{rule}]", "evaluate.baselines=[few_shot]"))
        assert "`uses` is a count: write `calls.uses <= NUMBER`" in raised.value.rows[0].problem
