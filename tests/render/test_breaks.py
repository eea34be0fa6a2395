"""Each way in which a base stops keeping a contract has a message of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.render.bases import MARKERS, PLAIN, QWEN, base_of, contract_of, golden_base, plain_base
from tutelage.core.errors import ContractError
from tutelage.render.contract import Contract
from tutelage.render.difference import WIDTH, changed_lines, differences
from tutelage.store.base import BaseFolder


def changed(folder: Path, change: Callable[[Any], None]) -> BaseFolder:
    """The plain base, its tokenizer.json changed."""
    base = plain_base(folder)
    path = folder / "tokenizer.json"
    form = json.loads(path.read_text(encoding="utf-8"))
    change(form)
    path.write_text(json.dumps(form), encoding="utf-8")
    return base


def broken(form: dict[str, Any], base: BaseFolder) -> ContractError:
    with pytest.raises(ContractError) as raised:
        Contract.from_dict(json.loads(json.dumps(form)), base)
    assert raised.value.where.endswith(base.name)
    assert raised.value.hint
    return raised.value


def told(error: ContractError, part: str) -> list[str]:
    return [row.problem for row in error.rows if row.where == part]


def test_a_template_swapped_in_the_base_is_told_line_by_line(tmp_path: Path) -> None:
    form = contract_of(plain_base(tmp_path / "one")).to_dict()
    swapped = PLAIN.replace("assistant\n{% endif", "helper\n{% endif")
    other = base_of(tmp_path / "two", template=swapped, markers=MARKERS[QWEN], end="<|im_end|>")
    error = broken(form, other)
    assert error.message.startswith("the chat template is not the one that was taught")
    assert told(error, "template")[2] == (
        "+ {% endfor %}{% if add_generation_prompt %}<|im_start|>helper↵"
    )


def test_one_changed_merge_is_told_by_the_first_token_it_moves(tmp_path: Path) -> None:
    form = contract_of(plain_base(tmp_path / "one")).to_dict()
    tokens = form["goldens"]["question"]["tokens"]  # type: ignore[index, call-overload]

    def unlearn(one: Any) -> None:
        merges = one["model"]["merges"]
        merges.remove(next(pair for pair in merges if "".join(pair) in tokens))  # type: ignore[operator]

    other = changed(tmp_path / "two", unlearn)
    error = broken(form, other)
    assert error.message == "the tokenizer is not the one the model was taught with"
    says, before, now = told(error, "goldens.question")
    assert says.endswith("the text being the same")
    assert before.startswith("- ")
    assert now.startswith("+ ")
    assert before[2:] != now[2:]
    at = int(says.partition(" is")[0].removeprefix("token ")) - 1
    golden = form["goldens"]["question"]  # type: ignore[index, call-overload]
    assert before.split()[1] == str(golden["ids"][at])  # type: ignore[index, call-overload]
    assert golden["tokens"][at] in before  # type: ignore[index, call-overload, operator]


def test_a_tokenizer_that_lost_the_stop_token_would_never_end(tmp_path: Path) -> None:
    form = contract_of(plain_base(tmp_path / "one")).to_dict()
    markers = [one for one in MARKERS[QWEN] if one != "<|im_end|>"]
    other = base_of(tmp_path / "two", template=PLAIN, markers=markers, end="<|endoftext|>")
    error = broken(form, other)
    assert error.message == (
        "the stop token `<|im_end|>` is not in the tokenizer: answers would never end"
    )


def test_another_end_of_text_is_another_stop(tmp_path: Path) -> None:
    form = contract_of(plain_base(tmp_path / "one")).to_dict()
    other = base_of(tmp_path / "two", template=PLAIN, markers=MARKERS[QWEN], end="<|endoftext|>")
    error = broken(form, other)
    assert told(error, "stop_tokens") == ['["<|im_end|>", "<|endoftext|>"], was ["<|im_end|>"]']
    assert told(error, "specials.eos_token") == ["<|endoftext|>, was <|im_end|>"]


def test_a_contract_edited_by_hand_is_no_contract(tmp_path: Path) -> None:
    base = plain_base(tmp_path)
    form = contract_of(base, system="Be brief.").to_dict()
    form["system"]["text"] = "Be long."  # type: ignore[index, call-overload]
    error = broken(form, base)
    assert error.message.startswith("the system prompt is not the one that was taught")
    assert told(error, "goldens.question")[1:] == [
        "- Be brief.<|im_end|>↵",
        "+ Be long.<|im_end|>↵",
    ]
    with pytest.raises(ContractError, match="no whole contract") as raised:
        Contract.from_dict({"schema": 1}, base)
    assert "stop_ids" in [row.where for row in raised.value.rows]


def test_a_base_by_another_name_keeps_the_contract(tmp_path: Path) -> None:
    form = contract_of(plain_base(tmp_path)).to_dict()
    again = Contract.from_dict({**form, "base": "elsewhere"}, plain_base(tmp_path))
    assert again.goldens == contract_of(plain_base(tmp_path)).goldens


def test_the_goldens_cover_system_turns_tools_and_reasoning(tmp_path: Path) -> None:
    goldens = contract_of(golden_base(tmp_path, QWEN), system="Be brief.").goldens
    texts = {name: one.text for name, one in goldens.items() if one is not None}
    assert list(texts) == ["question", "system", "turns", "tools", "reasoning"]
    assert "Be brief." in texts["question"]
    assert "Be brief." not in texts["system"]
    for one in goldens.values():
        assert one is not None
        assert len(one.ids) == len(one.tokens)


def test_what_a_template_refuses_is_none_in_its_place(tmp_path: Path) -> None:
    template = "{% if tools %}{{ raise_exception('no tools') }}{% endif %}" + PLAIN
    base = base_of(tmp_path, template=template, markers=MARKERS[QWEN], end="<|im_end|>")
    form = contract_of(base).to_dict()
    assert form["goldens"]["tools"] is None  # type: ignore[index, call-overload]
    now = contract_of(base, template="chatml").to_dict()
    (one,) = (one for one in differences(form, now) if one.part == "goldens.tools")
    assert (one.before, one.now) == ("refused", "rendered")


def test_every_changed_part_is_told_causes_first(tmp_path: Path) -> None:
    base = plain_base(tmp_path)
    variants = [{"name": "short", "text": "Brief.", "share": 0.25}]
    before = contract_of(base, system="Be brief.", variants=variants, fit="fail").to_dict()
    now = contract_of(
        base,
        system={"name": "kind", "text": "Be kind."},
        variants=[{"name": "short", "text": "Brief!", "share": 0.5}],
        decoding={"temperature": 0.5},
        fit="reject",
    ).to_dict()
    found = {one.part: one for one in differences(before, now)}
    assert list(found)[:6] == [
        "system",
        "variants.short",
        "decoding.temperature",
        "fit",
        "goldens.question",
        "goldens.turns",
    ]
    assert "goldens.system" not in found
    assert found["system"].lines == ("- Be brief.", "+ Be kind.")
    assert "for 50% of the rows" in found["variants.short"].now
    assert found["fit"].says == "reject, was fail"
    assert differences(now, now) == []


def test_another_order_of_variants_is_a_difference(tmp_path: Path) -> None:
    base = plain_base(tmp_path)
    one, two = ({"name": name, "text": name, "share": 0.2} for name in ("a", "b"))
    found = differences(
        contract_of(base, system="s", variants=[one, two]).to_dict(),
        contract_of(base, system="s", variants=[two, one]).to_dict(),
    )
    assert [(each.part, each.now) for each in found] == [("variants", "b, a")]


def test_a_long_line_is_quoted_around_what_differs() -> None:
    before, now = ("x" * 500 + word + "y" * 500 for word in ("one", "two"))
    lines = changed_lines(before, now)
    assert [line[:3] for line in lines] == ["- …", "+ …"]
    assert "one" in lines[0]
    assert "two" in lines[1]
    assert all(len(line) <= WIDTH + 4 for line in lines)
    assert changed_lines("a\n", "a") == ("- a↵", "+ a")
