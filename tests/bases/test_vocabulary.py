"""The tokenizer copies words as themselves, loses nothing, and renders chat one way."""

import json
from importlib.resources import files
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from tutelage.bases.learn import objects
from tutelage.bases.vocabulary import SPECIALS, chat, learn, save, template

TINY = Path(str(files("tutelage.bases").joinpath("tiny")))


@pytest.fixture(scope="module")
def shipped() -> PreTrainedTokenizerBase:
    loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(TINY)
    return loaded


@pytest.fixture(scope="module")
def raw() -> Tokenizer:
    return Tokenizer.from_file(str(TINY / "tokenizer.json"))


def test_the_special_tokens_stand_first(shipped: PreTrainedTokenizerBase) -> None:
    assert len(shipped) == 4096
    assert shipped.convert_tokens_to_ids(list(SPECIALS)) == [0, 1, 2, 3]
    assert (shipped.eos_token, shipped.pad_token, shipped.bos_token) == (
        "<|im_end|>",
        "<|pad|>",
        None,
    )


def test_a_word_has_the_same_ids_wherever_it_stands(raw: Tokenizer) -> None:
    word = raw.encode("Guadalajara").ids
    for text in ("to Guadalajara now", '{"city": "Guadalajara"}', "Guadalajara", "(Guadalajara)"):
        ids = raw.encode(text).ids
        assert any(ids[at : at + len(word)] == word for at in range(len(ids))), text


def test_digits_are_single_and_capitals_open_a_word(raw: Tokenizer) -> None:
    assert raw.encode("2026").tokens == ["2", "0", "2", "6"]
    assert raw.encode("OpenDoor").ids == raw.encode("Open").ids + raw.encode("Door").ids


@settings(max_examples=60, derandomize=True)
@given(st.text(st.characters(codec="utf-8")))
def test_any_text_comes_back_whole(raw: Tokenizer, text: str) -> None:
    assert raw.decode(raw.encode(text).ids, skip_special_tokens=False) == text


def test_the_template_renders_the_golden_text(shipped: PreTrainedTokenizerBase) -> None:
    rendered = shipped.apply_chat_template(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Lamp on"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {"type": "function", "function": {"name": "on", "arguments": {"what": "é"}}}
                ],
            },
            {"role": "tool", "content": "done"},
        ],
        tools=[{"name": "on"}],
        tokenize=False,
        add_generation_prompt=True,
    )
    assert rendered == (
        '<|im_start|>system\nBe brief.\n\nFunctions:\n{"name": "on"}<|im_end|>\n'
        "<|im_start|>user\nLamp on<|im_end|>\n"
        '<|im_start|>assistant\n{"name": "on", "arguments": {"what": "é"}}<|im_end|>\n'
        "<|im_start|>tool\ndone<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_chat_renders_as_the_template_does(shipped: PreTrainedTokenizerBase) -> None:
    turns = [("system", "Short."), ("user", "a\nb"), ("assistant", "c"), ("tool", "d")]
    messages = [{"role": role, "content": content} for role, content in turns]
    assert chat(turns) == shipped.apply_chat_template(messages, tokenize=False)


def test_the_assistant_mask_covers_answer_and_stop(shipped: PreTrainedTokenizerBase) -> None:
    shown = shipped.apply_chat_template(
        [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}],
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    pairs = zip(shown["input_ids"], shown["assistant_masks"], strict=True)
    assert shipped.decode([token for token, taught in pairs if taught]) == "two<|im_end|>"


def test_a_learnt_tokenizer_is_saved_as_the_shipped_one_is(tmp_path: Path) -> None:
    save(learn(["to be or not to be <|im_start|>"] * 9, size=300), tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert again.decode(again("be not\t<ß>")["input_ids"]) == "be not\t<ß>"
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        assert json.loads((tmp_path / name).read_text()) == json.loads((TINY / name).read_text())
    shipped_template = (TINY / "chat_template.jinja").read_text(encoding="utf-8")
    assert (tmp_path / "chat_template.jinja").read_text(encoding="utf-8") == shipped_template
    assert template() == shipped_template


def test_sampled_objects_are_calls_spaced_as_the_base_writes_them() -> None:
    texts = list(objects(["red", "Fox", "hill"], Random(1)))
    assert all(json.dumps(json.loads(text), ensure_ascii=False) == text for text in texts)
    assert any(text.startswith('{"name": "') for text in texts)
    assert any('": ["' in text for text in texts)
