"""`doctor`: what stands in the way is told with a cure."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Tutelage
from tutelage.cli import doctor


def test_it_looks_at_everything_that_work_needs(tutelage: Tutelage) -> None:
    form = tutelage("doctor", "--json").json()
    looked = {finding["what"] for finding in form["data"]["findings"]}
    assert {"python", "memory", "disk", "sqlite", "folder", "tutelage/tiny"} <= looked
    bad = [one["what"] for one in form["data"]["findings"] if one["state"] == "bad"]
    assert form["status"] == ("failed" if bad else "done")


def test_an_old_package_is_bad() -> None:
    found = doctor.package("click", "999.0", "")
    assert found.state == "bad"
    assert found.says.endswith("is older than 999.0")


def test_a_missing_package_names_its_extra() -> None:
    found = doctor.package("no-such-package-here", "1.0", "train")
    assert (found.state, found.hint) == ("bad", "pip install 'tutelage[train]'")


def test_a_local_version_counts_as_its_release() -> None:
    assert doctor.package("click", "8.0", "").state == "good"


def test_too_little_memory_or_disk_is_bad() -> None:
    assert doctor.memory(1 << 30).state == "bad"
    assert doctor.memory(8 << 30).state == "good"
    assert doctor.disk(1 << 20).state == "bad"
    assert doctor.disk(8 << 30).state == "good"


def test_an_old_sqlite_is_noted_and_does_not_stop_work() -> None:
    assert doctor.sqlite((3, 40, 1)).state == "note"
    assert doctor.sqlite((3, 51, 3)).state == "good"


def test_a_folder_that_is_not_there_cannot_be_written(tmp_path: Path) -> None:
    assert doctor.writable(tmp_path / "nowhere").state == "bad"
    assert doctor.writable(tmp_path).state == "good"


def test_what_unfinished_trainings_left_is_told_with_its_size(tmp_path: Path) -> None:
    assert doctor.unfinished(tmp_path / "checkpoints").state == "good"
    for name in ("a", "b"):
        folder = tmp_path / "checkpoints" / name / "step-000000001"
        folder.mkdir(parents=True)
        (folder / "state.pt").write_bytes(bytes(1 << 20))
    found = doctor.unfinished(tmp_path / "checkpoints")
    assert found.state == "note"
    assert found.says.startswith("2.0 MiB of 2 unfinished trainings")
