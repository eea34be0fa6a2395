"""The rows and the contract of a recipe, read for looking at before any work."""

from __future__ import annotations

from tutelage.core.errors import RecipeError
from tutelage.core.recipe import Recipe
from tutelage.render.contract import Contract
from tutelage.store.base import BaseFolder, find_base
from tutelage.store.ingest import Ingested, read_examples


def sources(recipe: Recipe) -> list[Ingested]:
    """Every file of `curate.sources`, read.

    Raises: RecipeError where the recipe has no `curate`; RowError where a file cannot be read.
    """
    if recipe.curate is None:
        raise _lacks("curate", "its rows")
    return [read_examples(source, recipe) for source in recipe.curate.sources]


def base_of(recipe: Recipe) -> BaseFolder:
    """The folder of `train.base`.

    Raises: RecipeError where the recipe has no `train`; BaseModelError.
    """
    if recipe.train is None:
        raise _lacks("train", "its base")
    return find_base(recipe.train.base, recipe.base_dir, recipe.train.added_tokens)


def contract_of(recipe: Recipe) -> Contract:
    """The prompt contract on the recipe's base.

    Raises: RecipeError, BaseModelError, ContractError.
    """
    return Contract.open(recipe.contract, base_of(recipe), recipe)


def _lacks(section: str, what: str) -> RecipeError:
    return RecipeError(
        f"the recipe has no section `{section}`, and so {what} cannot be looked at",
        hint=f"add `{section}:` to it; `tutelage schema` prints its keys",
    )
