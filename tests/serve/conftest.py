"""One release of the micro project, made once, that several tests serve."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.release.project import released
from tutelage.store.release import ReleaseFolder, read_release


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> ReleaseFolder:
    """The release. Not to be changed."""
    return released(tmp_path_factory.mktemp("served"))


@pytest.fixture
def release(made: ReleaseFolder, tmp_path: Path) -> ReleaseFolder:
    """That release in a project of its own."""
    assert made.project is not None
    shutil.copytree(made.project, tmp_path / "project")
    inside = made.folder.relative_to(made.project)
    return read_release(tmp_path / "project" / inside)
