from __future__ import annotations

from pathlib import Path

import pytest

from tutelage.core.errors import BaseModelError
from tutelage.store.base import find_base

NO_TENSORS = (2).to_bytes(8, "little") + b"{}"  # a safetensors file of an empty header


def folder_of(tmp_path: Path, config: str = '{"model_type": "llama"}') -> Path:
    folder = tmp_path / "models" / "mine"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(config)
    return folder


def test_a_base_is_named_as_the_recipe_names_it_but_for_folders_of_this_machine(
    tmp_path: Path,
) -> None:
    folder = folder_of(tmp_path)
    for written, name in ((str(folder), "mine"), ("models/mine", "models/mine")):
        base = find_base(written, tmp_path)
        assert (base.name, base.folder, base.config) == (name, folder, {"model_type": "llama"})


def test_the_digests_follow_what_is_in_the_folder(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    before = find_base("models/mine", tmp_path).digests()
    (folder / "model.safetensors").write_bytes(NO_TENSORS)
    (folder / "chat_template.jinja").write_text("template")
    after = find_base("models/mine", tmp_path).digests()
    differing = {name for name in before if before[name] != after[name]}
    assert differing == {"base:weights", "base:tokenizer"}


def test_what_is_no_base_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match=r"no folder `\./none`"):
        find_base("./none", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BaseModelError, match=r"has no config\.json"):
        find_base("empty", tmp_path)
    folder_of(tmp_path, "{")
    with pytest.raises(BaseModelError, match="is no JSON"):
        find_base("models/mine", tmp_path)


def test_a_configuration_that_is_no_object_is_refused(tmp_path: Path) -> None:
    folder_of(tmp_path, "[]")
    with pytest.raises(BaseModelError, match="no JSON object"):
        find_base("models/mine", tmp_path)
