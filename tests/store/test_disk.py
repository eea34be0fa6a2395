from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tutelage.core.errors import StoreError
from tutelage.store.disk import alive, publish, scratch, sweep, write_file


def no_process() -> int:
    """The id of a process that has ended."""
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    return pid


def test_a_scratch_folder_appears_whole_at_its_target(tmp_path: Path) -> None:
    with scratch(tmp_path / "temp") as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "a").write_text("x")
        assert not (tmp_path / "out" / "done").exists()
        publish(folder, tmp_path / "out" / "done")
    assert (tmp_path / "out" / "done" / "inner" / "a").read_text() == "x"
    assert list((tmp_path / "temp").iterdir()) == []


def test_a_scratch_folder_is_gone_when_its_block_raises(tmp_path: Path) -> None:
    with pytest.raises(KeyError), scratch(tmp_path) as folder:
        (folder / "a").write_text("x")
        raise KeyError("stopped")
    assert list(tmp_path.iterdir()) == []


def test_a_device_without_room_is_told_as_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="the disk is full"), scratch(tmp_path) as folder:
        (folder / "a").write_text("x")
        with open("/dev/full", "w") as full:
            full.write("x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("Error while serializing: No space left on device (os error 28)"),
    ],
)
def test_other_words_for_lack_of_room_are_understood(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(StoreError, match="the disk is full") as raised, scratch(tmp_path):
        raise error
    assert raised.value.hint.startswith("free some room")


def test_an_error_about_something_else_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Input/output"), scratch(tmp_path):
        raise OSError(errno.EIO, "Input/output error")


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    write_file(tmp_path / "a", b"one")
    write_file(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_sweeping_removes_what_the_dead_left_and_spares_the_living(tmp_path: Path) -> None:
    dead, parent, own = f"{no_process()}-aa", f"{os.getppid()}-bb", f"{os.getpid()}-cc"
    for name in (dead, parent, own):
        (tmp_path / name / "deep").mkdir(parents=True)
    assert sweep(tmp_path) == 2
    assert [path.name for path in tmp_path.iterdir()] == [parent]


def test_a_process_is_alive_until_it_ends() -> None:
    assert alive(os.getpid())
    assert alive(1)
    assert not alive(no_process())
