"""Writing so that a reader sees all or nothing, also after a crash or on a full disk."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tutelage.core.errors import StoreError

FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def scratch(temp: Path) -> Iterator[Path]:
    """A new folder under `temp`, named after this process; gone after the block.

    Raises: StoreError when the disk is full.
    """
    folder = temp / f"{os.getpid()}-{uuid.uuid4().hex[:12]}"
    with full_disk_told(temp):
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, target: Path) -> None:
    """Makes a finished scratch folder appear as `target`, durably and at once."""
    sync_tree(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(target)
    sync_folder(target.parent)


def write_file(path: Path, content: bytes) -> None:
    """Replaces one small file durably and at once.

    Raises: StoreError when the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:12]}")
    with full_disk_told(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(path.parent)


def sync_tree(folder: Path) -> None:
    """Everything under the folder is on the disk when this returns."""
    for base, _, names in os.walk(folder):
        for name in names:
            _sync(Path(base) / name)
        sync_folder(Path(base))


def sync_folder(folder: Path) -> None:
    """The folder's list of names is on the disk when this returns."""
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(temp: Path) -> int:
    """Removes what dead processes left under `temp`; how many folders that was.

    Called by whoever holds the store's lock, before it makes folders of its own: one
    that bears its own process id is then from an earlier life of that id.
    """
    swept = 0
    for folder in temp.glob("*-*"):
        pid = folder.name.partition("-")[0]
        if pid.isdigit() and (int(pid) == os.getpid() or not alive(int(pid))):
            shutil.rmtree(folder, ignore_errors=True)
            swept += 1
    return swept


def alive(pid: int) -> bool:
    """Whether a process with this id runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def full_disk_told(folder: Path) -> Iterator[None]:
    """Turns a failure for lack of room into a StoreError that says so."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        if not _for_lack_of_room(error, folder):
            raise
        raise StoreError(
            "the disk is full; nothing half-written is left",
            where=str(folder),
            hint="free some room and run the same command again: finished stages are kept",
        ) from error


def _for_lack_of_room(error: BaseException, folder: Path) -> bool:
    """Whether an error, or one that caused it, says the disk is full.

    Writers in native code raise errors of their own, so their words and the disk
    itself are asked too.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in FULL:
            return True
        if "No space left on device" in str(cause):
            return True
        cause = cause.__cause__ or cause.__context__
    return isinstance(error, OSError | RuntimeError) and _free_bytes(folder) == 0


def _free_bytes(folder: Path) -> int:
    standing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    return shutil.disk_usage(standing).free
