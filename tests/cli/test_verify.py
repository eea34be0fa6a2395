"""Which release a reference means."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journey.project import inside, speak
from tests.release.project import SECTION, copied, released
from tutelage.cli.results import find_release
from tutelage.core.errors import StoreError
from tutelage.store.release import ReleaseFolder
from tutelage.store.run import runs
from tutelage.store.store import Store


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> ReleaseFolder:
    return released(tmp_path_factory.mktemp("project"))


def test_a_release_is_meant_by_folder_name_digest_recipe_run_or_nothing(
    release: ReleaseFolder, tmp_path: Path
) -> None:
    project = release.project
    assert project is not None
    (run,) = runs(Store.beside(project))
    named = (None, release.manifest.name, release.digest[:8], run.name, "tickets")
    at = (release.folder, copied(release, tmp_path).folder, project, project / "recipe.yaml")
    for reference in (*named, *map(str, at)):
        assert find_release(reference, project).digest == release.digest


def test_what_came_to_no_release_is_told(release: ReleaseFolder, tmp_path: Path) -> None:
    assert release.project is not None
    adapter = next((release.project / ".tutelage" / "store").glob("adapter-*"))
    with pytest.raises(StoreError, match="came to no release"):
        find_release(adapter.name, release.project)
    with pytest.raises(StoreError, match="this folder is no release"):
        find_release(str(tmp_path), release.project)
    (tmp_path / ".tutelage").mkdir()
    with pytest.raises(StoreError, match="nothing was released here yet"):
        find_release(None, tmp_path)


def test_another_base_is_told_with_exit_code_1(release: ReleaseFolder, tmp_path: Path) -> None:
    moved = copied(release, tmp_path)
    said = speak(tmp_path, "verify", str(moved.folder), "--base", "nowhere")
    assert said.code == 1
    assert "BAD  base" in said.out
    assert "note adapter" in said.out
    assert "nowhere" in said.err


def test_a_run_to_a_release_names_the_command_that_serves_it(release: ReleaseFolder) -> None:
    assert release.project is not None
    assert SECTION in (release.project / "recipe.yaml").read_text()
    with inside(release.project):
        said = speak(release.project, "run")
    assert said.code == 0
    assert f"serve it: tutelage serve .tutelage/store/{release.manifest.name}" in said.out
