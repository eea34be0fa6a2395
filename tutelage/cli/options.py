"""Options that several commands share, and how a recipe is found."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tutelage.core.errors import UsageError

if TYPE_CHECKING:
    from tutelage.core.recipe import Recipe

RECIPE = "recipe.yaml"
HERE = Path()  # `--project` left out
Command = TypeVar("Command", bound=Callable[..., Any])


def as_json(command: Command) -> Command:
    """`--json`; the session reads it from the command line itself."""
    says = "Print one JSON object on stdout."
    return click.option("--json", is_flag=True, expose_value=False, help=says)(command)


def of_recipe(command: Command) -> Command:
    """The recipe argument, `--set` and `--json`."""
    argument = click.argument("recipe", metavar="[RECIPE]", default=RECIPE)
    return argument(overridden(as_json(command)))


def overridden(command: Command) -> Command:
    """`--set`."""
    option = click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Override one key, such as train.epochs=2; may be given again.",
    )
    return option(command)


def of_project(command: Command) -> Command:
    """`--project` and `--json`, for commands that look at what was made."""
    option = click.option(
        "--project",
        type=click.Path(path_type=Path, file_okay=False),
        default=HERE,
        metavar="FOLDER",
        help="Folder of the recipe whose results are meant; the current one if left out.",
    )
    return option(as_json(command))


def named(project: Path) -> Path | None:
    """The project that `--project` names; None where it is left out."""
    return None if project == HERE else project


def of_events(command: Command) -> Command:
    """`--events`, for commands that read what was served."""
    option = click.option(
        "--events",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="The journal; the one the server writes if left out.",
    )
    return option(command)


def forced(command: Command) -> Command:
    """`--force`."""
    says = "Make it anew even where nothing changed."
    return click.option("--force", is_flag=True, help=says)(command)


def several(command: Command) -> Command:
    """`--nproc`."""
    says = "Processes of this machine that train together; one a GPU."
    option = click.option(
        "--nproc", "processes", type=click.IntRange(1), default=1, metavar="N", help=says
    )
    return option(command)


def no_command(path: str, name: str, known: Sequence[str]) -> UsageError:
    """What is said where a word names no command, with the nearest that does."""
    near = difflib.get_close_matches(name, known, n=1)
    return UsageError(
        f"there is no command `{name}`" if path == "tutelage" else f"no command `{path} {name}`",
        hint=f"did you mean `{path} {near[0]}`?" if near else f"see `{path} --help`",
    )


def load_recipe(written: str, overrides: Sequence[str]) -> Recipe:
    """The recipe of a file, or of `recipe.yaml` in a folder.

    Raises: UsageError with the nearest name where there is no such file.
    """
    from tutelage.core.recipe import load

    return load(recipe_path(written), overrides)


def recipe_path(written: str) -> Path:
    """Where the recipe lies.

    Raises: UsageError with the nearest name where there is no such file.
    """
    path = Path(written)
    if path.is_dir():
        path = path / RECIPE
    if path.exists():
        return path
    around = path.parent if path.parent.is_dir() else Path()
    known = sorted(str(one) for pattern in ("*.yaml", "*.yml") for one in around.glob(pattern))
    near = difflib.get_close_matches(str(path), known, n=1)
    if near:
        hint = f"did you mean `{near[0]}`?"
    elif known:
        hint = f"there is {', '.join(known[:5])}"
    else:
        hint = "`tutelage init NAME` writes a starter project with one"
    raise UsageError("there is no such recipe", where=str(path), hint=hint)
