from __future__ import annotations

from pathlib import Path

import pytest

from tutelage.core.errors import StoreError
from tutelage.store.store import Store


def write(words: str):  # type: ignore[no-untyped-def]
    def fill(folder: Path) -> None:
        (folder / "state").write_text(words)

    return fill


def test_the_latest_checkpoint_is_the_one_to_resume_from(tmp_path: Path) -> None:
    checkpoints = Store(root=tmp_path).checkpoints("ab" * 32)
    assert checkpoints.latest() is None
    for step in (5, 10, 100):
        checkpoints.save(step, write(f"after {step}"))
    latest = checkpoints.latest()
    assert latest is not None
    assert latest.step == 100
    assert (latest.folder / "state").read_text() == "after 100"
    assert len(list(checkpoints.folder.iterdir())) == 2


def test_checkpoints_of_another_key_are_apart(tmp_path: Path) -> None:
    store = Store(root=tmp_path)
    store.checkpoints("ab" * 32).save(1, write("a"))
    assert store.checkpoints("cd" * 32).latest() is None


@pytest.mark.parametrize("damage", ["other", "missing", "list", "form", "extra"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoints = Store(root=tmp_path).checkpoints("ab" * 32)
    checkpoints.save(1, write("one"))
    folder = checkpoints.save(2, write("two")).folder
    if damage == "other":
        (folder / "state").write_text("owt")
    elif damage == "missing":
        (folder / "state").unlink()
    elif damage == "list":
        (folder / "checkpoint.json").unlink()
    elif damage == "form":
        (folder / "checkpoint.json").write_text('{"files": {"state": 3}}')
        (folder.parent / "step-by-step").mkdir()
    else:
        (folder / "more").write_text("x")
    latest = checkpoints.latest()
    assert latest is not None
    assert latest.step == 1
    assert "step-000000002 is damaged" in caplog.text


def test_saving_that_fails_leaves_the_checkpoints_as_they_were(tmp_path: Path) -> None:
    checkpoints = Store(root=tmp_path).checkpoints("ab" * 32)
    checkpoints.save(1, write("one"))

    def fail(folder: Path) -> None:
        (folder / "state").write_text("half")
        with open("/dev/full", "w") as full:
            full.write("x")

    with pytest.raises(StoreError, match="the disk is full"):
        checkpoints.save(2, fail)
    latest = checkpoints.latest()
    assert latest is not None
    assert latest.step == 1
    assert list(checkpoints.temp.iterdir()) == []


def test_a_step_saved_again_replaces_what_stood_there(tmp_path: Path) -> None:
    checkpoints = Store(root=tmp_path).checkpoints("ab" * 32)
    checkpoints.save(1, write("one"))
    folder = checkpoints.save(1, write("again")).folder
    assert (folder / "state").read_text() == "again"


def test_a_newer_checkpoint_is_refused(tmp_path: Path) -> None:
    checkpoints = Store(root=tmp_path).checkpoints("ab" * 32)
    listed = checkpoints.save(1, write("one")).folder / "checkpoint.json"
    listed.write_text(listed.read_text().replace('"schema": 1', '"schema": 2'))
    with pytest.raises(StoreError, match="newer tutelage"):
        checkpoints.latest()


def test_clearing_removes_them_all(tmp_path: Path) -> None:
    checkpoints = Store(root=tmp_path).checkpoints("ab" * 32)
    checkpoints.save(1, write("one"))
    checkpoints.clear()
    assert checkpoints.latest() is None


@pytest.mark.parametrize("kept", [1, 2])
def test_what_an_earlier_try_left_of_later_steps_gives_way(tmp_path: Path, kept: int) -> None:
    checkpoints = Store(root=tmp_path).checkpoints("ab" * 32, kept=kept)
    folder = checkpoints.save(20, write("of an earlier try")).folder
    (folder / "state").write_text("damaged")
    checkpoints.save(8, write("saved now"))
    assert checkpoints.at(8).step == 8
    assert checkpoints.has(8)
    assert not checkpoints.has(20)
    assert [one.step for one in checkpoints.newest()] == [8]
