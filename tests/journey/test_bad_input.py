"""Bad input of each kind is met with a message that says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journey.bad_input import CASES, section

GOLDEN = Path(__file__).parent.parent / "golden" / "bad_input.md"


@pytest.mark.parametrize("name", list(CASES))
def test_the_message_is_the_golden_one(name: str) -> None:
    assert section(name, CASES[name]) in GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", list(CASES))
def test_no_message_shows_code_or_this_machine(name: str) -> None:
    told = section(name, CASES[name])
    assert "Traceback" not in told
    assert "unexpected" not in told
    assert "/tmp" not in told


def test_there_are_twelve_kinds_or_more() -> None:
    assert len(CASES) >= 12
