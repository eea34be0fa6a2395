"""A release of the micro project, made once, and copies of it to spoil."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.journey.project import build
from tutelage import pipeline
from tutelage.core.artifact import files_digest
from tutelage.core.recipe import load
from tutelage.store.artifact import MANIFEST, pretty, records_of
from tutelage.store.release import ReleaseFolder, read_release

SECTION = "release: {notes: a test}\n"


def released(folder: Path, *, method: str = "full") -> ReleaseFolder:
    """The micro project, walked to its release."""
    build(folder)
    recipe = folder / "recipe.yaml"
    text = recipe.read_text().replace("method: full", f"method: {method}")
    recipe.write_text(text + SECTION)
    return read_release(pipeline.release(load(recipe)).folder)


def copied(release: ReleaseFolder, folder: Path) -> ReleaseFolder:
    """The release somewhere else, its base beside it."""
    assert release.project is not None
    shutil.copytree(release.folder, folder / "release")
    shutil.copytree(release.project / "base", folder / "base")
    return read_release(folder / "release")


def sealed(folder: Path) -> ReleaseFolder:
    """The folder's manifest made anew, as someone who means harm would."""
    path = folder / MANIFEST
    form = json.loads(path.read_text())
    records = records_of(folder)
    form["files"] = {name: {"sha256": x.sha256, "bytes": x.bytes} for name, x in records.items()}
    form["digest"] = files_digest(records)
    path.write_bytes(pretty(form))
    return read_release(folder)
