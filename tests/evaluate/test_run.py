from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluate.fakes import adapter, project
from tutelage.core.digest import strong_digest
from tutelage.core.errors import ContractError
from tutelage.evaluate.run import check_contract


def test_an_adapter_trained_with_another_contract_is_refused(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        trained = adapter(run, "mine")
    check_contract(trained, strong_digest({"mark": "mine"}))
    with pytest.raises(ContractError, match="another prompt contract") as caught:
        check_contract(trained, strong_digest({"mark": "other"}))
    assert strong_digest({"mark": "other"})[:12] in caught.value.text()
