"""`json` and `schema`: the answer is JSON, and of the form the contract asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from tutelage.core.digest import Json
from tutelage.core.errors import RecipeError
from tutelage.score.measure import Measure
from tutelage.score.parse import parse
from tutelage.score.task import Scores, Task

WHERE = "contract.output_schema"
DEEPEST = 20  # an answer nested deeper may exhaust a sound schema


class JsonText:
    """Whether the whole answer is strict JSON."""

    name = "json"
    headline = "parse"
    measures = (Measure(metric="parse", says="the whole answer is strict JSON"),)

    def problem(self, task: Task) -> str:
        """Why the expected answer would not pass."""
        return "" if parse(task.expected).ok else "the expected answer is not JSON"

    def score(self, task: Task, answer: str) -> Scores:
        """1 where the answer is JSON."""
        return {"parse": float(parse(answer).ok)}


class Schema:
    """Whether the answer satisfies the contract's output schema.

    The schema is a JSON Schema, or a list of tools: then the answer is an object of
    `name`, one of the tools, and `arguments` that satisfy the tool's parameters.
    """

    name = "schema"
    headline = "valid"
    measures = (Measure(metric="valid", says="the answer satisfies the output schema"),)

    def __init__(self, schema: Json) -> None:
        self._tools = _tools(schema) if isinstance(schema, list) else None
        self._whole = _validator(schema) if self._tools is None else None

    def problem(self, task: Task) -> str:
        """Why the expected answer would not pass."""
        if self.valid(task.expected):
            return ""
        return "the expected answer does not satisfy contract.output_schema"

    def score(self, task: Task, answer: str) -> Scores:
        """1 where the answer is valid; what is not JSON is not."""
        return {"valid": float(self.valid(answer))}

    def valid(self, answer: str) -> bool:
        """Whether the answer is JSON that satisfies the schema."""
        parsed = parse(answer)
        return parsed.ok and self._satisfied(parsed.value)

    def _satisfied(self, value: Json) -> bool:
        if self._whole is not None:
            return _satisfies(self._whole, value)
        if not isinstance(value, dict) or value.keys() != {"name", "arguments"}:
            return False
        name = value["name"]
        tool = (self._tools or {}).get(name) if isinstance(name, str) else None
        return tool is not None and _satisfies(tool, value["arguments"])


def _tools(listed: list[Json]) -> dict[str, Draft202012Validator]:
    found: dict[str, Draft202012Validator] = {}
    for index, tool in enumerate(listed):
        function = tool.get("function", tool) if isinstance(tool, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(function, dict) or not isinstance(name, str):
            raise RecipeError(
                f"tool {index + 1} has no name",
                where=WHERE,
                expected='{"type": "function", "function": {"name": …, "parameters": …}}',
            )
        found[name] = _validator(function.get("parameters", {"type": "object"}))
    return found


def _validator(schema: Json) -> Draft202012Validator:
    if not isinstance(schema, dict | bool):
        raise RecipeError("not a JSON Schema", where=WHERE, expected="an object or a list of tools")
    kind: Any = Draft202012Validator
    try:
        if isinstance(schema, Mapping):
            kind = validator_for(schema, default=Draft202012Validator)
    except (AttributeError, TypeError, ValueError):
        raise RecipeError(
            "its `$schema` is no address",
            where=WHERE,
            expected=Draft202012Validator.META_SCHEMA["$id"],
        ) from None
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise RecipeError(f"not a JSON Schema: {error.message}", where=WHERE) from error
    validator: Draft202012Validator = kind(schema, registry=Registry())  # nothing is fetched
    return validator


def _satisfies(validator: Draft202012Validator, value: Json) -> bool:
    try:
        return bool(validator.is_valid(value))
    except Unresolvable as error:
        raise RecipeError(
            f"`$ref` to {error.ref} leads out of the schema",
            where=WHERE,
            hint="put what it refers to under `$defs`",
        ) from error
    except RecursionError:
        if _depth(value) > DEEPEST:
            return False  # the answer's own depth, which the schema follows
        raise RecipeError(
            "a `$ref` leads back to itself without end",
            where=WHERE,
            expected="a step into the answer (properties, items) on the way round",
        ) from None


def _depth(value: Json) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [inner for one in level for inner in _inside(one)]
    return depth


def _inside(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
