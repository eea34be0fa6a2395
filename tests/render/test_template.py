from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.render.bases import (
    GEMMA,
    LLAMA,
    MISTRAL,
    QWEN,
    assistant,
    contract_of,
    embedded,
    golden_base,
    system,
    user,
)
from tutelage.core.conversation import Conversation, Message, ToolCall
from tutelage.core.errors import ContractError
from tutelage.render.template import ChatTemplate, mapped, message_form

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather <now> & \u00e9",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
CALL = ToolCall(name="weather", arguments={"city": "Z\u00fcrich <b>"}, id="abcdefghi")
HI = (user("Hi there"), assistant("Hello, friend."))
CONVERSATIONS: dict[str, Conversation] = {
    "single": Conversation(messages=(user("Hi  there\n"),)),
    "turns": Conversation(messages=(*HI, user("  two\n\nlines "))),
    "system": Conversation(messages=(system("Be brief."), user("Hi"))),
    "tools": Conversation(
        messages=(
            user("Weather?"),
            assistant("", tool_calls=(CALL,)),
            Message(role="tool", content='{"t": 3}', tool_call_id="abcdefghi", name="weather"),
        ),
        tools=(TOOL,),
    ),
    "reasoning": Conversation(messages=(user("1+1?"), assistant("2", reasoning="Add."), user("?"))),
    "twice": Conversation(messages=(user("one"), user("two"))),
}
REFUSED = {(GEMMA, "system"), (GEMMA, "tools"), (GEMMA, "twice"), (MISTRAL, "twice")}


def made(text: str) -> ChatTemplate:
    return ChatTemplate({"default": text}, name="mine", variables={}, date="2026-01-01")


def of_the_hub(folder: Path, conversation: Conversation) -> list[int]:
    """What transformers' own apply_chat_template makes of it."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    ids: list[int] = tokenizer.apply_chat_template(
        [message_form(message) for message in conversation.messages],
        tools=[dict(tool) for tool in conversation.tools] or None,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=False,
    )
    return ids


@pytest.mark.parametrize("kind", list(CONVERSATIONS))
@pytest.mark.parametrize("name", [QWEN, LLAMA, MISTRAL, GEMMA])
def test_prompts_are_those_of_apply_chat_template(tmp_path: Path, name: str, kind: str) -> None:
    contract = contract_of(golden_base(tmp_path, name))
    conversation = CONVERSATIONS[kind]
    if (name, kind) in REFUSED:
        with pytest.raises(ContractError, match="cannot write this conversation"):
            contract.prompt_ids(conversation)
    else:
        assert list(contract.prompt_ids(conversation)) == of_the_hub(tmp_path, conversation)


@pytest.mark.parametrize("kind", list(CONVERSATIONS))
def test_prompts_of_the_embedded_base_are_those_of_apply_chat_template(kind: str) -> None:
    base = embedded()
    conversation = CONVERSATIONS[kind]
    ours = contract_of(base).prompt_ids(conversation)
    assert list(ours) == of_the_hub(base.folder, conversation)


def test_a_template_that_asks_for_the_time_is_told_the_frozen_date() -> None:
    text = made("{{ strftime_now('%d %b %Y') }}").render([], ask=True)
    assert text == "01 Jan 2026"


def test_json_is_written_without_html_escapes() -> None:
    text = made("{{ messages[0] | tojson }}").render([{"role": "\u00e9<&>'"}], ask=True)
    assert text == '{"role": "\u00e9<&>\'"}'


def test_the_generation_block_writes_what_it_holds() -> None:
    template = made(
        "{% for m in messages %}a{% generation %}{{ m.content }}{% endgeneration %}b{% endfor %}"
    )
    assert template.render([{"role": "user", "content": "x"}] * 2, ask=False) == "axbaxb"


def test_loops_may_be_left_early() -> None:
    assert made("{% for i in [1, 2] %}{{ i }}{% break %}{% endfor %}").render([], ask=True) == "1"


def test_blocks_leave_no_lines_behind() -> None:
    assert made("{% if true %}\n  a\n  {% endif %}\nb").render([], ask=True) == "  a\nb"


def test_a_refusal_names_template_cause_and_messages() -> None:
    template = made("{{ raise_exception('no system please') }}")
    with pytest.raises(ContractError) as raised:
        template.render([{"role": "system"}, {"role": "user"}], ask=True)
    assert "no system please" in raised.value.message
    assert raised.value.where == "mine"
    assert "system user" in raised.value.hint


def test_a_template_cannot_reach_the_machine() -> None:
    with pytest.raises(ContractError, match="unsafe"):
        made("{{ ''.__class__.__mro__ }}").render([], ask=True)


def test_broken_jinja_is_refused() -> None:
    with pytest.raises(ContractError, match="no chat template"):
        made("{% if %}")


def test_the_template_for_tools_is_taken_where_there_are_tools() -> None:
    texts = {"default": "plain", "tool_use": "tools"}
    template = ChatTemplate(texts, name="two", variables={}, date="2026-01-01")
    assert template.render([], [TOOL], ask=True) == "tools"
    assert template.render([], ask=True) == "plain"


def test_changes_reach_every_string_and_leave_the_rest() -> None:
    assert mapped({"a": ["b", 1, None, True]}, str.upper) == {"A": ["B", 1, None, True]}
