"""Whoever works on the rows, and on how many at a time: the dataset is the same."""

from __future__ import annotations

import importlib.util
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.curate.test_curate_steps import example
from tutelage.core.conversation import Message, ToolCall
from tutelage.core.errors import RecipeError, TutelageError
from tutelage.core.recipe import Recipe, Scale, loads
from tutelage.core.row import Example, Generator, Source
from tutelage.curate import run as door
from tutelage.curate.packed import Packed, packed
from tutelage.curate.passes import Passes
from tutelage.curate.runner import Here, opened
from tutelage.curate.shelf import Rows, Shelf
from tutelage.store.artifact import Artifact
from tutelage.store.run import Run

WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in "lmnrst"]
ROWS = 2400


def text(draw: random.Random, words: int) -> str:
    return " ".join(draw.choices(WORDS, k=words))


def write(folder: Path) -> None:
    """Rows with repeats, near-duplicates, leaks, personal data and authors at known places."""
    draw = random.Random(5)
    items = [text(draw, 30) for _ in range(20)]
    rows: list[dict[str, Any]] = []
    for number in range(ROWS):
        asked, said = text(draw, draw.randint(2, 30)), text(draw, draw.randint(20, 60))
        if number % 10 == 1:
            asked, said = rows[-1]["prompt"], rows[-1]["completion"]
        elif number % 10 == 2:
            said = f"{rows[-1]['completion']} {draw.choice(WORDS)}"
            asked = rows[-1]["prompt"]
        elif number % 40 == 7:
            asked = f"{asked} {items[number // 40 % 20]}"
        elif number % 25 == 4:
            said = f"{said} ann{number}@example.org"
        rows.append({"prompt": asked, "completion": said, "who": f"a{number % 300}"})
    halves = {"one": rows[: ROWS // 3], "two": rows[ROWS // 3 :]}
    for name, own in halves.items():
        lines = "".join(json.dumps(row) + "\n" for row in own)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    told = [{"prompt": item, "completion": "Yes"} for item in items]
    suite = "".join(json.dumps(row) + "\n" for row in told)
    (folder / "items.jsonl").write_text(suite, encoding="utf-8")


def form(scale: dict[str, Any]) -> dict[str, Any]:
    """The recipe."""
    sources = [
        {"path": f"{name}.jsonl", "origin": "human", "licence": "CC0-1.0", "author": "who"}
        for name in ("one", "two")
    ]
    section = {
        "sources": sources,
        "group_by": "example",
        "screen": {"actions": {"pii": "redact"}},
        "scale": scale,
    }
    suites = [{"name": "s", "path": "items.jsonl", "scorers": ["rouge"]}]
    return {"name": "test", "seed": 3, "curate": section, "evaluate": {"suites": suites}}


def curate(folder: Path, **scale: Any) -> Artifact:
    folder.mkdir()
    write(folder)
    recipe = Recipe.model_validate(form(scale)).at(folder)
    assert recipe.curate is not None
    with Run.open(recipe) as run:
        return door.run(recipe.curate, {}, run)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """By one process, all rows of a file at once."""
    return curate(tmp_path_factory.mktemp("scale") / "plain", workers=1)


def test_what_was_planted_is_found(made: Artifact) -> None:
    counts = made.counts
    assert counts["drop.exact_duplicate"] == ROWS // 10
    assert counts["drop.near_duplicate"] > ROWS // 12
    assert counts["drop.leak_ngram"] > 30
    assert counts["found.pii.email.redact"] > 50
    assert counts["validation"] > 10


@pytest.mark.parametrize("part_rows", [97, 512])
def test_the_size_of_parts_does_not_change_the_dataset(
    made: Artifact, tmp_path: Path, part_rows: int
) -> None:
    other = curate(tmp_path / "other", workers=1, part_rows=part_rows)
    assert (other.digest, other.key) == (made.digest, made.key)


@pytest.mark.parametrize("workers", [2, 3])
def test_several_processes_come_to_the_same_dataset(
    made: Artifact, tmp_path: Path, workers: int
) -> None:
    assert curate(tmp_path / "other", workers=workers, part_rows=300).digest == made.digest


@pytest.mark.parametrize("runner", ["daft", "ray"])
def test_daft_and_ray_come_to_the_same_dataset(made: Artifact, tmp_path: Path, runner: str) -> None:
    if importlib.util.find_spec(runner) is None:
        pytest.skip(f"{runner} is not installed: it is in the extra `scale`")
    write(tmp_path)
    scale = {"runner": runner, "workers": 2, "part_rows": 500}
    (tmp_path / "recipe.yaml").write_text(json.dumps(form(scale)), encoding="utf-8")
    command = [sys.executable, "-m", "tutelage", "curate", str(tmp_path / "recipe.yaml"), "--json"]

    done = subprocess.run(command, capture_output=True, text=True, check=True)

    (dataset,) = json.loads(done.stdout)["artifacts"]
    assert dataset["digest"] == made.digest


def test_an_address_is_for_ray_alone() -> None:
    text = (
        "name: a\ncurate:\n  sources: [{path: a.jsonl, origin: human, licence: CC0-1.0}]\n"
        "  scale: {address: 'ray://x:1'}\n"
    )
    with pytest.raises(RecipeError, match="`address` has no effect"):
        loads(text)


class Failing:
    """A task of which the second part goes wrong."""

    def __call__(self, part: Packed) -> int:
        if part.first:
            raise ValueError("no such row")
        return part.count


def test_what_goes_wrong_in_a_process_is_told_by_the_one_that_asked() -> None:
    rows = Rows.of([example(f"request {number}") for number in range(4)])
    with opened(Scale(workers=2), len(rows)) as runner:
        answers = Passes(runner=runner, part_rows=2).each(Failing(), rows)
        assert next(answers) == 2
        with pytest.raises(TutelageError, match="no such row"):
            next(answers)


def test_few_rows_are_worked_on_here() -> None:
    with opened(Scale(), 100) as runner:
        assert isinstance(runner, Here)


def whole(at: int) -> Example:
    """A row with all that a row can say."""
    call = ToolCall(name="f", arguments={"a": [1, 10**30, 1.5, None, "é\n"], "b": {}}, id="c1")
    return Example(
        messages=(
            Message(role="system", content="Be kind.\u2028"),
            Message(role="user", content=f"ask {at}", name="ann"),
            Message(role="assistant", content="", reasoning="hm", tool_calls=(call,), weight=0.5),
            Message(role="tool", content="{}", tool_call_id="c1"),
            Message(role="assistant", content="done", train=False),
        ),
        tools=({"type": "function", "function": {"name": "f"}},),
        chosen=(Message(role="assistant", content="good"),),
        rejected=(Message(role="assistant", content="bad", reasoning=""),),
        origin="synthetic",
        licence="MIT",
        licence_basis="file",
        source=Source(uri="a.jsonl", line=at, digest="d"),
        author="a",
        consent_key="k",
        generator=Generator(model="m", parameters={"temperature": 0.5}, seed=3, licence="MIT"),
        parents=("p", "q"),
        editor="e",
        tags={"intent": "x", "b": "y"},
        split="train",
        stage="one",
        weight=0.25,
    )


def test_a_row_comes_back_from_the_shelf_as_it_was(tmp_path: Path) -> None:
    examples = [whole(1), example("plain"), whole(3)]
    shelf = Shelf(tmp_path)
    for one in examples:
        shelf.add(packed(one))
    shelf.replace(1, packed(example("another")))
    rows = Rows(shelf, np.array([2, 1, 0]))

    assert list(rows) == [whole(3), example("another"), whole(1)]
    assert (rows[-1], rows[0:2]) == (whole(1), [whole(3), example("another")])
    assert len(rows.take([True, False, True])) == 2
    assert list(tmp_path.iterdir()) == []  # the file has no name
    shelf.close()
