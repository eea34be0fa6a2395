"""YAML that is meant to hurt is refused at its place."""

from __future__ import annotations

import pytest

from tutelage.core.errors import RecipeError
from tutelage.core.recipe import loads

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
    for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize("text", [BOMB, "seed: &s [*s]\n", "seed: &s {a: *s}\n"])
def test_aliases_that_grow_without_end_are_refused_at_their_place(text: str) -> None:
    with pytest.raises(RecipeError, match="aliases make it more than 100,000 values") as raised:
        loads(text, name="r.yaml")
    assert raised.value.where.startswith("r.yaml:")


@pytest.mark.parametrize("depth", [200, 5000])
def test_a_recipe_nested_too_deeply_is_refused(depth: int) -> None:
    with pytest.raises(RecipeError, match="nested more than 100 deep"):
        loads(f"seed: {'[' * depth}{']' * depth}", name="r.yaml")


def test_an_alias_stands_for_what_it_names() -> None:
    recipe = loads("name: &n word\ngoals: [{id: *n, says: b, metric: c.d}]")
    assert recipe.goals[0].id == "word"


@pytest.mark.parametrize(
    ("value", "kind"), [("2026-13-01", "timestamp"), ("!!int x", "int"), ("!!bool maybe", "bool")]
)
def test_a_value_that_its_kind_does_not_allow_is_refused_at_its_place(
    value: str, kind: str
) -> None:
    with pytest.raises(RecipeError, match=f"reads as a {kind} and is none") as raised:
        loads(f"name: a\ncontract: {{date: {value}}}\n", name="r.yaml")
    assert raised.value.where == "r.yaml:2:18"
