"""A base folder's tokenizer, chat template and special tokens, read without the hub's library."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from tutelage.core.errors import BadRow, BaseModelError
from tutelage.render.template import DEFAULT
from tutelage.store.base import TEMPLATE_FILES, BaseFolder

NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
END_OF_TEXT = "<|endoftext|>"  # GPT-2's only special token, in its vocabulary but not marked


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerFolder:
    """What a base says about text: tokenizer, templates by name, special tokens, end ids."""

    tokenizer: Any
    templates: Mapping[str, str]  # empty where the base has none
    specials: Mapping[str, str]  # `eos_token` -> `<|im_end|>`, as templates read them
    end_ids: tuple[int, ...]  # end-of-text ids, the tokenizer's own first
    pieces: Mapping[int, tuple[int, ...]]  # of each new token's id: what its text was before


def read_tokenizer(base: BaseFolder) -> TokenizerFolder:
    """The tokenizer of a base folder and all that its files say of it.

    Raises: BaseModelError where there is none, or none that can be read.
    """
    settings = _json(base.folder / "tokenizer_config.json", base.name)
    tokenizer = _tokenizer(base, settings)
    named = {**_json(base.folder / "special_tokens_map.json", base.name), **settings}
    specials = {
        name: text
        for name in NAMED
        if (text := _content(named.get(name))) and tokenizer.token_to_id(text) is not None
    }
    ends = _end_ids(base, tokenizer, specials)
    if ends and "eos_token" not in specials:
        specials["eos_token"] = tokenizer.id_to_token(ends[0])
    fresh = [text for text in specials.values() if text not in _added(tokenizer)]
    tokenizer.add_special_tokens([AddedToken(text, normalized=False) for text in fresh])
    pieces = _add(tokenizer, base)
    return TokenizerFolder(
        tokenizer=tokenizer,
        templates=_templates(base, settings),
        specials=specials,
        end_ids=ends,
        pieces=pieces,
    )


def write_tokenizer(folder: Path, base: BaseFolder) -> None:
    """The base's tokenizer and template as the hub's libraries open them, new tokens included."""
    found = read_tokenizer(base)
    text = found.tokenizer.to_str(pretty=True)
    (folder / "tokenizer.json").write_text(text, encoding="utf-8")
    for name in TEMPLATE_FILES:
        if (base.folder / name).exists():
            shutil.copyfile(base.folder / name, folder / name)


def _add(tokenizer: Any, base: BaseFolder) -> dict[int, tuple[int, ...]]:
    """Adds the new tokens; what each one's text was read as before, by its id."""
    rows = []
    before = {}
    for one in base.new_tokens:
        before[one.text] = tuple(tokenizer.encode(one.text, add_special_tokens=False).ids)
        if tokenizer.token_to_id(one.text) is not None:
            rows.append(BadRow(where=f"`{one.text}`", problem="is a token of the base already"))
        elif not before[one.text]:
            rows.append(BadRow(where=f"`{one.text}`", problem="is nothing to its tokenizer"))
    if rows:
        raise BaseModelError(
            f"{len(rows)} of {len(base.new_tokens)} tokens cannot be added to `{base.name}`",
            where="train.new_tokens",
            expected="texts that are no tokens yet",
            rows=rows,
        )
    for one in base.new_tokens:
        add = tokenizer.add_special_tokens if one.special else tokenizer.add_tokens
        add([AddedToken(one.text, normalized=False)])
    return {tokenizer.token_to_id(text): pieces for text, pieces in before.items()}


def _tokenizer(base: BaseFolder, settings: Mapping[str, Any]) -> Any:
    whole = base.folder / "tokenizer.json"
    vocabulary, merges = base.folder / "vocab.json", base.folder / "merges.txt"
    try:
        if whole.exists():
            tokenizer = Tokenizer.from_file(str(whole))
            tokenizer.no_truncation()  # a saved limit would cut lessons in silence
            tokenizer.no_padding()
            return tokenizer
        if vocabulary.exists() and merges.exists():
            return _byte_level(vocabulary, merges, settings)
    except Exception as error:
        raise BaseModelError(
            f"the tokenizer of `{base.name}` cannot be read: {error}", where="train.base"
        ) from error
    raise BaseModelError(
        f"`{base.name}` has no tokenizer",
        where="train.base",
        expected="tokenizer.json, or vocab.json and merges.txt",
        hint="AutoTokenizer.from_pretrained(...).save_pretrained(...) of transformers writes one",
    )


def _byte_level(vocabulary: Path, merges: Path, settings: Mapping[str, Any]) -> Any:
    """GPT-2's tokenizer from its two files. Source: the GPT-2 report, section 2.2."""
    tokenizer = Tokenizer(models.BPE.from_file(str(vocabulary), str(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    listed = settings.get("added_tokens_decoder") or {}
    for _, token in sorted(listed.items(), key=lambda item: int(item[0])):
        flags = {key: bool(token.get(key)) for key in ("lstrip", "rstrip", "single_word")}
        added = AddedToken(token["content"], normalized=bool(token.get("normalized")), **flags)
        add = tokenizer.add_special_tokens if token.get("special") else tokenizer.add_tokens
        add([added])
    if not listed and tokenizer.token_to_id(END_OF_TEXT) is not None:
        tokenizer.add_special_tokens([AddedToken(END_OF_TEXT, normalized=False)])
    return tokenizer


def _templates(base: BaseFolder, settings: Mapping[str, Any]) -> dict[str, str]:
    apart = base.folder / "chat_template.jinja"
    if apart.exists():
        return {DEFAULT: apart.read_text(encoding="utf-8-sig")}
    written = settings.get("chat_template")
    if isinstance(written, str):
        return {DEFAULT: written}
    if isinstance(written, list):
        return {entry["name"]: entry["template"] for entry in written}
    return {}


def _end_ids(base: BaseFolder, tokenizer: Any, specials: Mapping[str, str]) -> tuple[int, ...]:
    generation = _json(base.folder / "generation_config.json", base.name)
    found: list[int] = []
    if "eos_token" in specials:
        found.append(tokenizer.token_to_id(specials["eos_token"]))
    elif tokenizer.token_to_id(END_OF_TEXT) is not None and not _listed(base.config):
        found.append(tokenizer.token_to_id(END_OF_TEXT))
    found += [*_listed(generation), *_listed(base.config)]
    return tuple(dict.fromkeys(one for one in found if tokenizer.id_to_token(one) is not None))


def _listed(config: Mapping[str, Any]) -> list[int]:
    value = config.get("eos_token_id")
    return value if isinstance(value, list) else [] if value is None else [value]


def _added(tokenizer: Any) -> set[str]:
    return {str(token) for token in tokenizer.get_added_tokens_decoder().values() if token.special}


def _content(value: Any) -> str | None:
    if isinstance(value, Mapping):
        value = value.get("content")
    return value if isinstance(value, str) else None


def _json(path: Path, base: str) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise BaseModelError(
            f"{path.name} of `{base}` is no JSON: {error}", where="train.base"
        ) from error
    return value if isinstance(value, dict) else {}
