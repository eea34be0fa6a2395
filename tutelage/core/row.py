"""The canonical row: an Example, a Conversation meant to teach, with where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

import msgspec

from tutelage.core.conversation import Conversation, Message, messages_from
from tutelage.core.digest import Json, short_digest, strong_digest
from tutelage.core.review import Review

Origin = Literal["human", "human_edited", "synthetic", "log"]
Split = Literal["train", "validation", "test"]
ORIGINS: tuple[Origin, ...] = get_args(Origin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a row was read: a uri relative to the recipe, a line counted from 1, a digest.

    A row made from an event has the uri `event:ID` and no line, which is 0.
    """

    uri: str
    line: int
    digest: str = ""  # SHA-256 of the file, or of the event

    def __str__(self) -> str:
        return f"{self.uri}:{self.line}" if self.line else self.uri


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """What wrote a synthetic row: enough to ask it again, and whether its words may be used."""

    model: str
    prompt_digest: str | None = None  # of the prompt it was given
    parameters: Mapping[str, Json] = field(default_factory=dict)  # such as temperature
    seed: int | None = None
    licence: str | None = None  # of what the model writes

    def to_dict(self) -> dict[str, Json]:
        """The generator as plain JSON, without what is not set."""
        form: dict[str, Json] = {"model": self.model}
        if self.prompt_digest is not None:
            form["prompt_digest"] = self.prompt_digest
        if self.parameters:
            form["parameters"] = dict(self.parameters)
        if self.seed is not None:
            form["seed"] = self.seed
        if self.licence is not None:
            form["licence"] = self.licence
        return form

    @classmethod
    def from_dict(cls, form: Mapping[str, Any] | str) -> Generator:
        """The generator of `to_dict`, or of a model's name alone."""
        if isinstance(form, str):
            return cls(model=form)
        return cls(
            model=form["model"],
            prompt_digest=form.get("prompt_digest"),
            parameters=dict(form.get("parameters") or {}),
            seed=form.get("seed"),
            licence=form.get("licence"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A Conversation meant to teach, with its source: one row of a Dataset.

    `id` names the content alone (messages, tools, chosen, rejected), so the same
    words read from two files carry one id.
    """

    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Json], ...] = ()
    chosen: tuple[Message, ...] = ()  # the preferred continuation of `messages`
    rejected: tuple[Message, ...] = ()
    origin: Origin
    licence: str  # an SPDX expression
    licence_basis: str | None = None  # where or by whom the licence is stated
    source: Source
    author: str | None = None
    consent_key: str | None = None  # erasing this key erases the row
    generator: Generator | None = None  # what wrote a synthetic row
    parents: tuple[str, ...] = ()  # ids of the rows it was made from
    editor: str | None = None
    reviews: tuple[Review, ...] = ()  # of people, where a model drafted it
    tags: Mapping[str, str] = field(default_factory=dict)
    split: Split | None = None
    stage: str | None = None  # the stage that made the row, where one did
    weight: float = 1.0
    id: str = ""  # computed when left empty

    def __post_init__(self) -> None:
        if not self.id:
            object.__setattr__(self, "id", row_id(self))

    @property
    def conversation(self) -> Conversation:
        """The messages and tools alone, as they are rendered."""
        return Conversation(messages=self.messages, tools=self.tools)

    def content(self) -> dict[str, Json]:
        """What the id is computed from."""
        form = self.conversation.to_dict()
        if self.chosen:
            form["chosen"] = [message.to_dict() for message in self.chosen]
        if self.rejected:
            form["rejected"] = [message.to_dict() for message in self.rejected]
        return form

    def to_dict(self) -> dict[str, Json]:
        """The row as plain JSON: id and content first, then what is set of the rest."""
        form: dict[str, Json] = {"id": self.id, **self.content()}
        form |= {"origin": self.origin, "licence": self.licence}
        form["source"] = {
            "uri": self.source.uri,
            "line": self.source.line,
            "digest": self.source.digest,
        }
        for name in ("licence_basis", "author", "consent_key", "editor", "split", "stage"):
            value: str | None = getattr(self, name)
            if value is not None:
                form[name] = value
        if self.generator is not None:
            form["generator"] = self.generator.to_dict()
        if self.parents:
            form["parents"] = list(self.parents)
        if self.reviews:
            form["reviews"] = [review.to_dict() for review in self.reviews]
        if self.tags:
            form["tags"] = dict(self.tags)
        if self.weight != 1.0:
            form["weight"] = self.weight
        return form

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Example:
        """The row of `to_dict`; trusts its types, `curate` checks those of users' rows."""
        source = form["source"]
        return cls(
            id=form.get("id") or "",
            messages=messages_from(form["messages"]),
            tools=tuple(dict(tool) for tool in form.get("tools") or ()),
            chosen=messages_from(form.get("chosen") or ()),
            rejected=messages_from(form.get("rejected") or ()),
            origin=cast(Origin, form["origin"]),
            licence=form["licence"],
            licence_basis=form.get("licence_basis"),
            source=Source(uri=source["uri"], line=source["line"], digest=source["digest"]),
            author=form.get("author"),
            consent_key=form.get("consent_key"),
            generator=Generator.from_dict(form["generator"]) if form.get("generator") else None,
            parents=tuple(form.get("parents") or ()),
            editor=form.get("editor"),
            reviews=tuple(Review.from_dict(one) for one in form.get("reviews") or ()),
            tags=dict(form.get("tags") or {}),
            split=cast("Split | None", form.get("split")),
            stage=form.get("stage"),
            weight=1.0 if form.get("weight") is None else float(form["weight"]),
        )


def row_id(example: Example) -> str:
    """xxh3-128 of the canonical content, 32 hexadecimal digits.

    Fields stand in a fixed order and what is not set is left out. The order of a
    tool call's arguments is kept: a model is taught that order.
    """
    return short_digest(msgspec.json.encode(example.content()))


def reviewed_digest(example: Example) -> str:
    """SHA-256 of all that a row's reviewers have agreed to: its words, weight, tags and whence."""
    form = example.to_dict()
    for name in ("id", "source", "author", "split", "stage", "reviews", "licence_basis"):
        form.pop(name, None)
    tags = example.tags.items()  # reading a row adds the place it was written under
    form["tags"] = {name: value for name, value in tags if not name.startswith("source.")}
    return strong_digest(form)


def draft_digest(example: Example) -> str:
    """SHA-256 of a draft: its content, what wrote it and how, its seeds and its licence."""
    made = example.generator.to_dict() if example.generator else None
    return strong_digest([example.content(), made, list(example.parents), example.licence])
