"""The rows and the contract of a recipe, read for looking at before any work."""

from __future__ import annotations

from collections.abc import Iterator

from tutelage.core.errors import RecipeError
from tutelage.core.recipe import Recipe
from tutelage.core.row import Example
from tutelage.pipeline.road import Written, read_in
from tutelage.render.contract import Contract
from tutelage.render.renderer import TEACH, Rendered
from tutelage.store.base import BaseFolder, find_base
from tutelage.store.ingest import Ingested, read_examples


def contract(recipe: Written) -> Contract:
    """The prompt contract of a recipe on its base.

    Raises: RecipeError, BaseModelError, ContractError.
    """
    whole = read_in(recipe)
    return Contract.open(whole.contract, base_of(whole), whole)


def lessons(recipe: Written) -> Iterator[tuple[Example, Rendered]]:
    """Every row of the sources that can be read, as the model would meet it.

    Raises: RecipeError, BaseModelError, ContractError; RowError where a file cannot be read.
    """
    whole = read_in(recipe)
    opened = contract(whole)
    teach = whole.train.teach if whole.train else TEACH
    for file in sources(whole):
        yield from zip(file.examples, opened.lessons_of(file.examples, teach), strict=True)


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


def _lacks(section: str, what: str) -> RecipeError:
    return RecipeError(
        f"the recipe has no section `{section}`, and so {what} cannot be looked at",
        hint=f"add `{section}:` to it; `tutelage schema` prints its keys",
    )
