"""`init`: a starter project, commented and ready to run."""

from __future__ import annotations

import contextlib
import re
from importlib.abc import Traversable
from importlib.resources import files
from pathlib import Path

import click
from rich.console import Console

from tutelage.cli.options import as_json
from tutelage.cli.reply import Reply
from tutelage.core.errors import BadRow, UsageError

STARTER = ("recipe.yaml", "answer.schema.json", "README.md", "data/train.jsonl", "data/test.jsonl")
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,59}")  # what a recipe may be named
SHIPPED_AS = {".gitignore": "gitignore.txt"}  # packaging leaves hidden files out


@click.command("init")
@click.argument("name")
@as_json
def init_command(name: str) -> Reply:
    """Write a starter project into the folder NAME.

    It has a commented recipe and a few rows, and runs as it is in about a minute.
    """
    folder = Path(name)
    if NAME.fullmatch(folder.resolve().name) is None:
        raise UsageError(
            f"`{folder.name}` is no name for a project",
            expected="letters, digits, `.`, `_` and `-`, a letter or digit first",
        )
    contents = {
        path: _shipped(SHIPPED_AS.get(path, path)) for path in (*STARTER, *sorted(SHIPPED_AS))
    }
    for path in ("recipe.yaml", "README.md"):
        contents[path] = re.sub(
            r"(?m)^(name: |# )starter$", rf"\g<1>{folder.resolve().name}", contents[path]
        )
    _refuse_overwriting(folder, list(contents))
    _write(folder, contents)
    return Reply(
        data={"folder": str(folder), "files": list(contents)}, draw=lambda out: _draw(out, folder)
    )


def _write(folder: Path, contents: dict[str, str]) -> None:
    """Writes every file, or leaves none where one cannot be written."""
    try:
        for path, text in contents.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    except OSError:
        for path in contents:
            with contextlib.suppress(OSError):
                (folder / path).unlink()
        raise


def _shipped(path: str) -> str:
    place: Traversable = files("tutelage.recipes") / "starter"
    for part in path.split("/"):
        place = place / part
    return place.read_text(encoding="utf-8")


def _refuse_overwriting(folder: Path, paths: list[str]) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError("this is a file; a project is a folder", where=str(folder))
    standing = [path for path in paths if (folder / path).exists()]
    if standing:
        raise UsageError(
            f"{folder} already has a project; nothing was written",
            rows=[BadRow(where=str(folder / path), problem="is there") for path in standing],
            hint="choose another name, or remove these files first",
        )


def _draw(console: Console, folder: Path) -> None:
    console.print(f"wrote a starter project into {folder}")
    inside = "" if folder.resolve() == Path().resolve() else f"cd {folder} && "
    console.print(f"next: {inside}tutelage check && tutelage run", soft_wrap=True)
