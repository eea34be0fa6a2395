"""Whether a JSON Schema has any answer that comes to an end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tutelage.core.digest import Json


def comes_to_an_end(schema: Json) -> bool:
    """False where every answer would go on for ever: parts that must be there lead into themselves.

    Other reasons for which nothing satisfies a schema are not looked for.
    """
    return _ends(schema, schema, frozenset())


def _ends(part: Json, root: Json, within: frozenset[str]) -> bool:
    """`within` are the references that lead here."""
    if not isinstance(part, Mapping) or "const" in part or "enum" in part:
        return True
    if isinstance(place := part.get("$ref"), str):
        if place in within:
            return False
        if not _ends(_at(root, place), root, within | {place}):
            return False
    for key in ("anyOf", "oneOf"):
        ways = part.get(key)
        if isinstance(ways, list) and ways and not any(_ends(one, root, within) for one in ways):
            return False
    every = part.get("allOf")
    if isinstance(every, list) and not all(_ends(one, root, within) for one in every):
        return False
    return all(_ends(one, root, within) for one in _held(part))


def _held(part: Mapping[str, Any]) -> list[Json]:
    """What every instance of the part's own type holds."""
    kind = part.get("type")
    if kind == "object":
        listed, required = part.get("properties"), part.get("required")
        if not isinstance(listed, Mapping) or not isinstance(required, list):
            return []
        return [listed[name] for name in required if name in listed]
    least = part.get("minItems")
    if kind == "array" and isinstance(least, int) and least > 0:
        first = part.get("prefixItems")
        some = list(first[:least]) if isinstance(first, list) else []
        return some + [part.get("items", True)] * (len(some) < least)
    return []


def _at(root: Json, place: str) -> Json:
    """What a reference within the schema names; anything where it names nothing."""
    found: Any = root
    for step in place.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, Mapping) or name not in found:
            return True
        found = found[name]
    named: Json = found
    return named
