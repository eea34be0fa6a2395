"""The reference of commands is written from the commands, and current."""

from __future__ import annotations

from pathlib import Path

from tutelage.cli.frame import FILES
from tutelage.cli.reference import markdown

WRITTEN = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_reference_is_current() -> None:
    assert WRITTEN.read_text(encoding="utf-8") == markdown(), (
        "run `python -m tutelage.cli.reference > docs/cli.md`"
    )


def test_every_command_has_its_section_and_options() -> None:
    text = markdown()
    for name in FILES:
        assert f"### tutelage {name}\n" in text
    assert text.count("- `--json` ") == len(FILES)
