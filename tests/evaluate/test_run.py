from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluate.fakes import adapter, project
from tutelage.core.digest import strong_digest
from tutelage.core.errors import ContractError, RecipeError
from tutelage.evaluate import run as door
from tutelage.evaluate.run import check_contract


def test_an_adapter_trained_with_another_contract_is_refused(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        trained = adapter(run, "mine")
    check_contract(trained, strong_digest({"mark": "mine"}))
    with pytest.raises(ContractError, match="another prompt contract") as caught:
        check_contract(trained, strong_digest({"mark": "other"}))
    assert strong_digest({"mark": "other"})[:12] in caught.value.text()


def test_an_adapter_on_untrained_weights_is_not_measured_on_trained_ones(tmp_path: Path) -> None:
    with project(tmp_path, overrides=["train.init=random"]) as run:
        assert run.recipe.evaluate is not None
        with pytest.raises(RecipeError, match="untrained weights"):
            door.run(run.recipe.evaluate, {}, run)
