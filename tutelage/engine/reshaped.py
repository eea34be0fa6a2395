"""JSON Schemas reshaped for a grammar: optional keys in any order, references to a new root."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from tutelage.core.digest import Json

PLAIN = re.compile(r"[\w-]+")  # keys that are patterns of themselves
NAMES = ("$id", "$schema")  # what a schema is called, which would lead references elsewhere
SAID = ("const", "enum", "default", "examples")  # values, no schemas
BY_NAME = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")


def in_any_order(schema: Json) -> Json:
    """The schema with `_unordered` objects, where none of its references leads into them."""
    return schema if "/properties/" in json.dumps(schema) else _unordered(schema)


def _unordered(schema: Json) -> Json:
    """The schema with its objects' optional keys as patterns, which have no order.

    A grammar writes the keys that are listed in the order of the list. An object closed to
    other keys has at most as many as it lists, so that none is repeated without end. Patterns
    count a key that is repeated twice: where more must be there than is required by name, the
    object stays as it is, for the grammar to refuse.
    """
    if isinstance(schema, list):
        return [_unordered(one) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    found: dict[str, Json] = {}
    for key, part in schema.items():
        if key in SAID:
            found[key] = part
        elif key in BY_NAME and isinstance(part, Mapping):
            found[key] = {name: _unordered(one) for name, one in part.items()}
        else:
            found[key] = _unordered(part)
    listed, required = found.get("properties"), found.get("required", [])
    if not isinstance(listed, dict) or "patternProperties" in found:
        return found
    free = [name for name in listed if not (isinstance(required, list) and name in required)]
    least = found.get("minProperties", 0)
    counted = isinstance(least, int) and least > len(listed) - len(free)
    if len(free) < 2 or counted or not all(map(PLAIN.fullmatch, free)):
        return found
    found["patternProperties"] = {f"^{name}$": listed[name] for name in free}
    found["properties"] = {name: one for name, one in listed.items() if name not in free}
    if found.get("additionalProperties") is False:
        found.setdefault("maxProperties", len(listed))
    return found


def moved(schema: Json, root: str) -> Json:
    """The schema with references to its own root led to where it now stands."""
    if isinstance(schema, list):
        return [moved(one, root) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {key: _moved_part(key, part, root) for key, part in schema.items() if key not in NAMES}


def _moved_part(key: str, part: Json, root: str) -> Json:
    if key == "$ref" and isinstance(part, str) and part.startswith("#"):
        return root + part.removeprefix("#")
    if key in SAID:
        return part
    if key in BY_NAME and isinstance(part, Mapping):
        return {name: moved(one, root) for name, one in part.items()}
    return moved(part, root)
