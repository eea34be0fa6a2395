from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.render.bases import (
    GEMMA,
    GOLDEN,
    LLAMA,
    MARKERS,
    MISTRAL,
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
from tutelage.core.conversation import Conversation, Message, ToolCall
from tutelage.core.errors import ContractError
from tutelage.core.ledger import Decision, Reason
from tutelage.render.contract import Contract
from tutelage.render.encode import SEAM

MARKED = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def text_of(contract: Contract, ids: tuple[int, ...]) -> str:
    return contract.renderer.encoder.decode(ids, special=True)


def taught_text(contract: Contract, *messages: Message, **fields: Any) -> list[str]:
    lessons = contract.lessons(example(*messages, **fields))
    return [text_of(contract, lesson.completion) for lesson in lessons]


def test_each_taught_turn_is_a_lesson_that_ends_in_the_stop_token(tmp_path: Path) -> None:
    contract = contract_of(plain_base(tmp_path))
    row = example(user("Hi"), assistant("Yes."), user("Sure?"), assistant("No."))
    first, second = contract.lessons(row)
    assert (
        text_of(contract, first.prompt) == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
    assert text_of(contract, first.completion) == "Yes.<|im_end|>"
    assert text_of(contract, second.completion) == "No.<|im_end|>"
    assert (second.row, second.turn) == (row.id, 3)
    assert first.completion[-1] == contract.stop_ids[0]


@pytest.mark.parametrize("name", [QWEN, LLAMA, MISTRAL, GEMMA])
def test_the_prompt_taught_is_the_prompt_served(tmp_path: Path, name: str) -> None:
    contract = contract_of(golden_base(tmp_path, name))
    row = example(user("Hi"), assistant("Yes."), user("Sure?"), assistant("No."))
    for lesson in contract.lessons(row):
        served = contract.prompt_ids(Conversation(messages=row.messages[: lesson.turn]))
        assert lesson.prompt == served
        assert contract.stop_ids[0] == lesson.completion[-1]
        assert row.messages[lesson.turn].content in contract.decode(lesson.completion)


@pytest.mark.parametrize(
    ("name", "stop"),
    [(QWEN, "<|im_end|>"), (LLAMA, "<|eot_id|>"), (MISTRAL, "</s>"), (GEMMA, "<end_of_turn>")],
)
def test_the_stop_token_is_the_one_the_template_writes(
    tmp_path: Path, name: str, stop: str
) -> None:
    contract = contract_of(golden_base(tmp_path, name))
    assert text_of(contract, contract.stop_ids[:1]) == stop


def test_a_template_that_moves_the_system_prompt_is_taught_as_served(tmp_path: Path) -> None:
    contract = contract_of(golden_base(tmp_path, MISTRAL))
    row = example(system("Be brief."), user("Hi"), assistant("Yo."))
    (lesson,) = contract.lessons(row)
    assert text_of(contract, lesson.prompt) == "<s>[INST]Be brief.\n\nHi[/INST]"
    assert text_of(contract, lesson.completion) == "Yo.</s>"


def test_reasoning_is_taught_where_the_template_writes_it(tmp_path: Path) -> None:
    messages = (user("1+1?"), assistant("2", reasoning="One and one."))
    contract = contract_of(golden_base(tmp_path / "qwen", QWEN))
    assert taught_text(contract, *messages) == ["<think>\nOne and one.\n</think>\n\n2<|im_end|>"]
    with pytest.raises(ContractError, match="reasoning is not in the taught text"):
        contract_of(golden_base(tmp_path / "llama", LLAMA)).lessons(example(*messages))


def test_tool_calls_are_taught(tmp_path: Path) -> None:
    call = ToolCall(name="play", arguments={"b": "jazz", "a": 1})
    contract = contract_of(embedded())
    assert taught_text(contract, user("Play"), assistant("", tool_calls=(call,))) == [
        '{"name": "play", "arguments": {"b": "jazz", "a": 1}}<|im_end|>'
    ]
    with pytest.raises(ContractError, match="tool call is not in the taught text"):
        contract_of(plain_base(tmp_path)).lessons(
            example(user("Play"), assistant("", tool_calls=(call,)))
        )


def test_weights_of_row_and_message_multiply_and_untaught_turns_are_left_out() -> None:
    contract = contract_of(embedded())
    row = example(
        user("a"), assistant("b", train=False), user("c"), assistant("d", weight=0.5), weight=3.0
    )
    (lesson,) = contract.lessons(row)
    assert (lesson.turn, lesson.weight) == (3, 1.5)


def test_a_row_that_teaches_nothing_is_entered_as_unsupervised() -> None:
    (found,) = contract_of(embedded()).lessons_of([example(user("a"), assistant("b", train=False))])
    assert found.entry is not None
    assert found.entry.decision == Decision.UNSUPERVISED
    assert found.entry.reason == Reason.NOTHING_TAUGHT


def test_a_preference_pair_is_unsupervised_and_the_ledger_says_what_it_is() -> None:
    turns = (user("a"), assistant("b"), user("c"))
    pair = replace(example(*turns), chosen=(assistant("d"),), rejected=(assistant("e"),))
    (found,) = contract_of(embedded()).lessons_of([pair])
    assert found.lessons == ()
    assert found.entry is not None
    assert found.entry.decision == Decision.UNSUPERVISED
    assert found.entry.reason == Reason.NOTHING_TAUGHT
    assert found.entry.detail == (
        "a preference pair (`chosen` and `rejected`), which supervised training does not teach"
    )


def test_a_row_the_template_refuses_is_entered_with_its_cause(tmp_path: Path) -> None:
    contract = contract_of(golden_base(tmp_path, GEMMA))
    good, bad = example(user("a"), assistant("b")), example(system("s"), user("a"), assistant("b"))
    first, second = contract.lessons_of([good, bad])
    assert (len(first.lessons), first.entry) == (1, None)
    assert second.lessons == ()
    assert second.entry is not None
    assert second.entry.reason == Reason.TEMPLATE_FAILED
    assert "System role not supported" in second.entry.detail
    with pytest.raises(ContractError, match="System role not supported"):
        contract.lessons(bad)


@settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.lists(
            st.sampled_from([*MARKED, "user\n", "<|im", "_end|>", " ", "\n\n", "é日🙂", "the"])
            | st.text(max_size=3).filter(lambda text: SEAM not in text),
            max_size=6,
        ).map("".join),
        min_size=2,
        max_size=6,
    )
)
def test_words_of_messages_forge_nothing_and_are_taught_as_they_stand(contents: list[str]) -> None:
    contract = PROPERTY_CONTRACT
    turns = [
        Message(role="assistant" if index % 2 else "user", content=content)
        for index, content in enumerate(contents)
    ]
    special = contract.renderer.encoder.special_ids
    plain = [replace(message, content="x") for message in turns]
    for mine, calm in zip(
        contract.lessons(example(*turns)), contract.lessons(example(*plain)), strict=True
    ):
        assert [i for i in mine.ids if i in special] == [i for i in calm.ids if i in special]
        assert text_of(contract, mine.completion) == turns[mine.turn].content + "<|im_end|>"


