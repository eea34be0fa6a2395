from __future__ import annotations

from pathlib import Path

from tests.evaluate.fakes import Heard
from tests.evaluate.test_weigh import project
from tutelage.evaluate.candidates import opened


def test_a_base_named_in_two_ways_is_compared_once(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        assert run.recipe.train is not None
        found = opened(["base", "./base"], run.recipe.train, run)
        assert isinstance(run.progress, Heard)
        assert [one.base.name for one in found] == ["base"]
        assert any("is compared once" in warning for warning in run.progress.warnings)
