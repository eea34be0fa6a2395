"""One whole run, made once, that several tests look at."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journey.project import Spoken, build, speak


@pytest.fixture(scope="session")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Spoken]:
    """A project that was run to its end, and what was said. Not to be changed."""
    folder = build(tmp_path_factory.mktemp("walked"))
    return folder, speak(folder, "run")


@pytest.fixture
def again(walked: tuple[Path, Spoken], tmp_path: Path) -> Callable[..., Spoken]:
    """Runs a command line in a copy of that project."""
    folder = tmp_path / "project"
    shutil.copytree(walked[0], folder)
    return lambda *words: speak(folder, *words)
