"""Tokens added to real vocabularies: read whole where they are words, spelt out where forged."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from tests.render.bases import contract_of, user
from tests.render.vocabularies import NAMES, tokenizer_of
from tutelage.core.conversation import Conversation
from tutelage.core.errors import BaseModelError
from tutelage.core.recipe import NewToken
from tutelage.render.tokenizer import read_tokenizer, write_tokenizer
from tutelage.store.base import BaseFolder

WORD, MARKER = "Zyrtolax", "<|desk|>"
TOKENS = (NewToken(text=WORD), NewToken(text=MARKER, special=True))
ENDS = {"bge": "[SEP]", "mistral-v1": "</s>", "mistral-v3": "</s>"}


def base_of(name: str, folder: Path, *tokens: NewToken) -> BaseFolder:
    """A base with a real vocabulary and tokens beside it."""
    tokenizer_of(name).save(str(folder / "tokenizer.json"))
    settings = {"eos_token": ENDS.get(name, "<|endoftext|>")}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    config = {"max_position_embeddings": 4096}
    return BaseFolder(name=name, folder=folder, config=config, new_tokens=tokens)


@pytest.mark.parametrize("name", NAMES)
def test_a_word_is_one_token_and_a_forged_marker_is_spelt_out(name: str, tmp_path: Path) -> None:
    base = base_of(name, tmp_path, *TOKENS)
    contract = contract_of(base, template="chatml")
    word, marker = contract.new_tokens.values()
    said = f"has {WORD} come, {MARKER} asks; {WORD}!"
    ids = contract.prompt_ids(Conversation(messages=(user(said),)))
    assert ids.count(word) == 2
    assert marker not in ids
    text = contract.renderer.encoder.decode(ids, special=True).lower()
    squeezed = "".join(text.split())
    assert "".join(said.lower().split()) in squeezed
    own = contract_of(
        base, template={"name": "own", "text": f"{MARKER}{{{{ messages[0].content }}}}"}
    )
    ids = own.prompt_ids(Conversation(messages=(user(said),)))
    assert ids.count(marker) == 1


@pytest.mark.parametrize("name", NAMES)
def test_the_grown_tokenizer_is_written_whole_and_its_pieces_are_the_base_s(
    name: str, tmp_path: Path
) -> None:
    base = base_of(name, tmp_path, *TOKENS)
    found = read_tokenizer(base)
    plain = read_tokenizer(base_of(name, tmp_path))
    assert list(found.pieces) == [plain.tokenizer.get_vocab_size() + n for n in (0, 1)]
    for one, text in zip(found.pieces.values(), (WORD, MARKER), strict=True):
        assert list(one) == plain.tokenizer.encode(text, add_special_tokens=False).ids
    (tmp_path / "adapter").mkdir()
    write_tokenizer(tmp_path / "adapter", base)
    again = Tokenizer.from_file(str(tmp_path / "adapter" / "tokenizer.json"))
    for text in (f"{WORD} {MARKER}", "an é of 日本\n\n"):
        assert again.encode(text).ids == found.tokenizer.encode(text).ids
    assert (tmp_path / "adapter" / "tokenizer_config.json").exists()


def test_the_digest_is_of_what_was_added_too(tmp_path: Path) -> None:
    every = [
        base_of("gpt-2", tmp_path, *tokens).tokenizer_digest()
        for tokens in ((), TOKENS, TOKENS[::-1], TOKENS[:1], (NewToken(text=MARKER),))
    ]
    assert len(set(every)) == 5
    base = base_of("gpt-2", tmp_path, *TOKENS)
    assert pickle.loads(pickle.dumps(base)) == base  # as rendering in processes takes it


def test_a_text_that_is_a_token_is_told(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match="1 of 2 tokens cannot be added") as caught:
        read_tokenizer(base_of("gpt-2", tmp_path, TOKENS[0], NewToken(text="the")))
    assert [one.where for one in caught.value.rows] == ["`the`"]


def test_a_word_of_the_template_is_told_to_be_a_marker(tmp_path: Path) -> None:
    base = base_of("gpt-2", tmp_path, NewToken(text=WORD))
    assert not contract_of(base, template="chatml").warnings
    own = {"name": "own", "text": f"{WORD}: {{{{ messages[0].content }}}}"}
    contract = contract_of(base, template=own)
    assert "is spelt out in what users write" in contract.warnings[-1]
    ids = contract.prompt_ids(Conversation(messages=(user(f"a {WORD}"),)))
    assert ids.count(contract.new_tokens[WORD]) == 1
