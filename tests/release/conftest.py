from __future__ import annotations

import pytest

from tests.release.project import released
from tutelage.store.release import ReleaseFolder


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> ReleaseFolder:
    """A full tuning, released."""
    return released(tmp_path_factory.mktemp("full"))


@pytest.fixture(scope="session")
def lora(tmp_path_factory: pytest.TempPathFactory) -> ReleaseFolder:
    """A low-rank adapter, released."""
    return released(tmp_path_factory.mktemp("lora"), method="lora")
