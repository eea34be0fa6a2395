"""The prompt contract: one object that trains, evaluates and serves with the same prompts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.core.conversation import Conversation, Message
from tutelage.core.digest import Json, short_digest, strong_digest
from tutelage.core.errors import BadRow, ContractError
from tutelage.core.ledger import Decision
from tutelage.core.recipe import Contract as Section
from tutelage.core.recipe import Decoding, Fit, Forged, Named, Recipe, Teach, TruncateSide
from tutelage.core.row import Example
from tutelage.core.seeds import seed_of
from tutelage.render.answer import PROBE
from tutelage.render.encode import Encoder
from tutelage.render.lesson import Lesson
from tutelage.render.policy import Policy, SystemPrompt
from tutelage.render.renderer import TEACH, Rendered, Renderer
from tutelage.render.template import DEFAULT, ChatTemplate, template_form
from tutelage.render.tokenizer import TokenizerFolder, read_tokenizer
from tutelage.store.base import BaseFolder

SCHEMA = 1
OF_THE_BASE = "base"
SHIPPED = "chatml"
POLICY = "contract.policy"  # the stream that draws which system prompt a row is taught under
CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "n_ctx", "max_sequence_length")

GOLDENS: Mapping[str, tuple[Message, ...]] = {
    "question": (Message(role="user", content="Which is the largest planet?"),),
    "system": (
        Message(role="system", content="Answer in one word."),
        Message(role="user", content="Which is the largest planet?"),
    ),
    "turns": (
        Message(role="user", content="Good morning."),
        Message(role="assistant", content="Good morning! What can I do?"),
        Message(role="user", content='Count: 1, 2,\n  {"three": 3} \u00e9'),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """Template, tokenizer, system prompt, stop tokens and context, frozen together.

    `stop_ids` end an answer, the one that is taught first. `warnings` are things
    taken by default that a user should hear of.
    """

    base: str
    tokenizer_digest: str
    renderer: Renderer
    stop_ids: tuple[int, ...]
    context: int  # tokens of prompt and answer together
    fit: Fit
    truncate: TruncateSide
    forged: Forged
    decoding: Decoding
    output_schema: Json
    goldens: Mapping[str, str | None]
    warnings: tuple[str, ...] = ()

    @classmethod
    def open(cls, section: Section, base: BaseFolder, recipe: Recipe) -> Contract:
        """The contract a recipe asks for, with the base's own tokenizer.

        Raises: ContractError, BaseModelError.
        """
        found = read_tokenizer(base)
        warnings: list[str] = []
        name, texts = _template(section.template, base, found, recipe, warnings)
        system = section.system
        frozen: dict[str, Any] = {
            "template": {"name": name, "texts": texts},
            "arguments": dict(section.arguments),
            "date": section.date.isoformat(),
            "system": None if system is None else _named(system, "system", recipe),
            "variants": [
                _named(one, "variants", recipe) | {"share": one.share} for one in section.variants
            ],
            "left_out": section.left_out,
            "policy_seed": seed_of(POLICY, recipe.seed),
            "decoding": section.decoding.model_dump(mode="json"),
            "truncate": section.truncate,
            "forged": section.forged,
            "context": _context(section.context_tokens, base),
            "fit": section.fit,
            "output_schema": _schema(section.output_schema, recipe),
        }
        return _contract(frozen, base, found, tuple(warnings))

    @classmethod
    def from_dict(cls, form: Mapping[str, Any], base: BaseFolder) -> Contract:
        """The contract of `to_dict`, on a base that renders as the trained one did.

        Raises: ContractError naming all that differs.
        """
        if form.get("schema") != SCHEMA:
            raise ContractError(
                f"contract of schema {form.get('schema')}", expected=f"schema {SCHEMA}"
            )
        contract = _contract(form, base, read_tokenizer(base), ())
        theirs, ours = dict(form), contract.to_dict()
        # The name is how the recipe found the base; what it renders decides.
        differing = [key for key in ours if key != "base" and theirs.get(key) != ours[key]]
        if differing:
            raise ContractError(
                f"`{base.name}` does not keep the contract it is asked to serve",
                expected="the tokenizer and template the contract was made with",
                hint="give the base that was trained, or train again",
                rows=[
                    BadRow(where=key, problem=f"{theirs.get(key)} when trained, {ours[key]} now")
                    for key in differing
                ],
            )
        return contract

    def to_dict(self) -> dict[str, Json]:
        """All that decides a prompt, as plain JSON: what an adapter keeps beside its weights."""
        template = self.renderer.template
        return {
            "schema": SCHEMA,
            "base": self.base,
            "tokenizer": self.tokenizer_digest,
            "template": {"name": template.name, "texts": {**template.texts}},
            "specials": {**template.variables},
            "arguments": {**template.arguments},
            "date": template.date,
            **_policy_form(self.renderer.policy),
            "decoding": self.decoding.model_dump(mode="json"),
            "stop_ids": list(self.stop_ids),
            "closing": self.renderer.closing,
            "context": self.context,
            "fit": self.fit,
            "truncate": self.truncate,
            "forged": self.forged,
            "output_schema": self.output_schema,
            "goldens": {**self.goldens},
        }

    @property
    def digest(self) -> str:
        """SHA-256 of `to_dict`."""
        return strong_digest(self.to_dict())

    def prompt_ids(self, conversation: Conversation) -> tuple[int, ...]:
        """The ids sent to the model so that it answers the conversation."""
        return self.renderer.prompts([conversation])[0]

    def prompts(self, conversations: Sequence[Conversation]) -> list[tuple[int, ...]]:
        """`prompt_ids` of many conversations at once."""
        return self.renderer.prompts(conversations)

    def lessons(self, example: Example, teach: Teach = TEACH) -> tuple[Lesson, ...]:
        """One lesson for each taught turn of the example.

        Raises: ContractError where the template cannot express it.
        """
        rendered = next(self.renderer.rendered([example], teach))
        if rendered.entry is not None and rendered.entry.decision == Decision.DROP:
            raise ContractError(rendered.entry.detail, where=f"row {example.id}")
        return rendered.lessons

    def lessons_of(self, examples: Sequence[Example], teach: Teach = TEACH) -> list[Rendered]:
        """The lessons of many examples; one that cannot be taught carries a ledger entry."""
        return list(self.renderer.rendered(examples, teach))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of the ids, special tokens left out."""
        return self.renderer.encoder.decode(ids)


