"""A contract whose values are of another kind is told with all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.render.bases import contract_of, embedded
from tutelage.core.errors import ContractError
from tutelage.render.contract import UNTAUGHT
from tutelage.render.form import check_form

VARIANT = {"name": "v", "text": "Team", "share": 0.25}


def form_of(**changed: Any) -> dict[str, Any]:
    whole = contract_of(embedded(), system="Be brief.", variants=(VARIANT,)).to_dict()
    return {**whole, **changed}


def faults(form: Mapping[str, Any]) -> dict[str, str]:
    with pytest.raises(ContractError, match="this is no whole contract") as raised:
        check_form(form, name="a.json")
    assert raised.value.where == "a.json"
    return {row.where: row.problem for row in raised.value.rows}


def test_a_contract_as_it_is_written_is_whole_with_or_without_what_is_not_taught() -> None:
    check_form(form_of())
    taught = {key: value for key, value in form_of().items() if key not in UNTAUGHT}
    check_form(taught, lacking=UNTAUGHT)
    assert faults(taught) == dict.fromkeys(UNTAUGHT, "is missing")


def test_all_values_of_another_kind_are_told_together() -> None:
    found = faults(form_of(base=5, stop_tokens="</s>", context=None, goldens=[], fit="cut"))
    assert found == {
        "base": "expected string, found `5`",
        "stop_tokens": "expected list, found `</s>`",
        "context": "expected integer, found null",
        "goldens": "expected mapping, found list",
        "fit": "expected 'reject', 'truncate' or 'fail', found `cut`",
    }


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [
        ("template", "chatml", "template"),
        ("template", {"name": "t", "digest": "d", "of_base": True, "texts": []}, "template.texts"),
        ("system", {"name": "s", "digest": "d", "text": None}, "system.text"),
        ("variants", [{"name": "v", "digest": "d", "text": "t"}], "variants.0.share"),
        ("variants", {"v": 1}, "variants"),
        ("goldens", {"question": {"text": "t", "ids": ["1"], "tokens": ["a"]}}, None),
        ("goldens", {"question": {"text": "t", "ids": [1], "tokens": []}}, "goldens.question"),
        ("decoding", {"temperature": "0"}, "decoding.temperature"),
        ("date", "2026-13-01", "date"),
        ("arguments", [1], "arguments"),
        ("specials", {"eos_token": 5}, "specials.eos_token"),
        ("without_system", "0.5", "without_system"),
    ],
)
def test_each_part_has_its_kind(key: str, value: object, where: str | None) -> None:
    assert list(faults(form_of(**{key: value}))) == [where or "goldens.question.ids.0"]


def test_stop_tokens_and_their_ids_go_in_pairs() -> None:
    (problem,) = faults(form_of(stop_ids=[])).values()
    assert problem == "1 stop tokens and 0 ids"
