"""The files a recipe names: where they lie, what they are called, and their digests."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from tutelage.core.digest import file_digest, strong_digest
from tutelage.core.errors import BadRow, RowError
from tutelage.core.recipe import Recipe
from tutelage.store.ingest.opened import plain_suffix
from tutelage.store.ingest.records import SUFFIXES
from tutelage.store.ingest.shards import SHARD, refuse_in_part
from tutelage.store.store import PROJECT

MAGIC = re.compile(r"[*?\[]")  # a path with one of these is a pattern
SAVED, PARTED = "state.json", "dataset_dict.json"  # as the library `datasets` saves a folder
LISTED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file of those a path leads to."""

    path: Path
    uri: str  # as artifacts name it
    digest: str  # SHA-256


def parts_of(written: str, recipe: Recipe) -> list[Part]:
    """Every file a path in the recipe leads to: one, those of a pattern, those of a folder.

    Raises: RowError where there is none.
    """
    path = recipe.path(written)
    if path.is_dir():
        found, base = _of_folder(path, written), path
    elif MAGIC.search(written) and not path.exists():
        found, base = _matching(path, written)
    else:
        file = file_of(written, recipe)
        return [Part(path=file, uri=uri_of(written), digest=file_digest(file))]
    root = uri_of(_fixed(written))
    return [
        Part(
            path=one,
            uri=f"{root}/{one.relative_to(base).as_posix()}" if root != "." else one.name,
            digest=file_digest(one),
        )
        for one in found
    ]


def digest_of(parts: Sequence[Part]) -> str:
    """The SHA-256 of one file; of several that of their names and digests."""
    if len(parts) == 1:
        return parts[0].digest
    return strong_digest({part.uri: part.digest for part in parts})


def _fixed(written: str) -> str:
    """The folders of a pattern before its first wildcard; of another path all of it."""
    names = Path(written).parts
    fixed = [MAGIC.search(name) is None for name in names]
    return str(Path(*names[: fixed.index(False)])) if False in fixed else written


def _matching(path: Path, written: str) -> tuple[list[Path], Path]:
    base = Path(_fixed(str(path)))
    pattern = path.relative_to(base).as_posix()
    found = _files(base.glob(pattern), base, written) if base.is_dir() else []
    if not found:
        raise RowError(
            "no file is like this pattern",
            where=written,
            hint="paths are relative to the recipe's folder; `**` stands for folders",
        )
    names = pattern.rpartition("/")[2]
    refuse_in_part(found, written, lambda name: fnmatchcase(name, names))
    return found, base


def _files(found: Iterable[Path], base: Path, written: str) -> list[Path]:
    """Those that are files, in order, without what the project itself keeps.

    Raises: RowError for links that lead nowhere.
    """
    others = [one for one in found if PROJECT not in one.relative_to(base).parts]
    lost = [one for one in others if one.is_symlink() and not one.exists()]
    if lost:
        raise RowError(
            "links lead nowhere",
            where=written,
            rows=[
                BadRow(where=one.relative_to(base).as_posix(), problem=f"leads to {one.readlink()}")
                for one in sorted(lost)
            ],
            hint="fetch what they lead to, or take them out: rows are missing",
        )
    return sorted(one for one in others if one.is_file())


def _of_folder(folder: Path, written: str) -> list[Path]:
    """The files of a saved data set in its order, or all files of one kind."""
    if (folder / PARTED).is_file():
        splits = sorted(one.parent.name for one in folder.glob(f"*/{SAVED}"))
        raise _several(written, splits, f"{written}/{splits[0] if splits else 'train'}")
    if (folder / SAVED).is_file():
        try:
            form = msgspec.json.decode((folder / SAVED).read_bytes())
            files = [folder / one["filename"] for one in form["_data_files"]]
        except (msgspec.MsgspecError, KeyError, TypeError) as error:
            raise RowError(f"{SAVED} does not name its files: {error}", where=written) from error
        missing = [one.name for one in files if not one.is_file()]
        if missing:
            raise RowError(f"files are missing: {', '.join(missing)}", where=written)
        if twice := sorted({one.name for one in files if files.count(one) > 1}):
            raise RowError(f"{SAVED} names a file twice: {', '.join(twice)}", where=written)
        return files
    files = _files(filter(_holds_rows, folder.rglob("*")), folder, written)
    kinds = sorted({plain_suffix(one) for one in files})
    if not files:
        raise RowError(
            "this is a folder without files of rows",
            where=written,
            expected=f"files of {', '.join(SUFFIXES)}",
        )
    if len(kinds) > 1:
        raise RowError(
            f"this folder has files of several kinds: {', '.join(kinds)}",
            where=written,
            hint=f"name those that are meant: `{written}/*{kinds[0]}`",
        )
    found = [SHARD.match(one.name) for one in files]
    splits = sorted({one["split"] for one in found if one})
    if len(splits) > 1:
        raise _several(written, splits, f"{written}/**/{splits[-1]}-*{kinds[0]}")
    refuse_in_part(files, written, lambda name: True)
    return files


def _holds_rows(path: Path) -> bool:
    return plain_suffix(path) in SUFFIXES and path.name not in ("dataset_info.json", SAVED)


def _several(written: str, splits: Sequence[str], one: str) -> RowError:
    return RowError(
        f"this folder has several splits: {', '.join(splits)}",
        where=written,
        hint=f"name the one that is meant, such as `{one}`",
    )


def file_of(written: str, recipe: Recipe) -> Path:
    """The file a path in the recipe leads to.

    Raises: RowError with the nearest names if there is none.
    """
    path = recipe.path(written)
    if path.is_file():
        return path
    if path.is_dir():
        raise RowError("this is a folder; expected a file", where=written)
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
        expected=f"one of {', '.join(names[:LISTED])}" if names and not close else "",
        hint=hint or "paths are relative to the recipe's folder",
    )


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file, be it by links or other folders, or not there yet."""
    try:
        return one.samefile(other)
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)


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
            digest = digest_of(parts_of(written, recipe))
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
