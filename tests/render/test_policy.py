"""Which system prompt a row is taught under, and which one is served."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy.stats import binomtest

from tests.render.bases import assistant, contract_of, embedded, example, plain_base, system, user
from tutelage.core.conversation import Conversation
from tutelage.core.errors import ContractError
from tutelage.render.policy import Policy, SystemPrompt

SERVED = SystemPrompt(name="rules-v2", text="Follow the rules.")
SHORT = SystemPrompt(name="short", text="Rules.")
LONG = SystemPrompt(name="long", text="Follow every rule there is.")
POLICY = Policy(served=SERVED, variants=((SHORT, 0.2), (LONG, 0.1)), without_system=0.15, seed=5)
ROWS = [f"row {number}" for number in range(4000)]


@pytest.mark.parametrize(
    ("prompt", "share"), [(None, 0.15), (SHORT, 0.2), (LONG, 0.1), (SERVED, 0.55)]
)
def test_shares_come_out_as_asked(prompt: SystemPrompt | None, share: float) -> None:
    drawn = sum(POLICY.of_row(row) == prompt for row in ROWS)
    assert binomtest(drawn, len(ROWS), share).pvalue > 1e-4


def test_a_rows_draw_does_not_move_when_other_rows_come_or_go() -> None:
    all_of_them = {row: POLICY.of_row(row) for row in ROWS}
    assert {row: POLICY.of_row(row) for row in reversed(ROWS[::7])} == {
        row: all_of_them[row] for row in ROWS[::7]
    }


def test_a_variant_added_at_the_end_moves_only_the_rows_it_takes() -> None:
    more = Policy(
        served=SERVED,
        variants=(*POLICY.variants, (SystemPrompt(name="new", text="New."), 0.1)),
        without_system=0.15,
        seed=5,
    )
    moved = {POLICY.of_row(row) for row in ROWS if POLICY.of_row(row) != more.of_row(row)}
    assert moved == {SERVED}


def test_another_seed_draws_anew() -> None:
    other = Policy(served=SERVED, variants=POLICY.variants, without_system=0.15, seed=6)
    assert any(POLICY.of_row(row) != other.of_row(row) for row in ROWS[:100])


def test_rows_are_taught_under_their_draw_and_requests_are_served_under_system() -> None:
    contract = contract_of(
        embedded(),
        system={"name": "rules", "text": "Follow the rules."},
        variants=[{"name": "short", "text": "Rules.", "share": 0.4}],
        without_system=0.3,
    )
    texts = {None: 0, "Rules.": 0, "Follow the rules.": 0}
    for number in range(60):
        row = example(user(f"Question {number}?"), assistant("Yes."))
        drawn = contract.renderer.policy.of_row(row.id)
        (lesson,) = contract.lessons(row)
        prompt = contract.renderer.encoder.decode(lesson.prompt, special=True)
        assert prompt.count("<|im_start|>system") == (drawn is not None)
        assert drawn is None or f"system\n{drawn.text}<|im_end|>" in prompt
        texts[drawn.text if drawn else None] += 1
        asked = contract.prompt_ids(Conversation(messages=row.messages[:1]))
        served = contract.renderer.encoder.decode(asked, special=True)
        assert served.startswith("<|im_start|>system\nFollow the rules.<|im_end|>")
    assert all(texts.values())


def test_a_row_with_a_system_message_of_its_own_keeps_it() -> None:
    contract = contract_of(
        embedded(), system="Served.", variants=[{"name": "v", "text": "Varied.", "share": 0.5}]
    )
    for number in range(20):
        row = example(system("My own."), user(f"{number}?"), assistant("Yes."))
        (lesson,) = contract.lessons(row)
        text = contract.renderer.encoder.decode(lesson.prompt, special=True)
        assert text.startswith("<|im_start|>system\nMy own.<|im_end|>\n<|im_start|>user")


def test_a_prompt_and_a_template_may_be_files_with_names(tmp_path: Path) -> None:
    base = plain_base(tmp_path)
    (tmp_path / "rules.md").write_text("\nFollow the rules.\n")
    (tmp_path / "mine.jinja").write_text("{{ messages[-1].content }}<|im_end|>")
    contract = contract_of(
        base,
        template={"name": "bare-v1", "path": "mine.jinja"},
        system={"name": "rules-v3", "path": "rules.md"},
    )
    form = contract.to_dict()
    assert form["template"]["name"] == "bare-v1"  # type: ignore[index, call-overload]
    assert form["system"]["name"] == "rules-v3"  # type: ignore[index, call-overload]
    assert form["system"]["text"] == "Follow the rules."  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    ("section", "where", "says"),
    [
        ({"system": {"name": "a", "path": "no.md"}}, "contract.system.path", "cannot be read"),
        ({"system": {"name": "a", "path": "empty.md"}}, "contract.system.path", "is empty"),
        (
            {"system": "s", "variants": [{"name": "a", "path": "no.md", "share": 0.1}]},
            "contract.variants.0.path",
            "cannot be read",
        ),
        ({"template": {"name": "a", "path": "no.md"}}, "contract.template.path", "cannot be read"),
        ({"template": {"name": "a", "text": "{% if %}"}}, "contract.template", "no chat template"),
    ],
)
def test_a_text_that_cannot_be_used_is_told_with_its_key(
    section: dict[str, object], where: str, says: str, tmp_path: Path
) -> None:
    base = plain_base(tmp_path)
    (tmp_path / "empty.md").write_text(" \n")
    with pytest.raises(ContractError, match=says) as raised:
        contract_of(base, **section)
    assert raised.value.where == where
