"""What a recipe says of its prompts, frozen: every text read, every default taken."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from tutelage.core.digest import Json, strong_digest
from tutelage.core.errors import ContractError
from tutelage.core.recipe import Contract as Section
from tutelage.core.recipe import Named, Recipe, Variant
from tutelage.core.seeds import seed_of
from tutelage.render.template import DEFAULT
from tutelage.render.tokenizer import TokenizerFolder
from tutelage.store.base import BaseFolder

OF_THE_BASE = "base"
SHIPPED = "chatml"
SYSTEM = "system"  # name of a system prompt that has none of its own
POLICY = "contract.policy"  # the stream that draws which system prompt a row is taught under
CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "n_ctx", "max_sequence_length")


def frozen(
    section: Section, base: BaseFolder, found: TokenizerFolder, recipe: Recipe
) -> dict[str, Any]:
    """The part of `Contract.to_dict` that a recipe decides.

    Raises: ContractError that names the key at fault.
    """
    system = section.system
    return {
        "template": _template(section.template, base, found, recipe),
        "arguments": dict(section.arguments),
        "date": section.date.isoformat(),
        "system": None if system is None else _named(system, "system", recipe),
        "variants": [
            _named(one, f"variants.{number}", recipe) | {"share": one.share}
            for number, one in enumerate(section.variants)
        ],
        "without_system": section.without_system,
        "policy_seed": seed_of(POLICY, recipe.seed)
        if section.variants or section.without_system
        else 0,
        "decoding": section.decoding.model_dump(mode="json"),
        "output_schema": _schema(section.output_schema, recipe),
        "context": _context(section.context_tokens, base),
        "fit": section.fit,
        "truncate": section.truncate,
        "forged": section.forged,
    }


def defaults_taken(section: Section, base: BaseFolder, found: TokenizerFolder) -> tuple[str, ...]:
    """What is taken by default and a user should hear of."""
    if section.template != OF_THE_BASE or DEFAULT in found.templates:
        return ()
    return (f"`{base.name}` has no chat template: `contract.template: {SHIPPED}` is taken",)


def template_form(name: str, texts: dict[str, str], *, of_base: bool = False) -> dict[str, Any]:
    """A template as a contract keeps it, and whether it is the base's own."""
    return {"name": name, "digest": strong_digest(texts), "of_base": of_base, "texts": texts}


def prompt_form(name: str, text: str) -> dict[str, Any]:
    """A system prompt as a contract keeps it."""
    return {"name": name, "digest": strong_digest(text), "text": text}


def _named(written: str | Named | Variant, where: str, recipe: Recipe) -> dict[str, Any]:
    """A system prompt of the recipe under its name."""
    if isinstance(written, str):
        return prompt_form(SYSTEM, written)
    return prompt_form(written.name, _text(written, where, recipe))


def _text(written: Named, where: str, recipe: Recipe) -> str:
    if written.path is None:
        return written.text or ""
    text = _read(recipe.path(written.path), f"contract.{where}.path").strip()
    if not text:
        raise ContractError(
            f"`{written.path}` is empty", where=f"contract.{where}.path", expected="a text"
        )
    return text


def _template(
    asked: str | Named, base: BaseFolder, found: TokenizerFolder, recipe: Recipe
) -> dict[str, Any]:
    if isinstance(asked, Named):
        text = asked.text
        if asked.path is not None:
            text = _read(recipe.path(asked.path), "contract.template.path")
        return template_form(asked.name, {DEFAULT: text or ""})
    if asked == OF_THE_BASE and DEFAULT in found.templates:
        return template_form(f"chat template of {base.name}", dict(found.templates), of_base=True)
    if asked in (OF_THE_BASE, SHIPPED):
        if "eos_token" not in found.specials:
            raise ContractError(
                f"the tokenizer of `{base.name}` names no end-of-text token",
                where="contract.template",
                hint="name one as `eos_token` in tokenizer_config.json",
            )
        shipped = files("tutelage.render").joinpath(f"{SHIPPED}.jinja")
        return template_form(f"template {SHIPPED}", {DEFAULT: shipped.read_text(encoding="utf-8")})
    text = _read(recipe.path(asked), "contract.template")
    return template_form(f"template {asked}", {DEFAULT: text})


def _context(asked: int | None, base: BaseFolder) -> int:
    places = {**base.config, **(base.config.get("text_config") or {})}
    limit = next((int(places[key]) for key in CONTEXT_KEYS if places.get(key)), None)
    if asked is None and limit is None:
        raise ContractError(
            f"config.json of `{base.name}` gives no context length",
            where="contract.context_tokens",
            hint="set `contract.context_tokens`",
        )
    if asked is not None and limit is not None and asked > limit:
        raise ContractError(
            f"{asked} tokens are more than `{base.name}` can read",
            where="contract.context_tokens",
            expected=f"at most {limit}",
        )
    return asked if asked is not None else limit or 0


def _schema(written: str | None, recipe: Recipe) -> Json:
    if written is None:
        return None
    try:
        schema: Json = json.loads(_read(recipe.path(written), "contract.output_schema"))
    except ValueError as error:
        raise ContractError(
            f"{written} is no JSON: {error}", where="contract.output_schema"
        ) from error
    return schema


def _read(path: Path, where: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # a mark of byte order is none of the text
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ContractError(
            f"`{path.name}` cannot be read: {why}", where=where, expected="a UTF-8 text file"
        ) from error
