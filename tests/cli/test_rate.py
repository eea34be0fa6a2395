"""`rate`: sheets out, ratings in, said for people and for programs."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Tutelage
from tests.evaluate.fakes import RECIPE, FakeBench, never, oracle, project, report
from tests.evaluate.test_rate import fill, filled, lines
from tutelage.cli.rate import CRITERIA
from tutelage.score.judge import CRITERIA as KNOWN
from tutelage.score.roster import check_recipe

COUNT = 20


@pytest.fixture
def named(tmp_path: Path) -> str:
    """A run with a report, by the name of its recipe."""
    with project(tmp_path, count=COUNT) as run:
        report(run, FakeBench({"tuned": oracle(COUNT), "zero_shot": never, "few_shot": never}))
    return "music"


def test_a_sheet_goes_out_and_comes_back(tutelage: Tutelage, named: str, tmp_path: Path) -> None:
    out = tutelage("rate", "export", named, "--suite", "calls", "--against", "zero_shot",
                   "-o", "sheet.csv")  # fmt: skip
    assert (out.code, out.err) == (0, "")
    assert out.out.splitlines() == [
        "sheet.csv: 20 lines for rater",
        "then: tutelage rate import music sheet.csv",
    ]
    path = tmp_path / "sheet.csv"
    filled(path, lines(path))
    said = tutelage("rate", "import", named, "sheet.csv")
    assert said.code == 0
    for words in (
        "20 ratings taken in: ratings-",
        "calls: tuned against zero_shot",
        "win rate               100.0 [83.9 100.0], n 20",
        "agreement (alpha)      not known: no answer is rated by two or more",
        "first shown preferred  50.0",
        "tuned is preferred",
        "rater: 20 rated, first shown preferred 50 %",
    ):
        assert words in said.out, words


def test_programs_read_the_same(tutelage: Tutelage, named: str, tmp_path: Path) -> None:
    form = tutelage("rate", "export", named, "--suite", "calls", "--against", "few_shot",
                    "-o", "s.jsonl", "--rater", "ann", "--rater", "ben",
                    "--json").json()  # fmt: skip
    assert [one["file"] for one in form["data"]["sheets"]] == ["s-ann.jsonl", "s-ben.jsonl"]
    assert [one["lines"] for one in form["data"]["sheets"]] == [COUNT, COUNT]
    for name in ("s-ann.jsonl", "s-ben.jsonl"):
        filled(tmp_path / name, lines(tmp_path / name))
    form = tutelage("rate", "import", named, "s-ann.jsonl", "s-ben.jsonl", "--json").json()
    pair = form["data"]["suites"]["calls"]["pairs"]["few_shot"]
    assert (form["data"]["ratings"], pair["agreement"]["n"]) == (2 * COUNT, COUNT)
    assert [one["stage"] for one in form["artifacts"]] == ["rate"]
    assert "report-" in tutelage("lineage", form["artifacts"][0]["name"]).out


def test_marks_are_printed_by_system(tutelage: Tutelage, named: str, tmp_path: Path) -> None:
    tutelage("rate", "export", named, "--suite", "calls", "--criterion", "formatting",
             "-o", "m.csv")  # fmt: skip
    path = tmp_path / "m.csv"
    fill(path, [{**row, "formatting": 5 if '{"' in row["answer"] else 1} for row in lines(path)])
    said = tutelage("rate", "import", named, "m.csv")
    assert "calls: formatting" in said.out
    assert "tuned                  100.0" in said.out
    assert "zero_shot              0.0" in said.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-o", "s.csv"], "either `--against BASELINE` or `--criterion NAME`"),
        (["-o", "s.xlsx", "--against", "zero_shot"], "name it *.csv or *.jsonl"),
        (["-o", "s.csv", "--against", "zero_shot", "--rater", "a/b"], "cannot name a rater"),
        (["-o", "s.csv", "--against", "zero_shot", "--rater", "a", "--rater", "a"], "named twice"),
    ],
)
def test_what_cannot_be_exported_is_told(
    tutelage: Tutelage, named: str, words: list[str], told: str
) -> None:
    said = tutelage("rate", "export", named, "--suite", "calls", *words)
    assert said.code == 2
    assert told in said.err
    assert not list(Path().glob("s.*"))


def test_a_sheet_that_is_not_there_and_a_run_without_report_are_told(
    tutelage: Tutelage, named: str
) -> None:
    said = tutelage("rate", "import", named, "nothing.csv")
    assert (said.code, "there is no such sheet" in said.err) == (2, True)
    assert tutelage("rate", "import", "control", "nothing.csv").code == 1
    assert "did you mean `tutelage rate export`" in tutelage("rate", "exports").err


GUIDE = Path(__file__).parents[2] / "docs" / "rating.md"


def test_the_guides_commands_and_rules_work(tutelage: Tutelage, tmp_path: Path) -> None:
    text = GUIDE.read_text(encoding="utf-8")
    rules = text.partition("```yaml\ngate:\n")[2].partition("```")[0]
    recipe = RECIPE.replace("name: music", "name: intents") + rules
    with project(tmp_path, recipe=recipe, count=COUNT) as run:
        check_recipe(run.recipe)
        report(run, FakeBench({"tuned": oracle(COUNT), "zero_shot": never, "few_shot": never}))
    commands = [shlex.split(line) for line in text.splitlines() if line.startswith("    tutelage ")]
    assert [words[2] for words in commands] == ["export", "export", "import", "withdraw"]
    told = []
    for words in commands:
        if words[2] == "withdraw":
            words[4] = lines(tmp_path / "marks.csv")[0]["sheet"]
        for path in tmp_path.glob("sheet-*.csv"):
            filled(path, lines(path))
        said = tutelage(*words[1:])
        assert said.code == 0, said.err
        told.append(said.out)
    assert "agreement (alpha)      not known: 20 answers rated by several, all of" in told[2]
    assert "is withdrawn: lost in the post" in told[3]


def test_the_criteria_are_those_of_judges() -> None:
    assert tuple(KNOWN) == CRITERIA
