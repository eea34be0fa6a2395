"""`import tutelage`: light, and its functions keep their names beside rooms named the same."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from types import ModuleType

import pytest

import tutelage as tt

NAMES = [
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


def test_the_list_of_names_is_frozen() -> None:
    assert tt.__all__ == NAMES
    assert set(NAMES) <= set(dir(tt))


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_there(name: str) -> None:
    assert callable(getattr(tt, name))


@pytest.mark.parametrize("name", ["curate", "train", "evaluate", "gate"])
def test_a_stage_stays_a_function_after_its_room_is_imported(name: str) -> None:
    room = importlib.import_module(f"tutelage.{name}.run")
    assert isinstance(room, ModuleType)
    assert not isinstance(getattr(tt, name), ModuleType)
    assert callable(getattr(tt, name))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no `deploy`"):
        _ = tt.deploy


def test_importing_it_loads_nothing_heavy() -> None:
    code = "import sys, json, tutelage; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert loaded.isdisjoint({"torch", "numpy", "pydantic", "pyarrow", "click", "rich"})
