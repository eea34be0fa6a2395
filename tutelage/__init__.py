"""Supervised fine-tuning, whole life: from examples to a served model and back.

`tutelage.curate(recipe)`, `train`, `evaluate`, `gate` and `release` walk the road up to that
stage and give its artifact; `tutelage.run(recipe)` walks it whole. `serving(release)`
answers with a release, `monitor` and `improve` look at what came of it.
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
    from tutelage.engine.release import open_release as open_release
    from tutelage.pipeline import Outcome as Outcome
    from tutelage.pipeline import curate as curate
    from tutelage.pipeline import evaluate as evaluate
    from tutelage.pipeline import gate as gate
    from tutelage.pipeline import improve as improve
    from tutelage.pipeline import monitor as monitor
    from tutelage.pipeline import release as release
    from tutelage.pipeline import run as run
    from tutelage.pipeline import serving as serving
    from tutelage.pipeline import train as train
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
    "curate",
    "evaluate",
    "gate",
    "improve",
    "load_recipe",
    "monitor",
    "open_release",
    "read_release",
    "release",
    "run",
    "serving",
    "train",
]

_HOME = {
    "Artifact": ("tutelage.store.artifact", "Artifact"),
    "Outcome": ("tutelage.pipeline", "Outcome"),
    "Recipe": ("tutelage.core.recipe", "Recipe"),
    "Run": ("tutelage.store.run", "Run"),
    "Store": ("tutelage.store.store", "Store"),
    "TutelageError": ("tutelage.core.errors", "TutelageError"),
    "curate": ("tutelage.pipeline", "curate"),
    "evaluate": ("tutelage.pipeline", "evaluate"),
    "gate": ("tutelage.pipeline", "gate"),
    "load_recipe": ("tutelage.core.recipe", "load"),
    "improve": ("tutelage.pipeline", "improve"),
    "monitor": ("tutelage.pipeline", "monitor"),
    "open_release": ("tutelage.engine.release", "open_release"),
    "read_release": ("tutelage.store.release", "read_release"),
    "release": ("tutelage.pipeline", "release"),
    "serving": ("tutelage.pipeline", "serving"),
    "ReleaseFolder": ("tutelage.store.release", "ReleaseFolder"),
    "run": ("tutelage.pipeline", "run"),
    "train": ("tutelage.pipeline", "train"),
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
