"""The prompt contract: one object that trains, evaluates and serves with the same prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any

from tutelage.core.conversation import Conversation, Message, Role
from tutelage.core.digest import Json, strong_digest
from tutelage.core.errors import BadRow, ContractError
from tutelage.core.ledger import Decision
from tutelage.core.recipe import Contract as Section
from tutelage.core.recipe import Decoding, Fit, Forged, Recipe, Teach, TruncateSide
from tutelage.core.row import Example
from tutelage.render.answer import PROBE
from tutelage.render.difference import differences, refusal
from tutelage.render.encode import Encoder
from tutelage.render.form import SCHEMA, check_form
from tutelage.render.frozen import defaults_taken, frozen, prompt_form, template_form
from tutelage.render.goldens import Golden, goldens_of
from tutelage.render.lesson import Lesson
from tutelage.render.markers import written_by
from tutelage.render.policy import Policy, SystemPrompt
from tutelage.render.renderer import TEACH, Rendered, Renderer
from tutelage.render.template import ChatTemplate, message_form
from tutelage.render.tokenizer import TokenizerFolder, read_tokenizer
from tutelage.store.base import BaseFolder

UNTAUGHT = ("decoding", "output_schema")  # what no lesson depends on
HINT = "give the base that was trained, or train again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """Template, tokenizer, system prompt, stop tokens and context, frozen together.

    `stop_ids` end an answer, the one that is taught first. `warnings` are things
    taken by default that a user should hear of.
    """

    base: str
    of_base: bool  # whether the template is the base's own
    tokenizer_digest: str
    renderer: Renderer
    stop_ids: tuple[int, ...]
    context: int  # tokens of prompt and answer together
    fit: Fit
    truncate: TruncateSide
    forged: Forged
    decoding: Decoding
    output_schema: Json
    goldens: Mapping[str, Golden | None]  # None where the template refuses it
    new_tokens: Mapping[str, int] = field(default_factory=dict)  # ids of what was added
    warnings: tuple[str, ...] = ()

    @classmethod
    def open(cls, section: Section, base: BaseFolder, recipe: Recipe) -> Contract:
        """The contract a recipe asks for, with the base's own tokenizer.

        Raises: ContractError, BaseModelError.
        """
        found = read_tokenizer(base)
        form = frozen(section, base, found, recipe)
        try:
            warnings = defaults_taken(section, base, found)
            warnings += tuple(section.doubts(form["context"]))
            contract = _contract(form, base, found, warnings)
            return replace(contract, warnings=warnings + _hidden(contract, base))
        except ContractError as error:
            raise ContractError(
                error.message,
                where="contract.template",
                expected=error.expected,
                hint=error.hint,
            ) from error

    @classmethod
    def from_dict(cls, form: Mapping[str, Any], base: BaseFolder) -> Contract:
        """The contract of `to_dict`, on a base that renders as the trained one did.

        Raises: ContractError naming all that differs, with the texts that do.
        """
        check_form(form)
        found = read_tokenizer(base)
        _check_stops(form, base, found)
        try:
            contract = _contract(form, base, found, ())
        except ContractError as error:
            where = f"{error.where} on {base.name}"
            raise ContractError(error.message, where=where, hint=HINT) from error
        now = contract.to_dict() | {"base": form["base"]}  # what it renders decides, not its name
        if form["template"]["of_base"]:
            own = dict(found.templates)
            now["template"] = template_form(form["template"]["name"], own, of_base=True)
        differing = differences(form, now)
        if differing:
            raise refusal(differing, where=base.name, hint=HINT)
        return contract

    def to_dict(self) -> dict[str, Json]:
        """All that decides a prompt and how it is answered, as plain JSON: contract.json."""
        template = self.renderer.template
        return {
            "schema": SCHEMA,
            "base": self.base,
            "tokenizer": self.tokenizer_digest,
            **({"new_tokens": {**self.new_tokens}} if self.new_tokens else {}),
            "template": template_form(template.name, {**template.texts}, of_base=self.of_base),
            "specials": {**template.variables},
            "arguments": {**template.arguments},
            "date": template.date,
            **_policy_form(self.renderer.policy),
            "decoding": self.decoding.model_dump(mode="json"),
            "stop_tokens": [*self.stop_tokens],
            "stop_ids": [*self.stop_ids],
            "closing": self.renderer.closing,
            "context": self.context,
            "fit": self.fit,
            "truncate": self.truncate,
            "forged": self.forged,
            "forgeable": [*self.renderer.forgeable],
            "output_schema": self.output_schema,
            "goldens": {
                name: None if one is None else one.to_dict() for name, one in self.goldens.items()
            },
        }

    @property
    def stop_tokens(self) -> tuple[str, ...]:
        """The texts of `stop_ids`."""
        return tuple(self.renderer.encoder.tokenizer.id_to_token(one) for one in self.stop_ids)

    @property
    def digest(self) -> str:
        """SHA-256 of `to_dict`."""
        return strong_digest(self.to_dict())

    def ending_ids(self, roles: Sequence[Role]) -> frozenset[int]:
        """What may end a lesson of these roles: a stop token; another's words, any marker."""
        own = all(role == "assistant" for role in roles)
        return frozenset(self.stop_ids) | (
            frozenset() if own else self.renderer.encoder.special_ids
        )

    def taught(self) -> dict[str, Json]:
        """What of `to_dict` decides a lesson, and so an adapter, which keeps it."""
        return {key: value for key, value in self.to_dict().items() if key not in UNTAUGHT}

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