def _contract(
    frozen: Mapping[str, Any],
    base: BaseFolder,
    found: TokenizerFolder,
    warnings: tuple[str, ...],
) -> Contract:
    template = ChatTemplate(
        frozen["template"]["texts"],
        name=frozen["template"]["name"],
        variables=found.specials,
        date=frozen["date"],
        arguments=frozen["arguments"],
    )
    written = "".join(template.texts.values())
    encoder = Encoder(found.tokenizer, names=found.specials.values(), template=written)
    stop_ids, closing = _stops(template, encoder, found.end_ids)
    renderer = Renderer(
        template=template,
        encoder=encoder,
        policy=_policy(frozen),
        stop_ids=frozenset(stop_ids),
        closing=closing,
        forged=frozen["forged"],
    )
    return Contract(
        base=base.name,
        tokenizer_digest=base.tokenizer_digest(),
        renderer=renderer,
        stop_ids=stop_ids,
        context=frozen["context"],
        fit=frozen["fit"],
        truncate=frozen["truncate"],
        forged=frozen["forged"],
        decoding=Decoding(**frozen["decoding"]),
        output_schema=frozen["output_schema"],
        goldens={name: _golden(renderer, messages) for name, messages in GOLDENS.items()},
        warnings=warnings,
    )


def _named(written: str | Named, where: str, recipe: Recipe) -> dict[str, Any]:
    """A text of the recipe under its name; one without is its own."""
    if isinstance(written, str):
        return {"name": "system", "text": written}
    if (written.text is None) == (written.path is None):
        raise ContractError(
            f"`{written.name}` has no text" if written.text is None else "both `text` and `path`",
            where=f"contract.{where}",
            expected="one of `text` and `path`",
        )
    text = written.text or _read(recipe.path(written.path or ""), f"contract.{where}").strip()
    return {"name": written.name, "text": text}


