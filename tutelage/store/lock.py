"""One writer at a time: two runs on one store do not collide."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tutelage.core.errors import StoreError


@contextmanager
def locked(path: Path, *, held: str = "another run uses this project") -> Iterator[None]:
    """Holds the lock file for the block; `held` says what it means that another does.

    The kernel lets go of the lock when its process ends, however it ends, so a lock
    of a dead process never stands in the way.

    Raises: StoreError that names the process which holds it, or says why there can be none.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(
            f"results cannot be kept here: {error.strerror}",
            where=str(path.parent),
            expected="a folder that can be written, beside the recipe",
            hint="copy the project to where you may write, or free this name",
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            raise StoreError(
                f"{held}: process {pid}",
                where=str(path),
                hint="wait for it to end, or stop it; what it finished is kept",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)
