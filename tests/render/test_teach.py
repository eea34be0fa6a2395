"""`train.teach`: which words of a conversation are taught."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.render.bases import (
    PLAIN,
    QWEN,
    assistant,
    base_of,
    contract_of,
    embedded,
    example,
    golden_base,
    plain_base,
    system,
    user,
)
from tests.render.families import family_contract
from tutelage.core.conversation import Message, ToolCall
from tutelage.core.errors import ContractError
from tutelage.core.ledger import Reason
from tutelage.core.recipe import Teach
from tutelage.render.contract import Contract
from tutelage.render.lesson import Lesson

CALL = ToolCall(name="play", arguments={"song": "so what"}, id="abcdefghi")
TALK = (user("one"), assistant("two"), user("three"), assistant("four"))


def text_of(contract: Contract, ids: tuple[int, ...]) -> str:
    return contract.renderer.encoder.decode(ids, special=True)


def taught(contract: Contract, lessons: tuple[Lesson, ...]) -> list[str]:
    return [text_of(contract, lesson.taught) for lesson in lessons]


def test_the_last_turn_alone_is_taught() -> None:
    contract = contract_of(embedded())
    assert taught(contract, contract.lessons(example(*TALK), Teach(turns="last"))) == [
        "four<|im_end|>"
    ]
    whole, last = (
        contract.lessons(example(*TALK)),
        contract.lessons(example(*TALK), Teach(turns="last")),
    )
    assert last == whole[1:]


def test_the_last_turn_is_the_last_that_is_to_be_taught() -> None:
    contract = contract_of(embedded())
    row = example(*TALK[:3], assistant("four", train=False))
    assert taught(contract, contract.lessons(row, Teach(turns="last"))) == ["two<|im_end|>"]


def test_a_user_is_taught_behind_what_they_read() -> None:
    contract = contract_of(embedded())
    first, second = contract.lessons(example(system("s"), *TALK), Teach(roles=("user",)))
    assert text_of(contract, first.prompt) == "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\n"
    assert text_of(contract, second.prompt).endswith("two<|im_end|>\n<|im_start|>user\n")
    assert taught(contract, (first, second)) == ["one<|im_end|>", "three<|im_end|>"]


def test_several_roles_are_taught_in_order() -> None:
    contract = contract_of(embedded())
    roles = Teach(roles=("assistant", "user", "system", "tool"))
    lessons = contract.lessons(example(system("s"), *TALK), roles)
    assert [lesson.turn for lesson in lessons] == [0, 1, 2, 3, 4]
    assert taught(contract, lessons)[:2] == ["s<|im_end|>", "one<|im_end|>"]


def test_a_tools_words_are_taught(tmp_path: Path) -> None:
    contract = contract_of(golden_base(tmp_path, QWEN))
    result = Message(role="tool", content='{"t": 3}')
    row = example(user("?"), assistant("", tool_calls=(CALL,)), result)
    (lesson,) = contract.lessons(row, Teach(roles=("tool",)))
    assert text_of(contract, lesson.prompt).endswith("<|im_start|>user\n<tool_response>\n")
    assert taught(contract, (lesson,)) == ['{"t": 3}\n</tool_response><|im_end|>']


def test_a_role_whose_words_no_marker_ends_is_refused(tmp_path: Path) -> None:
    contract = family_contract(tmp_path, "llama-2-chat")
    with pytest.raises(ContractError, match="no marker ends the user's words"):
        contract.lessons(example(*TALK[:1]), Teach(roles=("user",)))


def test_a_role_the_template_does_not_write_is_refused(tmp_path: Path) -> None:
    template = PLAIN.replace(
        "{% for m in messages %}", "{% for m in messages if m.role != 'tool' %}"
    )
    base = base_of(
        tmp_path, template=template, markers=["<|im_start|>", "<|im_end|>"], end="<|im_end|>"
    )
    row = example(*TALK[:2], Message(role="tool", content="3"))
    with pytest.raises(ContractError, match=r"message 2: .* where a tool turn begins"):
        contract_of(base).lessons(row, Teach(roles=("tool",)))


def test_a_message_asks_to_be_taught_only_within_the_roles() -> None:
    contract = contract_of(embedded())
    asked = Message(role="user", content="one", train=True)
    (lesson,) = contract.lessons(example(asked, assistant("two")))
    assert lesson.turn == 1
    assert not asked.taught
    assert asked.taught_of(("user",))
    weighted = Message(role="user", content="one", weight=0.25)
    (lesson,) = contract.lessons(example(weighted), Teach(roles=("user",)))
    assert lesson.weight == 0.25


def test_reasoning_that_is_read_is_not_taught(tmp_path: Path) -> None:
    contract = contract_of(golden_base(tmp_path, QWEN))
    row = example(user("1+1?"), assistant("2", reasoning="One and one."))
    (whole,) = contract.lessons(row)
    (lesson,) = contract.lessons(row, Teach(reasoning="read"))
    assert whole.read == 0
    assert (lesson.prompt, lesson.completion) == (whole.prompt, whole.completion)
    read = text_of(contract, lesson.completion[: lesson.read])
    assert read == "<think>\nOne and one.\n</think>\n\n"
    assert taught(contract, (lesson,)) == ["2<|im_end|>"]


def test_reasoning_before_a_call_is_read_too(tmp_path: Path) -> None:
    contract = contract_of(golden_base(tmp_path, QWEN))
    row = example(user("Play"), assistant("", reasoning="A song.", tool_calls=(CALL,)))
    (lesson,) = contract.lessons(row, Teach(reasoning="read"))
    assert taught(contract, (lesson,))[0].startswith('<tool_call>\n{"name": "play"')


def test_a_turn_without_reasoning_is_taught_whole(tmp_path: Path) -> None:
    contract = contract_of(golden_base(tmp_path, QWEN))
    (lesson,) = contract.lessons(example(*TALK[:2]), Teach(reasoning="read"))
    assert lesson.read == 0


REASONED = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m.reasoning_content %}{{ m.reasoning_content }}JOIN{% endif %}"
    "{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def test_a_token_of_both_reasoning_and_answer_is_refused(tmp_path: Path) -> None:
    markers = ["<|im_start|>", "<|im_end|>"]
    template = REASONED.replace("JOIN", "")
    base = base_of(tmp_path, template=template, markers=markers, end="<|im_end|>")
    row = example(user("?"), assistant("her", reasoning="the weat"))
    with pytest.raises(ContractError, match="a token holds the end of the reasoning"):
        contract_of(base).lessons(row, Teach(reasoning="read"))
    (lesson,) = contract_of(base).lessons(
        example(user("?"), assistant(" city", reasoning="the music")), Teach(reasoning="read")
    )
    assert taught(contract_of(base), (lesson,)) == [" city<|im_end|>"]


def test_reasoning_that_stands_behind_the_answer_cannot_be_read(tmp_path: Path) -> None:
    template = PLAIN.replace(
        "{{ m['content'] }}", "{{ m['content'] }}{{ m.reasoning_content or '' }}"
    )
    base = base_of(
        tmp_path, template=template, markers=["<|im_start|>", "<|im_end|>"], end="<|im_end|>"
    )
    row = example(user("?"), assistant("2", reasoning="why"))
    with pytest.raises(ContractError, match="cannot only be read"):
        contract_of(base).lessons(row, Teach(reasoning="read"))


def test_turns_that_call_tools_are_left_to_be_read() -> None:
    contract = contract_of(embedded())
    called = assistant("", tool_calls=(CALL,))
    row = example(user("Play"), called, Message(role="tool", content="ok"), assistant("Done."))
    assert len(contract.lessons(row)) == 2
    (lesson,) = contract.lessons(row, Teach(tool_calls="read"))
    assert lesson.turn == 3
    (found,) = contract.lessons_of([example(user("Play"), called)], Teach(tool_calls="read"))
    assert found.entry is not None
    assert found.entry.reason == Reason.NOTHING_TAUGHT


def test_a_row_without_a_turn_of_the_roles_teaches_nothing(tmp_path: Path) -> None:
    contract = contract_of(plain_base(tmp_path))
    (found,) = contract.lessons_of([example(*TALK)], Teach(roles=("tool",)))
    assert found.lessons == ()
    assert found.entry is not None
    assert found.entry.reason == Reason.NOTHING_TAUGHT