def _check_stops(form: Mapping[str, Any], base: BaseFolder, found: TokenizerFolder) -> None:
    """Raises ContractError where the tokenizer has no token for what ends an answer."""
    lost = [text for text in form["stop_tokens"] if found.tokenizer.token_to_id(text) is None]
    if lost:
        names = ", ".join(f"`{text}`" for text in lost)
        raise ContractError(
            f"the stop token {names} is not in the tokenizer: answers would never end",
            where=base.name,
            hint=HINT,
            rows=[BadRow(where="stop_tokens", problem=f"`{text}` has no id") for text in lost],
        )


def _contract(
    form: Mapping[str, Any],
    base: BaseFolder,
    found: TokenizerFolder,
    warnings: tuple[str, ...],
) -> Contract:
    template = ChatTemplate(
        form["template"]["texts"],
        name=form["template"]["name"],
        variables=found.specials,
        date=form["date"],
        arguments=form["arguments"],
    )
    written = written_by(template)
    encoder = Encoder(found.tokenizer, names=found.specials.values(), template=written)
    stop_ids, closing = _stops(template, encoder, found.end_ids)
    renderer = Renderer(
        template=template,
        encoder=encoder,
        policy=_policy(form),
        stop_ids=frozenset(stop_ids),
        closing=closing,
        forged=form["forged"],
    )
    new = {one.text: int(found.tokenizer.token_to_id(one.text)) for one in base.new_tokens}
    return Contract(
        base=base.name,
        of_base=form["template"]["of_base"],
        tokenizer_digest=base.tokenizer_digest(),
        renderer=renderer,
        stop_ids=stop_ids,
        context=form["context"],
        fit=form["fit"],
        truncate=form["truncate"],
        forged=form["forged"],
        decoding=Decoding(**form["decoding"]),
        output_schema=form["output_schema"],
        goldens=goldens_of(renderer, list(new)),
        new_tokens=new,
        warnings=warnings,
    )


def _hidden(contract: Contract, base: BaseFolder) -> tuple[str, ...]:
    """What a user should hear of new tokens that requests do not hold, for the template does."""
    markers = contract.renderer.encoder.marker_texts
    held = [f"`{one.text}`" for one in base.new_tokens if not one.special and one.text in markers]
    if not held:
        return ()
    return (
        f"{', '.join(held)} of `train.new_tokens` stands in the template and is a marker: "
        "it is spelt out in what users write",
    )


def _policy(form: Mapping[str, Any]) -> Policy:
    system = form["system"]
    return Policy(
        served=None if system is None else SystemPrompt(name=system["name"], text=system["text"]),
        variants=tuple(
            (SystemPrompt(name=one["name"], text=one["text"]), one["share"])
            for one in form["variants"]
        ),
        without_system=form["without_system"],
        seed=form["policy_seed"],
    )


def _policy_form(policy: Policy) -> dict[str, Json]:
    served = policy.served
    return {
        "system": None if served is None else prompt_form(served.name, served.text),
        "variants": [
            {**prompt_form(prompt.name, prompt.text), "share": share}
            for prompt, share in policy.variants
        ],
        "without_system": policy.without_system,
        "policy_seed": policy.seed,
    }


def _stops(
    template: ChatTemplate, encoder: Encoder, end_ids: tuple[int, ...]
) -> tuple[tuple[int, ...], int | None]:
    """Ids that end an answer, the taught one first; and the id to append where none is written.

    The taught one is the first marker the template writes after an answer; of several in
    a row, the first that is known to end a text.
    """
    probe = [
        message_form(Message(role="user", content="?")),
        message_form(Message(role="assistant", content=PROBE)),
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
