from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import AddedToken

from tests.render.bases import PLAIN, assistant, base_of, byte_level, contract_of, example, user
from tutelage.core.errors import BaseModelError
from tutelage.core.recipe import Named
from tutelage.core.recipe.contract import RESERVED
from tutelage.render.tokenizer import NAMED, read_tokenizer
from tutelage.store.base import BaseFolder


def folder_of(path: Path, **files: object) -> BaseFolder:
    for name, content in files.items():
        stem, _, suffix = name.rpartition("_")
        (path / f"{stem}.{suffix}").write_text(json.dumps(content), encoding="utf-8")
    return BaseFolder(name="b", folder=path, config={"n_positions": 64})


def gpt2_folder(path: Path, **files: object) -> BaseFolder:
    tokenizer = byte_level()
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>")])
    form = json.loads(tokenizer.to_str())["model"]
    vocabulary = {**form["vocab"], "<|endoftext|>": len(form["vocab"])}
    merges = [" ".join(pair) for pair in form["merges"]]
    (path / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]), encoding="utf-8")
    return folder_of(path, vocab_json=vocabulary, **files)


def test_vocab_and_merges_make_gpt2s_tokenizer(tmp_path: Path) -> None:
    found = read_tokenizer(gpt2_folder(tmp_path))
    whole = byte_level()
    text = "the weather, in  Zürich\n"
    assert found.tokenizer.encode(text).ids == whole.encode(text).ids
    assert found.specials["eos_token"] == "<|endoftext|>"
    assert found.tokenizer.decode([found.end_ids[0]], skip_special_tokens=True) == ""


def test_a_plain_gpt2_folder_is_taught_with_its_end_token(tmp_path: Path) -> None:
    contract = contract_of(gpt2_folder(tmp_path))
    (lesson,) = contract.lessons(example(user("the <|endoftext|> city"), assistant("music")))
    assert contract.decode(lesson.completion) == "music"
    assert lesson.completion[-1] == contract.stop_ids[0]
    assert lesson.prompt.count(contract.stop_ids[0]) == 1


def test_added_tokens_of_the_settings_keep_their_ids(tmp_path: Path) -> None:
    size = len(json.loads(byte_level().to_str())["model"]["vocab"]) + 1
    listed = {
        str(size + 1): {"content": "<b>", "special": True},
        str(size): {"content": "<a>", "special": True, "lstrip": True},
    }
    found = read_tokenizer(
        gpt2_folder(tmp_path, tokenizer_config_json={"added_tokens_decoder": listed})
    )
    assert found.tokenizer.token_to_id("<a>") == size
    assert found.tokenizer.token_to_id("<b>") == size + 1


def test_end_ids_are_those_of_tokenizer_generation_and_model(tmp_path: Path) -> None:
    base = base_of(tmp_path, template=None, markers=["<a>", "<b>", "<c>"], end="<b>")
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [300, 302]}')
    ids = {text: byte_size() + index for index, text in enumerate("abc")}
    (tmp_path / "generation_config.json").write_text(
        json.dumps({"eos_token_id": [ids["b"], ids["c"], 9999]})
    )
    assert read_tokenizer(base).end_ids == (ids["b"], ids["c"])


def test_the_models_end_id_names_the_end_token_where_the_settings_do_not(tmp_path: Path) -> None:
    base = base_of(tmp_path, template=None, markers=["<a>"], end=None)
    base = BaseFolder(
        name="b", folder=base.folder, config={"eos_token_id": byte_size(), "n_ctx": 8}
    )
    assert read_tokenizer(base).specials["eos_token"] == "<a>"


def test_templates_by_name_are_read_from_the_settings(tmp_path: Path) -> None:
    base = base_of(tmp_path, template=None, markers=[], end=None)
    named = [{"name": "default", "template": "A"}, {"name": "tool_use", "template": "B"}]
    folder_of(tmp_path, tokenizer_config_json={"chat_template": named})
    assert read_tokenizer(base).templates == {"default": "A", "tool_use": "B"}
    folder_of(tmp_path, tokenizer_config_json={"chat_template": "C"})
    assert read_tokenizer(base).templates == {"default": "C"}


def test_a_saved_truncation_does_not_cut_in_silence(tmp_path: Path) -> None:
    tokenizer = byte_level()
    tokenizer.enable_truncation(4)
    base = base_of(tmp_path, template=None, markers=[], end=None, tokenizer=tokenizer)
    assert len(read_tokenizer(base).tokenizer.encode("x" * 50).ids) == 50


def test_a_folder_without_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match="has no tokenizer"):
        read_tokenizer(folder_of(tmp_path))


def test_broken_files_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(BaseModelError, match="cannot be read"):
        read_tokenizer(folder_of(tmp_path))
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(BaseModelError, match=r"tokenizer_config\.json of `b` is no JSON"):
        read_tokenizer(folder_of(tmp_path))


def byte_size() -> int:
    return len(json.loads(byte_level().to_str())["model"]["vocab"])


def test_a_mark_of_byte_order_is_none_of_a_template_or_a_system_prompt(tmp_path: Path) -> None:
    base = base_of(tmp_path, template=None, markers=["<|endoftext|>"], end="<|endoftext|>")
    (tmp_path / "chat_template.jinja").write_text("\ufeff" + PLAIN, encoding="utf-8")
    (tmp_path / "t.jinja").write_text("\ufeff" + PLAIN, encoding="utf-8")
    (tmp_path / "s.txt").write_text("\ufeffBe brief.", encoding="utf-8")
    prompt = Named(name="s", path="s.txt")
    for template in ("base", "t.jinja"):
        contract = contract_of(base, template=template, system=prompt)
        assert contract.renderer.policy.served is not None
        assert contract.renderer.policy.served.text == "Be brief."
        golden = contract.goldens["question"]
        assert golden is not None
        assert golden.text.startswith("<|im_start|>system\nBe brief.")


def test_special_tokens_are_no_arguments_of_a_template() -> None:
    assert set(NAMED) <= RESERVED
