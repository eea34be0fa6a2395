"""Rows as the model meets them, as one HTML file that asks no network for anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby

from jinja2 import Environment, FunctionLoader, StrictUndefined

from tutelage.core.row import Example
from tutelage.render.contract import Contract
from tutelage.render.renderer import Rendered
from tutelage.render.show import Kind, Piece, View, folding, pieces, prompted, views

TEMPLATE = "page.html.jinja"
DIGITS = 12  # of a digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Neighbouring pieces of one standing."""

    kind: Kind
    shared: bool
    ends_shared: bool  # what follows is no longer shared
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One lesson on the page."""

    turn: int
    says: str
    widths: tuple[tuple[str, float], ...]  # of the bar, in percent, by standing
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row on the page."""

    id: str
    source: str
    refused: str  # why it is not taught
    system: str
    folding: str
    parts: tuple[Part, ...]


def html(
    name: str, contract: Contract, examples: Sequence[Example], rendered: Sequence[Rendered]
) -> str:
    """The whole page. Every text in it is escaped: rows are not trusted."""
    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    rows = [_row(contract, *pair) for pair in zip(examples, rendered, strict=True)]
    return environment.get_template(TEMPLATE).render(
        name=name,
        base=contract.base,
        template=contract.renderer.template.name,
        digest=contract.digest[:DIGITS],
        context=contract.context,
        rows=rows,
    )


def _row(contract: Contract, example: Example, rendered: Rendered) -> Row:
    entry = rendered.entry
    found = views(rendered)
    return Row(
        id=example.id,
        source=str(example.source),
        refused=f"{entry.reason} {entry.detail}" if entry and not found else "",
        system=prompted(contract, example),
        folding=folding(found),
        parts=tuple(_part(contract, view) for view in found),
    )


def _part(contract: Contract, view: View) -> Part:
    lesson = view.lesson
    counts = {
        "shared": view.shared,
        "prompt": max(0, len(lesson.prompt) - view.shared),
        "read": lesson.read,
        "taught": len(lesson.taught),
    }
    return Part(
        turn=lesson.turn,
        says=view.says(contract.context),
        widths=tuple((name, round(100 * count / len(lesson), 2)) for name, count in counts.items()),
        stretches=tuple(_stretches(pieces(contract, lesson, view.shared))),
    )


def _stretches(found: Sequence[Piece]) -> Iterator[Stretch]:
    groups = [tuple(run) for _, run in groupby(found, key=lambda one: (one.kind, one.shared))]
    for number, run in enumerate(groups):
        last = number + 1 == len(groups) or not groups[number + 1][0].shared
        yield Stretch(
            kind=run[0].kind,
            shared=run[0].shared,
            ends_shared=run[0].shared and last,
            pieces=run,
        )


def _source(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