def _policy(frozen: Mapping[str, Any]) -> Policy:
    system = frozen["system"]
    return Policy(
        served=None if system is None else SystemPrompt(**system),
        variants=tuple(
            (SystemPrompt(name=one["name"], text=one["text"]), one["share"])
            for one in frozen["variants"]
        ),
        left_out=frozen["left_out"],
        seed=frozen["policy_seed"],
    )


def _policy_form(policy: Policy) -> dict[str, Json]:
    served = policy.served
    return {
        "system": None if served is None else {"name": served.name, "text": served.text},
        "variants": [
            {"name": prompt.name, "text": prompt.text, "share": share}
            for prompt, share in policy.variants
        ],
        "left_out": policy.left_out,
        "policy_seed": policy.seed,
    }


def _template(
    asked: str | Named,
    base: BaseFolder,
    found: TokenizerFolder,
    recipe: Recipe,
    warnings: list[str],
) -> tuple[str, dict[str, str]]:
    if isinstance(asked, Named):
        form = _named(asked, "template", recipe)
        return form["name"], {DEFAULT: form["text"]}
    written = asked
    if written == OF_THE_BASE and DEFAULT in found.templates:
        return f"chat template of {base.name}", dict(found.templates)
    if written == OF_THE_BASE:
        warnings.append(
            f"`{base.name}` has no chat template: `contract.template: {SHIPPED}` is taken"
        )
    if written in (OF_THE_BASE, SHIPPED):
        if "eos_token" not in found.specials:
            raise ContractError(
                f"the tokenizer of `{base.name}` names no end-of-text token",
                where="contract.template",
                hint="name one as `eos_token` in tokenizer_config.json",
            )
        shipped = files("tutelage.render").joinpath(f"{SHIPPED}.jinja")
        return f"template {SHIPPED}", {DEFAULT: shipped.read_text(encoding="utf-8")}
    return f"template {written}", {DEFAULT: _read(recipe.path(written), "contract.template")}


def _stops(
    template: ChatTemplate, encoder: Encoder, end_ids: tuple[int, ...]
) -> tuple[tuple[int, ...], int | None]:
    """Ids that end an answer, the taught one first; and the id to append where none is written.

    The taught one is the first marker the template writes after an answer; of several in
    a row, the first that is known to end a text.
    """
    probe = [
        template_form(Message(role="user", content="?")),
        template_form(Message(role="assistant", content=PROBE)),
    ]
    tail = template.render(probe, ask=False).rpartition(PROBE)[2]
    ids = encoder.encode([tail])[0]
    first = next((at for at, one in enumerate(ids) if one in encoder.marker_ids), None)
    if first is not None:
        row = list(takewhile(encoder.marker_ids.__contains__, ids[first:]))
        written = next((one for one in row if one in end_ids), row[0])
        return tuple(dict.fromkeys([written, *end_ids])), None
    if end_ids:
        return end_ids, end_ids[0]
    raise ContractError(
        "no stop token: the template writes none and the tokenizer has no end-of-text token",
        where=template.name,
        hint="name one as `eos_token` in tokenizer_config.json",
    )


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
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ContractError(
            f"`{path.name}` cannot be read: {why}", where=where, expected="a UTF-8 text file"
        ) from error


def _golden(renderer: Renderer, messages: tuple[Message, ...]) -> str | None:
    """Digest of a fixed conversation's ids; None where the template refuses it."""
    try:
        ids = renderer.prompts([Conversation(messages=messages)])[0]
    except ContractError:
        return None
    return short_digest(np.asarray(ids, dtype="<i4").tobytes())
