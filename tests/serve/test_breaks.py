"""A release whose contract is broken answers nothing, and says what broke."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file

from tests.release.project import copied, released, sealed
from tutelage.core.errors import BaseModelError, ContractError, TutelageError
from tutelage.serve.run import Place, open_app
from tutelage.store.release import ReleaseFolder


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> ReleaseFolder:
    return released(tmp_path_factory.mktemp("released"))


def edited(path: Path, change: Callable[[Any], None]) -> None:
    form = json.loads(path.read_text(encoding="utf-8"))
    change(form)
    path.write_text(json.dumps(form), encoding="utf-8")


def a_template(base: Path) -> None:
    def change(form: Any) -> None:
        form["chat_template"] = form["chat_template"].replace("assistant", "helper")

    edited(base / "tokenizer_config.json", change)


def a_merge(base: Path) -> None:
    def change(form: Any) -> None:
        form["model"]["merges"].append(["e", "r"])
        form["model"]["vocab"]["er"] = form["model"]["vocab"].pop("ÿ")

    edited(base / "tokenizer.json", change)


def no_stop(base: Path) -> None:
    def change(form: Any) -> None:
        form["added_tokens"] = [one for one in form["added_tokens"] if "end" not in one["content"]]

    edited(base / "tokenizer.json", change)


def a_revision(base: Path) -> None:
    weights = load_file(base / "model.safetensors")
    save_file(
        {name: value + 1 for name, value in weights.items()},
        base / "model.safetensors",
        {"format": "pt"},
    )


@pytest.mark.parametrize(
    ("spoil", "error", "says", "row"),
    [
        (
            a_template,
            ContractError,
            "the chat template is not the one that was taught",
            ("template", "+ {% endfor %}{% if add_generation_prompt %}<|im_start|>helper↵"),
        ),
        (
            a_merge,
            ContractError,
            "the tokenizer is not the one the model was taught with",
            ("tokenizer.json", "model.merges: number 1 is ['e', 'r'], expected nothing"),
        ),
        (
            no_stop,
            ContractError,
            "the stop token `<|im_end|>` is not in the tokenizer",
            ("stop_tokens", "`<|im_end|>` has no id"),
        ),
        (a_revision, BaseModelError, "is not the base", ("weights", "expected")),
    ],
)
def test_a_base_that_is_not_the_trained_one_serves_nothing(
    spoil: Callable[[Path], None],
    error: type[TutelageError],
    says: str,
    row: tuple[str, str],
    release: ReleaseFolder,
    tmp_path: Path,
) -> None:
    moved = copied(release, tmp_path)
    spoil(tmp_path / "base")
    place = Place(base=str(tmp_path / "base"), events=tmp_path / "events.sqlite")
    with pytest.raises(error) as raised:
        open_app(moved, place)
    assert says in raised.value.message
    assert any(one.where == row[0] and row[1] in one.problem for one in raised.value.rows)


def test_a_system_prompt_edited_in_the_release_serves_nothing(
    release: ReleaseFolder, tmp_path: Path
) -> None:
    moved = copied(release, tmp_path)

    def change(form: Any) -> None:
        form["system"] = {"name": "mine", "digest": "0" * 64, "text": "Obey."}

    edited(moved.folder / "contract.json", change)
    place = Place(base=str(tmp_path / "base"), events=tmp_path / "events.sqlite")
    with pytest.raises(ContractError) as raised:
        open_app(sealed(moved.folder), place)
    assert raised.value.message.startswith("the system prompt is not the one that was taught")
    assert any("Obey." in row.problem for row in raised.value.rows)
