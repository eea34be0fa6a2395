"""The files a recipe names: where they lie, what they are called, and their digests."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from tutelage.core.digest import file_digest
from tutelage.core.errors import BadRow, RowError
from tutelage.core.recipe import Recipe


def file_of(written: str, recipe: Recipe) -> Path:
    """The file a path in the recipe leads to.

    Raises: RowError with the nearest names if there is none.
    """
    path = recipe.path(written)
    if path.is_file():
        return path
    if path.is_dir():
        raise RowError("this is a folder; expected a file of rows", where=written)
    if path.exists() or path.is_symlink():
        raise RowError(
            "this is no regular file, or a link that leads nowhere",
            where=written,
            expected="a file of rows",
        )
    folder = path.parent
    if not folder.is_dir():
        raise RowError(
            f"there is no folder `{Path(written).parent}`",
            where=written,
            hint="paths are relative to the recipe's folder",
        )
    names = sorted(other.name for other in folder.iterdir() if other.is_file())
    close = difflib.get_close_matches(path.name, names, n=1)
    hint = f"did you mean `{close[0]}`?" if close else ""
    raise RowError(
        "there is no such file",
        where=written,
        expected=f"one of {', '.join(names[:10])}" if names and not close else "",
        hint=hint or "paths are relative to the recipe's folder",
    )


def uri_of(written: str) -> str:
    """How artifacts name a file: as the recipe does, without folders of this machine."""
    path = Path(written)
    return path.name if path.is_absolute() or written.startswith("~") else path.as_posix()


def digests_of(files: Iterable[tuple[str, str]], recipe: Recipe) -> dict[str, str]:
    """SHA-256 of every file, by the names provenance uses: `role:uri`.

    `files` are a role (`source`, `suite`, `schema`) and a path as the recipe writes it.

    Raises: RowError with every file that is missing.
    """
    found: dict[str, str] = {}
    missing: list[RowError] = []
    for role, written in files:
        try:
            digest = file_digest(file_of(written, recipe))
        except RowError as error:
            missing.append(error)
            continue
        name = f"{role}:{uri_of(written)}"
        while found.get(name, digest) != digest:  # two files of one name, in two folders
            name += "'"
        found[name] = digest
    if len(missing) == 1:
        raise missing[0]
    if missing:
        rows = [
            BadRow(where=error.where, problem=f"{error.message}; {error.hint}") for error in missing
        ]
        raise RowError(f"{len(missing)} files are missing", rows=rows)
    return found
