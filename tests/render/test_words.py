"""Words a template or a tokenizer writes in another way are the message's words all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tokenizers import normalizers

from tests.render.bases import (
    MARKERS,
    PLAIN,
    QWEN,
    assistant,
    base_of,
    byte_level,
    contract_of,
    example,
    user,
)
from tests.render.families import TOOL, family_contract
from tutelage.core.conversation import Conversation, Message
from tutelage.core.errors import ContractError
from tutelage.core.recipe import Teach
from tutelage.render.contract import Contract
from tutelage.render.encode import SEAM
from tutelage.render.proof import SHAPES, Found, _known
from tutelage.render.words import reasoned, words_left_out

THOUGHT = "<think>\nOne and one.\n</think>\n\nTwo."


def composing(folder: Path, template: str = PLAIN) -> Contract:
    """A contract whose tokenizer puts letters and accents together, as Qwen's do."""
    tokenizer: Any = byte_level()
    tokenizer.normalizer = normalizers.NFC()
    markers = MARKERS[QWEN]
    return contract_of(
        base_of(folder, template=template, markers=markers, end="<|im_end|>", tokenizer=tokenizer)
    )


@pytest.mark.parametrize("name", [QWEN, "Qwen3.5-4B", "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16"])
def test_reasoning_inside_the_content_is_taught_as_the_field_is(tmp_path: Path, name: str) -> None:
    contract = family_contract(tmp_path, name)
    inside, apart = user("1+1?"), assistant("Two.", reasoning="One and one.")
    (one,) = contract.lessons(example(inside, assistant(THOUGHT)))
    (other,) = contract.lessons(example(inside, apart))
    assert one.prompt == other.prompt
    said, as_field = (contract.decode(each.completion) for each in (one, other))
    assert "".join(said.split()) == "".join(as_field.split())
    assert ("<think>" in said) != contract.decode(one.prompt).endswith("<think>\n")


@pytest.mark.parametrize("name", ["GLM-4.6", "GLM-5.2"])
def test_spaces_around_reasoning_are_the_templates(tmp_path: Path, name: str) -> None:
    contract = family_contract(tmp_path, name)
    (one,) = contract.lessons(example(user("1+1?"), assistant(THOUGHT)))
    assert "One and one." in contract.decode(one.completion)
    (empty,) = contract.lessons(example(user("1+1?"), assistant("<think></think>Two.")))
    assert contract.decode(empty.completion).count("</think>") == 1


@pytest.mark.parametrize("name", ["Reka-Edge", "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B"])
@pytest.mark.parametrize("content", [THOUGHT, "<think></think>Two."])
def test_reasoning_inside_the_content_is_not_dropped(
    tmp_path: Path, name: str, content: str
) -> None:
    contract = family_contract(tmp_path, name)
    with pytest.raises(ContractError, match="content is not in the taught text"):
        contract.lessons(example(user("1+1?"), assistant(content)))


def test_an_opening_tag_the_template_takes_away_is_missed(tmp_path: Path) -> None:
    """It is the prompt's only where the prompt ends in it."""
    template = PLAIN.replace(
        "{{ m['content'] }}",
        "{% if '</think>' in m['content'] %}{{ m['content'].replace('<think>', '') }}{% else %}"
        "{{ m['content'] }}{% endif %}",
    )
    one = composing(tmp_path, template)
    for asked in ("1+1?", "1+1? <think>"):
        with pytest.raises(ContractError, match="the template changes it"):
            one.lessons(example(user(asked), assistant(THOUGHT)))


def test_reasoning_that_a_content_opens_with_is_told_from_its_rest() -> None:
    assert reasoned(" <think>a</think>b") == ("a", "b")
    assert reasoned("</think>b") is None
    assert reasoned("x <think>a</think>b") is None
    assert reasoned("<think>a</think>b</think>") is None


@pytest.mark.parametrize("said", ["cafe\u0301", "\u212b", "\uf900", '"e\u0301"\n'])
def test_an_answer_in_another_canonical_form_is_taught(tmp_path: Path, said: str) -> None:
    contract = composing(tmp_path)
    (lesson,) = contract.lessons(example(user(said), assistant(f"It is {said} here")))
    assert len(lesson.completion) > 3
    reasoning = family_contract(tmp_path / "two", QWEN)
    read = Teach(reasoning="read")
    answer = assistant("Two.", reasoning=f"So {said}")
    assert reasoning.lessons(example(user("?"), answer), read)[0].read


def test_reasoning_in_another_canonical_form_can_be_read(tmp_path: Path) -> None:
    template = PLAIN.replace(
        "{{ m['content'] }}",
        "{% if m.reasoning_content %}<t>{{ m.reasoning_content }}</t>{% endif %}{{ m['content'] }}",
    )
    contract = composing(tmp_path, template)
    row = example(user("?"), assistant("Two.", reasoning="cafe\u0301"))
    (lesson,) = contract.lessons(row, Teach(reasoning="read"))
    assert contract.decode(lesson.completion[: lesson.read]) == "<t>caf\u00e9</t>"


