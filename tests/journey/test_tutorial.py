"""Every command and snippet of the tutorial, in its order, on a micro base."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import tutelage as tt
from tests.journey.project import inside, speak
from tests.micro import micro_base
from tutelage.cli.frame import FILES

DOCS = Path(__file__).parents[2] / "docs"
TUTORIAL = DOCS / "tutorial.md"
BLOCK = re.compile(r"```(console|python|yaml)\n(.*?)```", re.DOTALL)
SERVED = "http://127.0.0.1:8000"
MICRO = {  # seconds instead of a minute, and a gate that a micro base passes
    "base: tutelage/tiny": "base: base",
    "epochs: 12": "epochs: 1",
    "  - tickets.parse >= 0.80\n": "  - tickets.parse >= 0.00\n",
    "  - tickets.exact_match >= few_shot + 0.00\n": "",
}


def blocks() -> Iterator[tuple[str, str]]:
    """Kind and text of each block, in order."""
    for found in BLOCK.finditer(TUTORIAL.read_text(encoding="utf-8")):
        yield found[1], found[2]


class Reader:
    """Does what the page says, as a reader would."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.stack = stack
        self.names: dict[str, Any] = {}
        self.url = ""

    def command(self, line: str) -> None:
        """One line of a console block."""
        words = shlex.split(line)
        if words[0] == "cd":
            self.folder = self.folder / words[1]
            return
        assert words[0] == "tutelage"
        if words[1] == "serve":
            release = tt.release(self.folder / "recipe.yaml")
            self.url = self.stack.enter_context(tt.serving(release))
            return
        if words[1] == "lineage":
            words[2] = f"event:{self.names['answer'].id}"
        said = speak(self.folder, *words[1:])
        assert said.code == 0, said.err
        if words[1] == "init":
            self.make_small(self.folder / words[2])
        if words[1] == "improve":
            self.approve()

    def make_small(self, project: Path) -> None:
        micro_base(project / "base")
        recipe = project / "recipe.yaml"
        text = recipe.read_text(encoding="utf-8")
        for large, small in MICRO.items():
            assert large in text
            text = text.replace(large, small)
        recipe.write_text(text, encoding="utf-8")

    def approve(self) -> None:
        review = self.folder / "review.jsonl"
        lines = [json.loads(line) for line in review.read_text(encoding="utf-8").splitlines()]
        assert lines
        text = "".join(json.dumps({**line, "approved": True}) + "\n" for line in lines)
        review.write_text(text, encoding="utf-8")

    def snippet(self, text: str) -> None:
        """One block of Python."""
        with inside(self.folder):
            exec(compile(text.replace(SERVED, self.url), str(TUTORIAL), "exec"), self.names)
        self.stack.callback(self.names["client"].close)

    def source(self, text: str) -> None:
        """The recipe with the source the page adds."""
        listed = next(line for line in text.splitlines() if line.lstrip().startswith("- {path:"))
        recipe = self.folder / "recipe.yaml"
        before = recipe.read_text(encoding="utf-8")
        recipe.write_text(before.replace("  sources:\n", f"  sources:\n{listed}\n", 1))


def test_the_tutorial_does_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ExitStack() as stack:
        reader = Reader(tmp_path, stack)
        for kind, text in blocks():
            if kind == "console":
                for line in text.splitlines():
                    reader.command(line)
            elif kind == "python":
                reader.snippet(text)
            elif text.startswith("curate:"):
                reader.source(text)
    rows = (reader.folder / "data" / "feedback.jsonl").read_text(encoding="utf-8")
    assert json.loads(rows)["source"]["uri"] == f"event:{reader.names['answer'].id}"
    assert reader.names["answer"].id in capsys.readouterr().out


@pytest.mark.parametrize("page", ["tutorial.md", "contract.md", "../README.md"])
def test_every_command_a_page_names_is_there(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    named = set(re.findall(r"\btutelage ([a-z][a-z-]+)", text))
    prose = {"as", "takes"}
    assert named - prose <= set(FILES)
    assert named & set(FILES)
