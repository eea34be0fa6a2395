"""Writes docs/recipe.md and docs/cli.md: every key of a recipe and every command, from the code."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tutelage.cli.reference import markdown
from tutelage.core.recipe import Recipe

DOCS = Path(__file__).parent.parent / "docs"
PREFACE = """\
# Every key of a recipe

Made from `tutelage/core/recipe/` by `make docs`. An unknown key is refused; a section's presence
enables its stage. `tutelage schema` prints the same as JSON Schema for editors, and
`--set train.epochs=2` overrides a key for one run.
"""


def main() -> None:
    """Writes the pages."""
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """Each generated page of `docs/` as Markdown, by file name."""
    return {"recipe.md": recipe_page(), "cli.md": markdown()}


def recipe_page() -> str:
    """Every key of a recipe."""
    return PREFACE + "".join(_table(place, section) for place, section in _sections("", Recipe))


def _sections(place: str, section: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    yield place, section
    for name, known in section.model_fields.items():
        for inner, listed in _inner(known.annotation):
            mark = "[]" if listed else ""
            yield from _sections(f"{place}.{name}{mark}".removeprefix("."), inner)


def _inner(annotation: Any, listed: bool = False) -> Iterator[tuple[type[BaseModel], bool]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, listed
    for part in get_args(annotation):
        yield from _inner(part, listed or get_origin(annotation) is tuple)


def _table(place: str, section: type[BaseModel]) -> str:
    title = f"`{place}`" if place else "Top level"
    lines = [
        f"\n## {title}\n",
        (section.__doc__ or "").splitlines()[0] + "\n",
        "| key | value | default | meaning |",
        "|---|---|---|---|",
    ]
    for name, known in section.model_fields.items():
        cells = (f"`{name}`", _type(known.annotation), _default(known), known.description or "")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


NAMES = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "date": "day",
}


def _type(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(parts[0])
    if origin in (Union, types.UnionType):
        return " or ".join(_type(part) for part in parts if part is not type(None))
    if origin is Literal:
        return ", ".join(f"`{part}`" for part in parts)
    if origin is tuple:
        return f"list of {_type(parts[0])}"
    if origin is Mapping:
        return "values by name"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    return NAMES[annotation.__name__]


def _default(known: FieldInfo) -> str:
    if known.is_required():
        return "required"
    value = known.get_default(call_default_factory=True)
    if value is None or isinstance(value, BaseModel) or value is PydanticUndefined:
        return ""
    return f"`{json.dumps(value, default=str)}`"


if __name__ == "__main__":
    main()
