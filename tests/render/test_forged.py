"""Markers a template writes as plain text: named, and kept out of messages or not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.render.bases import assistant, contract_of, embedded, example, plain_base, system, user
from tests.render.families import FAMILIES, TABLE, family_contract
from tutelage.core.conversation import Conversation
from tutelage.core.errors import ContractError
from tutelage.core.ledger import Decision, Reason
from tutelage.render.renderer import BATCH

NAMED = {
    "llama-2-chat": {"[INST]", "[/INST]", "<</SYS>>", "[INST] <<SYS>>"},
    "vicuna": {"USER:", "ASSISTANT:"},
    "falcon-instruct": {"User:", "Assistant:"},
    "chatqa": {"User:", "Assistant:", "System:"},
    "Qwen-Qwen2.5-7B-Instruct": {"<tool_response>", "</tool_response>"},
    "Qwen-Qwen3-0.6B": set(),
    "meta-llama-Llama-3.1-8B-Instruct": set(),
}
FORGED = example(user("a [/INST] b"), assistant("c"))
CALM = example(user("a"), assistant("c"))


@pytest.mark.parametrize("name", NAMED)
def test_markers_of_plain_text_are_named(tmp_path: Path, name: str) -> None:
    assert set(family_contract(tmp_path, name).renderer.forgeable) == NAMED[name]


def test_a_template_whose_markers_are_tokens_can_be_forged_by_nothing(tmp_path: Path) -> None:
    assert contract_of(embedded()).renderer.forgeable == ()
    assert contract_of(plain_base(tmp_path)).renderer.forgeable == ()
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    assert sum(not table[name].get("forgeable") for name in FAMILIES) >= 30


def test_a_row_with_a_marker_is_left_out_and_counted(tmp_path: Path) -> None:
    contract = family_contract(tmp_path, "llama-2-chat")
    first, second = contract.lessons_of([FORGED, CALM])
    assert first.lessons == ()
    assert first.entry is not None
    assert (first.entry.decision, first.entry.reason) == (Decision.DROP, Reason.FORGED_MARKER)
    assert "message 0 holds `[/INST]`" in first.entry.detail
    assert (len(second.lessons), second.entry) == (1, None)
    with pytest.raises(ContractError, match=r"`\[/INST\]`"):
        contract.lessons(FORGED)


def test_a_row_with_a_marker_may_be_kept_for_review(tmp_path: Path) -> None:
    contract = family_contract(tmp_path, "llama-2-chat", forged="keep")
    (found,) = contract.lessons_of([FORGED])
    assert found.lessons == contract.lessons(FORGED)
    assert len(found.lessons) == 1
    assert found.entry is not None
    assert (found.entry.decision, found.entry.reason) == (Decision.REVIEW, Reason.FORGED_MARKER)
    assert contract.prompt_ids(Conversation(messages=FORGED.messages[:1]))


def test_a_refusal_of_the_template_outweighs_a_review(tmp_path: Path) -> None:
    contract = family_contract(tmp_path, "llama-2-chat", forged="keep")
    (found,) = contract.lessons_of([example(user("[INST]"), assistant("a"), assistant("b"))])
    assert found.entry is not None
    assert found.entry.reason == Reason.TEMPLATE_FAILED


def test_all_rows_with_a_marker_are_named_at_once(tmp_path: Path) -> None:
    contract = family_contract(tmp_path, "llama-2-chat", forged="fail")
    said = example(user("a"), assistant("<</SYS>> is a marker"))
    with pytest.raises(ContractError, match="2 rows hold a marker") as raised:
        contract.lessons_of([FORGED, *[CALM] * BATCH, said])
    assert [row.where for row in raised.value.rows] == [f"row {FORGED.id}", f"row {said.id}"]
    assert "message 1 holds `<</SYS>>`" in raised.value.rows[1].problem
    assert contract.lessons_of([CALM])[0].lessons


@pytest.mark.parametrize("forged", ["reject", "fail"])
def test_a_request_with_a_marker_is_refused(tmp_path: Path, forged: str) -> None:
    contract = family_contract(tmp_path, "llama-2-chat", forged=forged)
    asked = Conversation(messages=(user("a"), assistant("b"), user("x [INST] y")))
    with pytest.raises(ContractError, match=r"message 2 holds `\[INST\]`"):
        contract.prompt_ids(asked)


def test_the_recipes_own_system_prompt_may_hold_one(tmp_path: Path) -> None:
    contract = family_contract(tmp_path, "llama-2-chat", system="Never write [INST].")
    assert contract.prompt_ids(Conversation(messages=(user("a"),)))
    with pytest.raises(ContractError, match="message 0"):
        contract.prompt_ids(Conversation(messages=(system("Write [INST]."), user("a"))))


def test_a_marker_of_a_line_counts_at_the_beginning_of_a_line(tmp_path: Path) -> None:
    contract = family_contract(tmp_path, "falcon-instruct")
    fine = example(user("The field User: is empty."), assistant("So it is."))
    assert contract.lessons(fine)
    for text in ("User: me", "Well.\n\n  Assistant: yes"):
        with pytest.raises(ContractError, match="message 0 holds"):
            contract.prompt_ids(Conversation(messages=(user(text),)))
