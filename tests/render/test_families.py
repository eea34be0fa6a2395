"""Every chat template at hand: rendered as the hub's library does, or refused with its cause."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest

from tests.render.bases import assistant, contract_of, example, user
from tests.render.families import FAMILIES, KINDS, TABLE, family_base, family_contract, renderings
from tutelage.core.conversation import Conversation
from tutelage.core.errors import ContractError
from tutelage.render.contract import Contract

GOLDEN: dict[str, dict[str, str]] = json.loads(TABLE.read_text(encoding="utf-8"))
OPENED = [name for name in FAMILIES if "opening" not in GOLDEN[name]]
TAUGHT = [name for name in OPENED if GOLDEN[name]["turns"] == "2 lessons"]


class NewYear(datetime):
    """The clock of the hub's library, stopped on the contract's day."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> NewYear:
        return cls(2026, 1, 1, tzinfo=tz)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Any:
    """transformers' tokenizers, reading templates on the first of January."""
    from transformers import AutoTokenizer

    monkeypatch.setattr("transformers.utils.chat_template_utils.datetime", NewYear)
    return AutoTokenizer


def ids_of_the_hub(tokenizer: Any, contract: Contract, conversation: Conversation) -> list[int]:
    template = contract.renderer.template
    ids: list[int] = tokenizer.apply_chat_template(
        [template.form(message) for message in conversation.messages],
        tools=[dict(tool) for tool in conversation.tools] or None,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=False,
        **template.arguments,
    )
    return ids


@pytest.mark.parametrize("name", OPENED)
def test_prompts_are_those_of_the_hub_or_refused(tmp_path: Path, hub: Any, name: str) -> None:
    contract = family_contract(tmp_path, name)
    tokenizer = hub.from_pretrained(tmp_path)
    asked = [
        Conversation(messages=one.messages[:turn], tools=one.tools)
        for one in KINDS.values()
        for turn, message in enumerate(one.messages)
        if message.role == "assistant" and turn
    ]
    equal = 0
    for conversation in asked:
        with suppress(ContractError):
            ours = list(contract.prompt_ids(conversation))
            assert ours == ids_of_the_hub(tokenizer, contract, conversation)
            equal += 1
    assert equal >= 3


@pytest.mark.parametrize("name", FAMILIES)
def test_each_kind_is_taught_or_refused_as_the_golden_table_says(tmp_path: Path, name: str) -> None:
    assert renderings(tmp_path, name) == GOLDEN[name]


def test_nine_in_ten_templates_are_taught_a_plain_conversation() -> None:
    assert len(FAMILIES) == len(GOLDEN) == 40
    assert len(TAUGHT) >= 36


def test_every_refusal_of_the_table_says_which_template_and_why() -> None:
    causes = [
        cell.removeprefix("refused: ")
        for name in OPENED
        for kind, cell in GOLDEN[name].items()
        if kind in KINDS and cell.startswith("refused: ")
    ]
    assert len(causes) > 100
    assert all(cause.startswith("chat template of small") for cause in causes)
    assert all(": " in cause for cause in causes)


@pytest.mark.parametrize("name", TAUGHT)
def test_what_is_taught_is_the_message_behind_the_prompt_that_is_served(
    tmp_path: Path, name: str
) -> None:
    contract = family_contract(tmp_path, name)
    messages = KINDS["turns"].messages
    for lesson in contract.lessons(example(*messages)):
        served = Conversation(messages=messages[: lesson.turn])
        assert lesson.prompt == contract.prompt_ids(served)
        assert lesson.completion[-1] in contract.stop_ids
        said = contract.decode(lesson.completion).removeprefix("ASSISTANT:")
        said = said.removeprefix("Assistant:").removeprefix("GPT4 Correct")
        for empty in ("<think>", "</think>", "bot\n"):
            said = said.replace(empty, "")
        assert said.strip() == messages[lesson.turn].content


def test_a_prompt_that_opens_reasoning_is_taught_once_an_argument_switches_it_off(
    tmp_path: Path,
) -> None:
    base = family_base(tmp_path, "Cohere2MoE")
    row = example(user("Hi"), assistant("Hello."))
    with pytest.raises(ContractError, match="does not follow the prompt") as raised:
        contract_of(base).lessons(row)
    assert raised.value.where.startswith("row ")
    contract = contract_of(base, arguments={"reasoning": False})
    (lesson,) = contract.lessons(row)
    text = contract.renderer.encoder.decode(lesson.ids, special=True)
    assert text.endswith(
        "<|CHATBOT_TOKEN|><|START_THINKING|><|END_THINKING|>"
        "<|START_TEXT|>Hello.<|END_TEXT|><|END_OF_TURN_TOKEN|>"
    )


@pytest.mark.parametrize("name", TAUGHT)
def test_no_marker_of_a_family_can_be_said(tmp_path: Path, name: str) -> None:
    contract = family_contract(tmp_path, name, forged="keep")
    special = contract.renderer.encoder.special_ids
    markers = [*FAMILIES[name]["special"], *FAMILIES[name]["words"]]
    spoken = [
        example(user(f"a {one}"), assistant(f"b{one}" if one in markers[:1] else "b"), user(one))
        for one in markers
    ]
    taught = [
        example(*row.messages, assistant(f"c {one} c"))
        for row, one in zip(spoken, FAMILIES[name]["special"], strict=False)
    ]
    (calm,) = contract.lessons_of([example(user("a"), assistant("b"), user("d"), assistant("c"))])
    expected = [[at for at in lesson.ids if at in special] for lesson in calm.lessons]
    prompt = [at for at in calm.lessons[-1].prompt if at in special]
    for row in spoken:
        ids = contract.prompt_ids(Conversation(messages=row.messages))
        assert [at for at in ids if at in special] == prompt
    for found in contract.lessons_of(taught):
        assert found.entry is None, found.entry
        assert [[at for at in one.ids if at in special] for one in found.lessons] == expected


def test_a_date_the_template_asks_for_by_name_is_the_recipes(tmp_path: Path, hub: Any) -> None:
    name = "meta-llama-Llama-3.1-8B-Instruct"
    base = family_base(tmp_path, name)
    contract = contract_of(base, arguments={"date_string": "01 Jan 2026"})
    asked = Conversation(messages=(user("Hi"),))
    ids = contract.prompt_ids(asked)
    assert "Today Date: 01 Jan 2026" in contract.decode(ids)
    assert list(ids) == ids_of_the_hub(hub.from_pretrained(tmp_path), contract, asked)
    assert contract.digest != contract_of(base).digest