PROPERTY_CONTRACT = contract_of(embedded())


def test_tools_and_arguments_forge_nothing() -> None:
    contract = contract_of(embedded())
    forged = {"name": "<|im_end|>", "<|im_end|>": ["<|im_start|>"]}
    calls = (ToolCall(name="f", arguments={"<|im_end|>": "<|im_end|>"}),)
    messages = (user("a"), assistant("", tool_calls=calls), user("b"), assistant("c"))
    special = contract.renderer.encoder.special_ids
    calm = example(*messages[2:], tools=({"name": "f"},))
    wild = example(messages[0], assistant("b"), *messages[2:], tools=(forged,))
    count = sum(one in special for one in contract.lessons(calm)[-1].ids)
    assert sum(one in special for one in contract.lessons(wild)[-1].ids) == count + 4
    (first, _) = contract.lessons(example(*messages))
    assert sum(one in special for one in first.completion) == 1


def test_the_recipes_system_prompt_goes_before_conversations_that_have_none() -> None:
    contract = contract_of(embedded(), system="Be brief.")
    ids = contract.prompt_ids(Conversation(messages=(user("Hi"),)))
    assert text_of(contract, ids).startswith(
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user"
    )
    own = contract.prompt_ids(Conversation(messages=(system("Mine."), user("Hi"))))
    assert "Be brief." not in text_of(contract, own)
    assert contract.digest != contract_of(embedded()).digest


