from __future__ import annotations

import re
from pathlib import Path

from tutelage.core.recipe import loads
from tutelage.score.roster import check_recipe
from tutelage.train.guard import LEAST, MOST_SKIPPED, WINDOW
from tutelage.train.standing import MEMORISED, MEMORISED_STEPS

GUIDE = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")


def test_the_guides_recipes_are_such() -> None:
    suites = "evaluate:\n  baselines: [few_shot]\n  suites: "
    suites += "[{name: calls, path: t.jsonl, scorers: [call]}]\n"
    stopping, seeds = (
        loads(f"name: guide\n{snippet}{suites}")
        for snippet in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    )
    assert stopping.train is not None
    assert stopping.train.early_stopping is not None
    assert stopping.train.early_stopping.patience == 2
    assert seeds.train is not None
    assert seeds.train.seeds == 3
    check_recipe(seeds)


def test_the_guides_numbers_are_the_guards_own() -> None:
    said = " ".join(GUIDE.split())
    assert f"median of the last {WINDOW} steps" in said
    assert f"{LEAST} steps" in said
    assert (MOST_SKIPPED, "Five skipped steps in a row stop" in said) == (5, True)
    assert f"under {MEMORISED} nats a token over {MEMORISED_STEPS} steps" in said
