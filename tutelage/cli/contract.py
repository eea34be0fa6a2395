"""`contract`: what a prompt contract says, and what differs between two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from tutelage.cli.options import RECIPE, as_json, load_recipe, no_command, of_project
from tutelage.cli.reply import Reply, Session
from tutelage.cli.terminal import counted
from tutelage.core.errors import StoreError

if TYPE_CHECKING:
    from tutelage.render.difference import Difference

DIGITS = 12  # of a digest
PLACE = "RECIPE|RELEASE|ADAPTER|FILE"
TAKEN_OUT, PUT_IN = "- ", "+ "


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """A contract as `Contract.to_dict` writes it, and what it was found under."""

    name: str
    form: Mapping[str, Any]


class Parts(click.Group):
    """A command of several words."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command the second word names.

        Raises: UsageError with the nearest name.
        """
        if args[0] not in self.commands and not args[0].startswith("-"):
            raise no_command(ctx.command_path, args[0], list(self.commands))
        return super().resolve_command(ctx, args)


@click.group("contract", cls=Parts, no_args_is_help=True)
@as_json
def contract_command() -> None:
    """Show a prompt contract, or what differs between two.

    A contract is named by a recipe, a release, an adapter, or the contract.json of one.
    """


@contract_command.command("show")
@click.argument("reference", metavar=f"[{PLACE}]", default=RECIPE)
@click.option("--goldens", is_flag=True, help="Print the fixed conversations as they are rendered.")
@of_project
def show_contract(reference: str, goldens: bool, project: Path) -> Reply:
    """Print what a prompt contract says: versions, digests, policy, decoding."""
    from tutelage.core.digest import strong_digest

    meant = find_contract(reference, project)

    def draw(console: Console) -> None:
        _draw_contract(console, meant)
        if goldens:
            _draw_goldens(console, meant.form["goldens"])

    data = {"name": meant.name, "digest": strong_digest(meant.form), "contract": meant.form}
    return Reply(data=data, draw=draw)


@contract_command.command("diff")
@click.argument("before", metavar="A")
@click.argument("now", metavar="B")
@of_project
def diff_contracts(before: str, now: str, project: Path) -> Reply:
    """Print what differs from contract A to contract B, part by part.

    Each is a recipe, a release, an adapter or a contract.json. Of an adapter only what it
    was taught with is compared, not how answers are drawn. Ends with exit code 0 where
    they are equal and 1 where they differ.
    """
    from tutelage.render.difference import differences

    sides = [find_contract(one, project) for one in (before, now)]
    forms = [
        {key: value for key, value in one.form.items() if key in other.form}
        for one, other in (sides, sides[::-1])
    ]
    found = differences(*forms)
    data = {
        "before": sides[0].name,
        "now": sides[1].name,
        "equal": not found,
        "differences": [
            {"part": one.part, "before": one.before, "now": one.now, "lines": one.lines}
            for one in found
        ],
    }
    return Reply(
        data=data,
        draw=lambda console: _draw_differences(console, sides, found),
        code=1 if found else 0,
    )


def find_contract(reference: str, project: Path) -> Meant:
    """The contract a user means: a file, a folder that holds one, a recipe, or what the store has.

    Raises: StoreError where there is none; whatever reading or rendering raises.
    """
    from tutelage.render.contract import UNTAUGHT
    from tutelage.render.form import check_form
    from tutelage.store.artifact import read_json
    from tutelage.store.release import CONTRACT

    path = Path(reference)
    inside = path / CONTRACT
    if path.suffix == ".json" and path.is_file():
        meant = Meant(name=str(path), form=read_json(path))
    elif inside.is_file():
        meant = Meant(name=str(path), form=read_json(inside))
    elif _of_recipe(path):
        from tutelage.pipeline.rows import contract as contract_of

        recipe = load_recipe(reference, ())
        contract = contract_of(recipe)
        session = click.get_current_context().find_object(Session)
        if session is not None:
            for warning in contract.warnings:
                session.warn(warning)
        meant = Meant(name=str(path), form=contract.to_dict())
    else:
        meant = _in_store(reference, project)
    check_form(meant.form, lacking=UNTAUGHT, name=meant.name)
    return meant


def _of_recipe(path: Path) -> bool:
    return path.suffix in (".yaml", ".yml") or (path / RECIPE).is_file()


def _in_store(reference: str, project: Path) -> Meant:
    from tutelage.cli.results import find
    from tutelage.store.artifact import read_json
    from tutelage.store.release import CONTRACT

    found = find(reference, project)
    for artifact in reversed(list(found.artifacts.values())):
        if artifact.has(CONTRACT):
            return Meant(name=artifact.name, form=read_json(artifact.file(CONTRACT)))
    raise StoreError(
        f"`{found.name}` holds no prompt contract",
        expected="an adapter, a release, a recipe or a contract.json",
    )


def _draw_contract(console: Console, meant: Meant) -> None:
    from tutelage.core.digest import strong_digest
    from tutelage.core.printable import printable

    console.print(Text(f"{meant.name}  {strong_digest(meant.form)[:DIGITS]}", "bold"))
    for key, says in _lines(meant.form):
        line = Text(f"  {key:<14}  ", style="bold")
        line.append(printable(says), style="default")
        console.print(line, soft_wrap=True)


def _lines(form: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "base", form["base"]
    yield "tokenizer", form["tokenizer"][:DIGITS]
    if new := form.get("new_tokens"):
        yield "new tokens", ", ".join(f"{text} ({id})" for text, id in new.items())
    yield "template", _version(form["template"])
    if form["arguments"]:
        yield "arguments", ", ".join(f"{key}: {one}" for key, one in form["arguments"].items())
    yield "date", form["date"]
    yield "system", "none" if form["system"] is None else _version(form["system"])
    if form["system"] is not None:
        yield "", form["system"]["text"]
    for one in form["variants"]:
        yield "variant", f"{_version(one)}, {one['share']:.0%} of the rows"
        yield "", one["text"]
    if form["without_system"]:
        yield "left out", f"{form['without_system']:.0%} of the rows have no system prompt"
    if own := form.get("decoding"):
        drawn = f"temperature {own['temperature']:g}, top_p {own['top_p']:g}"
        yield "decoding", f"at most {own['max_new_tokens']:,} tokens, {drawn}"
    pairs = zip(form["stop_tokens"], form["stop_ids"], strict=True)
    yield "stop tokens", ", ".join(f"{text} ({id})" for text, id in pairs)
    yield "context", counted(form["context"], "token")
    cut = f", at the {form['truncate']}" if form["fit"] == "truncate" else ""
    yield "long lessons", f"{form['fit']}{cut}"
    markers = ", ".join(form["forgeable"])
    yield "forged markers", f"{form['forged']}: {markers}" if markers else "cannot be"
    if "output_schema" in form:
        free = form["output_schema"] is None
        yield "answers", "free text" if free else "satisfy the output schema"
    shown = (
        f"{name} {'refused' if one is None else len(one['ids'])}"
        for name, one in form["goldens"].items()
    )
    yield "goldens", f"tokens: {', '.join(shown)}"


def _version(named: Mapping[str, Any]) -> str:
    return f"{named['name']} ({named['digest'][:DIGITS]})"


def _draw_goldens(console: Console, goldens: Mapping[str, Any]) -> None:
    from tutelage.core.printable import printable

    for name, one in goldens.items():
        console.print()
        says = "refused by the template" if one is None else counted(len(one["ids"]), "token")
        console.print(Text(f"{name}: {says}", "bold"))
        if one is not None:
            console.print(Text(printable(one["text"])), soft_wrap=True)


def _draw_differences(
    console: Console, sides: Sequence[Meant], found: Sequence[Difference]
) -> None:
    from tutelage.core.printable import printable

    if not found:
        console.print("equal: every prompt is rendered alike")
        return
    console.print(Text(f"from {sides[0].name} to {sides[1].name}", "bold"), soft_wrap=True)
    for one in found:
        line = Text(f"{one.part}  ", style="bold")
        line.append(printable(f"{one.before} → {one.now}"), style="default")
        console.print(line, soft_wrap=True)
        for said in one.lines:
            style = {TAKEN_OUT: "red", PUT_IN: "green"}.get(said[:2], "")
            console.print(Text(f"  {printable(said)}", style=style), soft_wrap=True)
