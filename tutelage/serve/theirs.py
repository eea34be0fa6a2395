"""A client's own JSON Schema, held against an answer without letting it hold up the server.

A schema of a stranger may ask for a search that never ends: patterns are therefore
matched by RE2, in linear time, and references are followed so many times and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import re2
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from tutelage.score.parse import parse
from tutelage.serve.refusal import Refusal

AT = "response_format.json_schema.schema"
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
STEPS = 10_000  # references followed for one answer
NAMING = ("properties", "$defs", "definitions", "dependentSchemas")  # whose keys are names
Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


class TheirSchema:
    """The schema of a `response_format`.

    Raises: Refusal where it is none, or asks for what is not supported.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        try:
            kind: Any = validator_for(schema, default=Draft202012Validator)
        except (AttributeError, TypeError, ValueError):
            raise _refused("its `$schema` is no address") from None
        self._kind = kind
        try:
            kind.check_schema(schema)
            _check_patterns(schema)
        except SchemaError as error:
            raise _refused(f"no JSON Schema: {error.message}") from None
        except RecursionError:
            raise _refused("nested too deeply") from None
        self._schema = schema

    def valid(self, answer: str) -> bool:
        """Whether the answer is JSON that satisfies the schema.

        Raises: Refusal where the schema itself leads nowhere.
        """
        parsed = parse(answer)
        if not parsed.ok:
            return False
        left = [STEPS]  # a count of its own for each answer
        known: Mapping[str, Keyword] = self._kind.VALIDATORS
        followed = {name: _counted(known[name], left) for name in REFERENCES if name in known}
        kind: Any = extend(self._kind, {**followed, "pattern": _pattern})  # type: ignore[no-untyped-call]
        try:
            return bool(kind(self._schema, registry=Registry()).is_valid(parsed.value))
        except Unresolvable as error:
            raise _refused(f"`$ref` to {error.ref} leads out of it") from None
        except RecursionError:
            raise _refused("a `$ref` leads back to itself without end") from None


def _counted(keyword: Keyword, left: list[int]) -> Keyword:
    def follow(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        left[0] -= 1
        if left[0] < 0:
            raise _refused(f"more than {STEPS} references to follow")
        yield from keyword(validator, value, instance, schema) or ()

    return follow


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not re2.search(pattern, instance):
        yield ValidationError("another text")


def _check_patterns(schema: Mapping[str, Any]) -> None:
    """Raises Refusal where a pattern cannot be matched in linear time."""
    waiting: list[tuple[Any, bool]] = [(schema, False)]
    while waiting:
        node, names = waiting.pop()
        if isinstance(node, list):
            waiting += [(one, False) for one in node]
        if not isinstance(node, dict):
            continue
        if not names and "patternProperties" in node:
            raise _refused("`patternProperties` is not supported")
        if not names and isinstance(node.get("pattern"), str):
            _compile(node["pattern"])
        waiting += [(one, not names and key in NAMING) for key, one in node.items()]


def _compile(pattern: str) -> None:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error:
        raise _refused(f"the pattern `{pattern}` is not supported: RE2 has no such") from None


def _refused(problem: str) -> Refusal:
    return Refusal(f"the schema cannot be used: {problem}", code="invalid_value", param=AT)
