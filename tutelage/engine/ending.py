"""Whether a JSON Schema has any answer that comes to an end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any

from tutelage.core.digest import Json


def comes_to_an_end(schema: Json) -> bool:
    """False where every answer would go on for ever: parts that must be there lead into themselves.

    Other reasons for which nothing satisfies a schema are not looked for. What references name
    ends where it ends by way of those known to end; none is known to at first.
    """
    parts = {place: _at(schema, place) for place in set(_references(schema))}
    ending, before = set[str](), -1
    while before != len(ending):
        before = len(ending)
        ending |= {
            place for place, part in parts.items() if place not in ending and _ends(part, ending)
        }
    return _ends(schema, ending)


def _ends(part: Json, ending: Set[str]) -> bool:
    """`ending` are the references known to end."""
    if not isinstance(part, Mapping) or "const" in part or "enum" in part:
        return True
    if isinstance(place := part.get("$ref"), str) and place not in ending:
        return False
    for key in ("anyOf", "oneOf"):
        ways = part.get(key)
        if isinstance(ways, list) and ways and not any(_ends(one, ending) for one in ways):
            return False
    every = part.get("allOf")
    if isinstance(every, list) and not all(_ends(one, ending) for one in every):
        return False
    return all(_ends(one, ending) for one in _held(part))


def _references(part: Json) -> Iterator[str]:
    if isinstance(part, Mapping) and isinstance(place := part.get("$ref"), str):
        yield place
    inner = part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else ()
    for one in inner:
        yield from _references(one)


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
