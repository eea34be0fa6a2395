"""The base as it is shipped: its card tells its own weights, and it loads."""

from __future__ import annotations

from pathlib import Path

from tutelage.core.digest import file_digest
from tutelage.engine.families import read_architecture
from tutelage.store.base import EMBEDDED, find_base

LIMIT = 16 * 2**20  # bytes of the weights


def test_the_card_tells_the_weights_that_are_shipped() -> None:
    base = find_base(EMBEDDED, Path())
    (weights,) = base.weight_files()
    card = (base.folder / "README.md").read_text(encoding="utf-8")
    shape = read_architecture(base.config)
    assert shape is not None
    assert file_digest(weights) in card
    assert f"{shape.parameters:,} parameters" in card
    assert weights.stat().st_size <= LIMIT
    assert shape.context >= 2048
    assert 5e6 <= shape.parameters <= 8e6
