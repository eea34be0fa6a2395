"""YAML read with positions: every value knows the line and column it stands at."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import yaml

from tutelage.core.errors import BadRow, RecipeError

Loc = tuple[str | int, ...]
LARGEST = 100_000  # values, each alias counted as often as it stands for something
DEEPEST = 100  # lists and mappings inside one another


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
    except RecursionError:
        raise _too_deep(name) from None
    document = Document(content=content)
    repeated: list[BadRow] = []
    if node is not None:
        _walk(node, (), document, repeated)
    if repeated:
        rows = [BadRow(where=f"{name}:{row.where}", problem=row.problem) for row in repeated]
        raise RecipeError(f"{name} says the same key twice", rows=rows, hint="keep one of them")
    return document


class _Loader(yaml.SafeLoader):
    """YAML's own, but for a value that its kind does not allow: that has a place."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value a node stands for."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, OverflowError) as error:
            kind = node.tag.rpartition(":")[2]
            raise yaml.MarkedYAMLError(
                problem=f"`{node.value}` reads as a {kind} and is none: {error}",
                problem_mark=node.start_mark,
            ) from error


def _composed(text: str) -> tuple[yaml.Node | None, Any]:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, None
        _measure(node, 0, {})
        return node, loader.construct_document(node)
    finally:
        loader.dispose()


def _measure(node: yaml.Node, depth: int, sizes: dict[int, int]) -> int:
    """How many values a node comes to once every alias in it is written out.

    Raises: MarkedYAMLError for more than a recipe can have, or for one inside itself.
    """
    if id(node) in sizes:
        size = sizes[id(node)]
    else:
        sizes[id(node)] = LARGEST  # met again before it is known: it stands inside itself
        if depth > DEEPEST:
            raise RecursionError
        inner = node.value if isinstance(node, yaml.CollectionNode) else []
        children = [child for one in inner for child in (one if isinstance(one, tuple) else (one,))]
        size = 1 + sum(_measure(child, depth + 1, sizes) for child in children)
        sizes[id(node)] = size
    if size >= LARGEST:
        raise yaml.MarkedYAMLError(
            problem=f"aliases make it more than {LARGEST:,} values, or endless",
            problem_mark=node.start_mark,
        )
    return size


def _too_deep(name: str) -> RecipeError:
    return RecipeError(
        f"lists and mappings are nested more than {DEEPEST} deep",
        where=name,
        expected="a recipe, which needs five or six",
    )


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
