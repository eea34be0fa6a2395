"""The reference of commands is written from the commands."""

from __future__ import annotations

from tutelage.cli.frame import FILES
from tutelage.cli.reference import markdown


def test_every_command_has_its_section_and_options() -> None:
    text = markdown()
    for name in FILES:
        assert f"### tutelage {name}\n" in text
    parts = text.count("#### tutelage contract ") + text.count("#### tutelage rate ")
    assert parts == 4
    assert text.count("- `--json` ") == len(FILES) + parts
    assert "`serve` one with its `url` once it listens, `chat` one for every answer" in text
