"""The frame: commands are found, errors are told, exit codes and the envelope hold."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tests.cli.conftest import Tutelage
from tests.journey.project import build
from tutelage.cli import frame
from tutelage.cli.frame import COMMANDS, FILES, road
from tutelage.cli.reply import Reply
from tutelage.core.errors import TutelageError

HEAVY = ("torch", "pydantic", "numpy", "pyarrow", "rich", "yaml", "msgspec", "transformers")
KEYS = ["schema", "command", "status", "data", "artifacts", "warnings", "error"]


def loaded_after(*words: str) -> set[str]:
    """Top-level modules a fresh interpreter has after a command line."""
    code = (
        "import sys, json\n"
        "from tutelage.cli import main\n"
        f"main({list(words)!r})\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return {name.partition(".")[0] for name in json.loads(done.stderr.splitlines()[-1])}


def test_help_loads_nothing_heavy() -> None:
    assert loaded_after("--help").isdisjoint(HEAVY)


def test_a_bad_recipe_is_told_before_torch_is_loaded(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("name: a\ntrian: {}\n")
    assert "torch" not in loaded_after("run", str(recipe))


@pytest.mark.parametrize("name", list(FILES))
def test_the_table_says_what_each_command_says_of_itself(name: str) -> None:
    command = road.get_command(click.Context(road), name)
    assert command is not None
    assert command.name == name
    assert (command.help or "").strip()
    said = next(
        says for group in COMMANDS.values() for key, (_, says) in group.items() if key == name
    )
    assert said.endswith(".")


@pytest.mark.parametrize("name", list(FILES))
def test_every_command_takes_json(name: str) -> None:
    command = road.get_command(click.Context(road), name)
    assert command is not None
    assert "--json" in [option for parameter in command.params for option in parameter.opts]


def test_help_lists_every_command_by_group(tutelage: Tutelage) -> None:
    said = tutelage("--help")
    assert said.code == 0
    assert all(f"{group}:" in said.out for group in COMMANDS)
    assert all(f"  {name} " in said.out for name in FILES)


def test_no_words_print_help_and_are_a_usage_error(tutelage: Tutelage) -> None:
    said = tutelage()
    assert (said.code, said.out) == (2, "")
    assert "Usage: tutelage" in said.err


def test_a_mistyped_command_is_answered_with_the_nearest(tutelage: Tutelage) -> None:
    said = tutelage("trian")
    assert said.code == 2
    assert said.err == (
        "error: there is no command `trian`\n\nhint: did you mean `tutelage train`?\n"
    )


def test_a_mistyped_option_is_answered_with_the_nearest(tutelage: Tutelage) -> None:
    said = tutelage("run", "--forse")
    assert said.code == 2
    assert said.err == "error: there is no option `--forse`\n\nhint: did you mean `--force`?\n"


def test_an_unlike_option_is_answered_with_help(tutelage: Tutelage) -> None:
    said = tutelage("schema", "--quux")
    assert said.code == 2
    assert said.err == (
        "error: there is no option `--quux`\n\nhint: see `tutelage schema --help`\n"
    )


def test_a_missing_argument_is_a_usage_error(tutelage: Tutelage) -> None:
    said = tutelage("init")
    assert said.code == 2
    assert said.err == "error: missing argument 'NAME'\n\nhint: see `tutelage init --help`\n"


def test_a_mistyped_recipe_is_answered_with_the_nearest(tutelage: Tutelage, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("name: a\n")
    said = tutelage("run", "recipy.yaml")
    assert said.code == 2
    assert said.err == (
        "error: recipy.yaml: there is no such recipe\n\nhint: did you mean `recipe.yaml`?\n"
    )


def test_a_folder_stands_for_the_recipe_in_it(tutelage: Tutelage, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "recipe.yaml").write_text("name: a\nsed: 1\n")
    said = tutelage("run", "project")
    assert said.code == 1
    assert "project/recipe.yaml:2:1  unknown key `sed`; did you mean `seed`?" in said.err


def test_no_recipe_anywhere_names_the_command_that_writes_one(tutelage: Tutelage) -> None:
    said = tutelage("run")
    assert said.code == 2
    assert "`tutelage init NAME` writes a starter project" in said.err


def test_an_override_must_be_key_and_value(tutelage: Tutelage, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("name: a\n")
    said = tutelage("run", "--set", "seed")
    assert said.code == 2
    assert "`--set seed` is not an override" in said.err


def test_json_is_one_object_also_for_usage_errors(tutelage: Tutelage) -> None:
    said = tutelage("run", "--json", "--forse")
    form = said.json()
    assert said.out.count("\n") == 1
    assert list(form) == KEYS
    assert (form["schema"], form["command"], form["status"]) == (1, "run", "usage")
    assert form["error"] == {
        "code": "usage",
        "message": "there is no option `--forse`",
        "where": "",
        "hint": "did you mean `--force`?",
        "rows": [],
    }


def test_json_holds_every_fault_of_a_recipe(tutelage: Tutelage, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("name: a\nsed: 1\ntrian: {}\n")
    said = tutelage("run", "--json")
    form = said.json()
    assert (said.code, form["status"], form["error"]["code"]) == (1, "failed", "recipe")
    assert [row["where"] for row in form["error"]["rows"]] == [
        "recipe.yaml:2:1",
        "recipe.yaml:3:1",
    ]


def test_json_of_what_went_well_has_no_error(tutelage: Tutelage) -> None:
    said = tutelage("schema", "--json")
    form = said.json()
    assert (said.code, form["status"], form["error"]) == (0, "done", None)
    assert form["data"]["title"] == "Recipe"
    assert said.err == ""


def raising(error: BaseException) -> click.Command:
    """A command that raises."""

    def fail() -> None:
        raise error

    return click.Command("schema", callback=fail)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, tutelage: Tutelage) -> Tutelage:
    """A `schema` that raises the error it is given."""

    def run(error: BaseException) -> object:
        with monkeypatch.context() as patched:
            patched.setattr(frame.Lazy, "get_command", lambda *_: raising(error))
            return tutelage("schema")

    return run  # type: ignore[return-value]


def test_ctrl_c_says_that_the_same_command_goes_on(failing: Tutelage) -> None:
    said = failing(KeyboardInterrupt())
    assert said.code == 130
    assert said.err.strip() == (
        "error: interrupted; nothing is half-written\n\nhint: `tutelage schema` goes on from there"
    )


def test_ctrl_c_says_that_a_forced_command_begins_anew() -> None:
    assert frame.interrupted(["curate", "r.yaml", "--force"]).hint == (
        "`tutelage curate r.yaml --force` begins anew"
    )


def test_the_unexpected_is_told_without_a_traceback(failing: Tutelage) -> None:
    said = failing(KeyError("end"))
    assert said.code == 1
    assert said.err == (
        "error: unexpected KeyError: 'end'\n\n"
        "hint: this is a fault of tutelage; the same command with TUTELAGE_DEBUG=1 shows where\n"
    )


def test_debug_shows_the_traceback(failing: Tutelage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTELAGE_DEBUG", "1")
    said = failing(TutelageError("no"))
    assert "Traceback (most recent call last)" in said.err
    assert said.err.endswith("error: no\n")


def test_a_missing_package_names_the_extra_that_brings_it(failing: Tutelage) -> None:
    said = failing(ModuleNotFoundError("No module named 'torch'", name="torch"))
    assert said.code == 1
    assert said.err == (
        "error: this needs `torch`, which is not installed\n\nhint: pip install 'tutelage[train]'\n"
    )


def test_a_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    line = f"{sys.executable} -m tutelage schema | head -1"
    done = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "{\n"
    assert done.stderr == ""


def test_what_the_system_refuses_names_the_file(failing: Tutelage) -> None:
    said = failing(PermissionError(errno.EACCES, "Permission denied", "data"))
    assert said.code == 1
    assert said.err.startswith("error: data: the system refuses: Permission denied\n\nhint: ")


@pytest.mark.parametrize("words", ["schema", "schema --json"])
def test_an_answer_that_cannot_be_printed_is_an_error(words: str) -> None:
    line = f"{sys.executable} -m tutelage {words} > /dev/full"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("error: stdout: the answer cannot be printed: No space left")
    assert "Traceback" not in done.stderr


def test_closed_streams_are_no_error() -> None:
    line = f"{sys.executable} -m tutelage schema >&- 2>&-"
    assert subprocess.run(["sh", "-c", line], timeout=60).returncode == 0


def test_a_locale_that_lacks_letters_gets_escapes_and_json_stays_utf_8(tmp_path: Path) -> None:
    environment = os.environ | {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    build(tmp_path)
    (tmp_path / "other.yaml").write_text("name: a\n日本: 1\n", encoding="utf-8")
    told = []
    for words in (["show"], ["check", "--json", "other.yaml"]):
        done = subprocess.run(
            [sys.executable, "-m", "tutelage", *words],
            capture_output=True,
            cwd=tmp_path,
            env=environment,
            timeout=60,
        )
        told.append(done.stdout)
    assert b'\\u27e6{"team": "billing"}<|im_end|>\\u27e7' in told[0]
    assert "日本" in json.loads(told[1])["error"]["rows"][0]["problem"]


def test_json_survives_a_name_that_is_no_text(tutelage: Tutelage) -> None:
    assert tutelage("check", "--json", "\udcff.yaml").json()["error"]["where"] == "\udcff.yaml"


def test_what_cannot_be_drawn_is_told_and_not_shown_as_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def draw(console: object) -> None:
        raise KeyError("share")

    monkeypatch.setattr(frame, "_reply", lambda words, session: Reply(draw=draw))
    assert frame.main(["schema"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: unexpected KeyError: 'share'\n")
    assert "Traceback" not in said


def test_what_json_cannot_hold_is_told_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(frame, "_reply", lambda words, session: Reply(data={"a": object()}))
    assert frame.main(["schema", "--json"]) == 1
    form = json.loads(capsys.readouterr().out)
    assert (form["status"], form["error"]["code"]) == ("failed", "error")
