"""The examples are recipes and data; the code knows none of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tutelage.core.recipe import load
from tutelage.score.roster import check_recipe

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/recipe.yaml"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_whole_and_says_whose_data_it_holds(example: Path) -> None:
    recipe = load(example / "recipe.yaml")
    check_recipe(recipe)
    assert recipe.curate is not None
    assert recipe.evaluate is not None
    readings = (*recipe.curate.sources, *recipe.evaluate.suites)
    assert all(recipe.path(reading.path).is_file() for reading in readings)
    told = (example / "SOURCE.md").read_text(encoding="utf-8")
    assert all(source.licence in told for source in recipe.curate.sources)


def test_no_code_knows_a_task() -> None:
    tools = json.loads((ROOT / "examples/intents/tools.json").read_text(encoding="utf-8"))
    schema = json.loads((ROOT / "examples/support/intents.json").read_text(encoding="utf-8"))
    labels = schema["properties"]["intent"]["enum"]
    words = {tool["function"]["name"] for tool in tools}
    words |= {label for label in labels if label.count("_") > 1 and label != "out_of_scope"}
    words |= {"snips", "clinc"}
    pattern = re.compile("|".join(map(re.escape, sorted(words))), re.IGNORECASE)
    code = [*(ROOT / "tutelage").rglob("*.py"), *(ROOT / "tutelage").rglob("*.jinja")]
    assert code
    found = {path.name: pattern.findall(path.read_text(encoding="utf-8")) for path in code}
    assert not {name: hits for name, hits in found.items() if hits}


SOURCES = sorted((ROOT / "examples/sources").glob("*.yaml"))


@pytest.mark.parametrize("written", SOURCES, ids=lambda path: path.stem)
def test_a_recipe_of_a_real_source_says_its_licence_and_has_a_card(written: Path) -> None:
    recipe = load(written)
    assert recipe.curate is not None
    (source,) = recipe.curate.sources
    cards = [path.read_text(encoding="utf-8") for path in (ROOT / "docs/examples").glob("*.md")]
    (card,) = (one for one in cards if one.startswith(f"# Dataset card: {recipe.name}\n"))
    assert f"| {source.path} |" in card
    assert f"| {source.origin} | {source.licence} |" in card
