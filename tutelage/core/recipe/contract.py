"""`contract`: how conversations become prompts, in training and in serving alike."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field, JsonValue

from tutelage.core.recipe.section import Section

Loc = tuple[str | int, ...]

Fit = Literal["reject", "truncate", "fail"]
TruncateSide = Literal["start", "end"]
Forged = Literal["reject", "keep", "fail"]

# What a template is given by its caller, and by the base's tokenizer.
RESERVED = frozenset(
    (
        "messages",
        "tools",
        "documents",
        "add_generation_prompt",
        "self",
        "raise_exception",
        "strftime_now",
        "bos_token",
        "eos_token",
        "unk_token",
        "sep_token",
        "pad_token",
        "cls_token",
        "mask_token",
    )
)


class Named(Section):
    """A text with a name, so that a release can say which version of it is used."""

    name: str = Field(min_length=1, description="Name of this version, such as `support-v3`.")
    text: str | None = Field(None, min_length=1, description="The text; or else `path`.")
    path: str | None = Field(None, min_length=1, description="File with the text.")


class Variant(Named):
    """Another system prompt, for a share of the rows."""

    share: float = Field(gt=0, le=1, description="Share of the rows that are taught under it.")


class Decoding(Section):
    """How answers are drawn, in evaluation and in serving alike; a client may ask otherwise."""

    max_new_tokens: int = Field(
        256, ge=1, description="Longest answer in tokens; a client may ask for less."
    )
    temperature: float = Field(0.0, ge=0, le=2, description="0 takes the likeliest token.")
    top_p: float = Field(
        1.0, gt=0, le=1, description="Tokens are drawn from the likeliest that make up this share."
    )


class Contract(Section):
    """The prompt contract, frozen at training and shipped with the release."""

    template: str | Named = Field(
        "base",
        description="`base`: the base model's chat template; `chatml`: the shipped one; else a "
        "Jinja file, by its path or with a name.",
    )
    arguments: Mapping[str, JsonValue] = Field(
        default_factory=dict,
        description="Arguments of the template, such as `enable_thinking: false`.",
    )
    date: datetime.date = Field(
        datetime.date(2026, 1, 1),
        description="The day a template that asks for today's date is told.",
    )
    system: str | Named | None = Field(
        None, description="System prompt put in front of a conversation that has none."
    )
    variants: tuple[Variant, ...] = Field(
        (), description="System prompts that stand in for `system` in a share of the rows taught."
    )
    without_system: float = Field(
        0.0, ge=0, lt=1, description="Share of the rows taught without `system`."
    )
    output_schema: str | None = Field(
        None, description="Path to the tools or JSON Schema that answers must satisfy."
    )
    decoding: Decoding = Field(default_factory=Decoding, description="How answers are drawn.")
    fit: Fit = Field(
        "reject",
        description="A lesson longer than the context is left out (reject), cut (truncate) or "
        "stops the run (fail).",
    )
    truncate: TruncateSide = Field(
        "start",
        description="Where `fit: truncate` cuts, once older exchanges are gone: the start or the "
        "end of the request. The answer is never cut.",
    )
    forged: Forged = Field(
        "reject",
        description="A message that holds a marker which the template writes as plain text "
        "(`[INST]`, say): left out and refused when served (reject), counted (keep), or an error.",
    )
    context_tokens: int | None = Field(
        None, ge=16, description="Longest lesson in tokens; the base model's context if left out."
    )

    def contradictions(self) -> Iterator[tuple[Loc, str]]:
        """Places of this section that do not go together, and what is wrong."""
        named: list[tuple[Loc, Named]] = [
            ((key,), text)
            for key, text in (("template", self.template), ("system", self.system))
            if isinstance(text, Named)
        ]
        named += [(("variants", number), one) for number, one in enumerate(self.variants)]
        for place, one in named:
            if (one.text is None) == (one.path is None):
                says = "neither" if one.text is None else "both"
                yield place, f"`{one.name}` has {says}; give it one of `text` and `path`"
            elif one.text is not None and not one.text.strip():
                yield (*place, "text"), f"the text of `{one.name}` is blank"
        for key, written, instead in (
            ("template", self.template, "`base`, `chatml` or a Jinja file"),
            ("system", self.system, "a text, or no `system` at all"),
        ):
            if isinstance(written, str) and not written.strip():
                yield (key,), f"`{key}` is blank; expected {instead}"
        for name in sorted(RESERVED.intersection(self.arguments)):
            yield ("arguments", name), f"`{name}` is given to the template already; rename this one"
        yield from self._policy()

    def doubts(self, context: int) -> Iterator[str]:
        """What is allowed but can hardly be meant, as a user should hear it.

        `context` is in tokens.
        """
        if self.truncate == "end" and self.fit != "truncate":
            yield f"`contract.truncate: end` has no effect with `contract.fit: {self.fit}`"
        decoding = self.decoding
        if decoding.top_p < 1 and decoding.temperature == 0:
            yield (
                f"`contract.decoding.top_p: {decoding.top_p:g}` has no effect at temperature 0, "
                "which takes the likeliest token"
            )
        if decoding.max_new_tokens >= context:
            yield (
                f"`contract.decoding.max_new_tokens: {decoding.max_new_tokens:,}` has no effect: "
                f"prompt and answer together have {context:,} tokens"
            )
        if self._shares() == 1:
            yield (
                "no row is taught under `contract.system`, which is served: the shares of "
                "`contract.variants` and `contract.without_system` make 1"
            )

    def _policy(self) -> Iterator[tuple[Loc, str]]:
        for key, given in (
            ("variants", bool(self.variants)),
            ("without_system", self.without_system > 0),
        ):
            if given and self.system is None:
                yield (key,), f"`{key}` stands in for `system`, and there is none: give it"
        taken = [self.system.name if isinstance(self.system, Named) else "system"]
        for number, one in enumerate(self.variants):
            if one.name in taken:
                yield ("variants", number, "name"), f"`{one.name}` names another prompt already"
            taken.append(one.name)
        if self._shares() > 1:
            yield (
                ("variants",),
                f"the shares and `without_system` make {self._shares():g}; expected at most 1",
            )

    def _shares(self) -> float:
        return round(self.without_system + sum(one.share for one in self.variants), 9)