def test_the_name_of_who_speaks_may_be_of_any_length(tmp_path: Path) -> None:
    named = "{{ m.name ~ ': ' if m.name is defined else '' }}{{ m['content'] }}"
    contract = composing(tmp_path, PLAIN.replace("{{ m['content'] }}", named))
    for name in ("bob", "a longer name", "", None):
        spoken = Message(role="assistant", content="yes", name=name)
        (lesson,) = contract.lessons(example(user("?"), spoken))
        head = "" if name is None else f"{name}: "
        assert contract.decode(lesson.completion) == f"{head}yes"


def test_an_error_shows_no_seam(tmp_path: Path) -> None:
    contract = family_contract(tmp_path, "deepseek-ai-DeepSeek-R1-Distill-Llama-8B")
    with pytest.raises(ContractError, match="the prompt opens reasoning") as raised:
        contract.lessons(example(user("a <think> b"), assistant("<\uff5cUser\uff5c>")))
    assert SEAM not in raised.value.message
    assert "\\ufdd0" not in raised.value.message
    assert "a <think> b" in raised.value.message


def test_a_message_spaced_otherwise_is_found_behind_one_that_is_not(tmp_path: Path) -> None:
    messages = (user("a \n b"), user("c  d"), user("e f"))
    forms = [{"content": one.content} for one in messages]
    assert words_left_out(messages, forms, [], "a b c d e f") is None
    assert words_left_out(messages, forms, [], "a b cd e f") is not None


def test_a_prompt_is_served_in_the_form_that_was_taught(tmp_path: Path) -> None:
    contract = composing(tmp_path)
    said = user("cafe\u0301")
    (lesson,) = contract.lessons(example(said, assistant("ok")))
    assert lesson.prompt == contract.prompt_ids(Conversation(messages=(said,)))


@pytest.mark.parametrize("name", ["deepseek-ai-DeepSeek-V4", QWEN, "google-gemma-4-31B-it"])
def test_a_function_alone_is_taught_as_the_tool_that_is_served(tmp_path: Path, name: str) -> None:
    contract = family_contract(tmp_path, name)
    said = user("Weather?")
    sent = Conversation(messages=(said,), tools=(TOOL,))
    function: Any = TOOL["function"]
    for tool in ({**function}, {"type": "function", **function}, {"function": function}):
        (lesson,) = contract.lessons(example(said, assistant("Where?"), tools=(tool,)))
        assert lesson.prompt == contract.prompt_ids(sent)


def test_one_of_two_tools_is_not_dropped(tmp_path: Path) -> None:
    first = "{% if tools %}{{ tools[0]|tojson }}{% endif %}"
    contract = composing(tmp_path, first + PLAIN)
    function: Any = TOOL["function"]
    other = {"type": "function", "function": {**function, "name": "tides"}}
    assert contract.prompt_ids(Conversation(messages=(user("?"),), tools=(TOOL,)))
    with pytest.raises(ContractError, match="leaves out the tool `tides`"):
        contract.prompt_ids(Conversation(messages=(user("?"),), tools=(TOOL, other)))
    with pytest.raises(ContractError, match="leaves out the tool `tides`"):
        contract.lessons(example(user("?"), assistant("ok"), tools=(TOOL, other)))


def test_a_message_that_says_what_another_said_is_not_dropped(tmp_path: Path) -> None:
    once = (
        "{% for m in messages %}{% if loop.first or m.content != loop.previtem.content %}"
        "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    contract = composing(tmp_path, once)
    assert contract.lessons(example(user("Go on."), user("Well?"), assistant("Yes.")))
    with pytest.raises(ContractError, match="leaves out the content of the user message"):
        contract.lessons(example(user("Go on."), user("Go on."), assistant("Yes.")))
    plain = composing(tmp_path / "plain")
    assert plain.lessons(example(user("Go on."), user("Go on."), assistant("Yes.")))


def test_what_is_said_twice_may_be_written_in_two_ways() -> None:
    def lost(said: str, text: str) -> bool:
        messages = (user(said), user(said))
        forms = [{"content": one.content} for one in messages]
        return words_left_out(messages, forms, [], text) is not None

    assert not lost("a  b ", "a  b | a b")
    assert not lost('a "b"', 'a "b" | a \\"b\\"')
    assert not lost("", "")
    assert lost("a b", "a b")
    thought = (assistant(THOUGHT), assistant(THOUGHT))
    forms = [{"content": one.content} for one in thought]
    assert words_left_out(thought, forms, [], f"Two. | {THOUGHT}") is None


def test_what_is_known_of_shapes_does_not_grow_without_end() -> None:
    known: dict[tuple[Any, ...], Found] = {}
    for number in range(2 * SHAPES + 1):
        assert _known(known, (number,), Found).error is None
    assert len(known) == 1
    assert _known(known, (2 * SHAPES,), lambda: pytest.fail("it is known")) is known[(2 * SHAPES,)]
