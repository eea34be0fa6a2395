"""YAML read with positions: every value knows the line and column it stands at."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import yaml

from tutelage.core.errors import BadRow, RecipeError

Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Line and column, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A YAML file's content and where each key and value stands."""

    content: Any
    keys: dict[Loc, Place] = field(default_factory=dict)  # of a mapping's keys
    values: dict[Loc, Place] = field(default_factory=dict)

    def place(self, loc: Loc) -> Place | None:
        """Where `loc` stands, or the nearest thing around it that stands in the file."""
        for length in range(len(loc), -1, -1):
            found = self.keys.get(loc[:length]) or self.values.get(loc[:length])
            if found is not None:
                return found
        return None


def read(text: str, name: str) -> Document:
    """The document of a YAML text; `name` is the file named in errors.

    Raises: RecipeError for what is not YAML and for keys that stand twice.
    """
    try:
        node, content = _composed(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise RecipeError(
            f"not valid YAML: {error.problem or error.context}", where=f"{name}{at}"
        ) from error
    except yaml.YAMLError as error:
        raise RecipeError(f"not valid YAML: {error}", where=name) from error
    document = Document(content=content)
    repeated: list[BadRow] = []
    if node is not None:
        _walk(node, (), document, repeated)
    if repeated:
        rows = [BadRow(where=f"{name}:{row.where}", problem=row.problem) for row in repeated]
        raise RecipeError(f"{name} says the same key twice", rows=rows, hint="keep one of them")
    return document


def _composed(text: str) -> tuple[yaml.Node | None, Any]:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        return node, loader.construct_document(node) if node else None
    finally:
        loader.dispose()


def _walk(node: yaml.Node, loc: Loc, document: Document, repeated: list[BadRow]) -> None:
    document.values[loc] = _place(node)
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            _walk(child, (*loc, index), document, repeated)
    if not isinstance(node, yaml.MappingNode):
        return
    for key, child in node.value:
        inner = (*loc, str(key.value))
        place = _place(key)
        if inner in document.keys:
            where = f"{place.line}:{place.column}"
            repeated.append(BadRow(where=where, problem=f"`{dotted(inner)}` is already given"))
        document.keys[inner] = place
        _walk(child, inner, document, repeated)


def _place(node: yaml.Node) -> Place:
    return Place(line=node.start_mark.line + 1, column=node.start_mark.column + 1)


def dotted(loc: Loc) -> str:
    """A place in the recipe as `--set` writes it: `curate.sources.0.path`."""
    return ".".join(str(part) for part in loc)


def is_mapping(content: object) -> bool:
    """Whether the content is a mapping whose keys are all words."""
    return isinstance(content, dict) and all(
        isinstance(key, Hashable) and isinstance(key, str) for key in content
    )
