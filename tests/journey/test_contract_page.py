"""Every command and snippet of the page on the prompt contract, in its order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.journey.project import Spoken, speak
from tests.render.bases import contract_of, embedded
from tutelage.core.recipe import load

PAGE = Path(__file__).parents[2] / "docs" / "contract.md"
BLOCK = re.compile(r"```(console|yaml)\n(.*?)```", re.DOTALL)
SECTION = re.compile(r"^contract:.*?^(?=\w)", re.DOTALL | re.MULTILINE)
DIFFER = 1


def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    folder, said = tmp_path, dict[str, Spoken]()
    for kind, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if kind == "yaml":
            before = (folder / "recipe.yaml").read_text(encoding="utf-8")
            after, count = SECTION.subn(lambda _, text=text: f"{text}\n", before)
            assert count == 1
            (folder / "next.yaml").write_text(after, encoding="utf-8")
            continue
        for line in text.splitlines():
            words = shlex.split(line)
            if words[0] == "cd":
                folder = folder / words[1]
                continue
            said[line] = speak(folder, *words[1:])
            differ = words[1:3] == ["contract", "diff"]
            assert said[line].code == (DIFFER if differ else 0), said[line].err
    assert load(folder / "next.yaml").contract.without_system == 0.1
    diff = said["tutelage contract diff recipe.yaml next.yaml"].out
    assert "+ Name the team for this ticket and whether it is urgent, as JSON. Never" in diff
    assert "variants.desk-short  nothing → `desk-short`" in diff
    assert "system prompt: desk-" in said["tutelage show next.yaml --count 5"].out
    assert (folder / "rows.html").is_file()


def test_the_page_names_every_part_of_a_contract() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = (
        text.partition("| part |")[2].partition("|---|---|\n")[2].partition("\n\n")[0].splitlines()
    )
    named = {word for row in rows for word in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == set(contract_of(embedded()).to_dict()) - {"schema", "base"}
