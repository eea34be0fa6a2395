"""Supervised fine-tuning, whole life: from examples to a served model and back.

`tutelage.curate(recipe)`, `train`, `evaluate`, `gate` and `release` walk the road up to that
stage and give its artifact; `tutelage.run(recipe)` walks it whole. `serving(release)`
answers with a release, `monitor` and `improve` look at what came of it. docs/cli.md names for
every command its form in Python.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tutelage.core.errors import TutelageError as TutelageError
    from tutelage.core.recipe import Recipe as Recipe
    from tutelage.core.recipe import load as load_recipe
    from tutelage.core.recipe.load import json_schema as recipe_schema
    from tutelage.engine.release import open_release as open_release
    from tutelage.evaluate.compare import compare as compare
    from tutelage.pipeline import Outcome as Outcome
    from tutelage.pipeline import candidates as candidates
    from tutelage.pipeline import contract as contract
    from tutelage.pipeline import curate as curate
    from tutelage.pipeline import draft as draft
    from tutelage.pipeline import evaluate as evaluate
    from tutelage.pipeline import explain_row as explain_row
    from tutelage.pipeline import gate as gate
    from tutelage.pipeline import improve as improve
    from tutelage.pipeline import learning_curve as learning_curve
    from tutelage.pipeline import lessons as lessons
    from tutelage.pipeline import lineage as lineage
    from tutelage.pipeline import monitor as monitor
    from tutelage.pipeline import offspring as offspring
    from tutelage.pipeline import opted_out as opted_out
    from tutelage.pipeline import plan as plan
    from tutelage.pipeline import rating_sheets as rating_sheets
    from tutelage.pipeline import release as release
    from tutelage.pipeline import review_sheets as review_sheets
    from tutelage.pipeline import run as run
    from tutelage.pipeline import serving as serving
    from tutelage.pipeline import take_ratings as take_ratings
    from tutelage.pipeline import take_reviews as take_reviews
    from tutelage.pipeline import train as train
    from tutelage.pipeline import unlikely as unlikely
    from tutelage.pipeline import verify as verify
    from tutelage.pipeline import withdraw_sheet as withdraw_sheet
    from tutelage.store.artifact import Artifact as Artifact
    from tutelage.store.release import ReleaseFolder as ReleaseFolder
    from tutelage.store.release import read_release as read_release
    from tutelage.store.run import Run as Run
    from tutelage.store.store import Store as Store

__version__ = "0.1.0"
__all__ = [
    "Artifact",
    "Outcome",
    "Recipe",
    "ReleaseFolder",
    "Run",
    "Store",
    "TutelageError",
    "candidates",
    "compare",
    "contract",
    "curate",
    "draft",
    "evaluate",
    "explain_row",
    "gate",
    "improve",
    "learning_curve",
    "lessons",
    "lineage",
    "load_recipe",
    "monitor",
    "offspring",
    "open_release",
    "opted_out",
    "plan",
    "rating_sheets",
    "read_release",
    "recipe_schema",
    "release",
    "review_sheets",
    "run",
    "serving",
    "take_ratings",
    "take_reviews",
    "train",
    "unlikely",
    "verify",
    "withdraw_sheet",
]

_HOME = {
    "Artifact": ("tutelage.store.artifact", "Artifact"),
    "Outcome": ("tutelage.pipeline", "Outcome"),
    "Recipe": ("tutelage.core.recipe", "Recipe"),
    "ReleaseFolder": ("tutelage.store.release", "ReleaseFolder"),
    "Run": ("tutelage.store.run", "Run"),
    "Store": ("tutelage.store.store", "Store"),
    "TutelageError": ("tutelage.core.errors", "TutelageError"),
    "candidates": ("tutelage.pipeline", "candidates"),
    "compare": ("tutelage.evaluate.compare", "compare"),
    "contract": ("tutelage.pipeline", "contract"),
    "curate": ("tutelage.pipeline", "curate"),
    "draft": ("tutelage.pipeline", "draft"),
    "evaluate": ("tutelage.pipeline", "evaluate"),
    "explain_row": ("tutelage.pipeline", "explain_row"),
    "gate": ("tutelage.pipeline", "gate"),
    "improve": ("tutelage.pipeline", "improve"),
    "learning_curve": ("tutelage.pipeline", "learning_curve"),
    "lessons": ("tutelage.pipeline", "lessons"),
    "lineage": ("tutelage.pipeline", "lineage"),
    "load_recipe": ("tutelage.core.recipe", "load"),
    "monitor": ("tutelage.pipeline", "monitor"),
    "offspring": ("tutelage.pipeline", "offspring"),
    "open_release": ("tutelage.engine.release", "open_release"),
    "opted_out": ("tutelage.pipeline", "opted_out"),
    "plan": ("tutelage.pipeline", "plan"),
    "rating_sheets": ("tutelage.pipeline", "rating_sheets"),
    "read_release": ("tutelage.store.release", "read_release"),
    "recipe_schema": ("tutelage.core.recipe.load", "json_schema"),
    "release": ("tutelage.pipeline", "release"),
    "review_sheets": ("tutelage.pipeline", "review_sheets"),
    "run": ("tutelage.pipeline", "run"),
    "serving": ("tutelage.pipeline", "serving"),
    "take_ratings": ("tutelage.pipeline", "take_ratings"),
    "take_reviews": ("tutelage.pipeline", "take_reviews"),
    "train": ("tutelage.pipeline", "train"),
    "unlikely": ("tutelage.pipeline", "unlikely"),
    "verify": ("tutelage.pipeline", "verify"),
    "withdraw_sheet": ("tutelage.pipeline", "withdraw_sheet"),
}


class _Package(ModuleType):
    """This package: loads a name when it is first asked for.

    A stage's function bears the name of its room. Python puts a room that is
    imported into its package under that same name; here the function stays.
    """

    def __getattr__(self, name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"module `tutelage` has no `{name}`")
        module, inside = _HOME[name]
        return getattr(importlib.import_module(module), inside)

    def __setattr__(self, name: str, value: object) -> None:
        if name not in _HOME or not isinstance(value, ModuleType):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Package
