"""The reference of all commands as Markdown, from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import click

from tutelage.cli.frame import COMMANDS, road
from tutelage.core.errors import UsageError

HEAD = """# Commands

Made from the commands by `make docs`.

Results are printed on stdout, talk on stderr. With `--json` a command prints one object on
stdout: `{schema, command, status, data, artifacts[], warnings[], error}`, where `error` is
`{code, message, where, hint, rows[]}` or null. Two print a line of JSON each before that
object: `serve` one with its `url` once it listens, `chat` one for every answer.

| Exit code | `status` | Meaning |
|---|---|---|
| 0 | `done` | done |
| 1 | `failed` | an error, told on stderr; for `contract diff`, that they differ |
| 2 | `usage` | the command line was not understood |
| 3 | `shut` | the gate is shut: a rule fails or is inconclusive |
| 130 | `interrupted` | stopped; the same command goes on |

`NO_COLOR` takes colours away. `TUTELAGE_DEBUG=1` shows where in the code an error arose.
"""

# command: its forms in Python, names of the package
IN_PYTHON: Mapping[str, tuple[str, ...]] = {
    "curate": ("curate", "learning_curve", "unlikely"),
    "train": ("train",),
    "evaluate": ("evaluate",),
    "gate": ("gate",),
    "release": ("release",),
    "run": ("run",),
    "show": ("lessons",),
    "contract": ("contract",),
    "plan": ("plan",),
    "candidates": ("candidates",),
    "draft": ("draft",),
    "review": ("review_sheets", "take_reviews"),
    "verify": ("verify",),
    "serve": ("serving",),
    "chat": ("open_release",),
    "monitor": ("monitor",),
    "improve": ("improve",),
    "lineage": ("lineage", "offspring", "opted_out"),
    "explain-row": ("explain_row",),
    "compare": ("compare",),
    "rate": ("rating_sheets", "take_ratings", "withdraw_sheet"),
    "schema": ("recipe_schema",),
}
# command: why it has none
NOT_IN_PYTHON: Mapping[str, str] = {
    "init": "it writes files for a person to change",
    "check": "it tells people all faults at once; a stage refuses its own",
    "doctor": "it tells people what this machine lacks",
}


def markdown() -> str:
    """The whole reference."""
    return "\n".join([HEAD, *_groups()])


def _groups() -> Iterator[str]:
    context = click.Context(road, info_name="tutelage")
    for group, commands in COMMANDS.items():
        yield f"## {group}\n"
        for name in commands:
            command = road.get_command(context, name)
            if command is None:
                raise UsageError(f"there is no command `{name}`")
            yield from _command(click.Context(command, info_name=name, parent=context))


def _command(context: click.Context, mark: str = "###") -> Iterator[str]:
    command = context.command
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"{mark} {context.command_path}\n"
    yield f"    {context.command_path} {usage}\n"
    yield _paragraphs(command.help or "")
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None and record[1]:
            yield f"- `{record[0]}` {record[1]}"
    yield ""
    if mark == "###":
        yield f"{_in_python(str(context.info_name))}\n"
    for name, inner in getattr(command, "commands", {}).items():
        yield from _command(click.Context(inner, info_name=name, parent=context), f"{mark}#")


def _in_python(name: str) -> str:
    if name in NOT_IN_PYTHON:
        return f"In Python: none; {NOT_IN_PYTHON[name]}."
    return f"In Python: {', '.join(f'`tutelage.{one}`' for one in IN_PYTHON[name])}."


def _paragraphs(text: str) -> str:
    lines = (line.strip() for line in text.strip().splitlines())
    return "\n".join(lines) + "\n"
