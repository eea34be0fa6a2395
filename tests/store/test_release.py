from __future__ import annotations

from pathlib import Path

import pytest

from tutelage.core.artifact import Provenance
from tutelage.core.errors import StoreError
from tutelage.store.artifact import pretty
from tutelage.store.release import ReleaseFolder, events_path, read_release
from tutelage.store.store import Store

FORM = {
    "schema": 1,
    "name": "tickets",
    "base": {"name": "base", "digests": {}},
    "precision": "fp32",
    "adapter": {},
    "outcome": "pass",
    "waivers": [],
    "serve": {"batch": 7},
    "monitor": {"window_hours": 2},
    "improve": None,
    "fingerprint": {},
}


def put(project: Path, **changed: object) -> ReleaseFolder:
    """A release of no weights in the project's store."""
    provenance = Provenance(kind="release", inputs={}, section={}, stage_version=1)
    store = Store.beside(project)
    with store.lock(), store.put(provenance) as draft:
        form = {key: value for key, value in (FORM | changed).items() if value != "left out"}
        (draft.folder / "release.json").write_bytes(pretty(form))
        (draft.folder / "contract.json").write_bytes(pretty({"schema": 1}))
    return read_release(draft.artifact.folder)


def test_a_release_tells_its_name_its_digest_and_its_sections(tmp_path: Path) -> None:
    release = put(tmp_path, improve={"licence": "CC0-1.0"})
    release.verify()
    assert release.label == f"tickets@{release.digest[:12]}"
    assert release.serve.batch == 7
    assert release.monitor.window_hours == 2
    assert release.precision == "fp32"
    assert release.improve is not None
    assert release.improve.licence == "CC0-1.0"
    assert put(tmp_path).improve is None
    assert release.contract == {"schema": 1}
    assert release.project == tmp_path


def test_events_lie_with_the_project_or_beside_a_copied_release(tmp_path: Path) -> None:
    release = put(tmp_path / "project")
    kept = tmp_path / "project" / ".tutelage" / "events.sqlite"
    assert events_path(release) == kept
    moved = release.folder.rename(tmp_path / "away")
    copied = read_release(moved)
    assert copied.project is None
    assert events_path(copied) == tmp_path / "events.sqlite"
    assert events_path(copied, tmp_path / "project") == kept


def test_a_changed_file_is_named(tmp_path: Path) -> None:
    release = put(tmp_path)
    (release.folder / "contract.json").write_text("{}")
    with pytest.raises(StoreError, match="is damaged") as raised:
        release.verify()
    assert [row.where for row in raised.value.rows] == ["contract.json"]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"schema": 2}, "release of schema 2; this tutelage reads 1"),
        ({"name": "left out"}, "what it says of itself is not whole"),
    ],
)
def test_what_is_no_release_of_this_tutelage_is_refused(
    changed: dict[str, object], says: str, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match=says):
        put(tmp_path, **changed)


def test_all_that_a_release_does_not_say_of_itself_is_named_at_once(tmp_path: Path) -> None:
    wrong = {"waivers": "left out", "outcome": "left out", "base": {"name": "b"}, "precision": 8}
    with pytest.raises(StoreError) as raised:
        put(tmp_path, **wrong)
    places = {row.where for row in raised.value.rows}
    assert places == {"waivers", "outcome", "base.digests", "precision"}


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no release") as raised:
        read_release(tmp_path)
    assert "tutelage release" in raised.value.hint


def test_a_section_of_a_newer_tutelage_is_refused_by_name(tmp_path: Path) -> None:
    release = put(tmp_path, serve={"speed": 3})
    with pytest.raises(StoreError, match="section `serve`"):
        _ = release.serve
