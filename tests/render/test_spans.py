"""Where an answer begins and ends, and that nothing of a conversation is lost on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.render.bases import MARKERS, QWEN, assistant, base_of, contract_of, example, user
from tests.render.families import CALL, KINDS, TOOL, family_contract
from tutelage.core.conversation import Conversation, Message
from tutelage.core.errors import ContractError
from tutelage.render.contract import Contract
from tutelage.render.template import ChatTemplate
from tutelage.render.words import says, words_left_out

HEAD = "<|im_start|>{{ m.role }}\n"
TAIL = "<|im_end|>\n"
ASK = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
# While an answer is waited for, the last request is written in capitals: no prefix of what follows.
REWRITTEN = (
    "{% for m in messages %}{% if m.role == 'assistant' %}ANSWER{% else %}"
    "{% if add_generation_prompt and loop.last %}<|im_start|>asking\n{% else %}"
    "<|im_start|>{{ m.role }}\n{% endif %}{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}" + ASK
)
TAGGED = {
    "the words and the stop token": HEAD
    + "{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}{{ '\n' }}",
    "without the stop token": HEAD + "{% generation %}{{ m.content }}{% endgeneration %}" + TAIL,
    "with the header": "{% generation %}" + HEAD + "{{ m.content }}{% endgeneration %}" + TAIL,
    "late": HEAD
    + "{{ m.content[:2] }}{% generation %}{{ m.content[2:] }}{% endgeneration %}"
    + TAIL,
    "around the whole turn": "{% generation %}"
    + HEAD
    + "{{ m.content }}"
    + TAIL
    + "{% endgeneration %}",
    "with nothing in it": HEAD + "{{ m.content }}" + TAIL + "{% generation %}{% endgeneration %}",
    "not at all": HEAD + "{{ m.content }}" + TAIL,
}


def of(folder: Path, template: str, **fields: object) -> Contract:
    base = base_of(folder, template=template, markers=MARKERS[QWEN], end="<|im_end|>")
    return contract_of(base, **fields)


def texts(contract: Contract, *messages: Message, **fields: object) -> list[tuple[str, str]]:
    decode = contract.renderer.encoder.decode
    return [
        (decode(lesson.prompt, special=True), decode(lesson.completion, special=True))
        for lesson in contract.lessons(example(*messages, **fields))
    ]


@pytest.mark.parametrize("tag", TAGGED)
def test_a_generation_block_never_moves_what_is_taught(tmp_path: Path, tag: str) -> None:
    contract = of(tmp_path, REWRITTEN.replace("ANSWER", TAGGED[tag]))
    found = texts(contract, user("one"), assistant("two"), user("three"), assistant("four"))
    assert [completion for _, completion in found] == ["two<|im_end|>", "four<|im_end|>"]
    assert found[1][0] == (
        "<|im_start|>user\none<|im_end|>\n<|im_start|>assistant\ntwo<|im_end|>\n"
        "<|im_start|>asking\nthree<|im_end|>\n<|im_start|>assistant\n"
    )


def test_the_last_generation_block_is_the_answers() -> None:
    text = (
        "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}{%- generation -%}"
        " {{ m.content }} {%- endgeneration -%}{% endif %}{% endfor %}"
    )
    template = ChatTemplate({"default": text}, name="t", variables={}, date="2026-01-01")
    forms = [{"role": "assistant", "content": "ab"}, {"role": "assistant", "content": "cd"}]
    whole = template.render(forms, ask=False)
    start = template.answer_start(forms)
    assert whole == "<assistant>ab<assistant>cd"
    assert start is not None
    assert whole[start:] == "cd"
    untagged = ChatTemplate({"default": "a"}, name="t", variables={}, date="2026-01-01")
    assert untagged.answer_start(forms) is None


def test_an_answer_that_repeats_another_message_is_refused(tmp_path: Path) -> None:
    template = (
        "{% for m in messages %}" + HEAD + "{{ m.content }}"
        "{% if m.role == 'assistant' %} (to: {{ messages[loop.index0 - 1].content }}){% endif %}"
        + TAIL
        + "{% endfor %}"
        + ASK
    )
    with pytest.raises(ContractError, match="would hold words of the user message, too"):
        of(tmp_path, template).lessons(example(user("a"), assistant("b")))


LOSSES = {
    "system": ("if m.role != 'system'", KINDS["system"], "content of the system message"),
    "user": ("if m.content != messages[0].content", KINDS["turns"], "content of the user message"),
    "tool": ("if m.role != 'tool'", KINDS["result"], "content of the tool message"),
}


@pytest.mark.parametrize("role", LOSSES)
def test_a_message_that_is_left_out_in_silence_is_refused(tmp_path: Path, role: str) -> None:
    condition, conversation, cause = LOSSES[role]
    writes = "{{ m.content }}{% if m.tool_calls %}{{ m.tool_calls | tojson }}{% endif %}"
    template = "{{ tools }}{% for m in messages " + condition + " %}" + HEAD + writes + TAIL
    contract = of(tmp_path, template + "{% endfor %}" + ASK)
    with pytest.raises(ContractError, match=f"leaves out the {cause}"):
        contract.lessons(example(*conversation.messages, tools=conversation.tools))
    asked = Conversation(messages=conversation.messages[:-1], tools=conversation.tools)
    with pytest.raises(ContractError, match=f"leaves out the {cause}") as raised:
        contract.prompt_ids(asked)
    assert "chat template of small, message" in raised.value.where


def test_tools_that_are_left_out_in_silence_are_refused(tmp_path: Path) -> None:
    template = "{% for m in messages %}" + HEAD + "{{ m.content }}" + TAIL + "{% endfor %}" + ASK
    contract = of(tmp_path, template)
    with pytest.raises(ContractError, match="leaves out the tools"):
        contract.prompt_ids(Conversation(messages=(user("?"),), tools=(TOOL,)))


def test_the_recipes_system_prompt_is_not_left_out_in_silence(tmp_path: Path) -> None:
    template = "{% for m in messages if m.role != 'system' %}" + HEAD + "{{ m.content }}" + TAIL
    contract = of(tmp_path, template + "{% endfor %}" + ASK, system="Be brief.")
    with pytest.raises(ContractError, match="leaves out the content") as raised:
        contract.prompt_ids(Conversation(messages=(user("?"),)))
    assert raised.value.where.endswith(", the system prompt")


def test_words_a_template_cuts_out_of_an_earlier_message_are_missed(tmp_path: Path) -> None:
    template = "{% for m in messages %}" + HEAD + "{{ m.content | replace('secret', '') }}" + TAIL
    contract = of(tmp_path, template + "{% endfor %}" + ASK)
    with pytest.raises(ContractError, match="content of the user message"):
        contract.lessons(example(user("a secret"), assistant("b")))
    assert len(contract.lessons(example(user("a"), assistant("b")))) == 1


def test_earlier_reasoning_may_be_dropped(tmp_path: Path) -> None:
    template = (
        "{% for m in messages %}" + HEAD + "{{ m.content.split('</think>')[-1] if not loop.last "
        "else m.content }}" + TAIL + "{% endfor %}" + ASK
    )
    contract = of(tmp_path, template)
    row = example(user("a"), assistant("<think>why</think>b"), user("c"), assistant("d"))
    first, second = contract.lessons(row)
    assert contract.decode(first.completion) == "<think>why</think>b"
    assert "why" not in contract.decode(second.prompt)


def test_arguments_as_json_text_are_given_to_a_template_that_wants_them(tmp_path: Path) -> None:
    writes = (
        "{% for m in messages %}" + HEAD + "{{ m.content }}{% for c in m.tool_calls %}"
        "{{ c.function.name + '(' + c.function.arguments + ')' }}{% endfor %}"
        + TAIL
        + "{% endfor %}"
    )
    contract = of(tmp_path, "{{ tools }}" + writes + ASK)
    assert contract.renderer.template.text_arguments
    ((_, completion),) = texts(
        contract, user("?"), assistant("", tool_calls=(CALL,)), tools=(TOOL,)
    )
    assert completion == 'weather({"city": "Z\u00fcrich <b>"})<|im_end|>'


def test_a_call_whose_arguments_are_left_out_is_refused(tmp_path: Path) -> None:
    writes = (
        "{% for m in messages %}" + HEAD + "{{ m.content }}{% for c in m.tool_calls %}"
        "{{ c.function.name }}{% endfor %}" + TAIL + "{% endfor %}"
    )
    contract = of(tmp_path, "{{ tools }}" + writes + ASK)
    row = example(user("?"), assistant("", tool_calls=(CALL,)), tools=(TOOL,))
    with pytest.raises(ContractError, match="tool call is not in the taught text"):
        contract.lessons(row)


def test_what_follows_the_stop_token_is_not_taught(tmp_path: Path) -> None:
    """A template may ask for the next answer whether it is told to or not."""
    template = "{% for m in messages %}" + HEAD + "{{ m.content }}" + TAIL + "{% endfor %}"
    contract = of(tmp_path, template + "{{ '<|im_start|>assistant\n' }}")
    assert [one for _, one in texts(contract, user("a"), assistant("b"))] == ["b<|im_end|>"]


def test_a_part_is_found_as_it_stands_or_as_json_has_it() -> None:
    assert says('{"t": "\\u00fc\\n"}', "\u00fc\n".strip() + "\n x".strip()[:0])
    assert says('a "b\\"c" d', 'b"c')
    assert not says("a b", "a  b")
    (asked,) = messages = (user("a \n b"),)
    assert words_left_out(messages, [{"content": asked.content}], [], "x a b") is None
    assert words_left_out(messages, [{"content": asked.content}], [], "x ab") is not None


def test_a_message_is_not_there_because_the_template_writes_the_same(tmp_path: Path) -> None:
    contract = family_contract(tmp_path, "Qwen-Qwen3-0.6B")
    (lesson,) = contract.lessons(example(user("a"), assistant("<think>")))
    assert contract.decode(lesson.completion).count("<think>") == 2
    with pytest.raises(ContractError, match="content is not in the taught text"):
        contract.lessons(example(user("a"), assistant("</think>")))


@pytest.mark.parametrize("asked", ["|>", "d", "model", "<|turn>model"])
def test_a_request_that_says_a_markers_letters_moves_nothing(tmp_path: Path, asked: str) -> None:
    contract = family_contract(tmp_path, "google-gemma-4-31B-it")
    (lesson,) = contract.lessons(example(user(asked), assistant("Yes.")))
    text = contract.renderer.encoder.decode(lesson.completion, special=True)
    assert text == "Yes.<turn|>"
