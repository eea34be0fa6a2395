"""A client's own JSON Schema, held against an answer without letting it hold up the server.

A schema of a stranger may ask for a search that never ends. It is therefore small, of one
dialect and without the keywords that search; patterns are matched by RE2, in linear time;
and the work of every keyword is counted, so much for one answer and no more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import re2
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from tutelage.score.parse import parse
from tutelage.serve.refusal import Refusal

AT = "response_format.json_schema.schema"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
BYTES = 64 << 10  # of a schema, written as JSON
PARTS = 4_000  # objects, lists, true and false in it: each is held against the dialect's own
STEPS = 50_000  # for one answer; a step is what one simple keyword costs
REFUSED = ("patternProperties", "unevaluatedProperties", "unevaluatedItems")
NAMING = ("properties", "$defs", "definitions", "dependentSchemas")  # whose keys are names
LOG = logging.getLogger(__name__)
Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


class TheirSchema:
    """The schema of a `response_format`.

    Raises: Refusal where it is none, or asks for what is not supported.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        if schema.get("$schema", DIALECT) not in (DIALECT, f"{DIALECT}#"):
            raise _refused(f"its `$schema` is not {DIALECT}, the only one supported")
        own = {key: value for key, value in schema.items() if key != "$schema"}
        try:
            if len(msgspec.json.encode(own)) > BYTES:
                raise _refused(f"longer than {BYTES} bytes")
            _check_parts(own)
            Draft202012Validator.check_schema(own)
        except SchemaError as error:
            raise _refused(f"no JSON Schema: {error.message[:200]}") from None
        except RecursionError:
            raise _refused("nested too deeply") from None
        self._schema = own

    def valid(self, answer: str) -> bool:
        """Whether the answer is JSON that satisfies the schema.

        Raises: Refusal where the schema itself leads nowhere, or to too much work.
        """
        parsed = parse(answer)
        if not parsed.ok:
            return False
        left = [STEPS]  # a count of its own for each answer
        known: Mapping[str, Keyword] = Draft202012Validator.VALIDATORS
        counted = {
            name: _counted(name, _pattern if name == "pattern" else keyword, left)
            for name, keyword in known.items()
        }
        kind: Any = extend(Draft202012Validator, counted)  # type: ignore[no-untyped-call]
        try:
            return bool(kind(self._schema, _resolver=self._root()).is_valid(parsed.value))
        except Refusal:
            raise
        except Unresolvable as error:
            raise _refused(f"`$ref` to {error.ref} leads out of it") from None
        except RecursionError:
            raise _refused("a `$ref` leads back to itself without end") from None
        except Exception as error:  # noqa: BLE001  a part that was never checked: no schema
            LOG.warning("a client's schema cannot be followed: %s", type(error).__name__)
            problem = (
                "it cannot be held against the answer; does a `$ref` lead to what is no schema?"
            )
            raise _refused(problem) from None

    def _root(self) -> Any:
        """What finds a reference: in this schema alone, which is searched once for all."""
        resource: Any = DRAFT202012.create_resource(self._schema)
        uri = resource.id() or ""
        return Registry().with_resource(uri, resource).crawl().resolver(base_uri=uri)


def _counted(name: str, keyword: Keyword, left: list[int]) -> Keyword:
    """The keyword, its work counted; it says whether something is wrong, and no more."""

    def look(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        for one in REFUSED:  # where a `$ref` made a schema of what looked like names
            if one in schema:
                raise _refused(f"`{one}` is not supported")
        _spend(left, _cost(name, value, instance))
        for error in keyword(validator, value, instance, schema) or ():
            _spend(left, len(error.message) // 1000)  # the whole part is written out in it
            yield ValidationError("")
            return

    return look


def _spend(left: list[int], steps: int) -> None:
    left[0] -= steps
    if left[0] < 0:
        raise _refused(f"more than {STEPS} steps to hold it against the answer")


def _cost(name: str, value: Any, instance: Any) -> int:
    """Steps one keyword takes, those of the keywords inside it left out."""
    if name == "uniqueItems":
        return 1 + _length(instance) ** 2 // 8  # each with each, where they cannot be sorted
    if name in ("const", "enum"):
        return 1 + len(msgspec.json.encode(value)) // 64
    if name == "pattern" and isinstance(instance, str):
        return 1 + int(_compile(value).programsize) * len(instance) // 4096
    return 1 + (_length(value) + _length(instance)) // 8


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list | dict) else 0


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _compile(pattern).search(instance):
        yield ValidationError("another text")


def _check_parts(schema: Mapping[str, Any]) -> None:
    """Raises Refusal where it has too many parts, or one that is not supported."""
    waiting: list[tuple[Any, bool]] = [(schema, False)]
    parts = 0
    while waiting:
        node, names = waiting.pop()
        if isinstance(node, dict | list | bool):
            parts += 1
        if parts > PARTS:
            raise _refused(f"more than {PARTS} parts")
        if isinstance(node, list):
            waiting += [(one, False) for one in node]
        if isinstance(node, dict):
            _check_part(node, names)
            waiting += [(one, not names and key in NAMING) for key, one in node.items()]


def _check_part(node: Mapping[str, Any], names: bool) -> None:
    if isinstance(node.get("$schema"), str):
        raise _refused("a part has a `$schema` of its own")
    for one in () if names else REFUSED:
        if one in node:
            raise _refused(f"`{one}` is not supported")
    if not names and isinstance(node.get("pattern"), str):
        _compile(node["pattern"])


def _compile(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        raise _refused(f"the pattern `{pattern[:200]}` is not supported: RE2 has no such") from None


def _refused(problem: str) -> Refusal:
    return Refusal(f"the schema cannot be used: {problem}", code="invalid_value", param=AT)
