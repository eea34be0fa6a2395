from __future__ import annotations

import pytest

from tests.evaluate.fakes import TOOLS
from tests.score.fakes import task
from tutelage.core.digest import Json
from tutelage.core.errors import RecipeError
from tutelage.score.schema import JsonText, Schema

ONE = task("play Bach", '{"name": "Play", "arguments": {"artist": "Bach"}}')
PLAIN: Json = {
    "type": "object",
    "properties": {"team": {"enum": ["a", "b"]}},
    "required": ["team"],
    "additionalProperties": False,
}


def valid(schema: Json, answer: str) -> float:
    return Schema(schema).score(ONE, answer)["valid"]


def test_json_must_be_the_whole_answer() -> None:
    assert JsonText().score(ONE, '{"a": 1}') == {"parse": 1.0}
    assert JsonText().score(ONE, '```\n{"a": 1}\n```') == {"parse": 0.0}


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ('{"name": "Play", "arguments": {"artist": "Bach"}}', 1.0),
        ('{"arguments": {}, "name": "Rain"}', 1.0),
        ('{"name": "Stop", "arguments": {}}', 0.0),
        ('{"name": "Play", "arguments": {"city": "Rome"}}', 0.0),
        ('{"name": "Play", "arguments": {"artist": 3}}', 0.0),
        ('{"name": "Play", "arguments": "artist"}', 0.0),
        ('{"name": "Play"}', 0.0),
        ('{"name": "Play", "arguments": {}, "why": "asked"}', 0.0),
        ('{"name": ["Play"], "arguments": {}}', 0.0),
        ("[]", 0.0),
        ("Play Bach", 0.0),
    ],
)
def test_a_call_names_a_tool_and_satisfies_its_parameters(answer: str, score: float) -> None:
    assert valid(TOOLS, answer) == score


def test_tools_need_not_be_wrapped() -> None:
    bare: Json = [{"name": "Play", "parameters": {"required": ["artist"]}}]
    assert valid(bare, '{"name": "Play", "arguments": {"artist": "Bach"}}') == 1.0
    assert valid(bare, '{"name": "Play", "arguments": {}}') == 0.0


def test_a_plain_schema_holds_for_the_whole_answer() -> None:
    assert valid(PLAIN, '{"team": "a"}') == 1.0
    assert valid(PLAIN, '{"team": "c"}') == 0.0
    assert valid(PLAIN, '{"team": "a", "x": 1}') == 0.0


def test_what_is_no_schema_is_refused() -> None:
    with pytest.raises(RecipeError, match="not a JSON Schema"):
        Schema({"type": "text"})
    with pytest.raises(RecipeError, match="tool 1 has no name"):
        Schema([{"type": "function"}])
    with pytest.raises(RecipeError, match="an object or a list"):
        Schema("tools")


def test_a_reference_out_of_the_schema_is_never_fetched() -> None:
    with pytest.raises(RecipeError, match=r"leads out of the schema"):
        valid({"$ref": "https://example.invalid/schema.json"}, "{}")


def test_a_task_whose_own_answer_is_not_valid_is_a_problem() -> None:
    assert Schema(TOOLS).problem(ONE) == ""
    assert "output_schema" in Schema(PLAIN).problem(ONE)
    assert JsonText().problem(task("a", "no json"))


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {
            "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
            "$ref": "#/$defs/a",
        },
    ],
)
def test_a_reference_that_only_leads_back_to_itself_is_refused(schema: Json) -> None:
    with pytest.raises(RecipeError, match="leads back to itself without end"):
        valid(schema, '{"team": "a"}')


def test_an_answer_deeper_than_a_sound_schema_can_follow_is_not_valid() -> None:
    tree: Json = {"type": "array", "items": {"$ref": "#"}}
    assert valid(tree, "[[[]]]") == 1.0
    assert valid(tree, "[" * 500 + "]" * 500) == 0.0


@pytest.mark.parametrize("address", [5, "http://["])
def test_a_schema_whose_schema_is_no_address_is_refused(address: Json) -> None:
    with pytest.raises(RecipeError, match=r"`\$schema` is no address"):
        Schema({"$schema": address})
