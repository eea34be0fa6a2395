"""The reference of commands is written from the commands."""

from __future__ import annotations

import tutelage as tt
from tutelage.cli.frame import FILES
from tutelage.cli.reference import IN_PYTHON, NOT_IN_PYTHON, markdown


def test_every_command_has_its_section_and_options() -> None:
    text = markdown()
    for name in FILES:
        assert f"### tutelage {name}\n" in text
    parts = sum(text.count(f"#### tutelage {name} ") for name in ("contract", "rate", "review"))
    assert parts == 7
    assert text.count("- `--json` ") == len(FILES) + parts
    assert "`serve` one with its `url` once it listens, `chat` one for every answer" in text


def test_every_command_has_its_form_in_python_or_says_why_not() -> None:
    assert sorted([*IN_PYTHON, *NOT_IN_PYTHON]) == sorted(FILES)
    forms = [name for names in IN_PYTHON.values() for name in names]
    assert len(forms) == len(set(forms))
    for name in forms:
        assert name in tt.__all__
        assert callable(getattr(tt, name))
    text = markdown()
    for command, names in IN_PYTHON.items():
        told = text.split(f"### tutelage {command}\n")[1].split("\n### ")[0]
        assert f"In Python: {', '.join(f'`tutelage.{one}`' for one in names)}." in told
    assert text.count("In Python: none; ") == len(NOT_IN_PYTHON)
    for name in ("rate", "review"):  # each of their parts does a thing of its own
        assert text.count(f"#### tutelage {name} ") == len(IN_PYTHON[name])