def test_a_template_of_the_recipes_own_is_read(tmp_path: Path) -> None:
    base = plain_base(tmp_path)
    (tmp_path / "mine.jinja").write_text(
        "{% for m in messages %}{{ m.role }}: {{ m.content }}<|im_end|>{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    contract = contract_of(base, template="mine.jinja")
    assert taught_text(contract, user("a"), assistant("b")) == ["b<|im_end|>"]
    with pytest.raises(ContractError, match="cannot be read"):
        contract_of(base, template="none.jinja")


def test_a_base_without_template_gets_the_shipped_one_and_says_so(tmp_path: Path) -> None:
    base = base_of(tmp_path, template=None, markers=["<|endoftext|>"], end="<|endoftext|>")
    contract = contract_of(base)
    assert "has no chat template" in contract.warnings[0]
    tool = {"name": "f"}
    call = ToolCall(name="f", arguments={"x": 1})
    row = example(
        system("S"),
        user("Hi"),
        assistant("Yo"),
        user("?"),
        assistant("", tool_calls=(call,)),
        tools=(tool,),
    )
    first, second = contract.lessons(row)
    assert text_of(contract, first.prompt) == (
        '<|im_start|>system\nS\n\nFunctions:\n{"type": "function", "function": {"name": "f"}}'
        "<|endoftext|>\n"
        "<|im_start|>user\nHi<|endoftext|>\n<|im_start|>assistant\n"
    )
    assert text_of(contract, first.completion) == "Yo<|endoftext|>"
    assert (
        text_of(contract, second.completion) == '{"name": "f", "arguments": {"x": 1}}<|endoftext|>'
    )
    assert contract_of(base, template="chatml").warnings == ()


def test_a_template_that_writes_no_stop_token_gets_the_tokenizers_end(tmp_path: Path) -> None:
    template = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    base = base_of(tmp_path, template=template, markers=["</s>"], end="</s>")
    assert taught_text(contract_of(base), user("a"), assistant("b")) == ["b</s>"]


def test_without_any_stop_token_there_is_no_contract(tmp_path: Path) -> None:
    template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    base = base_of(tmp_path, template=template, markers=[], end=None)
    with pytest.raises(ContractError, match="no stop token") as raised:
        contract_of(base)
    assert raised.value.where == "contract.template"


def test_a_stop_token_inside_an_answer_is_refused(tmp_path: Path) -> None:
    template = PLAIN.replace("{{ m['content'] }}", "{{ m['content'] }}<|im_end|>{{ m['role'] }}")
    base = base_of(tmp_path, template=template, markers=MARKERS[QWEN], end="<|im_end|>")
    with pytest.raises(ContractError, match="stop token stands inside the answer"):
        contract_of(base).lessons(example(user("a"), assistant("b")))


def test_a_template_that_loses_the_answer_is_refused(tmp_path: Path) -> None:
    template = PLAIN.replace("m['content']", "m['content'] | replace('secret', '')")
    base = base_of(tmp_path, template=template, markers=MARKERS[QWEN], end="<|im_end|>")
    contract = contract_of(base)
    assert taught_text(contract, user("a"), assistant("b")) == ["b<|im_end|>"]
    with pytest.raises(ContractError, match="content is not in the taught text"):
        contract.lessons(example(user("a"), assistant("a secret")))


def test_a_prompt_that_opens_reasoning_no_answer_closes_is_refused(tmp_path: Path) -> None:
    template = PLAIN.replace("assistant\n{% endif", "assistant\n<think>\n{% endif")
    base = base_of(tmp_path, template=template, markers=MARKERS[QWEN], end="<|im_end|>")
    with pytest.raises(ContractError, match=r"message 1: .*opens reasoning"):
        contract_of(base).lessons(example(user("a"), assistant("b")))


def test_a_prompt_that_another_role_answers_is_refused(tmp_path: Path) -> None:
    template = PLAIN.replace("assistant\n{% endif", "robot\n{% endif")
    base = base_of(tmp_path, template=template, markers=MARKERS[QWEN], end="<|im_end|>")
    with pytest.raises(ContractError, match="does not follow the prompt"):
        contract_of(base).lessons(example(user("a"), assistant("b")))


def test_the_context_is_the_bases_unless_the_recipe_asks_for_less(tmp_path: Path) -> None:
    base = plain_base(tmp_path)
    assert contract_of(base).context == 4096
    assert contract_of(base, context_tokens=100).context == 100
    with pytest.raises(ContractError, match="more than `small` can read"):
        contract_of(base, context_tokens=5000)
    with pytest.raises(ContractError, match="gives no context length"):
        contract_of(replace(base, config={}))
    assert contract_of(replace(base, config={"n_positions": 64})).context == 64


def test_the_output_schema_is_kept_in_the_contract(tmp_path: Path) -> None:
    base = plain_base(tmp_path)
    (tmp_path / "tools.json").write_text('[{"name": "f"}]')
    assert contract_of(base, output_schema="tools.json").output_schema == [{"name": "f"}]
    (tmp_path / "tools.json").write_text("{")
    with pytest.raises(ContractError, match=r"tools\.json is no JSON"):
        contract_of(base, output_schema="tools.json")


def test_a_saved_contract_comes_back_the_same(tmp_path: Path) -> None:
    base = golden_base(tmp_path, LLAMA)
    contract = contract_of(base, system="Be brief.", fit="truncate", context_tokens=99)
    form = json.loads(json.dumps(contract.to_dict()))
    again = Contract.from_dict(form, base)
    assert again.digest == contract.digest
    assert again.fit == "truncate"
    row = example(user("a"), assistant("b"))
    assert again.lessons(row) == contract.lessons(row)


def test_a_changed_tokenizer_breaks_the_contract_by_name(tmp_path: Path) -> None:
    form = contract_of(plain_base(tmp_path / "one")).to_dict()
    other = base_of(
        tmp_path / "two", template=PLAIN, markers=["<|x|>", *MARKERS[QWEN]], end="<|im_end|>"
    )
    with pytest.raises(ContractError) as raised:
        Contract.from_dict(form, other)
    assert {row.where for row in raised.value.rows} >= {"tokenizer", "stop_ids", "goldens.question"}
    with pytest.raises(ContractError, match="schema 9"):
        Contract.from_dict({**form, "schema": 9}, other)


def test_the_golden_templates_are_the_files_their_source_names() -> None:
    from tutelage.core.digest import file_digest

    source = (GOLDEN / "SOURCE.md").read_text(encoding="utf-8")
    for path in GOLDEN.glob("*.jinja"):
        assert f"| {path.name} | `{file_digest(path)}` |" in source
