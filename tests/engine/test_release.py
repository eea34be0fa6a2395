"""A release is opened with its own base, tokenizer, template and adapter, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.micro import micro_base
from tests.release.project import copied, released, sealed
from tutelage.core.conversation import Conversation, Message
from tutelage.core.errors import BaseModelError, ContractError, StoreError, TutelageError
from tutelage.engine.protocol import Decoding, Prompt
from tutelage.engine.release import open_release
from tutelage.store.release import ReleaseFolder

ASKED = Conversation(messages=(Message(role="user", content="my lamp is broken"),))


@pytest.fixture(scope="module", params=["full", "lora"])
def release(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> ReleaseFolder:
    return released(tmp_path_factory.mktemp(request.param), method=request.param)


def answer(release: ReleaseFolder, base: Path) -> str:
    opened = open_release(release, base=str(base))
    prompt = Prompt(ids=opened.contract.prompt_ids(ASKED))
    (generation,) = opened.engine.generate([prompt], Decoding(max_new_tokens=6))
    return generation.text


def test_a_copied_release_answers_as_the_one_in_the_store(
    release: ReleaseFolder, tmp_path: Path
) -> None:
    assert release.project is not None
    moved = copied(release, tmp_path)
    assert answer(moved, tmp_path / "base") == answer(release, release.project / "base")


def one_merge(base: Path) -> None:
    path = base / "tokenizer.json"
    form = json.loads(path.read_text())
    form["model"]["merges"].append(["a", "b"])
    form["model"]["vocab"]["ab"] = len(form["model"]["vocab"])
    path.write_text(json.dumps(form))


def a_template(base: Path) -> None:
    path = base / "tokenizer_config.json"
    form = json.loads(path.read_text())
    form["chat_template"] = form["chat_template"].replace("assistant", "helper")
    path.write_text(json.dumps(form))


def other_weights(base: Path) -> None:
    weights = load_file(base / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"] + 0.25
    save_file(weights, base / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    ("spoil", "error", "says"),
    [
        (one_merge, ContractError, "number 1 is ['a', 'b'], expected nothing"),
        (a_template, ContractError, "chat_template: +"),
        (other_weights, BaseModelError, "expected"),
    ],
)
def test_another_base_is_refused_with_what_differs(
    spoil: Callable[[Path], None],
    error: type[TutelageError],
    says: str,
    release: ReleaseFolder,
    tmp_path: Path,
) -> None:
    moved = copied(release, tmp_path)
    spoil(tmp_path / "base")
    with pytest.raises(error) as raised:
        open_release(moved, base=str(tmp_path / "base"))
    assert any(says in row.problem for row in raised.value.rows)
    assert raised.value.hint


def test_a_base_that_is_not_there_is_refused(release: ReleaseFolder, tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match="no folder"):
        open_release(release, base=str(tmp_path / "nowhere"))


def zeroed(release: ReleaseFolder, base: Path) -> None:
    """Puts an adapter that changes nothing in the release's place."""
    if release.form["adapter"]["layout"] == "lora":
        path = release.adapter / "adapter_model.safetensors"
        weights = {name: torch.zeros_like(value) for name, value in load_file(path).items()}
    else:
        path = release.adapter / "model.safetensors"
        weights = load_file(base / "model.safetensors")
    save_file(weights, path, {"format": "pt"})


def test_an_adapter_that_does_nothing_is_refused(release: ReleaseFolder, tmp_path: Path) -> None:
    moved = copied(release, tmp_path)
    zeroed(moved, tmp_path / "base")
    with pytest.raises(StoreError, match="damaged"):
        open_release(moved, base=str(tmp_path / "base"))
    with pytest.raises(BaseModelError, match="the adapter changes nothing"):
        open_release(sealed(moved.folder), base=str(tmp_path / "base"))


def test_another_adapter_is_refused(release: ReleaseFolder, tmp_path: Path) -> None:
    moved = copied(release, tmp_path)
    (path,) = moved.adapter.glob("*.safetensors")
    weights = load_file(path)
    strange = torch.Generator().manual_seed(1)
    for name, value in weights.items():
        weights[name] = value + 0.3 * torch.randn(value.shape, generator=strange).to(value.dtype)
    save_file(weights, path, {"format": "pt"})
    with pytest.raises(BaseModelError, match="does not score as the released one"):
        open_release(sealed(moved.folder), base=str(tmp_path / "base"))


def test_a_base_of_another_shape_is_told(release: ReleaseFolder, tmp_path: Path) -> None:
    moved = copied(release, tmp_path)
    micro_base(tmp_path / "other", seed=9)
    with pytest.raises(BaseModelError, match="is not the base"):
        open_release(moved, base=str(tmp_path / "other"))
