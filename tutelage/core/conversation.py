"""A Conversation: ordered, role-tagged Messages and the tools they may call."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from tutelage.core.digest import Json

Role = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[Role, ...] = get_args(Role)
ASSISTANT: tuple[Role, ...] = ("assistant",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call an assistant makes; the order of arguments is kept, a model emits it."""

    name: str
    arguments: Mapping[str, Json] = field(default_factory=dict)
    id: str | None = None

    def to_dict(self) -> dict[str, Json]:
        """The call as plain JSON, without what is not set."""
        form: dict[str, Json] = {"name": self.name, "arguments": dict(self.arguments)}
        return form if self.id is None else {"id": self.id, **form}

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> ToolCall:
        """The call of `to_dict`."""
        return cls(name=form["name"], arguments=dict(form["arguments"]), id=form.get("id"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One role-tagged turn."""

    role: Role
    content: str = ""
    reasoning: str | None = None  # thought before the answer, apart from it
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None  # on a `tool` message: the call it answers
    name: str | None = None
    train: bool | None = None  # False: not taught, whoever says it
    weight: float = 1.0  # of its tokens in the loss

    @property
    def taught(self) -> bool:
        """Whether this turn is to be taught where the assistant's are."""
        return self.taught_of(ASSISTANT)

    def taught_of(self, roles: Collection[Role]) -> bool:
        """Whether this turn is to be taught where those of these roles are."""
        return self.role in roles and self.train is not False and self.weight > 0

    def to_dict(self) -> dict[str, Json]:
        """The message as plain JSON in a fixed order, without what is not set."""
        form: dict[str, Json] = {"role": self.role, "content": self.content}
        if self.reasoning is not None:
            form["reasoning"] = self.reasoning
        if self.tool_calls:
            form["tool_calls"] = [call.to_dict() for call in self.tool_calls]
        if self.tool_call_id is not None:
            form["tool_call_id"] = self.tool_call_id
        if self.name is not None:
            form["name"] = self.name
        if self.train is not None:
            form["train"] = self.train
        if self.weight != 1.0:
            form["weight"] = self.weight
        return form

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Message:
        """The message of `to_dict`; trusts its types, `curate` checks those of users' rows."""
        return cls(
            role=cast(Role, form["role"]),
            content=form.get("content") or "",
            reasoning=form.get("reasoning"),
            tool_calls=tuple(ToolCall.from_dict(call) for call in form.get("tool_calls") or ()),
            tool_call_id=form.get("tool_call_id"),
            name=form.get("name"),
            train=form.get("train"),
            weight=1.0 if form.get("weight") is None else float(form["weight"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Ordered Messages and the tools they may call (JSON Schema functions)."""

    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Json], ...] = ()

    def to_dict(self) -> dict[str, Json]:
        """The conversation as plain JSON."""
        form: dict[str, Json] = {"messages": [message.to_dict() for message in self.messages]}
        if self.tools:
            form["tools"] = [dict(tool) for tool in self.tools]
        return form

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Conversation:
        """The conversation of `to_dict`."""
        return cls(
            messages=messages_from(form["messages"]),
            tools=tuple(dict(tool) for tool in form.get("tools") or ()),
        )


def joined_parts(texts: Iterable[str]) -> str:
    """The content of a message that came in parts: each on lines of its own.

    In one place, for rows that teach and requests that are served must be read alike.
    """
    return "\n".join(texts)


def messages_from(forms: Sequence[Mapping[str, Any]]) -> tuple[Message, ...]:
    """Messages of plain dictionaries, in order."""
    return tuple(Message.from_dict(form) for form in forms)
