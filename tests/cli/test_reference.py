"""The reference of commands is written from the commands."""

from __future__ import annotations

from tutelage.cli.frame import FILES
from tutelage.cli.reference import markdown


def test_every_command_has_its_section_and_options() -> None:
    text = markdown()
    for name in FILES:
        assert f"### tutelage {name}\n" in text
    parts = sum(text.count(f"#### tutelage {name} ") for name in ("contract", "rate", "review"))
    assert parts == 7
    assert text.count("- `--json` ") == len(FILES) + parts
    assert "`serve` one with its `url` once it listens, `chat` one for every answer" in text
